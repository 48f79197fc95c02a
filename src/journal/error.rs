//! Why the journal did not do something: a variant for each thing that a caller can do about it.

use std::{path::PathBuf, time::Duration};

use crate::event::Invalid;

/// Why the journal did not do something. One variant for each thing that a caller can do about it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The journal can be read but not written.
    #[error("the journal {path} can not be written: {because}", path = path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// Why.
        because: String,
    },
    /// There is no room left.
    #[error("the disk that holds the journal is full")]
    Full,
    /// Another process holds the journal for too long.
    #[error("the journal is busy: another process has been writing for {waited:?}")]
    Busy {
        /// How long we waited.
        waited: Duration,
    },
    /// The outcome of a commit is not known: look the events up before sealing again.
    #[error("it is not known whether the journal stored the last events: {because}")]
    Unknown {
        /// Why.
        because: String,
    },
    /// The file was written by a newer version of this program.
    #[error("the journal has schema version {found}, this program knows {known}: update it and start again")]
    TooNew {
        /// The file's version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The file can not be used.
    #[error("the journal {path} can not be opened: {because}", path = path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why, and what to do about it.
        because: String,
    },
    /// The journal is damaged.
    #[error("the journal is damaged: {0}")]
    Damaged(String),
    /// A value breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Anything else that the database says.
    #[error("the journal's database failed: {0}")]
    Database(String),
}
