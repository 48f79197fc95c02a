//! Sealed events on arrival: whose they are, whether they are what they say, and what becomes of each.
//!
//! The first event of a session binds it to its writer: the subject of the token that brought it. Whoever forwards
//! (`events:forward`) is not the writer: what comes by that way is bound to the journal that sealed it, which is the
//! subject of the tokens that its shells mint.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use uuid::Uuid;

use super::{Caller, Tracker, TrackerError};
use crate::{
    delivery::wire::{Answer, Batch, Item, Judged, MOST_BYTES, MOST_EVENTS},
    event::{Event, StreamId},
    journal::{OWN_COMPONENT, Parcel, Verdict},
    token::Scope,
};

/// Batches larger than this are read on a thread of their own: others must not wait for it.
const LARGE: usize = 32;
/// Sessions whose writer is remembered, at most.
const REMEMBERED: usize = 100_000;

/// Writers that are settled: they never change, so that what is here is true.
#[derive(Default)]
pub(super) struct Writers(std::sync::Mutex<HashMap<StreamId, String>>);

/// What was sent at one place of a batch.
enum Sent {
    Parcel(Parcel),
    /// It is not what it says it is.
    Wrong(Judged),
}

impl Tracker {
    /// Takes a batch of sealed events.
    ///
    /// # Errors
    /// When the batch is not the caller's to write, breaks a rule as a whole, quotes a receipt that is not known here,
    /// or the journal can not be written: then nothing of it is stored.
    pub async fn append(&self, caller: &Caller, batch: Batch) -> Result<Answer, TrackerError> {
        if !caller.has(Scope::EventsForward) {
            caller.require(Scope::EventsWrite)?;
        }
        if let Some(receipt) = &batch.receipt
            && !self.journal().knows(receipt).await?
        {
            return Err(TrackerError::UnknownReceipt);
        }
        let sent = if batch.events.len() > LARGE {
            let read = tokio::task::spawn_blocking(move || read(batch.events)).await;
            read.map_err(|_| TrackerError::Defect)??
        } else {
            read(batch.events)?
        };
        let (mut parcels, mut results) = (Vec::with_capacity(sent.len()), Vec::with_capacity(sent.len()));
        for sent in sent {
            match sent {
                Sent::Parcel(parcel) => {
                    may_write(caller, &parcel)?;
                    results.push(None);
                    parcels.push(parcel);
                }
                Sent::Wrong(judged) => results.push(Some(judged)),
            }
        }
        self.settle_writers(caller, &parcels).await?;
        let verdicts = if parcels.is_empty() { Vec::new() } else { self.journal().receive(&parcels).await? };
        let mut judged = parcels.iter().zip(verdicts);
        let results = results.into_iter().filter_map(|result| {
            result.or_else(|| judged.next().map(|(parcel, verdict)| Judged { event_id: parcel.event_id(), verdict }))
        });
        let results: Vec<Judged> = results.collect();
        self.count(&results);
        let head = self.journal().head().await?;
        Ok(Answer { tracker_id: head.tracker_id, position: head.position, link: head.link, results })
    }

    /// Refuses what belongs to another writer, and binds what belongs to nobody yet.
    async fn settle_writers(&self, caller: &Caller, parcels: &[Parcel]) -> Result<(), TrackerError> {
        let Some(subject) = caller.writer() else { return Ok(()) };
        let forwards = caller.has(Scope::EventsForward);
        let mut streams: BTreeMap<&StreamId, String> = BTreeMap::new();
        for parcel in parcels {
            if let StreamId::Session(_) = parcel.stream() {
                let writer = if forwards { sealed_by(parcel) } else { Some(subject.to_owned()) };
                streams.entry(parcel.stream()).or_insert(writer.unwrap_or_else(|| subject.to_owned()));
            }
        }
        let unknown: Vec<StreamId> = {
            let known = self.0.writers.0.lock().expect("nobody panics with the writers");
            let foreign = streams.iter().any(|(stream, writer)| known.get(stream).is_some_and(|other| other != writer));
            if foreign && !forwards {
                return Err(TrackerError::OtherWriter);
            }
            streams.keys().filter(|stream| !known.contains_key(stream)).map(|stream| (*stream).clone()).collect()
        };
        if unknown.is_empty() {
            return Ok(());
        }
        let is_ours = |bound: &[(StreamId, String)]| {
            forwards || bound.iter().all(|(stream, writer)| streams.get(stream).is_none_or(|ours| ours == writer))
        };
        let mut bound = self.journal().writers(&unknown).await?;
        if !is_ours(&bound) {
            return Err(TrackerError::OtherWriter);
        }
        let is_new = |stream: &&StreamId| bound.iter().all(|(known, _)| known != *stream);
        let new: Vec<(StreamId, String)> = unknown
            .iter()
            .filter(is_new)
            .filter_map(|stream| Some((stream.clone(), streams.get(stream)?.clone())))
            .collect();
        if !new.is_empty() {
            self.journal().bind_writers(&new).await?;
            // Somebody else may have been quicker.
            bound = self.journal().writers(&unknown).await?;
            if !is_ours(&bound) {
                return Err(TrackerError::OtherWriter);
            }
        }
        let mut known = self.0.writers.0.lock().expect("nobody panics with the writers");
        if known.len() > REMEMBERED {
            known.clear();
        }
        known.extend(bound);
        Ok(())
    }

