//! The worker under a clock that jumps: when it tries, when it waits, when it gives up.

use std::time::Duration;

use admin_shell::{
    delivery::{Begins, Delivery, SinkState, deliver_now, retry_buried},
    journal::{EndRequest, Journal, Parcel},
    testing::{FaultySink, SinkFault},
};
use tokio::{sync::mpsc, time::Instant};

use super::{Source, by_stream, held};
use crate::journal::fixture::{Writing, at, command_start, start};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn begin(source: &Source, sink: &FaultySink) -> (Delivery, mpsc::UnboundedReceiver<EndRequest>) {
    let (requests, asked) = mpsc::unbounded_channel();
    (Delivery::start(&source.plan(), vec![(Box::new(sink.clone()), Begins::Oldest)], &requests), asked)
}

/// Waits until everything is delivered, without letting the clock jump: the journal answers from a thread of its own.
async fn idle(delivery: &Delivery) {
    until(delivery, SinkState::Idle).await;
}

async fn until(delivery: &Delivery, state: SinkState) {
    while delivery.status()[0].state != state {
        std::thread::sleep(Duration::from_millis(1));
        tokio::task::yield_now().await;
    }
}

fn gaps(called: &[Instant]) -> Vec<Duration> {
    called.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[tokio::test(start_paused = true)]
async fn three_batches_of_three_attempts_and_then_a_minute_of_rest() {
    let source = Source::new().await;
    Writing::new("orchestrator").whole(&source.journal, 0, 1).await;
    let sink = FaultySink::new("faulty:");
    sink.always(SinkFault::Refuses);
    let (delivery, _asked) = begin(&source, &sink);
    sink.until_called(11).await;
    let waits = gaps(&sink.called());
    for (at, (wait, ceiling)) in waits.iter().zip([1, 2, 4, 8, 10, 10, 10, 10]).enumerate() {
        assert!(*wait <= seconds(ceiling) + Duration::from_millis(5), "wait {at} of {waits:?}");
    }
    // Then one probe a minute.
    assert!(waits[8..10].iter().all(|wait| *wait >= seconds(60) && *wait < seconds(62)), "{waits:?}");
    until(&delivery, SinkState::Open).await;
    let status = &delivery.status()[0];
    assert_eq!((status.breaker, status.backlog), ("open", Some(4)));
    sink.mend();
    sink.until_called(12).await;
    idle(&delivery).await;
    assert_eq!(by_stream(&sink.taken()), held(&source.journal).await);
    assert_eq!((delivery.status()[0].state, delivery.status()[0].breaker), (SinkState::Idle, "closed"));
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_honoured() {
    let source = Source::new().await;
    Writing::new("orchestrator").whole(&source.journal, 0, 1).await;
    let sink = FaultySink::new("faulty:");
    sink.next([SinkFault::RefusesFor(seconds(42))]);
    let (_delivery, _asked) = begin(&source, &sink);
    sink.until_called(2).await;
    let wait = gaps(&sink.called())[0];
    assert!(wait >= seconds(42) && wait < seconds(43), "{wait:?}");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_answer_is_given_ten_seconds() {
    let source = Source::new().await;
    Writing::new("orchestrator").whole(&source.journal, 0, 1).await;
    let sink = FaultySink::new("faulty:");
    sink.next([SinkFault::Hangs]);
    let (delivery, _asked) = begin(&source, &sink);
    sink.until_called(2).await;
    let wait = gaps(&sink.called())[0];
    assert!(wait >= seconds(10) && wait < seconds(12), "{wait:?}");
    idle(&delivery).await;
    assert_eq!(by_stream(&sink.taken()), held(&source.journal).await);
}

#[tokio::test(start_paused = true)]
async fn the_end_does_not_wait_for_a_sink_that_is_down() {
    let source = Source::new().await;
    Writing::new("orchestrator").whole(&source.journal, 0, 1).await;
    let sink = FaultySink::new("faulty:");
    sink.always(SinkFault::Refuses);
    let (delivery, _asked) = begin(&source, &sink);
    sink.until_called(1).await;
    delivery.known().await;
    let begun = Instant::now();
    delivery.flush(seconds(2)).await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
    // One that hangs is waited for, and no longer than that.
    let hanging = FaultySink::new("hanging:");
    hanging.always(SinkFault::Hangs);
    let (delivery, _asked) = begin(&source, &hanging);
    let begun = Instant::now();
    delivery.flush(seconds(2)).await;
    assert!(begun.elapsed() <= seconds(2), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn beats_tell_who_lives_and_bring_requests_to_end() {
    let source = Source::new().await;
    let session = Writing::new("orchestrator");
    session.record(&source.journal, &[start(at(0), "ada", "host-a")]).await.expect("recorded");
    let sink = FaultySink::new("faulty:");
    let plan = admin_shell::delivery::Plan { session: Some(session.id.clone()), ..source.plan() };
    let (requests, mut asked) = mpsc::unbounded_channel();
    let delivery = Delivery::start(&plan, vec![(Box::new(sink.clone()), Begins::Oldest)], &requests);
    delivery.known().await;
    let request = EndRequest { session_id: session.id.clone(), by: "ada".into(), why: "maintenance".into() };
    sink.request(request.clone());
    assert_eq!(asked.recv().await, Some(request));
    let beats = sink.presence();
    assert!(!beats.is_empty());
    assert!(beats.iter().all(|beat| beat.session_id == session.id && beat.lease_seconds == 30));
    let emitted = &beats.last().expect("there are beats").emits;
    assert_eq!((emitted[0].event_type.as_str(), emitted[0].success), ("session_start", 1));
    assert_eq!(emitted[0].durations.iter().sum::<u64>(), 1);
    assert_eq!(delivery.status()[0].state, SinkState::Idle);
}

#[tokio::test]
async fn a_rejected_event_is_buried_and_its_stub_keeps_the_place() {
    let source = Source::new().await;
    let events = Writing::new("orchestrator").whole(&source.journal, 0, 3).await;
    let sink = FaultySink::new("faulty:");
    sink.next([SinkFault::Rejects(2)]);
    let round = deliver_now(&source.plan(), Box::new(sink.clone())).await.expect("delivered");
    assert_eq!((round.delivered, round.buried, round.failed), (7, 1, None));
    let taken = sink.taken();
    assert_eq!(taken.len(), events.len());
    for (at, (taken, event)) in taken.iter().zip(&events).enumerate() {
        match taken {
            Parcel::Whole(whole) => assert_eq!((whole, at != 2), (event, true)),
            Parcel::Stub(stub) => assert_eq!((stub.event_id, stub.hash, at), (event.event_id(), event.hash(), 2)),
        }
    }
    let buried = source.journal.buried(Some("faulty:")).await.expect("listed");
    assert_eq!((buried.len(), buried[0].event_id, buried[0].seq), (1, events[2].event_id(), 2));
    assert_eq!(buried[0].reason, "a test wants it so");
    // The sink knows the id, so that it counts as delivered when it is offered once more.
    let retried = retry_buried(&source.plan(), Box::new(sink)).await.expect("retried");
    assert_eq!(retried, (1, Vec::new()));
    assert!(source.journal.buried(None).await.expect("listed").is_empty());
}

#[tokio::test]
async fn ten_refusals_without_a_success_stop_the_sink() {
    let source = Source::new().await;
    for _ in 0..12 {
        Writing::new("orchestrator").record(&source.journal, &[start(at(0), "ada", "host-a")]).await.expect("recorded");
    }
    let sink = FaultySink::new("faulty:");
    sink.always(SinkFault::RejectsAll);
    let (delivery, _asked) = begin(&source, &sink);
    let stopped = async {
        while delivery.status()[0].state != SinkState::Stopped {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(seconds(10), stopped).await.expect("it stops");
    let status = &delivery.status()[0];
    assert!(status.error.as_deref().is_some_and(|why| why.contains("refused 10 events in a row")), "{status:?}");
    assert_eq!(source.journal.buried(None).await.expect("listed").len(), 10);
}

#[tokio::test]
async fn a_restored_sink_gets_again_what_it_lost() {
    let source = Source::new().await;
    let sink = FaultySink::new("faulty:");
    for from in 0..5 {
        Writing::new("orchestrator").whole(&source.journal, from, 2).await;
        deliver_now(&source.plan(), Box::new(sink.clone())).await.expect("delivered");
    }
    for lost in [1, 7, 30] {
        sink.restore(30 - lost);
        // Nothing is new: the question about the receipt finds it.
        let round = deliver_now(&source.plan(), Box::new(sink.clone())).await.expect("delivered");
        assert_eq!(round.failed, None);
        assert_eq!(by_stream(&sink.taken()), held(&source.journal).await, "{lost} lost");
    }
}

#[tokio::test]
async fn one_at_a_time_and_the_next_takes_over() {
    let source = Source::new().await;
    Writing::new("orchestrator").whole(&source.journal, 0, 1).await;
    let (first, second) = (FaultySink::new("faulty:"), FaultySink::new("faulty:"));
    let (delivery, _asked) = begin(&source, &first);
    idle(&delivery).await;
    let round = deliver_now(&source.plan(), Box::new(second.clone())).await.expect("looked");
    assert_eq!(round.elsewhere, ["orchestrator", "journal"]);
    assert!(second.taken().is_empty());
    drop(delivery);
    Writing::new("orchestrator").whole(&source.journal, 10, 1).await;
    let taken_over = async {
        let mut delivered = 0;
        loop {
            let round = deliver_now(&source.plan(), Box::new(first.clone())).await.expect("looked");
            delivered += round.delivered;
            if round.elsewhere.is_empty() {
                return delivered;
            }
            tokio::task::yield_now().await;
        }
    };
    let delivered = tokio::time::timeout(seconds(5), taken_over).await.expect("the lock is free");
    assert_eq!(delivered, 4);
    assert_eq!(by_stream(&first.taken()), held(&source.journal).await);
}

#[tokio::test]
async fn a_stream_that_goes_on_beside_it_is_taken_from_its_beginning() {
    let source = Source::new().await;
    Writing::new("orchestrator").whole(&source.journal, 0, 1).await;
    let beside = Writing::new("orchestrator");
    let mut wanted = beside.record(&source.journal, &[start(at(5), "ada", "host-a")]).await.expect("recorded");
    Writing::new("manager").record(&source.journal, &[start(at(6), "ada", "host-a")]).await.expect("recorded");
    let before = source.journal.head().await.expect("head").position;
    let sink = FaultySink::new("faulty:");
    let (requests, _asked) = mpsc::unbounded_channel();
    let sinks: Vec<(Box<dyn admin_shell::delivery::EventSink>, _)> =
        vec![(Box::new(sink.clone()), Begins::After(before))];
    let delivery = Delivery::start(&source.plan(), sinks, &requests);
    delivery.known().await;
    wanted.extend(beside.record(&source.journal, &[command_start(at(7), 1, "ps()")]).await.expect("recorded"));
    wanted.extend(Writing::new("orchestrator").whole(&source.journal, 10, 1).await);
    delivery.flush(seconds(20)).await;
    assert_eq!(sink.taken(), wanted.into_iter().map(Parcel::Whole).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_sink_of_this_session_begins_here() {
    let source = Source::new().await;
    Writing::new("orchestrator").whole(&source.journal, 0, 1).await;
    let before = source.journal.head().await.expect("head").position;
    Writing::new("orchestrator").whole(&source.journal, 10, 1).await;
    let sink = FaultySink::new("faulty:");
    let (requests, _asked) = mpsc::unbounded_channel();
    let sinks: Vec<(Box<dyn admin_shell::delivery::EventSink>, _)> =
        vec![(Box::new(sink.clone()), Begins::After(before))];
    let delivery = Delivery::start(&source.plan(), sinks, &requests);
    delivery.flush(seconds(5)).await;
    assert_eq!(sink.taken().len(), 4);
}
