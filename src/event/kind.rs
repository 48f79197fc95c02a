//! The types of events.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The type of an event.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
#[non_exhaustive]
pub enum EventKind {
    /// A shell was opened.
    SessionStart,
    /// A command is about to run.
    CommandStart,
    /// A call that changes something is about to run.
    CallStart,
    /// Such a call ended.
    CallEnd,
    /// A command ended.
    CommandEnd,
    /// A shell was left.
    SessionEnd,
    /// Something could not be recorded.
    Gap,
    /// Someone else's word about a session.
    Observation,
    /// A type that this version does not know: kept and verified, not projected.
    Other(String),
}

impl EventKind {
    /// The type as it stands in `event_type`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::SessionStart => "session_start",
            Self::CommandStart => "command_start",
            Self::CallStart => "call_start",
            Self::CallEnd => "call_end",
            Self::CommandEnd => "command_end",
            Self::SessionEnd => "session_end",
            Self::Gap => "gap",
            Self::Observation => "observation",
            Self::Other(name) => name,
        }
    }
}

impl From<String> for EventKind {
    fn from(name: String) -> Self {
        match name.as_str() {
            "session_start" => Self::SessionStart,
            "command_start" => Self::CommandStart,
            "call_start" => Self::CallStart,
            "call_end" => Self::CallEnd,
            "command_end" => Self::CommandEnd,
            "session_end" => Self::SessionEnd,
            "gap" => Self::Gap,
            "observation" => Self::Observation,
            _ => Self::Other(name),
        }
    }
}

impl From<EventKind> for String {
    fn from(kind: EventKind) -> String {
        kind.as_str().to_owned()
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
