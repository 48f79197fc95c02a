//! A sink's work for one component: what comes next, what became of it, and how far that moves the cursor.
//!
//! A lane never waits and never tries twice: that is the worker's. It reads, sends once, and takes note.

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
    sync::Arc,
    time::Duration,
};

use tokio::time::{Instant, timeout};

use super::{
    Begins, EventSink, Receipt, SinkError,
    lock::{self, LaneLock},
    wire::{MOST_BYTES, MOST_EVENTS},
};
use crate::{
    event::Event,
    journal::{ALL_COMPONENTS, Journal, JournalError, Kept, Parcel, Placed, Progress, Refusal, Stub, Verdict},
};

/// How long one call may take.
pub(super) const CALL: Duration = Duration::from_secs(10);

/// The cursor passes over so many events of others before that is noted: pruning folds nothing that lies beyond a cursor.
const PASSED_OVER: u64 = 500;

/// What a step came to.
#[derive(Debug)]
pub(super) enum Step {
    /// Nothing was there to deliver.
    Drained,
    /// Nothing was there to deliver, and the other side still knows its receipt.
    Checked,
    /// Something was delivered; there may be more.
    Moved(Moved),
    /// It was not delivered: these types of events.
    Failed(SinkError, Vec<String>),
    /// Another process serves this lane.
    Elsewhere,
}

/// What was moved.
#[derive(Debug, Default)]
pub(super) struct Moved {
    /// The events that the other side took, by type, and how long that took.
    pub taken: Vec<(String, Duration)>,
    /// What it refused.
    pub refused: Vec<String>,
}

pub(super) struct Lane {
    journal: Arc<dyn Journal>,
    sink: String,
    /// The component; [`ALL_COMPONENTS`] for all.
    pub component: String,
    begins: Begins,
    held: Option<Held>,
}

/// What is known while the lock is held.
struct Held {
    _lock: LaneLock,
    cursor: u64,
    /// Up to here there is nothing to deliver.
    looked: u64,
    /// Newest first.
    receipts: Vec<Kept>,
    buried: BTreeSet<u64>,
    /// How many receipts the next step back skips.
    stride: usize,
}

impl Lane {
    pub(super) fn new(journal: Arc<dyn Journal>, sink: &str, component: String, begins: Begins) -> Self {
        Self { journal, sink: sink.to_owned(), component, begins, held: None }
    }

    fn filter(&self) -> Option<&str> {
        (self.component != ALL_COMPONENTS).then_some(self.component.as_str())
    }

    /// Takes the lock where nobody holds it, and reads where the last one stopped.
    async fn hold(&mut self, locks: &Path) -> Result<bool, JournalError> {
        if self.held.is_some() {
            return Ok(true);
        }
        let lock = match lock::take(locks, &self.sink, &self.component) {
            Ok(Some(lock)) => lock,
            Ok(None) => return Ok(false),
            Err(error) => return Err(JournalError::Database(format!("the lock of a sink: {error}"))),
        };
        let cursor = match (self.journal.cursor(&self.sink, &self.component).await?, self.begins) {
            (Some(cursor), _) => cursor,
            // Noted at once: what waits for a sink is counted from its cursor, also before it has ever answered, and what
            // this session leaves undelivered is not to be mistaken for what came before it.
            (None, begins) => {
                let position = match begins {
                    Begins::Oldest => 0,
                    // A stream is taken from its beginning or not at all: another shell of the component may have begun
                    // before, and goes on.
                    Begins::After(position) => {
                        let oldest = self.journal.oldest_open(&self.component).await?;
                        oldest.map_or(position, |oldest| position.min(oldest.saturating_sub(1)))
                    }
                };
                self.note(position, None, Vec::new()).await?;
                position
            }
        };
        let receipts = self.journal.receipts(&self.sink, &self.component).await?;
        let buried = self.journal.buried(Some(&self.sink)).await?.into_iter().map(|buried| buried.position).collect();
        self.held = Some(Held { _lock: lock, cursor, looked: cursor, receipts, buried, stride: 1 });
        Ok(true)
    }

    async fn note(&self, position: u64, kept: Option<&Kept>, buried: Vec<Refusal>) -> Result<(), JournalError> {
        let progress = Progress {
            sink: self.sink.clone(),
            component: self.component.clone(),
            position,
            receipt: kept.map(|kept| kept.head.clone()),
            buried,
        };
        self.journal.delivered(&progress).await
    }

