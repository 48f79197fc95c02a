//! What stands for an event on its way between journals: the event itself, or the stub of one whose body does not come.
//!
//! A stub keeps the place, the id and the hash: the chain stays whole, and the hole in it has a name.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::event::{Event, EventKind, Hash, Invalid, JournalId, StreamId, check_component_name, check_label};

/// An event, or its stub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parcel {
    /// The event.
    Whole(Event),
    /// What is left of it.
    Stub(Box<Stub>),
}

/// The header of an event without its body: it was pruned or scrubbed before it was delivered, or refused by the other
/// side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stub {
    /// Always true: what tells a stub from other objects.
    pub stub: Always,
    /// The event's id.
    pub event_id: Uuid,
    /// Its type.
    #[schemars(with = "String")]
    pub event_type: EventKind,
    /// Its stream.
    pub session_id: StreamId,
    /// The journal that stored it first, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal_id: Option<JournalId>,
    /// The component it belongs to.
    pub component_name: String,
    /// Its place in the stream, from 0.
    pub seq: u64,
    /// Hash of the event before it.
    pub prev: Option<Hash>,
    /// When it happened, RFC 3339.
    #[schemars(with = "String")]
    pub timestamp: Timestamp,
    /// Its hash.
    pub hash: Hash,
    /// Why the body does not come.
    pub reason: String,
}

/// The word `true`, and no other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "bool", into = "bool")]
#[schemars(with = "bool")]
pub struct Always;

impl TryFrom<bool> for Always {
    type Error = &'static str;

    fn try_from(word: bool) -> Result<Self, Self::Error> {
        if word { Ok(Self) } else { Err("must be true") }
    }
}

impl From<Always> for bool {
    fn from(_: Always) -> Self {
        true
    }
}

/// Longest reason, in characters.
const REASON: usize = 500;

impl Stub {
    /// The stub of an event whose body the other side does not take.
    #[must_use]
    pub fn of(event: &Event, reason: &str) -> Self {
        Self {
            stub: Always,
            event_id: event.event_id(),
            event_type: event.kind().clone(),
            session_id: event.stream().clone(),
            journal_id: Some(event.journal().clone()),
            component_name: event.component().to_owned(),
            seq: event.seq(),
            prev: event.prev(),
            timestamp: event.timestamp(),
            hash: event.hash(),
            reason: reason.chars().take(REASON).collect(),
        }
    }

    /// Checks what can be checked of a stub that comes from outside.
    ///
    /// # Errors
    /// Names the field and the rule that it breaks.
    pub fn check(&self) -> Result<(), Invalid> {
        check_component_name(&self.component_name)?;
        check_label("event_type", self.event_type.as_str())?;
        if self.reason.chars().count() > REASON {
            return Err(Invalid::new("reason", format!("must have at most {REASON} characters")));
        }
        if (self.seq == 0) != self.prev.is_none() {
            return Err(Invalid::new("prev", "must be null at seq 0 and a hash everywhere else"));
        }
        Ok(())
    }

    /// What stands in the place of the body: the projection is drawn from it.
    pub(super) fn residue(&self) -> Value {
        serde_json::json!({ "stub": self.reason, "journal_id": self.journal_id })
    }
}

impl Parcel {
    /// The event's id.
    #[must_use]
    pub fn event_id(&self) -> Uuid {
        match self {
            Self::Whole(event) => event.event_id(),
            Self::Stub(stub) => stub.event_id,
        }
    }

    /// The event's type.
    #[must_use]
    pub fn kind(&self) -> &EventKind {
        match self {
            Self::Whole(event) => event.kind(),
            Self::Stub(stub) => &stub.event_type,
        }
    }

    /// The stream it belongs to.
    #[must_use]
    pub fn stream(&self) -> &StreamId {
        match self {
            Self::Whole(event) => event.stream(),
            Self::Stub(stub) => &stub.session_id,
        }
    }

    /// The component it belongs to.
    #[must_use]
    pub fn component(&self) -> &str {
        match self {
            Self::Whole(event) => event.component(),
            Self::Stub(stub) => &stub.component_name,
        }
    }

    /// Its place in the stream, from 0.
    #[must_use]
    pub fn seq(&self) -> u64 {
        match self {
            Self::Whole(event) => event.seq(),
            Self::Stub(stub) => stub.seq,
        }
    }

    /// Hash of the event before it.
    #[must_use]
    pub fn prev(&self) -> Option<Hash> {
        match self {
            Self::Whole(event) => event.prev(),
            Self::Stub(stub) => stub.prev,
        }
    }

    /// When it happened.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        match self {
            Self::Whole(event) => event.timestamp(),
            Self::Stub(stub) => stub.timestamp,
        }
    }

    /// Its hash.
    #[must_use]
    pub fn hash(&self) -> Hash {
        match self {
            Self::Whole(event) => event.hash(),
            Self::Stub(stub) => stub.hash,
        }
    }

    /// The sealed text, which a stub has not.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Whole(event) => Some(event.text()),
            Self::Stub(_) => None,
        }
    }
}

impl From<Stub> for Parcel {
    fn from(stub: Stub) -> Self {
        Self::Stub(Box::new(stub))
    }
}

impl From<Event> for Parcel {
    fn from(event: Event) -> Self {
        Self::Whole(event)
    }
}
