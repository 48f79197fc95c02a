//! Pruning, scrubbing, rebuilding, archives.

use std::os::unix::fs::MetadataExt;

use admin_shell::{
    event::{EventKind, SessionId, Status, StreamId},
    journal::{Entry, Filter, Found, Journal, JournalError, Page, Prune, SqliteJournal, Verdict},
};
use jiff::Timestamp;

use super::fixture::{
    Kind, Store, Writing, at, command_end, command_start, draft, observation, on_every_store, scrubbed, start,
};

fn everything() -> Prune {
    Prune {
        before: Timestamp::now() + jiff::Span::new().hours(1),
        archive: None,
        by: "a test".into(),
        why: "a test's".into(),
    }
}

async fn assert_sound(journal: &dyn Journal) {
    let report = journal.verify(None).await.expect("verified");
    assert!(report.faults.is_empty(), "{:#?}", report.faults);
}

async fn sums(store: &Store) -> Vec<Vec<i64>> {
    let sum = |column: &str| format!("CAST(sum({column}) AS BIGINT)");
    let columns = ["sessions", "commands", "duration_us"].map(sum).join(", ");
    store.numbers(&format!("SELECT {columns} FROM rollups GROUP BY component ORDER BY component")).await
}

async fn count(journal: &dyn Journal) -> usize {
    journal.sessions(&Filter::default(), &Page { limit: 1000, after: None }).await.expect("a page").records.len()
}

