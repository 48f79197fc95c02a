//! What SQLite's error codes mean for a caller.

use std::{path::PathBuf, time::Duration};

use crate::journal::JournalError;

/// How long a writer waits for the others.
pub(super) const BUSY_DEADLINE: Duration = Duration::from_secs(10);

/// SQLite's primary result codes that call for an action of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    Busy,
    ReadOnly,
    Io,
    Corrupt,
    /// The file is no database at all.
    Foreign,
    Full,
    CannotOpen,
    Other,
}

/// The code of an error, without its extension.
pub(super) fn code(error: &sqlx::Error) -> Code {
    let sqlx::Error::Database(error) = error else { return Code::Other };
    let extended = error.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or(1);
    match extended & 0xff {
        5 | 6 => Code::Busy,
        8 => Code::ReadOnly,
        10 => Code::Io,
        11 => Code::Corrupt,
        26 => Code::Foreign,
        13 => Code::Full,
        14 => Code::CannotOpen,
        _ => Code::Other,
    }
}

/// The journal's word for an error that happened before a commit was tried.
pub(super) fn translate(error: &sqlx::Error, path: &std::path::Path) -> JournalError {
    let path = || PathBuf::from(path);
    match code(error) {
        Code::Busy => JournalError::Busy { waited: BUSY_DEADLINE },
        Code::ReadOnly => JournalError::ReadOnly { path: path(), because: words(error) },
        Code::Corrupt => JournalError::Damaged(words(error)),
        Code::Foreign => JournalError::Unusable {
            path: path(),
            because: "it is not a journal: its first bytes are not those of a database".to_owned(),
        },
        Code::Full => JournalError::Full,
        Code::CannotOpen => JournalError::Unusable { path: path(), because: words(error) },
        // A write-ahead log that can not grow is an I/O error to SQLite, not a full disk.
        Code::Io if is_full(&path()) => JournalError::Full,
        Code::Io | Code::Other => JournalError::Database(words(error)),
    }
}

/// Whether the disk that holds a path has no room for another page of the log.
fn is_full(path: &std::path::Path) -> bool {
    const ROOM: u64 = 64 << 10;
    let directory = path.parent().unwrap_or(path);
    #[allow(clippy::useless_conversion, clippy::allow_attributes, reason = "the width differs between systems")]
    nix::sys::statvfs::statvfs(directory)
        .is_ok_and(|disk| u64::from(disk.blocks_available()) * u64::from(disk.fragment_size()) < ROOM)
}

fn words(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        other => other.to_string(),
    }
}
