//! What programs of a fleet do to a journal at once, and what has to be true of it afterwards.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use admin_shell::{
    event::{Draft, EndReason, Event, Status, StreamId},
    journal::{Entry, Journal, JournalError, PostgresJournal, SqliteJournal, Verdict},
};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::super::fixture::{Writing, at, command_end, command_start, end, start};

pub(super) async fn open(url: &str) -> Arc<dyn Journal> {
    Arc::new(PostgresJournal::open(url).await.expect("the journal opens"))
}

/// Records drafts until the journal says that they are stored, as a shell does. Answers what was stored.
pub(super) async fn insist(
    journal: &dyn Journal,
    session: &Writing,
    drafts: &[Draft],
    failures: &AtomicU64,
) -> Vec<Event> {
    for _ in 0..600 {
        match session.record(journal, drafts).await {
            Ok(events) => return events,
            Err(JournalError::Invalid(rule)) => panic!("{rule}"),
            Err(_) => {
                failures.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    panic!("the journal does not come back");
}

/// Records a session of many commands, two events at a time.
pub(super) fn write(
    journal: Arc<dyn Journal>,
    commands: u64,
    failures: Arc<AtomicU64>,
) -> JoinHandle<(StreamId, Vec<Event>)> {
    tokio::spawn(async move {
        let session = Writing::new("orchestrator");
        let mut stored = insist(&*journal, &session, &[start(at(0), "ada", "host-a")], &failures).await;
        for command in 1..=commands {
            let drafts = [command_start(at(1), command, "ps()"), command_end(at(2), command, Status::Ok)];
            stored.extend(insist(&*journal, &session, &drafts, &failures).await);
        }
        let last = end(at(3), EndReason::Exit, 1_000);
        stored.extend(insist(&*journal, &session, &[last], &failures).await);
        (session.stream.id, stored)
    })
}

/// Delivers batches of sealed events, each until it has verdicts, and never reads what it delivered.
pub(super) fn deliver(
    journal: Arc<dyn Journal>,
    sessions: u64,
    failures: Arc<AtomicU64>,
) -> JoinHandle<(StreamId, Vec<Event>)> {
    tokio::spawn(async move {
        let elsewhere = SqliteJournal::in_memory().await.expect("a journal");
        let session = Writing::new("elsewhere");
        let events = session.whole(&elsewhere, 0, sessions * 10).await;
        for batch in events.chunks(20) {
            let verdicts = loop {
                match journal.append(batch).await {
                    Ok(verdicts) => break verdicts,
                    Err(_) => {
                        failures.fetch_add(1, Ordering::Relaxed);
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                }
            };
            let is_there = |verdict: &Verdict| matches!(verdict, Verdict::Accepted | Verdict::Duplicate);
            assert!(verdicts.iter().all(is_there), "{verdicts:?}");
        }
        (session.stream.id, events)
    })
}

/// Follows the positions until it is told to stop and has come to the end.
pub(super) fn follow(journal: Arc<dyn Journal>, stop: Arc<AtomicBool>) -> JoinHandle<Vec<(u64, Uuid)>> {
    tokio::spawn(async move {
        let (mut seen, mut cursor) = (Vec::new(), 0);
        loop {
            let is_last = stop.load(Ordering::Acquire);
            match journal.after(cursor, None, 50).await {
                Ok(outgoing) => {
                    let is_end = outgoing.placed.is_empty();
                    let place = |placed: &admin_shell::journal::Placed| (placed.position, placed.parcel.event_id());
                    seen.extend(outgoing.placed.iter().map(place));
                    cursor = outgoing.upto;
                    if is_end && is_last {
                        return seen;
                    }
                    if is_end {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    })
}

/// Everything that was said to be stored is there, once, in the order of its stream; and the follower has seen all of it.
pub(super) async fn assert_whole(journal: &dyn Journal, told: Vec<(StreamId, Vec<Event>)>, seen: &[(u64, Uuid)]) {
    let total: usize = told.iter().map(|(_, events)| events.len()).sum();
    for (stream, events) in told {
        let mut stored = Vec::new();
        loop {
            let page = journal.events(&stream, stored.len() as u64, 500).await.expect("events");
            if page.is_empty() {
                break;
            }
            stored.extend(page.into_iter().map(|entry| match entry {
                Entry::Whole(event) => event,
                Entry::Pruned { .. } => panic!("nothing was pruned"),
            }));
        }
        assert_eq!(stored, events, "{stream}");
    }
    let positions: Vec<u64> = seen.iter().map(|(position, _)| *position).collect();
    assert_eq!(positions, (1..=seen.len() as u64).collect::<Vec<_>>(), "the follower missed none and saw none twice");
    let distinct: BTreeMap<Uuid, u64> = seen.iter().map(|(position, id)| (*id, *position)).collect();
    assert_eq!(distinct.len(), seen.len(), "no event is there twice");
    let status = journal.status().await.expect("status");
    assert_eq!(status.position, seen.len() as u64);
    assert!(seen.len() >= total, "{} events were told, {} are there", total, seen.len());
    let report = journal.verify(None).await.expect("verified");
    assert!(report.faults.is_empty(), "{:#?}", report.faults);
    assert!(journal.rebuild().await.expect("rebuilt").differences.is_empty());
}

pub(super) async fn all(tasks: Vec<JoinHandle<(StreamId, Vec<Event>)>>) -> Vec<(StreamId, Vec<Event>)> {
    let mut told = Vec::new();
    for task in tasks {
        told.push(task.await.expect("it has recorded everything"));
    }
    told
}
