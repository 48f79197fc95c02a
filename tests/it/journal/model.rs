//! The journal against a model of it: whatever is done in whatever order, lists say what the model says, `verify` finds
//! nothing, and a rebuild changes nothing.

use std::{collections::BTreeMap, sync::Arc};

use admin_shell::{
    event::{Draft, EndReason, Event, Status},
    journal::{Filter, Journal, Page, Prune, SessionStatus, SqliteJournal, Verdict},
};
use jiff::Timestamp;
use proptest::{prelude::*, test_runner::FileFailurePersistence};

use super::fixture::{Kind, Store, Writing, at, command_end, command_start, end, observation, scrubbed, start};

/// Something that happens to the journal. Numbers choose among what is there.
#[derive(Clone, Debug)]
enum Step {
    Open,
    Command {
        session: usize,
        status: Option<Status>,
    },
    End {
        session: usize,
    },
    Observe {
        session: usize,
        what: &'static str,
    },
    /// The outcome of the last commit was not known, so its drafts are recorded once more; perhaps by a new process.
    Again {
        reopened: bool,
    },
    /// Another journal's session is delivered, up to a number of events.
    Deliver {
        foreign: usize,
        upto: usize,
    },
    /// Somebody tells a delivered session differently.
    Contradict {
        foreign: usize,
    },
    Close,
    Crash,
    Prune,
    Scrub {
        session: usize,
    },
    Rebuild,
}

fn step() -> impl Strategy<Value = Step> {
    let status = prop_oneof![
        4 => Just(Some(Status::Ok)),
        1 => Just(Some(Status::Error)),
        1 => Just(Some(Status::Cancelled)),
        1 => Just(None),
    ];
    let what = prop_oneof![Just("crashed"), Just("ended_by_operator"), Just("end_requested")];
    prop_oneof![
        3 => Just(Step::Open),
        8 => (0..6_usize, status).prop_map(|(session, status)| Step::Command { session, status }),
        3 => (0..6_usize).prop_map(|session| Step::End { session }),
        2 => (0..6_usize, what).prop_map(|(session, what)| Step::Observe { session, what }),
        2 => any::<bool>().prop_map(|reopened| Step::Again { reopened }),
        4 => (0..FOREIGN, 1..8_usize).prop_map(|(foreign, upto)| Step::Deliver { foreign, upto }),
        1 => (0..FOREIGN).prop_map(|foreign| Step::Contradict { foreign }),
        1 => Just(Step::Close),
        1 => Just(Step::Crash),
        1 => Just(Step::Prune),
        1 => (0..6_usize).prop_map(|session| Step::Scrub { session }),
        1 => Just(Step::Rebuild),
    ]
}

const FOREIGN: usize = 3;
/// Start, two commands that succeed, end.
const FOREIGN_EVENTS: usize = 6;

/// What the model knows of a session.
#[derive(Clone, Debug, Default, PartialEq)]
struct Expected {
    commands: u64,
    outcomes: u64,
    failed: u64,
    own_end: bool,
    observed: Option<&'static str>,
    forked: bool,
}

impl Expected {
    fn status(&self) -> SessionStatus {
        match (self.own_end, self.observed) {
            (false, Some("crashed")) => SessionStatus::Crashed,
            (false, None) => SessionStatus::Active,
            _ => SessionStatus::Ended,
        }
    }

    fn inferred(&self) -> bool {
        !self.own_end && self.observed.is_some()
    }

    fn quality(&self) -> Option<f64> {
        let less = if self.inferred() { 20.0 } else { 0.0 };
        let share = 100.0 * (self.outcomes - self.failed) as f64 / self.outcomes as f64;
        (self.outcomes > 0).then(|| (share - less).clamp(0.0, 100.0))
    }
}

struct World {
    store: Store,
    journal: Arc<dyn Journal>,
    own: Vec<Writing>,
    foreign: Vec<(Writing, Vec<Event>, Vec<Event>)>,
    delivered: [usize; FOREIGN],
    expected: BTreeMap<String, Expected>,
    gone: Vec<String>,
    position: u64,
    clock: i64,
    last: Option<(Writing, Vec<Draft>, Vec<Event>)>,
}

