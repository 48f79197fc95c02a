//! Who leaves the table of presence, and what stays of those who left.

use admin_shell::{
    event::{EndReason, SessionId},
    journal::{Emits, Found, Journal, Presence, SessionStatus},
};
use jiff::{SignedDuration, Timestamp};

use super::fixture::{Store, Writing, at, end, on_every_store, start};

fn beat(session: &SessionId, success: u64) -> Presence {
    let failure = [("timeout".to_owned(), success)].into();
    let emits = Emits { event_type: "command_start".into(), success, failure, ..Emits::default() };
    Presence {
        session_id: session.clone(),
        component_name: "orchestrator".into(),
        lease_seconds: 30,
        emits: vec![emits],
    }
}

/// What all sessions have emitted together: successes, and timeouts, which are as many here.
async fn emitted(journal: &dyn Journal) -> u64 {
    let emits: Vec<Emits> = journal
        .emitted()
        .await
        .expect("read")
        .into_iter()
        .flat_map(|(component, emits)| {
            assert_eq!(component, "orchestrator");
            emits
        })
        .collect();
    let success = emits.iter().map(|emits| emits.success).sum();
    assert_eq!(emits.iter().flat_map(|emits| emits.failure.values()).sum::<u64>(), success);
    success
}

async fn status(journal: &dyn Journal, session: &SessionId) -> SessionStatus {
    match journal.find(session.as_str()).await.expect("found") {
        Found::One(record) => record.status,
        other => panic!("one session, not {other:?}"),
    }
}

on_every_store! {
    async fn who_has_ended_leaves_and_what_was_emitted_stays(store: &Store) {
        let journal = &*store.open().await;
        let rows = async || store.numbers("SELECT count(*) FROM presence").await[0][0];
        let later = |hours: i64, minutes: i64| {
            Timestamp::now() + SignedDuration::from_hours(hours) + SignedDuration::from_mins(minutes)
        };
        let (ended, open, unknown) = (Writing::new("orchestrator"), Writing::new("orchestrator"), SessionId::new());
        ended.record(journal, &[start(at(0), "ada", "a"), end(at(1), EndReason::Exit, 1)]).await.expect("recorded");
        open.record(journal, &[start(at(0), "ada", "a")]).await.expect("recorded");
        journal.beat(&[beat(&ended.id, 2), beat(&open.id, 3), beat(&unknown, 5)]).await.expect("noted");
        assert_eq!((journal.retire_presences(Timestamp::now()).await.expect("retired"), rows().await), (0, 3));
        assert_eq!(journal.retire_presences(later(0, 16)).await.expect("retired"), 1);
        assert_eq!((rows().await, emitted(journal).await), (2, 10));
        assert!(!journal.was_heard(&ended.id).await.expect("read"));
        // It is counted once, also when it comes back after all.
        store.run("UPDATE streams SET heard_us = 0").await;
        journal.beat(&[beat(&ended.id, 9), beat(&open.id, 4)]).await.expect("noted");
        assert_eq!((rows().await, emitted(journal).await), (3, 11));
        // An open one stays, as long as it is open: that it is silent is all that is known of it then.
        assert_eq!(journal.retire_presences(later(25, 0)).await.expect("retired"), 3);
        assert_eq!((rows().await, emitted(journal).await), (1, 11));
        assert_eq!(journal.retire_presences(later(25, 0)).await.expect("retired"), 0);
        journal.beat(&[beat(&open.id, 100)]).await.expect("noted");
        assert_eq!((status(journal, &open.id).await, emitted(journal).await), (SessionStatus::Active, 11));
        assert_eq!(journal.active_sessions().await.expect("counted"), [("orchestrator".to_owned(), 1)]);
        store.run("UPDATE presence SET heard_us = heard_us - 91000000").await;
        assert_eq!(status(journal, &open.id).await, SessionStatus::Lost);
        assert_eq!(journal.active_sessions().await.expect("counted"), []);
        open.record(journal, &[end(at(2), EndReason::Exit, 1)]).await.expect("recorded");
        journal.retire_presences(later(1, 0)).await.expect("retired");
        assert_eq!((rows().await, emitted(journal).await), (0, 11));
    }

    async fn several_trackers_retire_at_once_and_many_leave(store: &Store) {
        let (one, other) = (store.open().await, store.open().await);
        let beats: Vec<Presence> = (0..1_000).map(|_| beat(&SessionId::new(), 1)).collect();
        one.beat(&beats).await.expect("noted");
        let later = Timestamp::now() + SignedDuration::from_hours(25);
        let (first, second) = tokio::join!(one.retire_presences(later), other.retire_presences(later));
        assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
        assert_eq!(store.numbers("SELECT count(*) FROM presence").await[0][0], 0);
        assert_eq!(emitted(&*one).await, 1_000);
    }
}
