//! A sink that fails when a test wants it to, and behaves like a tracker when it does not.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::{sync::watch, time::Instant};

use crate::{
    delivery::{EventSink, Receipt, SinkError},
    event::{Event, Hash, JournalId},
    journal::{EndRequest, Head, Parcel, Presence, Stub, Verdict},
};

/// What one call of a [`FaultySink`] comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkFault {
    /// It works.
    None,
    /// Nothing arrives.
    Refuses,
    /// Nothing arrives, and it asks to be left alone for this long.
    RefusesFor(Duration),
    /// Everything arrives, and nobody hears of it.
    LosesTheAnswer,
    /// It arrives, and only the first so many events get a verdict.
    AnswersInPart(usize),
    /// It never answers.
    Hangs,
    /// The event at this place in the batch is refused, whole; its stub is taken.
    Rejects(usize),
    /// Every event is refused, whole; stubs are taken.
    RejectsAll,
}

/// A sink that fails when a test wants it to. Otherwise it does what a tracker does: it keeps what comes in order, knows
/// what came twice, refuses what has a hole before it, and gives receipts that it knows again. Clones are one sink.
#[derive(Clone, Debug)]
pub struct FaultySink {
    name: String,
    state: Arc<Mutex<State>>,
    calls: Arc<watch::Sender<usize>>,
}

#[derive(Debug)]
struct State {
    id: JournalId,
    taken: Vec<Parcel>,
    next: VecDeque<SinkFault>,
    always: SinkFault,
    quoted: Option<Head>,
    called: Vec<Instant>,
    presence: Vec<Presence>,
    requests: Vec<EndRequest>,
}

impl FaultySink {
    /// A sink that works.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let state = State {
            id: JournalId::new(),
            taken: Vec::new(),
            next: VecDeque::new(),
            always: SinkFault::None,
            quoted: None,
            called: Vec::new(),
            presence: Vec::new(),
            requests: Vec::new(),
        };
        Self { name: name.to_owned(), state: Arc::new(Mutex::new(state)), calls: Arc::new(watch::channel(0).0) }
    }

    /// What the next calls come to, in this order.
    pub fn next(&self, faults: impl IntoIterator<Item = SinkFault>) {
        self.state().next.extend(faults);
    }

    /// What every call comes to that nothing else was said of.
    pub fn always(&self, fault: SinkFault) {
        self.state().always = fault;
    }

    /// It works again.
    pub fn mend(&self) {
        let mut state = self.state();
        state.next.clear();
        state.always = SinkFault::None;
    }

    /// It is restored from a copy that held no more than this many events.
    pub fn restore(&self, events: usize) {
        self.state().taken.truncate(events);
    }

    /// Asks for a session's end with the next answer to a beat.
    pub fn request(&self, request: EndRequest) {
        self.state().requests.push(request);
    }

    /// What it holds, in the order in which it came.
    #[must_use]
    pub fn taken(&self) -> Vec<Parcel> {
        self.state().taken.clone()
    }

    /// The beats that it heard.
    #[must_use]
    pub fn presence(&self) -> Vec<Presence> {
        self.state().presence.clone()
    }

    /// When it was called to deliver something.
    #[must_use]
    pub fn called(&self) -> Vec<Instant> {
        self.state().called.clone()
    }

    /// Waits until it was called so many times.
    pub async fn until_called(&self, times: usize) {
        let mut calls = self.calls.subscribe();
        let _ = calls.wait_for(|calls| *calls >= times).await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take(&self, parcels: Vec<Parcel>) -> Result<Receipt, SinkError> {
        let fault = {
            let mut state = self.state();
            state.called.push(Instant::now());
            let always = state.always.clone();
            state.next.pop_front().unwrap_or(always)
        };
        self.calls.send_modify(|calls| *calls += 1);
        let refused = |retry_after| SinkError::Unavailable { source: "a test wants it so".into(), retry_after };
        match fault {
            SinkFault::Refuses => Err(refused(None)),
            SinkFault::RefusesFor(wait) => Err(refused(Some(wait))),
            SinkFault::Hangs => std::future::pending().await,
            SinkFault::LosesTheAnswer => {
                self.state().judge(parcels, |_| false)?;
                Err(refused(None))
            }
            SinkFault::AnswersInPart(events) => {
                let mut receipt = self.state().judge(parcels, |_| false)?;
                receipt.verdicts.truncate(events);
                Ok(receipt)
            }
            SinkFault::Rejects(place) => self.state().judge(parcels, |at| at == place),
            SinkFault::RejectsAll => self.state().judge(parcels, |_| true),
            SinkFault::None => self.state().judge(parcels, |_| false),
        }
    }
}

impl State {
    fn judge(&mut self, parcels: Vec<Parcel>, rejects: impl Fn(usize) -> bool) -> Result<Receipt, SinkError> {
        if let Some(quoted) = &self.quoted
            && *quoted != self.head(usize::try_from(quoted.position).unwrap_or(usize::MAX).min(self.taken.len()))
        {
            return Err(SinkError::UnknownReceipt);
        }
        let mut verdicts = Vec::with_capacity(parcels.len());
        for (at, parcel) in parcels.into_iter().enumerate() {
            let next = self.taken.iter().filter(|taken| taken.stream() == parcel.stream()).count() as u64;
            let known = self.taken.iter().any(|taken| taken.event_id() == parcel.event_id());
            let verdict = match (&parcel, known) {
                (_, true) => Verdict::Duplicate,
                (Parcel::Whole(_), _) if rejects(at) => Verdict::Rejected("a test wants it so".to_owned()),
                _ if parcel.seq() != next => {
                    Verdict::Rejected(format!("seq {} arrived before seq {next}", parcel.seq()))
                }
                _ => Verdict::Accepted,
            };
            verdicts.push((parcel.event_id(), verdict.clone()));
            if verdict == Verdict::Accepted {
                self.taken.push(parcel);
            }
        }
        Ok(Receipt { verdicts, head: Some(self.head(self.taken.len())) })
    }

    fn head(&self, position: usize) -> Head {
        let ids: String = self.taken[..position].iter().map(|parcel| parcel.event_id().to_string()).collect();
        Head { tracker_id: self.id.clone(), position: position as u64, link: Hash::of(ids.as_bytes()) }
    }
}

#[async_trait]
impl EventSink for FaultySink {
    fn name(&self) -> &str {
        &self.name
    }

    async fn deliver(&mut self, batch: &[Event]) -> Result<Receipt, SinkError> {
        self.take(batch.iter().cloned().map(Parcel::Whole).collect()).await
    }

    async fn stand_in(&mut self, stubs: &[Stub]) -> Result<Receipt, SinkError> {
        self.take(stubs.iter().cloned().map(Parcel::from).collect()).await
    }

    fn quote(&mut self, receipt: Option<&Head>) {
        self.state().quoted = receipt.cloned();
    }

    async fn beat(&mut self, presence: &[Presence]) -> Result<Vec<EndRequest>, SinkError> {
        let mut state = self.state();
        if state.always != SinkFault::None {
            return Err(SinkError::unavailable("a test wants it so"));
        }
        state.presence.extend_from_slice(presence);
        Ok(std::mem::take(&mut state.requests))
    }
}
