//! The vocabulary: what an event is, who acts, and which values are valid. Imports nothing of ours.
//!
//! An [`Event`] is an immutable record. Its constructor is private: whoever holds one holds something valid, redacted
//! and sealed. The life of an event has two steps:
//!
//! 1. `redact` makes a [`Draft`]: an id, a time, a type and a body in which secrets are already masked.
//! 2. The journal seals the draft at its place in a stream (`seq`, `prev`), inside the transaction that stores it.
//!
//! Format of a sealed event (`event_version` 2.0): one JSON object in RFC 8785 canonical form. `hash` is `sha256:` and
//! the hex digest of the canonical bytes of the envelope without `hash`; `prev` is the hash of the event before it in
//! the same stream, null at `seq` 0. The canonical bytes are made once and kept verbatim as text: what is stored,
//! hashed, sent and forwarded is the same string.
//!
//! Bodies hold no floats; integers beyond ±(2^53−1) are strings. Unknown types and fields are kept.

mod body;
mod hash;
mod id;
mod kind;
mod rule;
mod schema;
mod seal;
mod words;

pub use body::{
    Actor, ActorFacts, CallEnd, CallStart, CommandEnd, CommandStart, Decision, Environment, Failure, Gap, Observation,
    ReadTotal, SessionEnd, SessionStart, User,
};
pub use hash::Hash;
pub use id::{JournalId, SessionId, StreamId};
pub use rule::{Invalid, check_reason};
pub use words::{ActorKind, EndReason, Mode, Status};
// The journal, the recorder and the tracker's doors check values one by one.
pub use kind::EventKind;
#[allow(unused_imports, reason = "the vocabulary comes before its users")]
pub(crate) use rule::{
    MAX_EVENT_BYTES, check_component_name, check_label, check_metadata, check_pid, check_text, check_timestamp,
    normalise, shorten,
};
pub use schema::{schema, schema_names};
pub use seal::{Draft, Event, Place};
