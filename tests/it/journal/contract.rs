//! What every journal does, whatever keeps it.

use admin_shell::{
    event::{EndReason, Hash, JournalId, SessionId, Status, StreamId},
    journal::{
        CommandFilter, Entry, Filter, Found, Head, Journal, Page, Parcel, Presence, Progress, Refusal, SessionStatus,
        SqliteJournal, Stub, Verdict,
    },
};

#[cfg(feature = "postgres")]
use super::fixture::{Kind, Store};
use super::fixture::{Place, Writing, at, call_start, command_end, command_start, end, observation, start};

/// Runs a test of the contract on every kind of journal.
macro_rules! contract {
    ($($(#[$attribute:meta])* async fn $name:ident($journal:ident: &dyn Journal) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn run($journal: &dyn Journal) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite_file() {
                let place = Place::new();
                let journal = place.open().await;
                run(&journal).await;
                journal.close().await;
            }

            #[tokio::test]
            async fn sqlite_memory() {
                let journal = SqliteJournal::in_memory().await.expect("a journal in memory");
                run(&journal).await;
            }

            #[cfg(feature = "postgres")]
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                let journal = Store::new(Kind::Postgres).await.open().await;
                run(&*journal).await;
                journal.close().await;
            }
        }
    )+};
}

async fn one(journal: &dyn Journal, id: &str) -> admin_shell::journal::SessionRecord {
    match journal.find(id).await.expect("finding works") {
        Found::One(record) => *record,
        other => panic!("one session, not {other:?}"),
    }
}