    /// Whether the caller may speak of sessions of its own: those that are bound to it, or to nobody yet.
    pub(super) async fn require_writer(&self, caller: &Caller, streams: &[StreamId]) -> Result<(), TrackerError> {
        let Some(subject) = caller.writer().filter(|_| !caller.has(Scope::EventsForward)) else { return Ok(()) };
        let bound = self.journal().writers(streams).await?;
        if bound.iter().all(|(_, writer)| writer == subject) { Ok(()) } else { Err(TrackerError::OtherWriter) }
    }
}

/// Reads what was sent, and checks that it is what it says.
fn read(items: Vec<Item>) -> Result<Vec<Sent>, TrackerError> {
    if items.len() > MOST_EVENTS {
        let rule = format!("must hold {MOST_EVENTS} events at most, this holds {}", items.len());
        return Err(TrackerError::Invalid { field: "events".to_owned(), rule });
    }
    let size = |item: &Item| if let Item::Text(text) = item { text.len() } else { 0 };
    if items.iter().map(size).sum::<usize>() > MOST_BYTES {
        return Err(TrackerError::TooLarge { limit_bytes: MOST_BYTES });
    }
    let mut sent = Vec::with_capacity(items.len());
    for (place, item) in items.into_iter().enumerate() {
        let invalid = |rule: String| TrackerError::Invalid { field: format!("events[{place}]"), rule };
        sent.push(match item {
            Item::Text(text) => match Event::parse(&text) {
                Ok(event) => Sent::Parcel(Parcel::Whole(event)),
                Err(error) => {
                    let event_id = named(&text).ok_or_else(|| invalid(error.to_string()))?;
                    Sent::Wrong(Judged { event_id, verdict: Verdict::Rejected(error.to_string()) })
                }
            },
            Item::Stub(stub) => match stub.check() {
                Ok(()) => Sent::Parcel(Parcel::Stub(stub)),
                Err(error) => {
                    Sent::Wrong(Judged { event_id: stub.event_id, verdict: Verdict::Rejected(error.to_string()) })
                }
            },
        });
    }
    Ok(sent)
}

/// Whether something is the caller's to write: by its component, and a journal's own stream by the journal.
fn may_write(caller: &Caller, parcel: &Parcel) -> Result<(), TrackerError> {
    match parcel.stream() {
        StreamId::Journal(journal) if parcel.component() == OWN_COMPONENT => match caller.writer() {
            Some(writer) if writer != journal.as_str() && !caller.has(Scope::EventsForward) => {
                Err(TrackerError::OtherWriter)
            }
            _ => Ok(()),
        },
        _ => caller.require_component(parcel.component()),
    }
}

/// The journal that sealed something, where it says so.
fn sealed_by(parcel: &Parcel) -> Option<String> {
    match parcel {
        Parcel::Whole(event) => Some(event.journal().to_string()),
        Parcel::Stub(stub) => stub.journal_id.as_ref().map(ToString::to_string),
    }
}

/// The id that a text gives itself, however wrong the rest of it is.
fn named(text: &str) -> Option<Uuid> {
    #[derive(Deserialize)]
    struct Named {
        event_id: Uuid,
    }
    serde_json::from_str::<Named>(text).ok().map(|named| named.event_id)
}
