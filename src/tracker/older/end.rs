//! `track_session_end`: what it may be given, and what is recorded of it.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{MARK, arguments::Given};
use crate::{
    event::{Draft, EventKind, Invalid, Observation, SessionId, check_metadata, check_timestamp},
    redact::Redactor,
};

const ARGUMENTS: [&str; 5] = ["session_id", "timestamp", "event_type", "metadata", "token"];

/// The longest duration that an event can hold, 285 years.
const LONGEST_US: i64 = (1 << 53) - 1;

/// An end that keeps every rule.
pub(super) struct End<'a> {
    pub(super) session_id: &'a str,
    timestamp: Timestamp,
    metadata: Option<&'a Map<String, Value>>,
}

impl<'a> End<'a> {
    /// Reads arguments that hold no null.
    ///
    /// # Errors
    /// Names the first field that breaks a rule.
    pub(super) fn read(arguments: &'a Map<String, Value>) -> Result<Self, Invalid> {
        let given = Given::listed(arguments, &ARGUMENTS)?;
        let session_id = given.text("session_id")?;
        let timestamp = check_timestamp("timestamp", given.text("timestamp")?)?;
        if given.text_if("event_type")?.is_some() {
            given.word("event_type", "session_end")?;
        }
        let metadata = given.map("metadata")?;
        metadata.map_or(Ok(()), check_metadata)?;
        Ok(Self { session_id, timestamp, metadata })
    }

    /// The end of a stream that began at this time.
    pub(super) fn drafted(&self, began: Timestamp) -> Draft {
        let elapsed_us = self.timestamp.as_microsecond() - began.as_microsecond();
        let mut body = json!({
            "reason": "legacy",
            "exit_code": 0,
            "duration_us": elapsed_us.clamp(0, LONGEST_US),
            "commands": 0,
            "failed_commands": 0,
        });
        if elapsed_us < 0 {
            // The client's clock ran backwards: how far is all that can be said.
            body[MARK] = json!({ "clock_went_back_us": elapsed_us.saturating_neg().min(LONGEST_US) });
        }
        if let Some(metadata) = self.metadata {
            body["metadata"] = json!(metadata);
        }
        Redactor::default().draft(EventKind::SessionEnd, self.timestamp, &body)
    }

    /// What is said about a session that its own shell writes.
    pub(super) fn observed(&self, about: &SessionId, by: &str) -> Draft {
        let body = Observation {
            about: Some(about.clone()),
            what: "ended_legacy".to_owned(),
            by: by.to_owned(),
            why: "a client of the older generation said that it ended".to_owned(),
            detail: self
                .metadata
                .map(|metadata| Map::from_iter([("metadata".to_owned(), json!(metadata))]))
                .unwrap_or_default(),
        };
        Redactor::default().draft(EventKind::Observation, self.timestamp, &body)
    }
}