    /// Delivers the next batch, once. With `check`, asks about the receipt where nothing is to be delivered.
    pub(super) async fn step(
        &mut self,
        sink: &mut dyn EventSink,
        locks: &Path,
        check: Check,
    ) -> Result<Step, JournalError> {
        if !self.hold(locks).await? {
            return Ok(Step::Elsewhere);
        }
        let Some(held) = &self.held else { return Ok(Step::Elsewhere) };
        let outgoing = self.journal.after(held.looked, self.filter(), MOST_EVENTS as u32).await?;
        let Some(held) = self.held.as_mut() else { return Ok(Step::Elsewhere) };
        if outgoing.placed.is_empty() {
            held.looked = outgoing.upto.max(held.looked);
            if held.looked > held.cursor + PASSED_OVER {
                held.cursor = held.looked;
                let looked = held.looked;
                self.note(looked, None, Vec::new()).await?;
            }
            return if check == Check::Receipt { self.check(sink).await } else { Ok(Step::Drained) };
        }
        let batch = cut(&outgoing.placed, &held.buried);
        let begun = Instant::now();
        sink.quote(held.receipts.first().map(|kept| &kept.head));
        let answer = match &batch {
            Run::Events(placed) => {
                let events: Vec<Event> = placed.iter().map(|(_, event)| event.clone()).collect();
                called(timeout(CALL, sink.deliver(&events)).await)
            }
            Run::Stubs(placed) => {
                let stubs: Vec<Stub> = placed.iter().map(|(_, stub)| stub.clone()).collect();
                called(timeout(CALL, sink.stand_in(&stubs)).await)
            }
        };
        match answer {
            Ok(receipt) => self.judged(&batch, receipt, begun.elapsed()).await,
            Err(SinkError::UnknownReceipt) => self.go_back().await,
            Err(error) => Ok(Step::Failed(error, batch.kinds())),
        }
    }

    /// Asks whether the other side still holds what it said it holds.
    async fn check(&mut self, sink: &mut dyn EventSink) -> Result<Step, JournalError> {
        let Some(held) = &self.held else { return Ok(Step::Drained) };
        let Some(last) = held.receipts.first() else { return Ok(Step::Drained) };
        sink.quote(Some(&last.head));
        match called(timeout(CALL, sink.deliver(&[])).await) {
            Ok(_) => Ok(Step::Checked),
            Err(SinkError::UnknownReceipt) => self.go_back().await,
            Err(error) => Ok(Step::Failed(error, Vec::new())),
        }
    }

    /// Moves the cursor as far as verdicts name the events.
    async fn judged(&mut self, batch: &Run, receipt: Receipt, took: Duration) -> Result<Step, JournalError> {
        let Some(held) = self.held.as_mut() else { return Ok(Step::Elsewhere) };
        let verdicts: HashMap<_, _> = receipt.verdicts.into_iter().collect();
        let (mut moved, mut refusals, mut at) = (Moved::default(), Vec::new(), None);
        for (position, id, kind) in batch.places() {
            match verdicts.get(&id) {
                Some(Verdict::Accepted | Verdict::Duplicate | Verdict::Conflict(_)) => {
                    if let Some(kind) = kind {
                        moved.taken.push((kind.to_owned(), took));
                    }
                    at = Some(position);
                }
                // Not even its stub is wanted: it stays buried, and those behind it get their turn.
                Some(Verdict::Rejected(_)) if kind.is_none() => at = Some(position),
                Some(Verdict::Rejected(reason)) => {
                    moved.refused.push(kind.unwrap_or_default().to_owned());
                    held.buried.insert(position);
                    refusals.push(Refusal { position, event_id: id, reason: reason.clone() });
                    // Those of its stream that come behind were refused with it: they come again, after its stub.
                    break;
                }
                None => break,
            }
        }
        if at.is_none() && refusals.is_empty() {
            let error = SinkError::failed("malformed", "the answer has no verdict for the events that were sent");
            return Ok(Step::Failed(error, batch.kinds()));
        }
        held.stride = 1;
        if let Some(at) = at {
            held.cursor = at;
            held.looked = at;
        }
        let kept = receipt.head.filter(|_| at.is_some()).map(|head| Kept { position: held.cursor, head });
        let cursor = held.cursor;
        self.note(cursor, kept.as_ref(), refusals).await?;
        if let (Some(held), Some(kept)) = (self.held.as_mut(), kept) {
            held.receipts.insert(0, kept);
            held.receipts.truncate(100);
        }
        Ok(Step::Moved(moved))
    }