contract! {
    async fn a_session_from_start_to_end(journal: &dyn Journal) {
        let session = Writing::new("orchestrator");
        let events = session.record(journal, &[start(at(0), "ada", "host-a")]).await.expect("recorded");
        assert_eq!(events[0].seq(), 0);
        assert_eq!(events[0].prev(), None);
        let active = one(journal, session.id.as_str()).await;
        assert_eq!(active.status, SessionStatus::Active);
        assert_eq!(active.username.as_deref(), Some("ada"));
        assert_eq!(active.component_version.as_deref(), Some("1.2.3"));
        assert_eq!(active.quality_score, None);
        assert_eq!(journal.open_sessions().await.expect("open").len(), 1);

        session.record(journal, &[command_start(at(1), 1, "ps()")]).await.expect("recorded");
        let running = journal.commands(&CommandFilter::default()).await.expect("commands");
        assert_eq!((running[0].status.as_str(), running[0].input.as_deref()), ("unknown", Some("ps()")));
        session.record(journal, &[command_end(at(2), 1, Status::Ok)]).await.expect("recorded");
        let second = [
            command_start(at(3), 2, "cancel(\"run_1\")"),
            call_start(at(3), 2, 1, "destroy", "confirmed"),
            call_start(at(3), 2, 2, "write", "run"),
            call_start(at(3), 2, 3, "write", "refused"),
            command_end(at(4), 2, Status::Refused),
        ];
        session.record(journal, &second).await.expect("recorded");
        let last = session.record(journal, &[end(at(9), EndReason::Eof, 8_500_000)]).await.expect("recorded");
        let record = one(journal, session.id.as_str()).await;
        assert_eq!(record.status, SessionStatus::Ended);
        assert_eq!(record.end_reason, Some(EndReason::Eof));
        assert_eq!((record.commands, record.failed_commands), (2, 1));
        assert_eq!((record.write_calls, record.destroy_calls), (1, 1));
        assert_eq!(record.quality_score, Some(50.0));
        assert_eq!(record.duration_seconds, Some(8.5));
        assert_eq!(record.end_time, Some(at(9)));
        assert_eq!(record.chain_head, Some(last[0].hash().to_string()));
        assert!(journal.open_sessions().await.expect("open").is_empty());

        let entries = journal.events(&StreamId::Session(session.id.clone()), 0, 100).await.expect("events");
        let whole: Vec<_> = entries.iter().map(|entry| match entry {
            Entry::Whole(event) => event,
            Entry::Pruned { .. } => panic!("nothing was pruned"),
        }).collect();
        assert_eq!(whole.len(), 9);
        for (seq, pair) in whole.windows(2).enumerate() {
            assert_eq!(pair[0].seq(), seq as u64);
            assert_eq!(pair[1].prev(), Some(pair[0].hash()));
        }
        let later = journal.events(&StreamId::Session(session.id), 7, 1).await.expect("events");
        assert_eq!(later.len(), 1);
        let status = journal.status().await.expect("status");
        assert_eq!((status.position, status.events, status.sessions, status.active), (9, 9, 1, 0));
    }

    async fn recording_the_same_drafts_again_adds_nothing(journal: &dyn Journal) {
        let session = Writing::new("orchestrator");
        let first = [start(at(0), "ada", "host-a"), command_start(at(1), 1, "ps()")];
        let stored = session.record(journal, &first).await.expect("recorded");
        let again = session.record(journal, &first).await.expect("recorded again");
        assert_eq!(stored, again);
        // Half of it known, half of it new.
        let more = [first[1].clone(), command_end(at(2), 1, Status::Ok)];
        let mixed = session.record(journal, &more).await.expect("recorded");
        assert_eq!(mixed[0], stored[1]);
        assert_eq!((mixed[1].seq(), mixed[1].prev()), (2, Some(stored[1].hash())));
        assert_eq!(journal.status().await.expect("status").position, 3);
        assert_eq!(one(journal, session.id.as_str()).await.commands, 1);
    }

    async fn sealed_events_get_a_verdict_each(journal: &dyn Journal) {
        let elsewhere = SqliteJournal::in_memory().await.expect("another journal");
        let session = Writing::new("orchestrator");
        let events = session.whole(&elsewhere, 0, 2).await;
        let verdicts = journal.append(&events).await.expect("appended");
        assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Accepted), "{verdicts:?}");
        let verdicts = journal.append(&events).await.expect("appended");
        assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Duplicate), "{verdicts:?}");
        let here = one(journal, session.id.as_str()).await;
        let mut there = one(&elsewhere, session.id.as_str()).await;
        there.last_seen = here.last_seen;
        assert_eq!(here, there);

        // The same session told differently by somebody who has another copy of its first event.
        let liar = SqliteJournal::in_memory().await.expect("a third journal");
        liar.append(&events[..1]).await.expect("appended");
        let other_story = SqliteJournal::in_memory().await.expect("a fourth journal");
        let other = Writing { id: session.id.clone(), stream: session.stream.clone() };
        let forged = other.whole(&other_story, 50, 3).await;
        let verdicts = journal.append(&forged).await.expect("appended");
        assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Conflict(_))), "{verdicts:?}");
        assert!(one(journal, session.id.as_str()).await.forked);
        assert_eq!(journal.status().await.expect("status").conflicts, forged.len() as u64);
        assert_eq!(journal.status().await.expect("status").position, events.len() as u64);

        // A hole, and a beginning without a beginning.
        let third = Writing::new("orchestrator");
        let events = third.whole(&elsewhere, 10, 1).await;
        let verdicts = journal.append(&events[1..2]).await.expect("appended");
        assert!(matches!(&verdicts[0], Verdict::Rejected(why) if why.contains("seq 0")), "{verdicts:?}");
        let verdicts = journal.append(&[events[0].clone(), events[2].clone()]).await.expect("appended");
        assert_eq!(verdicts[0], Verdict::Accepted);
        assert!(matches!(&verdicts[1], Verdict::Rejected(why) if why.contains("before seq 1")), "{verdicts:?}");
    }

    async fn the_owners_end_wins(journal: &dyn Journal) {
        let elsewhere = SqliteJournal::in_memory().await.expect("another journal");
        let own = journal.own_stream();
        for (what, status, reason) in [
            ("crashed", SessionStatus::Crashed, EndReason::Crashed),
            ("ended_by_operator", SessionStatus::Ended, EndReason::Operator),
        ] {
            // The observation comes before the end.
            let session = Writing::new("orchestrator");
            let events = session.whole(&elsewhere, 0, 1).await;
            journal.append(&events[..3]).await.expect("appended");
            journal.record(&own, &[observation(at(100), Some(&session.id), what)]).await.expect("recorded");
            let seen = one(journal, session.id.as_str()).await;
            assert_eq!((seen.status, seen.end_reason, seen.inferred), (status, Some(reason), true));
            assert_eq!(seen.quality_score, Some(80.0));
            journal.append(&events[3..]).await.expect("appended");
            let seen = one(journal, session.id.as_str()).await;
            assert_eq!((seen.status, seen.end_reason), (SessionStatus::Ended, Some(EndReason::Exit)));
            assert_eq!((seen.inferred, seen.quality_score), (false, Some(100.0)));

            // The observation comes after the end, and before the session is heard of at all.
            for first in [0, 4] {
                let session = Writing::new("orchestrator");
                let events = session.whole(&elsewhere, 0, 1).await;
                journal.append(&events[..first]).await.expect("appended");
                journal.record(&own, &[observation(at(100), Some(&session.id), what)]).await.expect("recorded");
                journal.append(&events[first..]).await.expect("appended");
                let seen = one(journal, session.id.as_str()).await;
                assert_eq!((seen.end_reason, seen.inferred), (Some(EndReason::Exit), false));
                assert_eq!(journal.observations(&session.id).await.expect("observations").len(), 1);
            }
        }
    }

    async fn lists_are_pages_newest_first(journal: &dyn Journal) {
        for number in 0..23 {
            // Twice the same second: the id decides.
            Writing::new("orchestrator").whole(journal, number / 2 * 10, 1).await;
        }
        let mut page = Page { limit: 5, after: None };
        let mut seen = Vec::new();
        loop {
            let sessions = journal.sessions(&Filter::default(), &page).await.expect("a page");
            seen.extend(sessions.records.iter().map(|r| (r.start_time, r.session_id.clone())));
            match sessions.next {
                Some(next) => page.after = Some(next),
                None => break,
            }
        }
        assert_eq!(seen.len(), 23);
        let mut sorted = seen.clone();
        sorted.sort_by(|a, b| b.cmp(a));
        sorted.dedup();
        assert_eq!(seen, sorted);
    }

    async fn what_comes_after_a_position(journal: &dyn Journal) {
        let empty = journal.after(0, None, 10).await.expect("read");
        assert_eq!((empty.placed.len(), empty.upto), (0, 0));
        let (a, b) = (Writing::new("orchestrator"), Writing::new("manager"));
        let first = a.whole(journal, 0, 1).await;
        b.whole(journal, 10, 1).await;
        journal.record(&journal.own_stream(), &[observation(at(20), Some(&a.id), "crashed")]).await.expect("recorded");
        let all = journal.after(0, None, 100).await.expect("read");
        assert_eq!((all.placed.len(), all.upto), (9, 9));
        assert!(all.placed.iter().zip(1..).all(|(placed, position)| placed.position == position));
        assert_eq!(all.placed[0].parcel, Parcel::Whole(first[0].clone()));
        // Cut short it goes up to its last one, else up to the journal's end, whoever wrote there.
        let two = journal.after(1, Some("orchestrator"), 2).await.expect("read");
        assert_eq!((two.placed.iter().map(|placed| placed.position).collect::<Vec<_>>(), two.upto), (vec![2, 3], 3));
        let rest = journal.after(3, Some("orchestrator"), 2).await.expect("read");
        assert_eq!((rest.placed.len(), rest.upto), (1, 9));
        let own = journal.after(0, Some("journal"), 10).await.expect("read");
        assert_eq!(own.placed.iter().map(|placed| placed.position).collect::<Vec<_>>(), [9]);

        let head = journal.head().await.expect("head");
        assert_eq!((&head.tracker_id, head.position), (journal.id(), 9));
        assert!(journal.knows(&head).await.expect("asked"));
        assert!(!journal.knows(&Head { position: 10, ..head.clone() }).await.expect("asked"));
        assert!(!journal.knows(&Head { position: 8, ..head.clone() }).await.expect("asked"));
        assert!(!journal.knows(&Head { tracker_id: JournalId::new(), ..head }).await.expect("asked"));
    }

    async fn cursors_receipts_and_refusals(journal: &dyn Journal) {
        let session = Writing::new("orchestrator");
        let events = session.whole(journal, 0, 3).await;
        let (sink, component) = ("https://tracker.example/", "orchestrator");
        assert_eq!(journal.cursor(sink, component).await.expect("cursor"), None);
        let tracker = JournalId::new();
        let head = |position| Head { tracker_id: tracker.clone(), position, link: Hash::of(&[position as u8]) };
        let progress = |position, receipt| Progress {
            sink: sink.into(), component: component.into(), position, receipt, buried: Vec::new(),
        };
        for position in [2, 4, 6] {
            journal.delivered(&progress(position, Some(head(position * 10)))).await.expect("noted");
        }
        let refusal = Refusal { position: 7, event_id: events[6].event_id(), reason: "too old".into() };
        journal.delivered(&Progress { buried: vec![refusal], ..progress(7, None) }).await.expect("noted");
        assert_eq!(journal.cursor(sink, component).await.expect("cursor"), Some(7));
        assert_eq!(journal.cursor(sink, "manager").await.expect("cursor"), None);
        let receipts = journal.receipts(sink, component).await.expect("receipts");
        assert_eq!(receipts.iter().map(|kept| kept.position).collect::<Vec<_>>(), [6, 4, 2]);
        assert_eq!(receipts[0].head, head(60));
        let report = journal.verify(None).await.expect("verified");
        assert_eq!((report.faults.len(), report.anchors.len()), (0, 3), "{:?}", report.faults);

        let deliveries = journal.deliveries().await.expect("deliveries");
        assert_eq!(deliveries.len(), 1);
        assert_eq!((deliveries[0].position, deliveries[0].backlog, deliveries[0].buried), (7, 1, 1));
        let buried = journal.buried(Some(sink)).await.expect("buried");
        assert_eq!((buried[0].position, buried[0].reason.as_str(), buried[0].seq), (7, "too old", 6));
        assert_eq!(buried[0].session_id.as_str(), session.id.as_str());
        assert!(journal.buried(Some("another")).await.expect("buried").is_empty());

        // Going back forgets the receipts beyond.
        journal.delivered(&progress(3, None)).await.expect("noted");
        assert_eq!(journal.receipts(sink, component).await.expect("receipts").len(), 1);
        journal.unbury(sink, &[7]).await.expect("unburied");
        assert!(journal.buried(None).await.expect("buried").is_empty());
        assert!(journal.forget_sink(sink).await.expect("forgotten"));
        assert!(!journal.forget_sink(sink).await.expect("forgotten"));
        assert!(journal.deliveries().await.expect("deliveries").is_empty());
    }

    async fn a_stub_keeps_the_place_until_its_event_comes(journal: &dyn Journal) {
        let elsewhere = SqliteJournal::in_memory().await.expect("another journal");
        let session = Writing::new("orchestrator");
        let events = session.whole(&elsewhere, 0, 2).await;
        let mut parcels: Vec<Parcel> = events.iter().cloned().map(Parcel::Whole).collect();
        for refused in [0, 1, 4] {
            parcels[refused] = Stub::of(&events[refused], "refused: too old").into();
        }
        let verdicts = journal.receive(&parcels).await.expect("received");
        assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Accepted), "{verdicts:?}");
        let again = journal.receive(&parcels).await.expect("received");
        assert!(again.iter().all(|verdict| *verdict == Verdict::Duplicate), "{again:?}");
        let report = journal.verify(None).await.expect("verified");
        assert!(report.faults.is_empty(), "{:?}", report.faults);
        assert_eq!(report.pruned, 3);
        // A stub travels on as what it is.
        let on = journal.after(0, None, 10).await.expect("read");
        assert_eq!(on.placed.iter().map(|placed| placed.parcel.clone()).collect::<Vec<_>>(), parcels);
        let seen = one(journal, session.id.as_str()).await;
        assert_eq!((seen.username, seen.commands, seen.status), (None, 2, SessionStatus::Ended));

        let verdicts = journal.append(&events).await.expect("appended");
        let accepted: Vec<_> = (0..).zip(&verdicts).filter(|(_, verdict)| **verdict == Verdict::Accepted).collect();
        assert_eq!(accepted.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 1, 4], "{verdicts:?}");
        let report = journal.verify(None).await.expect("verified");
        assert!(report.faults.is_empty(), "{:?}", report.faults);
        assert_eq!(report.pruned, 0);
        let here = one(journal, session.id.as_str()).await;
        let mut there = one(&elsewhere, session.id.as_str()).await;
        there.last_seen = here.last_seen;
        assert_eq!(here, there);
        let found = Filter { text: Some("show(1)".into()), ..Filter::default() };
        assert_eq!(journal.sessions(&found, &Page::default()).await.expect("found").records.len(), 1);
        assert!(journal.rebuild().await.expect("rebuilt").corrected.is_empty());
    }

    async fn beats_and_requests_to_end(journal: &dyn Journal) {
        let session = Writing::new("orchestrator");
        session.record(journal, &[start(at(0), "ada", "host-a")]).await.expect("recorded");
        let beat = Presence {
            session_id: session.id.clone(), component_name: "orchestrator".into(), lease_seconds: 30, emits: Vec::new(),
        };
        journal.beat(std::slice::from_ref(&beat)).await.expect("noted");
        journal.beat(&[beat]).await.expect("noted");
        assert_eq!(one(journal, session.id.as_str()).await.status, SessionStatus::Active);
        let ids = [SessionId::new(), session.id.clone()];
        assert!(journal.end_requests(&ids).await.expect("asked").is_empty());
        let own = journal.own_stream();
        journal.record(&own, &[observation(at(1), Some(&session.id), "end_requested")]).await.expect("recorded");
        let requests = journal.end_requests(&ids).await.expect("asked");
        assert_eq!(requests.len(), 1);
        assert_eq!((&requests[0].session_id, requests[0].by.as_str()), (&session.id, "a test"));
        session.record(journal, &[end(at(2), EndReason::Operator, 1)]).await.expect("recorded");
        assert!(journal.end_requests(&ids).await.expect("asked").is_empty());
    }

    async fn prefixes_find_what_they_name(journal: &dyn Journal) {
        let (a, b) = (Writing::new("orchestrator"), Writing::new("manager"));
        a.whole(journal, 0, 1).await;
        b.whole(journal, 1, 1).await;
        assert!(matches!(journal.find("sess_").await.expect("found"), Found::Many(ids) if ids.len() == 2));
        assert!(matches!(journal.find("sess_zz").await.expect("found"), Found::None));
        assert!(matches!(journal.find("").await.expect("found"), Found::None));
        assert!(matches!(journal.find("%").await.expect("found"), Found::None));
        assert_eq!(one(journal, &a.id.as_str()[..30]).await.session_id, a.id);
    }
}
