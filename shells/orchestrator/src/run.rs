//! What a run is, in the words people read.
//!
//! [`Run`] is the record that every helper answers with; the order of its fields is the order of the columns. Times are
//! RFC 3339 in UTC, durations are seconds. [`Active`], [`Failure`] and [`Change`] show a part of it for one purpose.

mod id;
mod submission;
mod view;

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use id::RunId;
pub use submission::Submission;
pub use view::{Active, Change, Failure};

/// One run: what was asked for, and how it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// Its id: `run_` and 26 characters, in the order of submission.
    pub id: RunId,
    /// What the submitter called it.
    pub name: String,
    /// Where it stands.
    pub status: Status,
    /// How often its program was started.
    pub attempts: u32,
    /// When it was submitted.
    pub created: Timestamp,
    /// How long the latest attempt took, or takes so far; to the millisecond.
    pub duration_seconds: Option<f64>,
    /// The exit status of the latest attempt, when it exited by itself.
    pub exit_code: Option<i32>,
    /// Why the latest attempt did not succeed.
    pub error: Option<String>,
    /// The program.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// When its latest attempt began.
    pub started: Option<Timestamp>,
    /// When its latest attempt came to its end.
    pub finished: Option<Timestamp>,
    /// When the next attempt begins, while it waits for one.
    pub next_attempt: Option<Timestamp>,
    /// The signal that ended the latest attempt, such as `SIGKILL`.
    pub signal: Option<String>,
    /// The last line that the latest attempt wrote to its standard error.
    pub last_line: Option<String>,
    /// How many attempts it has before it fails for good.
    pub max_attempts: u32,
    /// How long one attempt may take.
    pub timeout_seconds: Option<f64>,
    /// The directory it runs in.
    pub cwd: String,
    /// The process id of its program, while it runs.
    pub pid: Option<i32>,
}

/// Seconds as records show them: to the millisecond, never negative (a clock may run backwards).
pub(crate) fn seconds(length: jiff::SignedDuration) -> f64 {
    (length.as_secs_f64().max(0.0) * 1000.0).round() / 1000.0
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Waits for a free worker.
    Queued,
    /// Its program runs.
    Running,
    /// The last attempt failed; the next one waits for its time.
    Retrying,
    /// The program exited with 0.
    Succeeded,
    /// The last attempt that it had failed.
    Failed,
    /// Somebody stopped it.
    Cancelled,
    /// The last attempt that it had took too long.
    TimedOut,
}

impl Status {
    /// Every status, in the order of a run's life.
    pub const ALL: [Self; 7] =
        [Self::Queued, Self::Running, Self::Retrying, Self::Succeeded, Self::Failed, Self::Cancelled, Self::TimedOut];

    /// The word for it, as records show it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
        }
    }

    /// Whether nothing more happens to the run by itself.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running | Self::Retrying)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(word: &str) -> Result<Self, UnknownStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == word).ok_or_else(|| UnknownStatus(word.to_owned()))
    }
}

/// A word that is no status: the record was written by a newer version.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no status of a run")]
pub struct UnknownStatus(String);
