//! What Postgres' error codes mean for a caller.

use std::{io, time::Duration};

use super::address::Address;
use crate::journal::JournalError;

/// How long to wait between attempts, while the server restarts or a connection is made anew.
pub(super) const AGAIN: [Duration; 4] =
    [Duration::from_millis(20), Duration::from_millis(200), Duration::from_millis(500), Duration::from_secs(1)];

/// How long an appender waits for the others.
pub(super) const BUSY_DEADLINE: Duration = Duration::from_secs(10);

/// The journal's word for an error that happened before a commit was tried.
pub(super) fn translate(error: &sqlx::Error, address: &Address) -> JournalError {
    let path = || address.path();
    let Some(code) = code(error) else {
        return JournalError::Database(format!("{}: {}", address.name, words(error)));
    };
    match code.as_str() {
        "55P03" => JournalError::Busy { waited: BUSY_DEADLINE },
        "53100" => JournalError::Full,
        "25006" | "42501" => JournalError::ReadOnly { path: path(), because: words(error) },
        "XX001" | "XX002" => JournalError::Damaged(words(error)),
        // No such database, no such user, a wrong password, a host that is not let in.
        "3D000" | "28000" | "28P01" => JournalError::Unusable { path: path(), because: words(error) },
        _ => JournalError::Database(format!("{}: {}", address.name, words(error))),
    }
}

/// Whether trying again may help: the server restarts, or the connection was cut.
pub(super) fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() != io::ErrorKind::NotFound && error.kind() != io::ErrorKind::TimedOut,
        sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => true,
        // 57P01..57P03: shutting down, crashed, starting up. 08…: the connection. 40…: two that waited for each other.
        sqlx::Error::Database(_) => {
            code(error).is_some_and(|code| ["57P0", "08", "40"].iter().any(|class| code.starts_with(class)))
        }
        _ => false,
    }
}

/// What a failed COMMIT means: where the server itself says that it rolled back, nothing is stored; otherwise nobody knows.
pub(super) fn failed_commit(error: &sqlx::Error, address: &Address) -> JournalError {
    match code(error) {
        Some(code) if !code.starts_with("57P0") && !code.starts_with("08") => translate(error, address),
        _ => JournalError::Unknown { because: format!("{}: {}", address.name, words(error)) },
    }
}

/// The SQLSTATE of an error that the server sent.
pub(super) fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(|code| code.into_owned())
}

pub(super) fn words(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::Io(error) => error.to_string(),
        sqlx::Error::Configuration(error) => error.to_string(),
        sqlx::Error::PoolTimedOut => "no connection could be made in time".to_owned(),
        other => other.to_string(),
    }
}

/// No answer came in time.
pub(super) fn late(waited: Duration) -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} s", waited.as_secs())))
}