impl World {
    async fn new(kind: Kind) -> Self {
        let store = Store::new(kind).await;
        let journal = store.open().await;
        let (truth, lie) = (memory().await, memory().await);
        let mut foreign = Vec::new();
        for _ in 0..FOREIGN {
            let session = Writing::new("elsewhere");
            let told = session.whole(&truth, 0, 2).await;
            let otherwise = session.whole(&lie, 40, 2).await;
            foreign.push((session, told, otherwise));
        }
        Self {
            store,
            journal,
            own: Vec::new(),
            foreign,
            delivered: [0; FOREIGN],
            expected: BTreeMap::new(),
            gone: Vec::new(),
            position: 0,
            clock: 100,
            last: None,
        }
    }

    /// A session of our own that is there, not pruned and not ended by its owner.
    fn pick(&self, session: usize) -> Option<Writing> {
        let open: Vec<_> = self
            .own
            .iter()
            .filter(|own| self.expected.get(own.id.as_str()).is_some_and(|expected| !expected.own_end))
            .collect();
        (!open.is_empty()).then(|| open[session % open.len()].clone())
    }

    async fn record(&mut self, session: &Writing, drafts: Vec<Draft>) {
        let events = session.record(&*self.journal, &drafts).await.expect("recorded");
        self.position += drafts.len() as u64;
        self.last = Some((session.clone(), drafts, events));
    }

    async fn take(&mut self, step: Step) {
        self.clock += 1;
        let now = at(self.clock);
        match step {
            Step::Open => {
                let session = Writing::new("orchestrator");
                self.record(&session, vec![start(now, "ada", "host-a")]).await;
                self.expected.insert(session.id.to_string(), Expected::default());
                self.own.push(session);
            }
            Step::Command { session, status } => {
                let Some(session) = self.pick(session) else { return };
                let expected = self.expected.get_mut(session.id.as_str()).expect("it is picked from there");
                expected.commands += 1;
                let number = expected.commands;
                if let Some(status) = status {
                    expected.outcomes += 1;
                    expected.failed += u64::from(status != Status::Ok);
                }
                self.record(&session, vec![command_start(now, number, "ps()")]).await;
                if let Some(status) = status {
                    self.record(&session, vec![command_end(now, number, status)]).await;
                }
            }
            Step::End { session } => {
                let Some(session) = self.pick(session) else { return };
                self.expected.get_mut(session.id.as_str()).expect("picked").own_end = true;
                self.record(&session, vec![end(now, EndReason::Exit, 5_000_000)]).await;
            }
            Step::Observe { session, what } => {
                let Some(session) = self.pick(session) else { return };
                let expected = self.expected.get_mut(session.id.as_str()).expect("picked");
                if what != "end_requested" {
                    expected.observed.get_or_insert(what);
                }
                let own = self.journal.own_stream();
                self.journal.record(&own, &[observation(now, Some(&session.id), what)]).await.expect("recorded");
                self.position += 1;
            }
            Step::Again { reopened } => {
                if reopened {
                    self.journal = self.store.open().await;
                }
                let Some((session, drafts, events)) = self.last.clone() else { return };
                if self.gone.contains(&session.id.to_string()) {
                    return;
                }
                let again = session.record(&*self.journal, &drafts).await.expect("recorded again");
                assert_eq!(again, events);
            }
            Step::Deliver { foreign, upto } => self.deliver(foreign, upto.min(FOREIGN_EVENTS)).await,
            Step::Contradict { foreign } => self.contradict(foreign).await,
            Step::Close => {
                self.journal.close().await;
                self.journal = self.store.open().await;
            }
            Step::Crash => self.journal = self.store.open().await,
            Step::Prune => {
                let before = Timestamp::now() + jiff::Span::new().hours(1);
                let plan = Prune { before, archive: None, by: "the model".into(), why: "so it goes".into() };
                let pruned = self.journal.prune(&plan).await.expect("pruned");
                let ended: Vec<String> = self
                    .expected
                    .iter()
                    .filter(|(_, expected)| expected.status() != SessionStatus::Active)
                    .map(|(id, _)| id.clone())
                    .collect();
                assert_eq!(pruned.sessions, ended.len() as u64);
                self.position += u64::from(!ended.is_empty());
                for id in ended {
                    self.expected.remove(&id);
                    self.gone.push(id);
                }
                self.last = None;
            }
            Step::Scrub { session } => {
                let Some(session) = self.pick(session) else { return };
                let entries = self.journal.events(&session.stream.id, 0, 100).await.expect("events");
                let whole = entries.iter().rev().find_map(|entry| match entry {
                    admin_shell::journal::Entry::Whole(event) => Some(event.event_id()),
                    admin_shell::journal::Entry::Pruned { .. } => None,
                });
                let Some(id) = whole else { return };
                let why = scrubbed(now, id);
                self.journal.scrub(id, &why).await.expect("scrubbed");
                self.position += 1;
                self.last = None;
            }
            Step::Rebuild => {
                let rebuilt = self.journal.rebuild().await.expect("rebuilt");
                assert!(rebuilt.corrected.is_empty(), "{rebuilt:?}");
            }
        }
    }