    /// To an older receipt, each time twice as many receipts back, and at last to the beginning.
    async fn go_back(&mut self) -> Result<Step, JournalError> {
        let Some(held) = self.held.as_mut() else { return Ok(Step::Elsewhere) };
        if held.receipts.is_empty() {
            return Ok(Step::Failed(SinkError::UnknownReceipt, Vec::new()));
        }
        let skipped = held.stride.min(held.receipts.len());
        held.receipts.drain(..skipped);
        held.stride = held.stride.saturating_mul(2);
        let to = held.receipts.first().map_or(0, |kept| kept.position);
        tracing::warn!(
            sink = self.sink,
            component = self.component,
            from = held.cursor,
            to,
            "the sink lost events: they are delivered again"
        );
        held.cursor = to;
        held.looked = to;
        self.note(to, None, Vec::new()).await?;
        Ok(Step::Moved(Moved::default()))
    }

    /// Another try of what was refused, whole and one by one.
    pub(super) async fn retry(
        &mut self,
        sink: &mut dyn EventSink,
        locks: &Path,
    ) -> Result<Vec<(uuid::Uuid, Result<(), String>)>, JournalError> {
        let mut outcomes = Vec::new();
        if !self.hold(locks).await? {
            return Ok(outcomes);
        }
        for buried in self.journal.buried(Some(&self.sink)).await? {
            if self.filter().is_some_and(|component| component != buried.component_name) {
                continue;
            }
            let outgoing = self.journal.after(buried.position - 1, None, 1).await?;
            let Some(Placed { parcel: Parcel::Whole(event), .. }) = outgoing.placed.into_iter().next() else {
                outcomes.push((buried.event_id, Err("its body was pruned or scrubbed".to_owned())));
                continue;
            };
            let answer = called(timeout(CALL, sink.deliver(std::slice::from_ref(&event))).await);
            let verdict = answer.map(|receipt| receipt.verdicts.into_iter().find(|(id, _)| *id == buried.event_id));
            outcomes.push((
                buried.event_id,
                match verdict {
                    Ok(Some((_, Verdict::Accepted | Verdict::Duplicate | Verdict::Conflict(_)))) => {
                        self.journal.unbury(&self.sink, &[buried.position]).await?;
                        Ok(())
                    }
                    Ok(Some((_, Verdict::Rejected(reason)))) => Err(reason),
                    Ok(None) => Err("the answer has no verdict for it".to_owned()),
                    Err(error) => Err(error.to_string()),
                },
            ));
        }
        Ok(outcomes)
    }
}

/// Whether to ask about the receipt where nothing is to be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    Nothing,
    Receipt,
}

pub(super) fn called<T>(answer: Result<Result<T, SinkError>, tokio::time::error::Elapsed>) -> Result<T, SinkError> {
    let late = || SinkError::failed("timeout", format!("no answer within {} seconds", CALL.as_secs()));
    answer.unwrap_or_else(|_| Err(late()))
}

/// The beginning of a batch that is all of one kind.
enum Run {
    Events(Vec<(u64, Event)>),
    Stubs(Vec<(u64, Stub)>),
}

impl Run {
    /// Position, id, and for whole events the type.
    fn places(&self) -> Vec<(u64, uuid::Uuid, Option<&str>)> {
        match self {
            Self::Events(events) => {
                events.iter().map(|(at, event)| (*at, event.event_id(), Some(event.kind().as_str()))).collect()
            }
            Self::Stubs(stubs) => stubs.iter().map(|(at, stub)| (*at, stub.event_id, None)).collect(),
        }
    }

    /// The types of whole events.
    fn kinds(&self) -> Vec<String> {
        self.places().into_iter().filter_map(|(_, _, kind)| kind.map(str::to_owned)).collect()
    }
}

/// As much of what comes next as goes into one request: events, or stubs.
fn cut(placed: &[Placed], buried: &BTreeSet<u64>) -> Run {
    // What surrounds the events in a request, with room to spare.
    const AROUND: usize = 4 << 10;
    let (mut events, mut stubs, mut bytes) = (Vec::new(), Vec::new(), AROUND);
    for Placed { position, parcel } in placed {
        match parcel {
            Parcel::Whole(event) if !buried.contains(position) => {
                bytes += written(event.text());
                if !stubs.is_empty() || (bytes > MOST_BYTES && !events.is_empty()) {
                    break;
                }
                events.push((*position, event.clone()));
            }
            Parcel::Whole(_) | Parcel::Stub(_) if !events.is_empty() => break,
            Parcel::Whole(event) => stubs.push((*position, Stub::of(event, "refused"))),
            Parcel::Stub(stub) => stubs.push((*position, (**stub).clone())),
        }
    }
    if stubs.is_empty() { Run::Events(events) } else { Run::Stubs(stubs) }
}

/// How many bytes a text takes as a JSON string: canonical JSON has no control characters of its own.
fn written(text: &str) -> usize {
    text.len() + text.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count() + 3
}
