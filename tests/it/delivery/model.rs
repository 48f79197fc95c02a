//! Delivery against a model: whatever happens in between, in the end everything has arrived, in order.
//!
//! A step appends, delivers under some fault, restores the sink from an older copy, or offers buried events again. Each
//! delivery begins with nothing but what the journal remembers: every step is a crash of the one before.

use admin_shell::{
    delivery::{deliver_now, retry_buried},
    journal::{Journal, Parcel},
    testing::{FaultySink, SinkFault},
};
use proptest::{collection::vec, prelude::*, sample::Index};

use super::{Source, by_stream, held};
use crate::journal::fixture::{Writing, at, command_start, start};

#[derive(Clone, Debug)]
enum Step {
    Opens,
    Appends(Index, usize),
    Observes,
    Delivers(Vec<SinkFault>),
    Restores(Index),
    Retries,
}

fn fault() -> impl Strategy<Value = SinkFault> {
    prop_oneof![
        3 => Just(SinkFault::None),
        2 => Just(SinkFault::Refuses),
        2 => Just(SinkFault::LosesTheAnswer),
        1 => (0..4_usize).prop_map(SinkFault::AnswersInPart),
        1 => (0..4_usize).prop_map(SinkFault::Rejects),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Opens),
        4 => (any::<Index>(), 1..6_usize).prop_map(|(session, events)| Step::Appends(session, events)),
        1 => Just(Step::Observes),
        5 => vec(fault(), 0..4).prop_map(Step::Delivers),
        1 => any::<Index>().prop_map(Step::Restores),
        1 => Just(Step::Retries),
    ]
}

async fn run(steps: Vec<Step>) {
    let source = Source::new().await;
    let sink = FaultySink::new("faulty:");
    let (mut sessions, mut clock) = (Vec::<(Writing, u64)>::new(), 0);
    for step in steps {
        clock += 1;
        match step {
            Step::Opens => {
                let session = Writing::new("orchestrator");
                session.record(&source.journal, &[start(at(clock), "ada", "host-a")]).await.expect("recorded");
                sessions.push((session, 0));
            }
            Step::Appends(which, events) if !sessions.is_empty() => {
                let (session, commands) = which.get(&sessions).clone();
                let drafts: Vec<_> =
                    (1..=events as u64).map(|command| command_start(at(clock), commands + command, "ps()")).collect();
                session.record(&source.journal, &drafts).await.expect("recorded");
                let of = sessions.iter_mut().find(|(other, _)| other.id == session.id).expect("it is there");
                of.1 += events as u64;
            }
            Step::Observes => {
                let observation = crate::journal::fixture::observation(at(clock), None, "noted");
                source.journal.record(&source.journal.own_stream(), &[observation]).await.expect("recorded");
            }
            Step::Delivers(faults) => {
                sink.next(faults);
                deliver_now(&source.plan(), Box::new(sink.clone())).await.expect("the journal works");
                sink.mend();
            }
            Step::Restores(to) => sink.restore(to.index(sink.taken().len() + 1)),
            Step::Retries => {
                drop(retry_buried(&source.plan(), Box::new(sink.clone())).await.expect("the journal works"));
            }
            Step::Appends(..) => {}
        }
    }
    for _ in 0..2 {
        let round = deliver_now(&source.plan(), Box::new(sink.clone())).await.expect("the journal works");
        assert_eq!(round.failed, None);
    }
    let (here, there) = (held(&source.journal).await, by_stream(&sink.taken()));
    assert_eq!(here.keys().collect::<Vec<_>>(), there.keys().collect::<Vec<_>>());
    for (stream, here) in here {
        let there = &there[&stream];
        assert_eq!(here.len(), there.len(), "{stream}");
        for (here, there) in here.iter().zip(there) {
            assert_eq!((here.event_id(), here.seq(), here.hash()), (there.event_id(), there.seq(), there.hash()));
            assert!(matches!(there, Parcel::Stub(_)) || here == there);
        }
    }
    assert!(source.journal.deliveries().await.expect("listed").iter().all(|one| one.backlog == 0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn everything_arrives_in_order(steps in vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(run(steps));
    }
}
