//! What is said beside events: who lives, what was emitted, and what a beat that fails means.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use admin_shell::{
    delivery::{Begins, Delivery, EventSink, Plan, Receipt, SinkError, SinkState},
    event::Event,
    journal::{EndRequest, Presence},
    testing::{FaultySink, SinkFault},
};
use async_trait::async_trait;
use tokio::sync::mpsc;

use super::Source;
use crate::journal::fixture::Writing;

/// What was said of each type of event: successes, and failures by their word.
type Said = BTreeMap<String, (u64, BTreeMap<String, u64>)>;

/// Delivers a session of four events through faults, and answers what the first beat says of it.
async fn said_after(faults: &[SinkFault], calls: usize) -> Said {
    let source = Source::new().await;
    let session = Writing::new("orchestrator");
    session.whole(&source.journal, 0, 1).await;
    let sink = FaultySink::new("faulty:");
    sink.next(faults.iter().cloned());
    let plan = Plan { session: Some(session.id.clone()), ..source.plan() };
    let (requests, _asked) = mpsc::unbounded_channel();
    let _delivery = Delivery::start(&plan, vec![(Box::new(sink.clone()), Begins::Oldest)], &requests);
    sink.until_called(calls).await;
    while sink.presence().is_empty() {
        std::thread::sleep(Duration::from_millis(1));
        tokio::task::yield_now().await;
    }
    let emits = sink.presence().remove(0).emits;
    emits.into_iter().map(|emits| (emits.event_type, (emits.success, emits.failure))).collect()
}

fn each(success: u64, failure: &[(&str, u64)]) -> Said {
    let failure: BTreeMap<String, u64> = failure.iter().map(|(why, count)| ((*why).to_owned(), *count)).collect();
    let kinds = ["session_start", "command_start", "command_end", "session_end"];
    kinds.map(|kind| (kind.to_owned(), (success, failure.clone()))).into()
}

#[tokio::test(start_paused = true)]
async fn every_event_of_a_batch_that_was_given_up_is_counted_by_its_reason() {
    assert_eq!(said_after(&[], 1).await, each(1, &[]));
    // An attempt that fails is none: the next one worked.
    assert_eq!(said_after(&[SinkFault::Refuses, SinkFault::Hangs], 3).await, each(1, &[]));
    let refused = [SinkFault::Refuses, SinkFault::Refuses, SinkFault::Refuses];
    assert_eq!(said_after(&refused, 4).await, each(1, &[("unavailable", 1)]));
    let all = [
        [SinkFault::Hangs, SinkFault::Hangs, SinkFault::Hangs],
        [SinkFault::AnswersInPart(0), SinkFault::AnswersInPart(0), SinkFault::AnswersInPart(0)],
        refused,
    ];
    let wanted = each(1, &[("timeout", 1), ("malformed", 1), ("unavailable", 1)]);
    assert_eq!(said_after(&all.concat(), 10).await, wanted);
    // By the word of the last attempt.
    let mixed = [SinkFault::Refuses, SinkFault::Refuses, SinkFault::Hangs];
    assert_eq!(said_after(&mixed, 4).await, each(1, &[("timeout", 1)]));
}

#[tokio::test(start_paused = true)]
async fn a_refused_event_is_a_failure_of_its_type_alone() {
    let mut wanted = each(1, &[]);
    wanted.insert("command_end".to_owned(), (0, [("rejected".to_owned(), 1)].into()));
    assert_eq!(said_after(&[SinkFault::Rejects(2)], 3).await, wanted);
}

/// Takes every event and gives no receipt; whether it hears beats can be said.
struct Deaf(Arc<AtomicBool>);

#[async_trait]
impl EventSink for Deaf {
    fn name(&self) -> &str {
        "deaf:"
    }

    async fn deliver(&mut self, batch: &[Event]) -> Result<Receipt, SinkError> {
        Ok(Receipt::accepted(batch.iter().map(Event::event_id)))
    }

    async fn beat(&mut self, _: &[Presence]) -> Result<Vec<EndRequest>, SinkError> {
        if self.0.load(Ordering::Relaxed) { Err(SinkError::unavailable("nobody hears")) } else { Ok(Vec::new()) }
    }
}

#[tokio::test(start_paused = true)]
async fn beats_that_fail_open_the_breaker_and_one_that_is_heard_closes_it() {
    let source = Source::new().await;
    let session = Writing::new("orchestrator");
    session.whole(&source.journal, 0, 1).await;
    let deaf = Arc::new(AtomicBool::new(false));
    let plan = Plan { session: Some(session.id.clone()), ..source.plan() };
    let (requests, _asked) = mpsc::unbounded_channel();
    let sinks: Vec<(Box<dyn EventSink>, _)> = vec![(Box::new(Deaf(Arc::clone(&deaf))), Begins::Oldest)];
    let delivery = Delivery::start(&plan, sinks, &requests);
    let until = async |state: SinkState, breaker: &str| {
        let reached = async {
            loop {
                let status = delivery.status().remove(0);
                if (status.state, status.breaker) == (state, breaker) {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(600), reached).await.expect("it gets there")
    };
    until(SinkState::Idle, "closed").await;
    deaf.store(true, Ordering::Relaxed);
    let down = until(SinkState::Unavailable, "closed").await;
    assert_eq!(down.error.as_deref(), Some("nobody hears"));
    let open = until(SinkState::Open, "open").await;
    assert_eq!((open.error.as_deref(), open.backlog, open.is_down()), (Some("nobody hears"), Some(0), true));
    deaf.store(false, Ordering::Relaxed);
    assert_eq!(until(SinkState::Idle, "closed").await.error, None);
}

#[tokio::test]
async fn the_last_beat_says_what_the_end_has_added() {
    let source = Source::new().await;
    let session = Writing::new("orchestrator");
    let sink = FaultySink::new("faulty:");
    let plan = Plan { session: Some(session.id.clone()), ..source.plan() };
    let (requests, _asked) = mpsc::unbounded_channel();
    let delivery = Delivery::start(&plan, vec![(Box::new(sink.clone()), Begins::Oldest)], &requests);
    delivery.known().await;
    session.whole(&source.journal, 0, 1).await;
    delivery.flush(Duration::from_secs(20)).await;
    let emits = sink.presence().pop().expect("it was heard").emits;
    assert_eq!(
        emits.iter().map(|emits| (emits.event_type.as_str(), emits.success)).collect::<Vec<_>>(),
        [("command_end", 1), ("command_start", 1), ("session_end", 1), ("session_start", 1),]
    );
}
