//! What the projection knows of a session and of a command: the names that lists, REST, MCP and exports share.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::event::{EndReason, SessionId};

/// What happened to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SessionStatus {
    /// Open.
    Active,
    /// One lease without a beat.
    Stale,
    /// Ended by its owner, an operator, or a client of the older generation.
    Ended,
    /// Its process died without a word.
    Crashed,
    /// Three leases without a beat.
    Lost,
}

impl SessionStatus {
    /// All of them, in the order of a session's life.
    pub const ALL: [Self; 5] = [Self::Active, Self::Stale, Self::Ended, Self::Crashed, Self::Lost];

    /// Whether nothing more is to come of it.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Ended | Self::Crashed)
    }

    /// The word as it stands in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Stale => "stale",
            Self::Ended => "ended",
            Self::Crashed => "crashed",
            Self::Lost => "lost",
        }
    }
}

/// One session as lists show it. The same names in REST, MCP, the command line and exports; null where unknown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionRecord {
    /// `sess_` and 26 characters.
    pub session_id: SessionId,
    /// Always `admin_shell`.
    pub session_type: String,
    /// The component's name.
    pub component_name: String,
    /// What kind of component it is.
    pub component_type: Option<String>,
    /// The component's version.
    pub component_version: Option<String>,
    /// Name of the shell's type.
    pub shell_type: Option<String>,
    /// `interactive`, `command`, `file`, `stdin`, `embedded`.
    pub mode: Option<String>,
    /// Where it stands.
    pub status: SessionStatus,
    /// Why it ended.
    pub end_reason: Option<EndReason>,
    /// True when its end was said by an observer, not by its owner.
    pub inferred: bool,
    /// When it was opened, by its writer's clock.
    pub start_time: Option<Timestamp>,
    /// When it ended.
    pub end_time: Option<Timestamp>,
    /// How long it was open, in seconds; elapsed so far while it is active.
    pub duration_seconds: Option<f64>,
    /// When we last heard of it, by our clock.
    pub last_seen: Option<Timestamp>,
    /// Its process.
    pub pid: Option<u32>,
    /// Login name.
    pub username: Option<String>,
    /// Home directory.
    pub home: Option<String>,
    /// Numeric user id.
    pub uid: Option<u32>,
    /// `human`, `agent`, `service`.
    pub actor_kind: Option<String>,
    /// Whether the name was verified.
    pub verified: Option<bool>,
    /// The machine.
    pub hostname: Option<String>,
    /// Its operating system.
    pub platform: Option<String>,
    /// The shell's runtime.
    pub runtime: Option<String>,
    /// Set by older clients only.
    pub python_version: Option<String>,
    /// Working directory.
    pub working_directory: Option<String>,
    /// Why it was opened.
    pub reason: Option<String>,
    /// Commands started.
    pub commands: u64,
    /// Commands that have an outcome, and not `ok`.
    pub failed_commands: u64,
    /// Calls of write helpers that were let through.
    pub write_calls: u64,
    /// Calls of destroy helpers that were let through.
    pub destroy_calls: u64,
    /// 0..=100, null without an outcome.
    pub quality_score: Option<f64>,
    /// Hash of its last event.
    pub chain_head: Option<String>,
    /// Two histories were seen.
    pub forked: bool,
    /// What its start said about it.
    pub metadata: Option<Map<String, Value>>,
}

/// One command as the projection knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CommandRecord {
    /// Its session.
    pub session_id: SessionId,
    /// The component.
    pub component_name: String,
    /// Number in the session, from 1.
    pub command: u64,
    /// When it started.
    pub start_time: Timestamp,
    /// What was typed, redacted.
    pub input: Option<String>,
    /// `ok`, `error`, …; `unknown` when it has no outcome.
    pub status: String,
    /// How long it ran, in microseconds.
    pub duration_us: Option<u64>,
    /// What went wrong.
    pub error: Option<String>,
}
