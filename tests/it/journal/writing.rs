//! Many who write at once, callers that go away, drafts that can not be sealed.

use std::{sync::Arc, time::Duration};

use admin_shell::{
    event::Status,
    journal::{Found, JournalError, SessionStatus},
};

use super::fixture::{Store, Writing, at, command_end, command_start, observation, on_every_store, start};

on_every_store! {
    async fn those_who_wait_share_a_commit_and_not_a_failure(store: &Store) {
        let journal = store.open().await;
        let too_large = "x".repeat(300 * 1024);
        let writers: Vec<_> = (0..16)
            .map(|number| {
                let (journal, too_large) = (Arc::clone(&journal), too_large.clone());
                tokio::spawn(async move {
                    let session = Writing::new("orchestrator");
                    session.record(&*journal, &[start(at(number), "ada", "host-a")]).await.expect("recorded");
                    for command in 1..=20 {
                        if number == 3 {
                            let refused = session.record(&*journal, &[command_start(at(1), command, &too_large)]).await;
                            assert!(matches!(refused, Err(JournalError::Invalid(_))), "{refused:?}");
                        }
                        session.record(&*journal, &[command_start(at(1), command, "ps()")]).await.expect("recorded");
                        session.record(&*journal, &[command_end(at(2), command, Status::Ok)]).await.expect("recorded");
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.expect("nobody else fails");
        }
        let status = journal.status().await.expect("status");
        assert_eq!((status.sessions, status.position), (16, 16 * 41));
        let report = journal.verify(None).await.expect("verified");
        assert!(report.faults.is_empty(), "{:?}", report.faults);
    }

    async fn two_programs_begin_sessions_in_turn(store: &Store) {
        let (one, other) = (store.open().await, store.open().await);
        let said_before = Writing::new("orchestrator");
        for round in 0..6 {
            for journal in [&one, &one, &other] {
                let session = Writing::new("orchestrator");
                let events = session.record(&**journal, &[start(at(round), "ada", "host-a")]).await.expect("begun");
                let again = session.record(&**journal, &[start(at(round), "ada", "host-a")]).await;
                assert!(matches!(again, Err(JournalError::Invalid(_))), "{again:?}");
                assert_eq!(events[0].seq(), 0);
            }
            let drafts = [observation(at(round), Some(&said_before.id), "crashed")];
            one.record(&one.own_stream(), &drafts).await.expect("observed");
        }
        said_before.record(&*one, &[start(at(9), "ada", "host-a")]).await.expect("begun");
        let Ok(Found::One(session)) = other.find(said_before.id.as_str()).await else { panic!("it is there") };
        assert_eq!(session.status, SessionStatus::Crashed);
        let status = other.status().await.expect("status");
        assert_eq!((status.sessions, status.position), (19, 25));
        let report = other.verify(None).await.expect("verified");
        assert!(report.faults.is_empty(), "{:?}", report.faults);
    }

    async fn a_draft_that_is_too_large_leaves_no_trace(store: &Store) {
        let journal = store.open().await;
        let session = Writing::new("orchestrator");
        let drafts = [start(at(0), "ada", "host-a"), command_start(at(1), 1, &"x".repeat(300 * 1024))];
        let refused = session.record(&*journal, &drafts).await;
        assert!(matches!(refused, Err(JournalError::Invalid(_))), "{refused:?}");
        assert!(matches!(journal.find(session.id.as_str()).await.expect("found"), Found::None));
        assert_eq!(journal.status().await.expect("status").position, 0);
        session.record(&*journal, &drafts[..1]).await.expect("recorded");
    }

    async fn a_caller_that_goes_away_leaves_nothing_half_done(store: &Store) {
        let journal = store.open().await;
        let session = Writing::new("orchestrator");
        session.record(&*journal, &[start(at(0), "ada", "host-a")]).await.expect("recorded");
        for command in 1..=50 {
            let drafts = [command_start(at(1), command, "ps()"), command_end(at(2), command, Status::Ok)];
            // Given up after a while that lies before, in or after the transaction.
            let given_up = Duration::from_micros(command * 20);
            let _ = tokio::time::timeout(given_up, session.record(&*journal, &drafts)).await;
            let events = session.record(&*journal, &drafts).await.expect("recorded");
            assert_eq!((events[0].seq(), events[1].seq()), (2 * command - 1, 2 * command));
        }
        for _ in 0..20 {
            let _ = tokio::time::timeout(Duration::from_micros(300), journal.verify(None)).await;
            let _ = tokio::time::timeout(Duration::from_micros(300), journal.rebuild()).await;
        }
        session.record(&*journal, &[command_start(at(1), 51, "ps()")]).await.expect("recorded");
        let report = journal.verify(None).await.expect("verified");
        assert!(report.faults.is_empty(), "{:?}", report.faults);
    }

    async fn background_work_lets_others_write(store: &Store) {
        let journal = store.open().await;
        for number in 0..100 {
            Writing::new("manager").whole(&*journal, number, 5).await;
        }
        let other = store.open().await;
        let recording = tokio::spawn(async move {
            let session = Writing::new("orchestrator");
            let mut drafts = vec![start(at(0), "ada", "host-a")];
            for command in 1..=40 {
                drafts.push(command_start(at(1), command, "ps()"));
                session.record(&*other, &drafts).await.expect("recorded");
                drafts = vec![command_end(at(2), command, Status::Ok)];
                let own = other.own_stream();
                other.record(&own, &[observation(at(3), Some(&session.id), "end_requested")]).await.expect("recorded");
            }
            other.close().await;
        });
        for _ in 0..3 {
            let rebuilt = journal.rebuild().await.expect("rebuilt");
            assert!(rebuilt.corrected.is_empty(), "{rebuilt:?}");
        }
        let before = jiff::Timestamp::now() + jiff::Span::new().hours(1);
        let plan = admin_shell::journal::Prune { before, archive: None, by: "a test".into(), why: "a test's".into() };
        assert_eq!(journal.prune(&plan).await.expect("pruned").sessions, 100);
        recording.await.expect("nothing was refused");
        let report = journal.verify(None).await.expect("verified");
        assert!(report.faults.is_empty(), "{:?}", report.faults);
    }
}
