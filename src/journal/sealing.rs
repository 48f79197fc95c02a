//! Sealing drafts at the head of their stream.
//!
//! Looked at inside the transaction, so that of two who open a session under one id, or end it at once, one succeeds.

use std::collections::HashMap;

use uuid::Uuid;

use super::{
    JournalError, Stream,
    loaded::{Known, Loaded},
};
use crate::event::{Draft, Event, EventKind, Invalid, JournalId, Place};

/// What drafts became.
pub(super) struct Sealed {
    /// One for each draft, in order: stored before, or sealed now.
    pub events: Vec<Event>,
    /// Those that are to be stored.
    pub fresh: Vec<Event>,
}

/// Seals drafts that are not stored yet, and finds the others. Nothing is written yet: a draft that can not be sealed
/// leaves no trace.
///
/// # Errors
/// When the stream was pruned, or a draft breaks a rule.
pub(super) fn seal(
    stream: &Stream,
    drafts: &[Draft],
    journal: &JournalId,
    loaded: Option<&Loaded>,
    known: &HashMap<Uuid, Known>,
) -> Result<Sealed, JournalError> {
    let (mut seq, mut prev) = match loaded {
        Some(loaded) if loaded.pruned => {
            return Err(Invalid::new("session_id", "belongs to a session that was pruned").into());
        }
        Some(loaded) => (u64::try_from(loaded.next_seq).unwrap_or(0), loaded.head_hash),
        None => (0, None),
    };
    let mut has_ended = loaded.and_then(|loaded| loaded.picture.as_ref()).is_some_and(|picture| picture.span.own_end);
    let mut events = Vec::with_capacity(drafts.len());
    let mut fresh = Vec::with_capacity(drafts.len());
    for draft in drafts {
        if let Some(known) = known.get(&draft.event_id()) {
            let stored = match (&known.event, &known.text) {
                (Some(event), _) => event.clone(),
                (None, Some(text)) => Event::parse(text).map_err(|_| {
                    JournalError::Damaged(format!("event {} is stored and can not be read", draft.event_id()))
                })?,
                (None, None) => return Err(Invalid::new("event_id", "belongs to an event that was pruned").into()),
            };
            events.push(stored);
            continue;
        }
        match draft.kind() {
            EventKind::SessionStart if seq > 0 => {
                return Err(Invalid::new("session_id", "names a session that has begun already").into());
            }
            EventKind::SessionEnd if has_ended => {
                return Err(Invalid::new("session_id", "names a session that has ended already").into());
            }
            EventKind::SessionEnd => has_ended = true,
            _ => {}
        }
        let place = Place { stream: &stream.id, journal, component: &stream.component, seq, prev };
        let event = Event::seal(draft, &place)?;
        seq += 1;
        prev = Some(event.hash());
        events.push(event.clone());
        fresh.push(event);
    }
    Ok(Sealed { events, fresh })
}
