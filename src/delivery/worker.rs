//! The worker of one sink: when to try, when to wait, when to give up.
//!
//! ```text
//! nudge, or a second has passed ─▶ breaker ─▶ each lane: a batch, up to three attempts ─▶ again until all are drained
//! every 15 s: a beat, and a question whether the receipts are still known; both feed the breaker like a batch
//! ```

use std::{path::PathBuf, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    BEAT, Backoff, Begins, Breaker, EventSink, Living, Plan, Round, Sender, SinkError, SinkState, SinkStatus, Takes,
    beat::{self, Tally},
    breaker::Admission,
    lane::{CALL, Check, Lane, Moved, Step, called},
};
use crate::{
    event::{SessionId, StreamId},
    journal::{ALL_COMPONENTS, EndRequest, Entry, Journal, JournalError, OWN_COMPONENT},
};

/// Attempts a batch.
const ATTEMPTS: u32 = 3;
/// How often other processes' events are looked for.
const LOOK: Duration = Duration::from_secs(1);
/// Refusals without a success that stop the sink.
const BURIALS: u32 = 10;
/// The first prompt is drawn before a worker does anything.
const AFTER_THE_PROMPT: Duration = Duration::from_millis(20);

/// The worker of one sink.
pub(super) struct Worker {
    journal: Arc<dyn Journal>,
    sink: Box<dyn EventSink>,
    lanes: Vec<Lane>,
    locks: PathBuf,
    /// The session that lives, and its component.
    session: Option<(SessionId, String)>,
    requests: mpsc::UnboundedSender<EndRequest>,
    status: watch::Sender<SinkStatus>,
    breaker: Breaker,
    backoff: Backoff,
    burials: u32,
    emits: Tally,
    /// Who else lives.
    living: Option<Living>,
    /// For a sink that takes its session only: the next event of it.
    next_seq: u64,
}

/// What trying to drain the lanes came to.
enum Drained {
    Yes,
    Failed { retry_after: Option<Duration> },
    Stopped,
}

impl Worker {
    pub(super) fn new(
        plan: &Plan,
        mut sink: Box<dyn EventSink>,
        begins: Begins,
        requests: mpsc::UnboundedSender<EndRequest>,
    ) -> (Self, watch::Receiver<SinkStatus>) {
        let name = sink.name().to_owned();
        let component = plan.components.iter().find(|component| *component != OWN_COMPONENT).cloned();
        let keep = Some(plan.locks.clone());
        sink.introduce(&Sender { journal: plan.journal.id().clone(), component: component.clone(), keep });
        let components = match plan.components.as_slice() {
            [] => vec![ALL_COMPONENTS.to_owned()],
            some => some.to_vec(),
        };
        let lane = |component| Lane::new(Arc::clone(&plan.journal), &name, component, begins);
        let first = SinkStatus { sink: name.clone(), breaker: "closed", ..SinkStatus::default() };
        let (status, receiver) = watch::channel(first);
        let worker = Self {
            journal: Arc::clone(&plan.journal),
            lanes: match sink.takes() {
                Takes::Everything => components.into_iter().map(lane).collect(),
                Takes::ItsSession => Vec::new(),
            },
            sink,
            locks: plan.locks.clone(),
            session: plan.session.clone().zip(component),
            requests,
            status,
            breaker: Breaker::default(),
            backoff: Backoff::default(),
            burials: 0,
            emits: Tally::default(),
            living: None,
            next_seq: 0,
        };
        (worker, receiver)
    }

    /// Says of others that they live.
    pub(super) fn with_living(mut self, living: Option<Living>) -> Self {
        self.living = living;
        self
    }

    /// Delivers until it is dropped.
    pub(super) async fn run(mut self, mut nudge: watch::Receiver<u64>, closing: watch::Receiver<bool>) {
        if self.session.is_some() && self.sink.takes() == Takes::Everything {
            sleep(AFTER_THE_PROMPT).await;
        }
        let mut beat_at = Instant::now();
        loop {
            let wanted = *nudge.borrow_and_update();
            match self.breaker.admit(Instant::now().into_std()) {
                Admission::Wait(rest) => {
                    self.show(SinkState::Open, None).await;
                    sleep(rest).await;
                    continue;
                }
                Admission::Go | Admission::Probe => {}
            }
            let beats = Instant::now() >= beat_at;
            match self.drain(if beats { Check::Receipt } else { Check::Nothing }).await {
                Ok(Drained::Yes) => {}
                Ok(Drained::Failed { retry_after }) => {
                    self.failed(retry_after).await;
                    continue;
                }
                Ok(Drained::Stopped) => return,
                Err(error) => {
                    tracing::warn!(%error, sink = self.sink.name(), "the journal does not let events be delivered");
                    sleep(self.backoff.next(chance(), Some(LOOK))).await;
                    continue;
                }
            }
            // The last one says what the end of the session has added.
            if beats || *closing.borrow() {
                if let Err(retry_after) = self.beat().await {
                    self.failed(retry_after).await;
                    continue;
                }
                beat_at = Instant::now() + BEAT;
            }
            self.status.send_modify(|status| status.drained = wanted);
            tokio::select! {
                changed = nudge.changed() => if changed.is_err() { return },
                () = sleep(LOOK) => {}
                () = sleep_until(beat_at) => {}
            }
        }
    }

