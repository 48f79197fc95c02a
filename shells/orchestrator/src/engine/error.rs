//! Why an engine could not do what was asked: one variant for each thing that the reader can do about it.

use std::path::PathBuf;

use crate::run::{RunId, Status};

/// Why an engine could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// Something in a submission breaks a rule: mend it and submit again.
    #[error("`{field}` {rule}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// The rule that it breaks.
        rule: String,
    },
    /// No run has this id, or begins with it.
    #[error("there is no run `{given}`; `ps()` lists all runs")]
    Unknown {
        /// What was given as an id.
        given: String,
    },
    /// Several runs begin like this.
    #[error("`{given}` could be {}: give more of the id", list(.candidates))]
    Ambiguous {
        /// What was given as an id.
        given: String,
        /// The first few runs that it could be.
        candidates: Vec<RunId>,
    },
    /// The run has come to its end, so there is nothing to cancel.
    #[error("run {id} is {status} already: there is nothing to cancel")]
    AlreadyOver {
        /// The run.
        id: RunId,
        /// Where it stands.
        status: Status,
    },
    /// Only a run that did not succeed can be tried again.
    #[error("run {id} is {status}: {}", after(.status))]
    NotRetryable {
        /// The run.
        id: RunId,
        /// Where it stands.
        status: Status,
    },
    /// The shell that runs it is alive and does not answer.
    #[error(
        "run {id} is marked to be cancelled, but the shell that runs it does not answer; look at it, or end it, and ask again"
    )]
    OwnerSilent {
        /// The run.
        id: RunId,
    },
    /// The engine's file belongs to somebody else.
    #[error("{} belongs to another user: work as that user, or use another database", .path.display())]
    ForeignOwner {
        /// The file.
        path: PathBuf,
    },
    /// The engine's store can not be used now.
    #[error("the engine's database can not be used: {doing}: {source}")]
    Unavailable {
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The engine was closed.
    #[error("the engine is closed")]
    Closed,
}

/// Turns any cause into [`EngineError::Unavailable`], with what was tried.
pub(crate) trait Doing<T> {
    /// Says what was tried.
    fn doing(self, doing: &'static str) -> Result<T, EngineError>;
}

impl<T, E: Into<Box<dyn std::error::Error + Send + Sync>>> Doing<T> for Result<T, E> {
    fn doing(self, doing: &'static str) -> Result<T, EngineError> {
        self.map_err(|source| EngineError::Unavailable { doing, source: source.into() })
    }
}

fn list(candidates: &[RunId]) -> String {
    candidates.iter().map(RunId::as_str).collect::<Vec<_>>().join(", ")
}

fn after(status: &Status) -> &'static str {
    match status {
        Status::Queued | Status::Running => "it is on its way",
        Status::Succeeded => "submit it again to have it run once more",
        Status::Retrying | Status::Failed | Status::Cancelled | Status::TimedOut => "try again",
    }
}
