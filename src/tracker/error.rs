//! Why the tracker did not do something: a variant for each thing that a caller can do about it.

use std::time::Duration;

use crate::{
    event::{Invalid, SessionId},
    journal::JournalError,
    token::Scope,
};

/// Why the tracker did not do something. What it says may be shown to callers; causes are in the log.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrackerError {
    /// There is no token, or it is worth nothing.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// The token does not allow it.
    #[error("the token lacks the scope {0}")]
    MissingScope(Scope),
    /// The token is for another component than an event.
    #[error("the token is for another component")]
    OtherComponent,
    /// The session, or the journal's stream, belongs to another writer.
    #[error("the session belongs to another writer")]
    OtherWriter,
    /// A value breaks a rule.
    #[error("{field}: {rule}")]
    Invalid {
        /// The field or parameter.
        field: String,
        /// The rule.
        rule: String,
    },
    /// More than is taken at once.
    #[error("the body is larger than {limit_bytes} bytes")]
    TooLarge {
        /// What is taken at most.
        limit_bytes: usize,
    },
    /// There is no such session. Made by [`not_found`](Self::not_found).
    #[error("no session has an id that begins with `{0}`")]
    NotFound(String),
    /// There are no such statistics.
    #[error("there is no such query: there are sessions, duration, components, errors, active")]
    NoQuery,
    /// More than one session is meant.
    #[error("more than one session has an id that begins so")]
    Ambiguous(Vec<SessionId>),
    /// The receipt that a batch quotes is not known here: the tracker was set back.
    #[error("this tracker does not know the receipt")]
    UnknownReceipt,
    /// This program is wrong.
    #[error("this is a defect of the tracker: its log has more")]
    Defect,
    /// Too many requests of one caller.
    #[error("too many requests")]
    TooMany {
        /// When to come again.
        retry_after: Duration,
    },
    /// The tracker can not do it now.
    #[error("{what}")]
    Unavailable {
        /// What it can not do.
        what: &'static str,
        /// When to come again.
        retry_after: Duration,
    },
}

impl TrackerError {
    /// There is no session that an id, or what somebody gave for one, names.
    #[must_use]
    pub fn not_found(typed: &str) -> Self {
        Self::NotFound(shown(typed))
    }
}

/// Something that somebody sent, fit for a message.
pub(super) fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(256).collect()
}

impl From<Invalid> for TrackerError {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid { field: invalid.field().to_owned(), rule: invalid.rule().to_owned() }
    }
}

impl From<JournalError> for TrackerError {
    fn from(error: JournalError) -> Self {
        if let JournalError::Invalid(invalid) = error {
            return invalid.into();
        }
        tracing::error!(%error, "the journal did not do what a caller wants");
        let what = match error {
            JournalError::Busy { .. } => "the journal is busy",
            JournalError::Full => "the disk that holds the journal is full",
            JournalError::Unknown { .. } => "it is not known whether the journal stored it: send it again",
            _ => "the journal does not work: the tracker's log says why",
        };
        Self::Unavailable { what, retry_after: Duration::from_secs(5) }
    }
}