    async fn deliver(&mut self, foreign: usize, upto: usize) {
        let (session, told, _) = &self.foreign[foreign];
        let id = session.id.to_string();
        let verdicts = self.journal.append(&told[..upto]).await.expect("appended");
        let is_gone = self.gone.contains(&id);
        for (at, verdict) in verdicts.iter().enumerate() {
            if at < self.delivered[foreign] {
                assert_eq!(*verdict, Verdict::Duplicate);
            } else if is_gone {
                assert!(matches!(verdict, Verdict::Rejected(_)), "{verdict:?}");
            } else {
                assert_eq!(*verdict, Verdict::Accepted);
            }
        }
        if is_gone || upto <= self.delivered[foreign] {
            return;
        }
        self.position += (upto - self.delivered[foreign]) as u64;
        self.delivered[foreign] = upto;
        let expected = self.expected.entry(id).or_default();
        // Events 1 and 3 start a command, 2 and 4 end it, 5 ends the session.
        expected.commands = [0, 0, 1, 1, 2, 2, 2][upto];
        expected.outcomes = [0, 0, 0, 1, 1, 2, 2][upto];
        expected.own_end = upto == FOREIGN_EVENTS;
    }

    async fn contradict(&mut self, foreign: usize) {
        let (session, _, otherwise) = &self.foreign[foreign];
        let id = session.id.to_string();
        if self.delivered[foreign] == 0 || self.gone.contains(&id) {
            return;
        }
        let verdicts = self.journal.append(otherwise).await.expect("appended");
        assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Conflict(_))), "{verdicts:?}");
        self.expected.get_mut(&id).expect("it was delivered").forked = true;
    }

    async fn check(&self) {
        let page = Page { limit: 1_000, after: None };
        let records = self.journal.sessions(&Filter::default(), &page).await.expect("a page").records;
        let listed: BTreeMap<_, _> = records.iter().map(|record| (record.session_id.to_string(), record)).collect();
        let ids: Vec<_> = listed.keys().collect();
        assert_eq!(ids, self.expected.keys().collect::<Vec<_>>());
        for (id, expected) in &self.expected {
            let record = listed[id];
            assert_eq!(record.status, expected.status(), "{id}");
            assert_eq!(record.inferred, expected.inferred(), "{id}");
            assert_eq!((record.commands, record.failed_commands), (expected.commands, expected.failed), "{id}");
            assert_eq!(record.quality_score, expected.quality(), "{id}");
            assert_eq!(record.forked, expected.forked, "{id}");
        }
        let status = self.journal.status().await.expect("status");
        assert_eq!(status.position, self.position);
        let report = self.journal.verify(None).await.expect("verified");
        assert!(report.faults.is_empty(), "{:#?}", report.faults);
        let rebuilt = self.journal.rebuild().await.expect("rebuilt");
        assert!(rebuilt.corrected.is_empty(), "{rebuilt:?}");
        let report = self.journal.verify(None).await.expect("verified");
        assert!(report.faults.is_empty(), "after a rebuild: {:#?}", report.faults);
    }
}

async fn memory() -> SqliteJournal {
    SqliteJournal::in_memory().await.expect("a journal in memory")
}

/// Few cases where each one makes a database.
fn config(cases: u32, regressions: &'static str) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(regressions))),
        ..ProptestConfig::default()
    }
}

fn play(kind: Kind, steps: Vec<Step>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut world = World::new(kind).await;
        for step in steps {
            world.take(step).await;
        }
        world.check().await;
    });
}

proptest! {
    #![proptest_config(config(48, "tests/it/journal/model.regressions"))]

    #[test]
    fn the_journal_does_what_the_model_does(steps in proptest::collection::vec(step(), 1..40)) {
        play(Kind::Sqlite, steps);
    }
}

#[cfg(feature = "postgres")]
proptest! {
    #![proptest_config(config(8, "tests/it/journal/model.postgres.regressions"))]

    #[test]
    fn the_journal_in_postgres_does_what_the_model_does(steps in proptest::collection::vec(step(), 1..40)) {
        play(Kind::Postgres, steps);
    }
}