on_every_store! {
    async fn pruning_removes_ended_sessions_and_keeps_the_sums(store: &Store) {
        let journal = store.open().await;
        let old: Vec<Writing> = (0..40).map(|_| Writing::new("orchestrator")).collect();
        let mut events = Vec::new();
        for (number, session) in old.iter().enumerate() {
            events.push(session.whole(&*journal, number as i64, 2).await);
        }
        let open = Writing::new("manager");
        open.record(&*journal, &[start(at(500), "bob", "host-b")]).await.expect("recorded");
        let last = Writing::new("orchestrator");
        last.whole(&*journal, 600, 1).await;
        let before = sums(store).await;

        let pruned = journal.prune(&everything()).await.expect("pruned");
        assert_eq!((pruned.sessions, pruned.events), (41, 40 * 6 + 4));
        // The open session stands in the way of folding more.
        assert_eq!(pruned.folded, 240);
        assert_eq!(count(&*journal).await, 1);
        assert!(matches!(journal.find(old[3].id.as_str()).await.expect("found"), Found::None));
        assert_eq!(sums(store).await, before);
        assert_sound(&*journal).await;
        let left = journal.events(&StreamId::Session(last.id.clone()), 0, 100).await.expect("events");
        assert_eq!(left.len(), 4);
        assert!(left.iter().all(|entry| matches!(entry, Entry::Pruned { .. })));
        let own = journal.events(&StreamId::Journal(journal.id().clone()), 0, 10).await.expect("events");
        assert!(matches!(&own[..], [Entry::Whole(event)] if event.body()["what"] == "pruned"), "{own:?}");

        // Rebuild = base + what is left; and again, and after more was recorded.
        let rebuilt = journal.rebuild().await.expect("rebuilt");
        assert!(rebuilt.corrected.is_empty(), "{rebuilt:?}");
        assert_eq!(sums(store).await, before);
        assert_sound(&*journal).await;

        // What was pruned is known for ever: folded or not, it is no new session.
        let elsewhere = journal.append(&events[0]).await.expect("appended");
        assert!(elsewhere.iter().all(|verdict| !matches!(verdict, Verdict::Accepted)), "{elsewhere:?}");
        assert_eq!(count(&*journal).await, 1);

        // Nothing is left to prune, and nothing is said about it.
        let again = journal.prune(&everything()).await.expect("pruned");
        assert_eq!((again.sessions, again.events), (0, 0));
        Writing::new("orchestrator").whole(&*journal, 700, 1).await;
        assert_sound(&*journal).await;
        journal.close().await;
        let journal = store.open().await;
        assert_sound(&*journal).await;
    }

    async fn delivered_duplicates_of_a_pruned_session_are_duplicates(store: &Store) {
        let elsewhere = SqliteJournal::in_memory().await.expect("a journal");
        let journal = store.open().await;
        let session = Writing::new("orchestrator");
        let events = session.whole(&elsewhere, 0, 2).await;
        journal.append(&events).await.expect("appended");
        let later = Writing::new("orchestrator");
        later.whole(&*journal, 10, 1).await;
        journal.prune(&everything()).await.expect("pruned");
        let verdicts = journal.append(&events).await.expect("appended");
        assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Duplicate), "{verdicts:?}");
        assert_sound(&*journal).await;
    }

    async fn only_what_every_sink_has_is_pruned(store: &Store) {
        let journal = store.open().await;
        let (a, b) = (Writing::new("orchestrator"), Writing::new("orchestrator"));
        a.whole(&*journal, 0, 1).await;
        b.whole(&*journal, 10, 1).await;
        Writing::new("manager").whole(&*journal, 20, 1).await;
        store.run("INSERT INTO cursors (sink, component, position, changed_us) VALUES ('http://t', 'orchestrator', 5, 0)").await;
        let pruned = journal.prune(&everything()).await.expect("pruned");
        assert_eq!(pruned.sessions, 2, "a and the manager's session");
        assert!(matches!(journal.find(b.id.as_str()).await.expect("found"), Found::One(_)));
        store.run("UPDATE cursors SET position = 100").await;
        store.run("INSERT INTO buried SELECT 'http://t', position, event_id, 'refused', 0 FROM events WHERE position = 6").await;
        assert_eq!(journal.prune(&everything()).await.expect("pruned").sessions, 0, "one of its events is buried");
        store.run("DELETE FROM buried").await;
        assert_eq!(journal.prune(&everything()).await.expect("pruned").sessions, 1);
        assert_sound(&*journal).await;
    }

    async fn our_own_clock_decides_what_is_old(store: &Store) {
        let journal = store.open().await;
        // Its writer's clock stands in 2023; we heard of it just now.
        Writing::new("orchestrator").whole(&*journal, 0, 1).await;
        let plan = Prune {
            before: Timestamp::now() - jiff::Span::new().hours(1),
            archive: None,
            by: "a test".into(),
            why: "a test's".into(),
        };
        assert_eq!(journal.prune(&plan).await.expect("pruned").sessions, 0);
    }

    async fn an_archive_is_a_journal_to_read(store: &Store) {
        let journal = store.open().await;
        let sessions: Vec<Writing> = (0..3).map(|_| Writing::new("orchestrator")).collect();
        for (number, session) in sessions.iter().enumerate() {
            session.whole(&*journal, number as i64 * 10, 2).await;
        }
        let crashed = Writing::new("manager");
        crashed.record(&*journal, &[start(at(50), "bob", "host-b")]).await.expect("recorded");
        let own = journal.own_stream();
        journal.record(&own, &[observation(at(60), None, "noted")]).await.expect("recorded");
        journal.record(&own, &[observation(at(61), Some(&crashed.id), "crashed")]).await.expect("recorded");
        let before = journal.sessions(&Filter::default(), &Page::default()).await.expect("a page").records;

        let archive = store.place.directory.path().join("old.jsonl");
        let plan = Prune { archive: Some(archive.clone()), ..everything() };
        let pruned = journal.prune(&plan).await.expect("pruned");
        assert_eq!(pruned.sessions, 4);
        assert_eq!(std::fs::metadata(&archive).expect("it is there").mode() & 0o777, 0o600);
        assert_eq!(count(&*journal).await, 0);

        let read = SqliteJournal::open(archive.to_str().expect("a path")).await.expect("the archive opens");
        let mut after = read.sessions(&Filter::default(), &Page::default()).await.expect("a page").records;
        for (record, old) in after.iter_mut().zip(&before) {
            record.last_seen = old.last_seen;
        }
        assert_eq!(after, before);
        assert_eq!(read.observations(&crashed.id).await.expect("observations").len(), 1);
        assert_eq!(read.events(&sessions[0].stream.id, 0, 100).await.expect("events").len(), 6);
        let found = Filter { text: Some("show(2)".into()), ..Filter::default() };
        assert_eq!(read.sessions(&found, &Page::default()).await.expect("a page").records.len(), 3);
        assert_sound(&read).await;
        let refused = sessions[0].record(&read, &[start(at(1), "eve", "host-a")]).await;
        assert!(matches!(refused, Err(JournalError::ReadOnly { .. })), "{refused:?}");

        // The next prune adds to it.
        Writing::new("orchestrator").whole(&*journal, 100, 1).await;
        journal.prune(&plan).await.expect("pruned");
        let read = SqliteJournal::open(archive.to_str().expect("a path")).await.expect("the archive opens");
        assert_eq!(count(&read).await, 5);
        assert_sound(&read).await;
    }

    async fn an_archive_that_can_not_be_written_stops_the_prune(store: &Store) {
        let journal = store.open().await;
        Writing::new("orchestrator").whole(&*journal, 0, 1).await;
        let plan = Prune { archive: Some(store.place.directory.path().join("not/there.jsonl")), ..everything() };
        let refused = journal.prune(&plan).await;
        assert!(matches!(&refused, Err(JournalError::Unusable { because, .. }) if because.contains("nothing was removed")));
        assert_eq!(count(&*journal).await, 1);
    }

    async fn scrubbing_leaves_no_trace_of_the_body(store: &Store) {
        let journal = store.open().await;
        let session = Writing::new("orchestrator");
        let leaked = command_start(at(1), 1, "login(\"correct-horse-battery\")");
        let id = leaked.event_id();
        session.record(&*journal, &[start(at(0), "ada", "host-a"), leaked]).await.expect("recorded");
        session.record(&*journal, &[command_end(at(2), 1, Status::Ok)]).await.expect("recorded");
        // Enough of others that the text index is filled.
        for number in 0..60 {
            Writing::new("manager").whole(&*journal, 10 + number, 10).await;
        }
        let asked = Filter { text: Some("correct-horse".into()), ..Filter::default() };
        assert_eq!(journal.sessions(&asked, &Page::default()).await.expect("a page").records.len(), 1);
        let why = scrubbed(at(5), id);
        journal.scrub(id, &why).await.expect("scrubbed");
        assert!(journal.sessions(&asked, &Page::default()).await.expect("a page").records.is_empty());
        assert_sound(&*journal).await;
        let Found::One(record) = journal.find(session.id.as_str()).await.expect("found") else { panic!("it is listed") };
        assert_eq!((record.commands, record.quality_score), (1, Some(100.0)));
        let entries = journal.events(&session.stream.id, 0, 10).await.expect("events");
        assert!(matches!(&entries[1], Entry::Pruned { seq: 1, event_type, .. } if event_type == "command_start"));
        // It can not be scrubbed twice, nor can what is not there.
        assert!(matches!(journal.scrub(id, &why).await, Err(JournalError::Invalid(_))));
        assert!(matches!(journal.scrub(uuid(), &why).await, Err(JournalError::Invalid(_))));
        let rebuilt = journal.rebuild().await.expect("rebuilt");
        assert!(rebuilt.corrected.is_empty(), "{rebuilt:?}");
        assert_sound(&*journal).await;
        journal.close().await;
        if store.kind != Kind::Sqlite {
            // The server's own files are not ours to look into.
            return;
        }
        for suffix in ["", "-wal"] {
            let bytes = std::fs::read(format!("{}{suffix}", store.place.path())).unwrap_or_default();
            let found = bytes.windows(21).any(|window| window == b"correct-horse-battery");
            assert!(!found, "the body is still in the file{suffix}");
        }
    }

    async fn scrubbing_a_start_keeps_the_session(store: &Store) {
        let journal = store.open().await;
        let session = Writing::new("orchestrator");
        let first = start(at(0), "ada", "host-a");
        session.record(&*journal, std::slice::from_ref(&first)).await.expect("recorded");
        journal.scrub(first.event_id(), &scrubbed(at(5), first.event_id())).await.expect("scrubbed");
        let Found::One(record) = journal.find(session.id.as_str()).await.expect("found") else { panic!("it is listed") };
        assert_eq!((record.start_time, record.username, record.mode.as_deref()), (Some(at(0)), None, Some("interactive")));
        session.record(&*journal, &[command_start(at(1), 1, "ps()")]).await.expect("recorded");
        assert_sound(&*journal).await;
    }

    async fn unknown_types_are_kept_and_verified(store: &Store) {
        let journal = store.open().await;
        let session = Writing::new("orchestrator");
        let strange = draft(EventKind::Other("weather".into()), at(1), &serde_json::json!({ "sky": "blue" }));
        session.record(&*journal, &[start(at(0), "ada", "host-a"), strange]).await.expect("recorded");
        assert_sound(&*journal).await;
        assert!(journal.rebuild().await.expect("rebuilt").corrected.is_empty());
    }
}

fn uuid() -> uuid::Uuid {
    let text = SessionId::new().to_string();
    uuid::Uuid::from_slice(&text.as_bytes()[..16]).expect("16 bytes")
}
