//! What is shown of a session, a command and an event in a list. Fields stand in the order in which people look for them:
//! on a narrow terminal the last ones are left out.

use admin_shell::{
    EndReason,
    event::SessionId,
    journal::{CommandRecord, Entry, SessionRecord, SessionStatus},
};
use jiff::{Timestamp, Unit};
use serde::Serialize;
use serde_json::Value;

/// A session in a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Session {
    /// Its id.
    pub session_id: SessionId,
    /// The component.
    pub component: String,
    /// Who opened it.
    pub user: Option<String>,
    /// Where it stands.
    pub status: SessionStatus,
    /// Commands started.
    pub commands: u64,
    /// Commands that did not end `ok`.
    pub failed: u64,
    /// When it was opened, to the second.
    pub start_time: Option<Timestamp>,
    /// How long it was open, or is so far, in seconds.
    pub seconds: Option<f64>,
    /// The machine.
    pub host: Option<String>,
    /// How commands reach it.
    pub mode: Option<String>,
    /// Why it ended.
    pub end_reason: Option<EndReason>,
}

impl From<SessionRecord> for Session {
    fn from(record: SessionRecord) -> Self {
        Self {
            session_id: record.session_id,
            component: record.component_name,
            user: record.username,
            status: record.status,
            commands: record.commands,
            failed: record.failed_commands,
            start_time: record.start_time.map(to_the_second),
            seconds: record.duration_seconds.map(|seconds| (seconds * 1_000.0).round() / 1_000.0),
            host: record.hostname,
            mode: record.mode,
            end_reason: record.end_reason,
        }
    }
}

/// A command of one session.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Command {
    /// Its number, from 1.
    pub command: u64,
    /// When it started.
    pub start_time: Timestamp,
    /// How it ended; `unknown` when it has no outcome.
    pub status: String,
    /// How long it ran, in microseconds.
    pub duration_us: Option<u64>,
    /// What was typed, redacted.
    pub input: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
}

impl From<CommandRecord> for Command {
    fn from(record: CommandRecord) -> Self {
        Self {
            command: record.command,
            start_time: record.start_time,
            status: record.status,
            duration_us: record.duration_us,
            input: record.input,
            error: record.error,
        }
    }
}

/// An event of one session.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// Its place, from 0.
    pub seq: u64,
    /// When it happened.
    pub timestamp: Timestamp,
    /// What kind of event it is.
    pub event_type: String,
    /// What it says; null when that was removed.
    pub body: Value,
}

impl From<Entry> for Event {
    fn from(entry: Entry) -> Self {
        match entry {
            Entry::Whole(event) => Self {
                seq: event.seq(),
                timestamp: event.timestamp(),
                event_type: event.kind().to_string(),
                body: event.body().clone(),
            },
            Entry::Pruned { seq, timestamp, event_type, .. } => Self { seq, timestamp, event_type, body: Value::Null },
        }
    }
}

fn to_the_second(at: Timestamp) -> Timestamp {
    at.round(Unit::Second).unwrap_or(at)
}
