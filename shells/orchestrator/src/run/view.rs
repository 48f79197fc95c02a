//! Parts of a run, each for one question: what happens now, what went wrong lately, what changed.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Run, RunId, Status, seconds};

/// A run that is not at its end: a row of `top()`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Active {
    /// The run.
    pub id: RunId,
    /// What the submitter called it.
    pub name: String,
    /// Where it stands: queued, running or retrying.
    pub status: Status,
    /// How often its program was started.
    pub attempts: u32,
    /// How long it runs in this attempt; while it waits, how long since it was submitted.
    pub elapsed_seconds: f64,
    /// The program.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// The process id of its program, while it runs.
    pub pid: Option<i32>,
    /// When the next attempt begins, while it waits for one.
    pub next_attempt: Option<Timestamp>,
}

impl Active {
    /// What there is to say of a run at a moment; `None` when the run is at its end.
    #[must_use]
    pub fn of(run: Run, now: Timestamp) -> Option<Self> {
        if run.status.is_final() {
            return None;
        }
        let since = if run.status == Status::Running { run.started.unwrap_or(run.created) } else { run.created };
        Some(Self {
            id: run.id,
            name: run.name,
            status: run.status,
            attempts: run.attempts,
            elapsed_seconds: seconds(now.duration_since(since)),
            next_attempt: run.next_attempt,
            pid: run.pid,
            program: run.program,
            args: run.args,
        })
    }
}

/// An attempt that went wrong: a row of `errors()`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// The run.
    pub id: RunId,
    /// What the submitter called it.
    pub name: String,
    /// What went wrong, in words.
    pub error: Option<String>,
    /// The last line it wrote to its standard error.
    pub last_line: Option<String>,
    /// Where it stands: failed, timed out, or waiting to be tried again.
    pub status: Status,
    /// How often its program was started.
    pub attempts: u32,
    /// When the latest attempt ended.
    pub finished: Option<Timestamp>,
    /// Its exit status, when it exited by itself.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<String>,
    /// The program.
    pub program: String,
}

impl From<Run> for Failure {
    fn from(run: Run) -> Self {
        Self {
            id: run.id,
            name: run.name,
            error: run.error,
            last_line: run.last_line,
            status: run.status,
            attempts: run.attempts,
            finished: run.finished,
            exit_code: run.exit_code,
            signal: run.signal,
            program: run.program,
        }
    }
}

/// What `sync()` found different from the last time it looked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// The run.
    pub id: RunId,
    /// What the submitter called it.
    pub name: String,
    /// Where it stood; absent when the run is new here.
    pub before: Option<Status>,
    /// Where it stands now.
    pub status: Status,
    /// How often its program was started.
    pub attempts: u32,
    /// Why its latest attempt did not succeed.
    pub error: Option<String>,
}