    /// Something failed, after all its attempts: the next one waits, or the breaker opens.
    async fn failed(&mut self, retry_after: Option<Duration>) {
        self.breaker.failed(Instant::now().into_std(), retry_after);
        if self.breaker.is_open() {
            self.show(SinkState::Open, None).await;
        } else {
            sleep(self.backoff.next(chance(), retry_after)).await;
        }
    }

    /// One round over all lanes, without a second attempt.
    pub(super) async fn round(mut self) -> Result<Round, JournalError> {
        let mut round =
            Round { sink: self.sink.name().to_owned(), delivered: 0, buried: 0, elsewhere: Vec::new(), failed: None };
        for at in 0..self.lanes.len() {
            loop {
                match self.lanes[at].step(&mut *self.sink, &self.locks, Check::Receipt).await? {
                    Step::Drained | Step::Checked => break,
                    Step::Elsewhere => {
                        round.elsewhere.push(self.lanes[at].component.clone());
                        break;
                    }
                    Step::Moved(moved) => {
                        round.delivered += moved.taken.len() as u64;
                        round.buried += moved.refused.len() as u64;
                        if self.count(&moved) {
                            round.failed = Some(too_many());
                            return Ok(round);
                        }
                    }
                    Step::Failed(error, _) => {
                        round.failed = Some(error.to_string());
                        return Ok(round);
                    }
                }
            }
        }
        Ok(round)
    }

    /// What was refused is offered once more.
    pub(super) async fn retry_buried(mut self) -> Result<(u64, Vec<(uuid::Uuid, String)>), JournalError> {
        let (mut taken, mut refused) = (0, Vec::new());
        for lane in &mut self.lanes {
            for (id, outcome) in lane.retry(&mut *self.sink, &self.locks).await? {
                match outcome {
                    Ok(()) => taken += 1,
                    Err(why) => refused.push((id, why)),
                }
            }
        }
        Ok((taken, refused))
    }

    /// Delivers everything that waits.
    async fn drain(&mut self, check: Check) -> Result<Drained, JournalError> {
        if self.sink.takes() == Takes::ItsSession {
            return self.follow_session().await;
        }
        for at in 0..self.lanes.len() {
            let mut check = check;
            loop {
                match self.batch(at, check).await? {
                    Step::Drained | Step::Elsewhere => break,
                    Step::Checked => {
                        self.answered();
                        self.succeeded(SinkState::Idle);
                        break;
                    }
                    Step::Failed(error, kinds) => {
                        self.emits.failed(&kinds, error.kind());
                        return Ok(Drained::Failed { retry_after: self.show_failure(&error).await });
                    }
                    Step::Moved(moved) => {
                        check = Check::Nothing;
                        self.answered();
                        if self.count(&moved) {
                            tracing::error!(sink = self.sink.name(), "{}", too_many());
                            self.show(SinkState::Stopped, Some(too_many())).await;
                            return Ok(Drained::Stopped);
                        }
                        self.succeeded(SinkState::Delivering);
                    }
                }
            }
        }
        if self.status.borrow().state == SinkState::Delivering {
            self.show(SinkState::Idle, None).await;
        }
        Ok(Drained::Yes)
    }

    /// A batch, with its attempts.
    async fn batch(&mut self, at: usize, check: Check) -> Result<Step, JournalError> {
        let attempts = if self.breaker.is_open() { 1 } else { ATTEMPTS };
        for attempt in 1.. {
            match self.lanes[at].step(&mut *self.sink, &self.locks, check).await? {
                Step::Failed(SinkError::Unavailable { source, retry_after }, _) if attempt < attempts => {
                    tracing::debug!(error = %source, sink = self.sink.name(), attempt, "a batch was not delivered");
                    self.show(SinkState::Unavailable, Some(source.to_string())).await;
                    sleep(self.backoff.next(chance(), retry_after)).await;
                }
                step => return Ok(step),
            }
        }
        unreachable!("the last attempt returns")
    }

