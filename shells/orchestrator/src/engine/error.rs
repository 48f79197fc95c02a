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
    #[error("there is no run `{given}`")]
    Unknown {
        /// What was given as an id.
        given: String,
        /// A run that may have been meant, in words.
        nearest: Option<String>,
    },
    /// Several runs begin like this.
    #[error("`{given}` could be {}", list(.candidates))]
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
    #[error("run {id} is {status}, which is nothing to try again")]
    NotRetryable {
        /// The run.
        id: RunId,
        /// Where it stands.
        status: Status,
    },
    /// The shell that runs it is alive and does not answer.
    #[error("run {id} is marked to be cancelled, but the shell that runs it does not answer")]
    OwnerSilent {
        /// The run.
        id: RunId,
    },
    /// The engine's file belongs to somebody else.
    #[error("{} belongs to another user", .path.display())]
    ForeignOwner {
        /// The file.
        path: PathBuf,
    },
    /// The engine's store can not be used now.
    #[error("the engine's database can not be used: {doing} failed, {because}")]
    Unavailable {
        /// What was tried.
        doing: &'static str,
        /// Why it failed, as the end of a sentence.
        because: String,
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
        self.map_err(|source| EngineError::Unavailable { doing, because: because(&*source.into()) })
    }
}

/// Why the store failed: in our words where we know it, and once.
fn because(error: &(dyn std::error::Error + 'static)) -> String {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    let known = causes.find_map(|cause| {
        if let Some(sqlx::Error::Database(error)) = cause.downcast_ref() {
            let code = error.code().and_then(|code| code.parse::<u32>().ok())?;
            // The low byte says what kind of failure it is.
            return Some(match code & 0xff {
                5 | 6 => "another process holds it for too long",
                8 => "it can only be read",
                10 => "the disk does not take or give its data",
                11 => "it is damaged",
                13 => "the disk is full",
                14 => "it can not be opened",
                26 => "it is no database",
                _ => return None,
            });
        }
        let kind = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind)?;
        Some(match kind {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => "the disk is full",
            std::io::ErrorKind::ReadOnlyFilesystem => "the disk can only be read",
            std::io::ErrorKind::PermissionDenied => "permission is denied",
            _ => return None,
        })
    });
    known.map_or_else(|| error.to_string(), ToOwned::to_owned)
}

impl EngineError {
    /// What to do next, in a few words.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let words = match self {
            Self::Invalid { field, .. } => format!("help(\"submit\") says what `{field}` may be"),
            Self::Unknown { nearest: Some(nearest), .. } => format!("did you mean {nearest}?"),
            Self::Unknown { nearest: None, .. } => "ps() lists all runs".to_owned(),
            Self::Ambiguous { .. } => "give more of the id".to_owned(),
            Self::AlreadyOver { id, .. } => format!("show(\"{id}\") says how it ended"),
            Self::NotRetryable { status, .. } => after(*status).to_owned(),
            Self::OwnerSilent { .. } => "look at that shell, or end it, and ask again".to_owned(),
            Self::ForeignOwner { .. } => "work as that user, or use another --database".to_owned(),
            Self::Unavailable { .. } => "what is stored is not lost; make it usable and try again".to_owned(),
            Self::Closed => return None,
        };
        Some(words)
    }

    /// A word for programs.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "invalid",
            Self::Unknown { .. } => "not_found",
            Self::Ambiguous { .. } => "ambiguous",
            Self::AlreadyOver { .. } | Self::NotRetryable { .. } => "wrong_state",
            Self::OwnerSilent { .. } => "no_answer",
            Self::ForeignOwner { .. } | Self::Unavailable { .. } | Self::Closed => "unavailable",
        }
    }
}

fn list(candidates: &[RunId]) -> String {
    candidates.iter().map(RunId::as_str).collect::<Vec<_>>().join(", ")
}

fn after(status: Status) -> &'static str {
    match status {
        Status::Queued | Status::Running => "it is on its way: top() shows how far",
        Status::Succeeded => "submit it again to have it run once more",
        Status::Retrying | Status::Failed | Status::Cancelled | Status::TimedOut => "ask again",
    }
}
