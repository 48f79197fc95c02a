//! How a sink stands, as people are told.

use jiff::Timestamp;
use serde::Serialize;

/// How a sink stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SinkState {
    /// Nobody has answered yet.
    #[default]
    Connecting,
    /// Events are on their way.
    Delivering,
    /// Everything is delivered.
    Idle,
    /// The last attempt failed; it is tried again.
    Unavailable,
    /// It failed again and again and is left alone for a while.
    Open,
    /// It refused too much; somebody has to look.
    Stopped,
}

impl SinkState {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Delivering => "delivering",
            Self::Idle => "idle",
            Self::Unavailable => "unavailable",
            Self::Open => "open",
            Self::Stopped => "stopped",
        }
    }
}

/// A sink's state with what goes with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SinkStatus {
    /// Its name.
    pub sink: String,
    /// How it stands.
    pub state: SinkState,
    /// Events that wait; null until they were counted.
    pub backlog: Option<u64>,
    /// Events that it refused, in this process's time.
    pub buried: u64,
    /// When it last answered.
    pub last_success: Option<Timestamp>,
    /// `closed`, `open` or `probing`.
    pub breaker: &'static str,
    /// Why it does not work.
    pub error: Option<String>,
    /// The last nudge after which everything was delivered.
    #[serde(skip)]
    pub drained: u64,
}

impl SinkStatus {
    /// It is known not to work at this moment.
    #[must_use]
    pub fn is_down(&self) -> bool {
        matches!(self.state, SinkState::Unavailable | SinkState::Open | SinkState::Stopped)
    }
}