    /// What a sink gets that takes nothing but its session.
    async fn follow_session(&mut self) -> Result<Drained, JournalError> {
        let Some((session, _)) = self.session.clone() else { return Ok(Drained::Yes) };
        loop {
            let stream = StreamId::Session(session.clone());
            let entries = self.journal.events(&stream, self.next_seq, 100).await?;
            let events: Vec<_> = entries
                .into_iter()
                .filter_map(|entry| match entry {
                    Entry::Whole(event) => Some(event),
                    Entry::Pruned { .. } => None,
                })
                .collect();
            let Some(last) = events.last() else {
                self.succeeded(SinkState::Idle);
                return Ok(Drained::Yes);
            };
            match self.sink.deliver(&events).await {
                Ok(_) => self.next_seq = last.seq() + 1,
                Err(error) => return Ok(Drained::Failed { retry_after: self.show_failure(&error).await }),
            }
        }
    }

    /// Says who lives. An error is a wait that the other side asked for, or none.
    async fn beat(&mut self) -> Result<(), Option<Duration>> {
        let presence = match (&self.session, &self.living) {
            (Some((session, component)), _) => vec![beat::own(session, component, &self.emits)],
            (None, Some(living)) => living().await,
            (None, None) => return Ok(()),
        };
        for some in beat::cut(&presence) {
            match called(timeout(CALL, self.sink.beat(some)).await) {
                Ok(requests) => {
                    for request in requests {
                        let _ = self.requests.send(request);
                    }
                }
                Err(error) => return Err(self.show_failure(&error).await),
            }
        }
        self.answered();
        self.succeeded(SinkState::Idle);
        self.show(SinkState::Idle, None).await;
        Ok(())
    }

    /// Shows why something failed; answers the wait that the other side asked for.
    async fn show_failure(&mut self, error: &SinkError) -> Option<Duration> {
        self.show(SinkState::Unavailable, Some(error.to_string())).await;
        match error {
            SinkError::Unavailable { retry_after, .. } => *retry_after,
            SinkError::UnknownReceipt => None,
        }
    }

    /// Counts what a batch came to. True when too much was refused.
    fn count(&mut self, moved: &Moved) -> bool {
        for (kind, took) in &moved.taken {
            self.emits.taken(kind, *took);
        }
        self.emits.failed(&moved.refused, "rejected");
        if !moved.taken.is_empty() {
            self.burials = 0;
        }
        self.burials += u32::try_from(moved.refused.len()).unwrap_or(u32::MAX);
        let refused = moved.refused.len() as u64;
        self.status.send_modify(|status| status.buried += refused);
        self.burials >= BURIALS
    }

    fn answered(&mut self) {
        self.breaker.succeeded();
        self.backoff.reset();
    }

    fn succeeded(&mut self, state: SinkState) {
        self.status.send_modify(|status| {
            status.state = state;
            status.last_success = Some(Timestamp::now());
            status.error = None;
            status.breaker = "closed";
            if state == SinkState::Idle {
                status.backlog = Some(0);
            }
        });
    }

    /// How many events wait in all lanes: the journal is asked once, because it counts for every sink that it knows.
    async fn backlog(&mut self) -> Result<u64, JournalError> {
        if self.lanes.is_empty() {
            return Ok(0);
        }
        let all = self.journal.deliveries().await?;
        let ours = all.iter().filter(|one| {
            one.sink == self.sink.name() && self.lanes.iter().any(|lane| lane.component == one.component)
        });
        Ok(ours.map(|one| one.backlog).sum())
    }

    async fn show(&mut self, state: SinkState, error: Option<String>) {
        let backlog = self.backlog().await.ok();
        let breaker = self.breaker.word();
        self.status.send_modify(|status| {
            status.state = state;
            status.backlog = backlog;
            status.breaker = breaker;
            if error.is_some() || state == SinkState::Idle {
                status.error = error;
            }
        });
    }
}

fn too_many() -> String {
    format!(
        "it refused {BURIALS} events in a row and is stopped; `session-tracker journal buried` lists them with their reasons"
    )
}

/// A random number from 0 to 1.
fn chance() -> f64 {
    use std::hash::{BuildHasher, Hasher};
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    (random >> 11) as f64 / (1_u64 << 53) as f64
}
