//! What others say about a session: that its process died, that an operator ended it or asked it to end.
//!
//! A running shell holds a lock on `live/<session_id>` beside the journal. Only whoever gets that lock may say `crashed`:
//! the kernel releases it when the process dies, whatever its pid is used for afterwards. A file that is not there says
//! nothing, so sessions of other machines are left alone.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde_json::Map;

use crate::{
    event::{EventKind, Observation, SessionId},
    journal::{Journal, JournalError, SessionRecord, SessionStatus, Stream},
    redact::Redactor,
};

/// The component that a journal's own stream belongs to.
const OBSERVER: &str = "journal";

/// The lock that says a session is alive; released by dropping it, or by death.
#[derive(Debug)]
pub struct LiveSession {
    path: PathBuf,
    _locked: File,
}

impl LiveSession {
    /// Takes the lock of a session that begins.
    ///
    /// # Errors
    /// When the directory beside the journal can not be written.
    pub fn begin(database: &Path, session: &SessionId) -> io::Result<Self> {
        let path = live_file(database, session);
        if let Some(directory) = path.parent() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        let file = OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(&path)?;
        file.try_lock()?;
        Ok(Self { path, _locked: file })
    }

    /// Its end is recorded: nothing is left to observe.
    pub fn end(self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The lock of a session whose process is gone; `None` while it lives, or when it left no lock behind.
fn take_over(database: &Path, session: &SessionId) -> Option<LiveSession> {
    let path = live_file(database, session);
    let file = File::open(&path).ok()?;
    match file.try_lock() {
        Ok(()) => Some(LiveSession { path, _locked: file }),
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => None,
    }
}

fn live_file(database: &Path, session: &SessionId) -> PathBuf {
    database.with_file_name("live").join(session.as_str())
}

/// Observes as crashed every session whose process is gone without having said so.
///
/// # Errors
/// When the journal can not be read or written.
pub async fn sweep(journal: &dyn Journal, database: &Path, by: &str) -> Result<Vec<SessionId>, JournalError> {
    let mut crashed = Vec::new();
    for record in journal.open_sessions().await? {
        let Some(dead) = take_over(database, &record.session_id) else { continue };
        // It may have ended between our look and our lock.
        let still_open = match journal.find(record.session_id.as_str()).await? {
            crate::journal::Found::One(now) => now.status == SessionStatus::Active,
            _ => false,
        };
        if still_open {
            observe(journal, &record.session_id, "crashed", by, "its process is gone and said no end").await?;
            crashed.push(record.session_id);
        }
        dead.end();
    }
    Ok(crashed)
}

/// What ending a session came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its process was gone: the operator's end is recorded.
    Recorded,
    /// It lives: its own shell was asked to end.
    Requested,
    /// It had ended before; nothing changed.
    Already,
}

/// Ends a session from outside: asks a live one to end, records an operator's end of a dead one.
///
/// # Errors
/// When the journal can not be written.
pub async fn end_session(
    journal: &dyn Journal,
    database: &Path,
    session: &SessionRecord,
    by: &str,
    why: &str,
) -> Result<Ended, JournalError> {
    if matches!(session.status, SessionStatus::Ended | SessionStatus::Crashed) {
        return Ok(Ended::Already);
    }
    let id = &session.session_id;
    let lives = live_file(database, id).exists();
    match take_over(database, id) {
        None if lives => {
            observe(journal, id, "end_requested", by, why).await?;
            Ok(Ended::Requested)
        }
        dead => {
            observe(journal, id, "ended_by_operator", by, why).await?;
            if let Some(dead) = dead {
                dead.end();
            }
            Ok(Ended::Recorded)
        }
    }
}

async fn observe(
    journal: &dyn Journal,
    about: &SessionId,
    what: &str,
    by: &str,
    why: &str,
) -> Result<(), JournalError> {
    let body = Observation {
        about: Some(about.clone()),
        what: what.to_owned(),
        by: by.to_owned(),
        why: why.to_owned(),
        detail: Map::new(),
    };
    let draft = Redactor::default().draft(EventKind::Observation, Timestamp::now(), &body);
    let stream = Stream { id: journal.id().clone().into(), component: OBSERVER.to_owned() };
    journal.record(&stream, &[draft]).await?;
    Ok(())
}
