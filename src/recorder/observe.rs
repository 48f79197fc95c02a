//! What others say about a session: that its process died, that an operator ended it or asked it to end.
//!
//! A running shell holds a lock on `live/<session_id>` beside the journal. Only whoever gets that lock may say `crashed`:
//! the kernel releases it when the process dies, whatever its pid is used for afterwards. A file that is not there says
//! nothing, so sessions of other machines are left alone.
//!
//! A lock gets its name only after it was taken: under that name nobody ever finds a file that its session has not
//! locked yet and takes it for one of the dead.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::Map;

use crate::{
    event::{EventKind, Observation, SessionId},
    journal::{Found, Journal, JournalError, SessionRecord, SessionStatus, Stream},
    redact::Redactor,
};

/// The component that a journal's own stream belongs to.
const OBSERVER: &str = "journal";
/// Begins the names of locks that are being made.
const UNNAMED: &str = ".new-";
/// A lock is made within a millisecond; one that is still being made after this was left by a process that died.
const UNNAMED_FOR: Duration = Duration::from_secs(600);

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
        let unnamed = path.with_file_name(format!("{UNNAMED}{session}"));
        let file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&unnamed)?;
        let named = file.try_lock().map_err(io::Error::from).and_then(|()| std::fs::rename(&unnamed, &path));
        if let Err(error) = named {
            let _ = std::fs::remove_file(&unnamed);
            return Err(error);
        }
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
    live_directory(database).join(session.as_str())
}

/// Observes as crashed every session whose process is gone without having said so.
///
/// # Errors
/// When the journal can not be read or written.
pub async fn sweep(journal: &dyn Journal, database: &Path, by: &str) -> Result<Vec<SessionId>, JournalError> {
    let mut crashed = Vec::new();
    // From the locks, not from the open sessions: a session that died before its start was recorded, or just after its
    // end was, leaves a lock as well.
    for session in left_behind(database) {
        let Some(dead) = take_over(database, &session) else { continue };
        let is_open = match journal.find(session.as_str()).await? {
            Found::One(record) => !matches!(record.status, SessionStatus::Ended | SessionStatus::Crashed),
            Found::Many(_) | Found::None => false,
        };
        if is_open {
            observe(journal, &session, "crashed", by, "its process is gone and said no end").await?;
            crashed.push(session);
        }
        dead.end();
    }
    Ok(crashed)
}

/// The sessions of a journal that live on this machine, after a [`sweep`]: their processes hold their locks.
#[must_use]
pub fn living(database: &Path) -> Vec<SessionId> {
    left_behind(database)
}

/// Where the sessions of one journal hold their locks. Journals beside each other must not clear up after one another.
fn live_directory(database: &Path) -> PathBuf {
    let mut name = database.file_name().unwrap_or_default().to_owned();
    if name == "journal.db" {
        return database.with_file_name("live");
    }
    name.push(".live");
    database.with_file_name(name)
}

/// The sessions that have a lock, whoever holds it.
fn left_behind(database: &Path) -> Vec<SessionId> {
    let directory = live_directory(database);
    let mut sessions = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.starts_with(UNNAMED) {
            let made = entry.metadata().and_then(|metadata| metadata.modified());
            if made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age > UNNAMED_FOR)) {
                let _ = std::fs::remove_file(entry.path());
            }
        } else if let Ok(session) = name.parse() {
            sessions.push(session);
        }
    }
    sessions
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

/// Records that a living session was asked to end; its own shell obeys.
///
/// # Errors
/// When the journal can not be written.
pub(crate) async fn request_end(
    journal: &dyn Journal,
    session: &SessionId,
    by: &str,
    why: &str,
) -> Result<(), JournalError> {
    observe(journal, session, "end_requested", by, why).await
}

/// Ends a session of another machine: asks it when it lives, records an operator's end when it does not.
///
/// # Errors
/// When the journal can not be written.
pub async fn end_elsewhere(
    journal: &dyn Journal,
    session: &SessionRecord,
    lives: Lives,
    by: &str,
    why: &str,
) -> Result<Ended, JournalError> {
    if matches!(session.status, SessionStatus::Ended | SessionStatus::Crashed) {
        return Ok(Ended::Already);
    }
    let (what, ended) = match lives {
        Lives::AsFarAsIsHeard => ("end_requested", Ended::Requested),
        Lives::NoMore => ("ended_by_operator", Ended::Recorded),
    };
    observe(journal, &session.session_id, what, by, why).await?;
    Ok(ended)
}

/// Whether the process of a session on another machine is there, as far as can be known from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lives {
    /// It was heard of within its lease, or not long after.
    AsFarAsIsHeard,
    /// It was not, or never was.
    NoMore,
}

/// Whether a session has its lock on this machine, held or left behind.
#[must_use]
pub fn is_here(database: &Path, session: &SessionId) -> bool {
    live_file(database, session).exists()
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
