//! Who is there: beats of living sessions, what they have emitted, and who was asked to end. No part of the record.

pub(super) mod retired;
pub(super) mod stored;

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::SessionId;

/// A living session's beat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Presence {
    /// The session.
    pub session_id: SessionId,
    /// Its component.
    pub component_name: String,
    /// For how long it counts as alive, 1..=3600 seconds.
    #[schemars(range(min = 1, max = 3_600))]
    pub lease_seconds: u32,
    /// What was emitted to this sink since the session began, by type of event.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emits: Vec<Emits>,
}

/// A beat, and when it was heard by our own clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The beat.
    pub presence: Presence,
    /// When.
    pub at: Timestamp,
}

/// Upper bounds of the ranges that durations of emits are counted in, in microseconds. The last range has none.
pub const EMIT_BOUNDS_US: [u64; 12] =
    [1_000, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000];

/// How deliveries of one type of event went, counted from the beginning of the session by whoever delivers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Emits {
    /// The type of event.
    pub event_type: String,
    /// Events that the other side took.
    pub success: u64,
    /// Events that it did not take, or that did not arrive, by kind of error.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failure: BTreeMap<String, u64>,
    /// How many took how long, in the ranges of [`EMIT_BOUNDS_US`], each by itself and one more for longer ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 13))]
    pub durations: Vec<u64>,
    /// How long they took together, in microseconds.
    #[serde(default)]
    pub duration_us: u64,
}

impl Emits {
    /// Adds those of another session.
    pub fn add(&mut self, other: &Self) {
        self.event_type.clone_from(&other.event_type);
        self.success = self.success.saturating_add(other.success);
        for (kind, count) in &other.failure {
            let sum = self.failure.entry(kind.clone()).or_default();
            *sum = sum.saturating_add(*count);
        }
        self.durations.resize(self.durations.len().max(other.durations.len()), 0);
        for (sum, count) in self.durations.iter_mut().zip(&other.durations) {
            *sum = sum.saturating_add(*count);
        }
        self.duration_us = self.duration_us.saturating_add(other.duration_us);
    }
}

/// Somebody's request that a session end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EndRequest {
    /// The session.
    pub session_id: SessionId,
    /// Who asks.
    pub by: String,
    /// Why.
    pub why: String,
}
