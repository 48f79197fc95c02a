//! Sealing drafts at the head of their stream.

use std::collections::HashMap;

use uuid::Uuid;

use super::{
    JournalError, Stream,
    loaded::{Known, Loaded},
};
use crate::event::{Draft, Event, Invalid, JournalId, Place};

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
    let mut events = Vec::with_capacity(drafts.len());
    let mut fresh = Vec::with_capacity(drafts.len());
    for draft in drafts {
        if let Some(known) = known.get(&draft.event_id()) {
            let read = || Event::parse(known.text.as_deref()?).ok();
            let stored = known.event.clone().or_else(read).ok_or_else(|| {
                JournalError::Damaged(format!("event {} is stored and can not be read", draft.event_id()))
            })?;
            events.push(stored);
            continue;
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
