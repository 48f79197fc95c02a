//! Sealed events on arrival: whose they are, whether they are what they say, and what becomes of each.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Caller, Tracker, TrackerError};
use crate::{
    event::{Event, StreamId},
    journal::{OWN_COMPONENT, Verdict},
    token::Scope,
};

/// Events that one batch holds at most.
pub(super) const MOST_EVENTS: usize = 1_000;

/// Bytes that the texts of one batch have at most.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// A batch: each event is its sealed text, verbatim.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// The last receipt of this tracker.
    #[serde(default)]
    pub receipt: Option<Value>,
    /// The events, in order.
    pub events: Vec<Value>,
}

/// What became of a batch.
#[derive(Clone, Debug, Serialize)]
pub struct Appended {
    /// Who says so: the id of the tracker's journal.
    pub tracker_id: String,
    /// The head of the tracker's journal after it.
    pub position: u64,
    /// The link there.
    pub link: Option<String>,
    /// What became of each event, in the order of the batch.
    pub results: Vec<EventResult>,
}

/// What became of one event.
#[derive(Clone, Debug, Serialize)]
pub struct EventResult {
    /// The event.
    pub event_id: String,
    /// The verdict, and its reason where it has one.
    #[serde(flatten)]
    pub verdict: Verdict,
}

impl Tracker {
    /// Takes a batch of sealed events.
    ///
    /// # Errors
    /// When the batch is not the caller's to write, breaks a rule as a whole, or the journal can not be written: then
    /// nothing of it is stored.
    pub async fn append(&self, caller: &Caller, batch: &Batch) -> Result<Appended, TrackerError> {
        if !caller.has(Scope::EventsForward) {
            caller.require(Scope::EventsWrite)?;
        }
        if batch.events.len() > MOST_EVENTS {
            let rule = format!("must hold {MOST_EVENTS} events at most, this holds {}", batch.events.len());
            return Err(TrackerError::Invalid { field: "events".to_owned(), rule });
        }
        let bytes: usize = batch.events.iter().filter_map(Value::as_str).map(str::len).sum();
        if bytes > MOST_BYTES {
            return Err(TrackerError::TooLarge { limit_bytes: MOST_BYTES });
        }
        let mut events = Vec::with_capacity(batch.events.len());
        let mut results: Vec<Option<EventResult>> = Vec::with_capacity(batch.events.len());
        for (place, sent) in batch.events.iter().enumerate() {
            let invalid =
                |rule: &str| TrackerError::Invalid { field: format!("events[{place}]"), rule: rule.to_owned() };
            let text = sent.as_str().ok_or_else(|| invalid("must be the sealed text of an event, as a string"))?;
            match Event::parse(text) {
                Ok(event) => {
                    caller_may_write(caller, &event)?;
                    events.push(event);
                    results.push(None);
                }
                Err(error) => {
                    let event_id = named(text).ok_or_else(|| invalid(&error.to_string()))?;
                    results.push(Some(EventResult { event_id, verdict: Verdict::Rejected(error.to_string()) }));
                }
            }
        }
        let verdicts = if events.is_empty() { Vec::new() } else { self.journal().append(&events).await? };
        let mut judged = events.iter().zip(verdicts);
        let results = results.into_iter().filter_map(|result| {
            result.or_else(|| {
                let (event, verdict) = judged.next()?;
                Some(EventResult { event_id: event.event_id().to_string(), verdict })
            })
        });
        let results = results.collect();
        let status = self.journal().status().await?;
        Ok(Appended { tracker_id: status.journal_id, position: status.position, link: None, results })
    }
}

/// Whether an event is the caller's to write: by its component, and for a journal's own stream by the journal.
fn caller_may_write(caller: &Caller, event: &Event) -> Result<(), TrackerError> {
    match event.stream() {
        StreamId::Journal(journal) if event.component() == OWN_COMPONENT => match caller.writer() {
            Some(writer) if writer != journal.as_str() && !caller.has(Scope::EventsForward) => {
                Err(TrackerError::OtherWriter)
            }
            _ => Ok(()),
        },
        _ => caller.require_component(event.component()),
    }
}

/// The id that a text gives itself, however wrong the rest of it is.
fn named(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        event_id: uuid::Uuid,
    }
    serde_json::from_str::<Named>(text).ok().map(|named| named.event_id.to_string())
}
