//! How far what the journal holds has been delivered: a cursor for each sink and component, the receipts of the other
//! side, and what it refused.
//!
//! Moving a cursor, keeping the receipt and burying what was refused are one transaction, so that after a crash they
//! agree. They may be lost to a power cut: then some events are delivered twice, which their ids make harmless.

pub(super) mod stored;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Parcel;
use crate::event::{Hash, JournalId, StreamId};

/// Stands for every component, where a cursor is for all of them.
pub const ALL_COMPONENTS: &str = "*";

/// An event, or its stub, at its position in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The position, from 1.
    pub position: u64,
    /// What is there.
    pub parcel: Parcel,
}

/// What comes after a position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// In order of position.
    pub placed: Vec<Placed>,
    /// Up to here nothing else is to be delivered: the position of the last one, or the journal's head when these are
    /// all.
    pub upto: u64,
}

/// Where a journal stands: its id, last position and the link there. What a tracker says of itself in a receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The journal's id.
    pub tracker_id: JournalId,
    /// Its last position.
    pub position: u64,
    /// The link at that position.
    pub link: Hash,
}

/// A sink's progress with one component.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The sink's name.
    pub sink: String,
    /// The component, or [`ALL_COMPONENTS`].
    pub component: String,
    /// Everything up to here was delivered or buried. Receipts beyond it are forgotten: that is how a cursor goes back.
    pub position: u64,
    /// Where the other side stands now.
    pub receipt: Option<Head>,
    /// What it refused.
    pub buried: Vec<Refusal>,
}

/// An event that a sink refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its position.
    pub position: u64,
    /// Its id.
    pub event_id: Uuid,
    /// Why.
    pub reason: String,
}

/// A receipt that is kept: the other side stood at `head` when it held everything of the component up to `position`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Our position.
    pub position: u64,
    /// Where the other side stood.
    pub head: Head,
}

/// How far a sink has got with one component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DeliveryStatus {
    /// The sink's name.
    pub sink: String,
    /// The component; `*` for all of them.
    pub component: String,
    /// Everything up to this position was delivered or buried.
    pub position: u64,
    /// Events that wait.
    pub backlog: u64,
    /// Events that it refused.
    pub buried: u64,
    /// When the cursor was last moved.
    pub changed: Timestamp,
}

/// An event that a sink refused, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Buried {
    /// The sink's name.
    pub sink: String,
    /// The event's position.
    pub position: u64,
    /// Its id.
    pub event_id: Uuid,
    /// Its stream.
    pub session_id: StreamId,
    /// Its component.
    pub component_name: String,
    /// Its type.
    pub event_type: String,
    /// Its place in the stream.
    pub seq: u64,
    /// Why it was refused.
    pub reason: String,
    /// When.
    pub buried: Timestamp,
}
