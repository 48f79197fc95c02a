//! The only way from a shell into the journal: redact → seal → append.
//!
//! - An *intent* (`command_start`, `call_start`) is committed before what it announces may run. When that fails, nothing
//!   of it is kept but a count, and [`WhenUnrecorded`] decides what may still be done.
//! - An *outcome* (`call_end`, `command_end`) of something that ran is never dropped: it waits here, further changes are
//!   refused until it is written, and it goes in front of whatever is recorded next.
//! - The first transaction that works again carries a missing `session_start`, the waiting outcomes and a `gap` that
//!   says how much was missed.
//! - A commit whose outcome is unknown waits like an outcome: the same drafts are recorded again, and the journal finds
//!   those that it has already.

mod observe;
mod room;

use std::{
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{
    event::{Draft, EventKind, Gap},
    journal::{Journal, JournalError, Stream},
    redact::Redactor,
};

use self::room::is_read_only;
pub(crate) use observe::request_end;
pub use observe::{Ended, LiveSession, Lives, end_elsewhere, end_session, is_here, living, sweep};

/// What may run while the journal can not be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenUnrecorded {
    /// Reads run, with a warning, and are counted; changes are refused.
    #[default]
    RefuseChanges,
    /// Nothing runs.
    RefuseAll,
}

/// How recording stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Recording {
    /// Everything so far is on disk.
    On,
    /// The start of the session is being written.
    Opening,
    /// The last attempt failed.
    Failing(String),
}

/// Opens the journal, and opens it again after it was lost.
pub(crate) type OpenJournal =
    Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<Arc<dyn Journal>, JournalError>> + Send>> + Send + Sync>;

/// Records one session.
pub(crate) struct Recorder {
    redactor: Redactor,
    stream: Stream,
    /// The journal's file, where it is one: room and the state of its disk are looked at there.
    database: Option<PathBuf>,
    open: OpenJournal,
    state: Mutex<State>,
    /// Cancelled when somebody has interrupted a command that waits for the start of the session to be written.
    start_given_up: CancellationToken,
    committed: OnceLock<Box<dyn Fn() + Send + Sync>>,
    notes_head: AtomicBool,
}

struct State {
    journal: Option<Arc<dyn Journal>>,
    /// Drafts that go before anything else: the start, outcomes of changes, commits that may or may not have happened.
    waiting: Vec<Draft>,
    /// What could not be recorded.
    missed: Option<Missed>,
    /// Why the last attempt failed.
    trouble: Option<String>,
    /// What the person should hear once.
    notices: Vec<String>,
    /// The end of the session is recorded, or was given up: nothing comes after it.
    closed: bool,
    /// Somebody has interrupted the wait for the journal: what ends their command is kept, without another wait.
    interrupted: bool,
    /// Where the journal stood before this session, where somebody wants to know.
    head_before: Option<u64>,
}

struct Missed {
    count: u64,
    from: Timestamp,
    to: Timestamp,
    reason: String,
}

/// A commit that nothing stands in the way of is done by then, interrupted or not.
const GRACE: std::time::Duration = std::time::Duration::from_millis(50);
const INTERRUPTED: &str = "the wait for another process, which holds the journal, was interrupted";
const AFTER_THE_END: &str = "the session has ended";

/// Why something was not recorded, as the end of a sentence.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{because}")]
pub(crate) struct Unrecorded {
    because: String,
    /// The journal could not say whether it is stored: it waits, and will be in the journal once that works again.
    pub(crate) may_be_stored: bool,
}

impl Unrecorded {
    /// It is not in the journal and will not be.
    pub(crate) fn lost(because: impl Into<String>) -> Self {
        Self { because: because.into(), may_be_stored: false }
    }
}

impl From<JournalError> for Unrecorded {
    fn from(error: JournalError) -> Self {
        Self { because: error.to_string(), may_be_stored: matches!(error, JournalError::Unknown { .. }) }
    }
}

impl Recorder {
    /// A recorder whose first event is `start`; it is written with the first flush.
    pub(crate) fn new(
        redactor: Redactor,
        stream: Stream,
        database: Option<PathBuf>,
        open: OpenJournal,
        start: &impl Serialize,
        now: Timestamp,
    ) -> Self {
        let start = redactor.draft(EventKind::SessionStart, now, start);
        let state = State {
            journal: None,
            waiting: vec![start],
            missed: None,
            trouble: None,
            notices: Vec::new(),
            closed: false,
            interrupted: false,
            head_before: None,
        };
        let (committed, start_given_up) = (OnceLock::new(), CancellationToken::new());
        let (state, notes_head) = (Mutex::new(state), AtomicBool::new(false));
        Self { redactor, stream, database, open, state, start_given_up, committed, notes_head }
    }

    pub(crate) fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// From now on, before anything is recorded, it takes note of where the journal stands.
    pub(crate) fn note_head(&self) {
        self.notes_head.store(true, Ordering::Relaxed);
    }

    /// Where the journal stood before this session, if that was noted.
    pub(crate) async fn head_before(&self) -> Option<u64> {
        self.state.lock().await.head_before
    }

    /// What is called after each commit from now on; it must not block.
    pub(crate) fn on_commit(&self, told: Box<dyn Fn() + Send + Sync>) {
        let _ = self.committed.set(told);
    }

    /// Writes the start of the session. A command waits for that, and an interrupt of the command ends the wait.
    pub(crate) async fn begin(&self) -> Result<(), Unrecorded> {
        let mut state = self.state.lock().await;
        if state.waiting.is_empty() && state.missed.is_none() {
            return Ok(());
        }
        Ok(self.write(&mut state, Vec::new(), Some(&self.start_given_up)).await?)
    }

    /// Commits the announcement of something that is about to run. Whoever gives up by `token` waits no longer for a
    /// journal that another process holds; the announcement may then be stored all the same.
    pub(crate) async fn intent(
        &self,
        kind: EventKind,
        body: &impl Serialize,
        token: &CancellationToken,
    ) -> Result<(), Unrecorded> {
        let draft = self.redactor.draft(kind, Timestamp::now(), body);
        let mut state = tokio::select! {
            biased;
            state = self.state.lock() => state,
            () = token.cancelled() => {
                self.start_given_up.cancel();
                self.state.lock().await
            }
        };
        state.interrupted = false;
        Ok(self.write(&mut state, vec![draft], Some(token)).await?)
    }

    /// Commits the outcome of something whose intent is recorded; keeps it when that fails.
    pub(crate) async fn outcome(&self, kind: EventKind, body: &impl Serialize) -> Result<(), Unrecorded> {
        let draft = self.redactor.draft(kind.clone(), Timestamp::now(), body);
        let mut state = self.state.lock().await;
        state.waiting.push(draft);
        if std::mem::take(&mut state.interrupted) && kind != EventKind::SessionEnd {
            state.interrupted = kind == EventKind::CallEnd;
            return Err(Unrecorded { because: INTERRUPTED.to_owned(), may_be_stored: true });
        }
        let written = self.write(&mut state, Vec::new(), None).await;
        if let Err(JournalError::Invalid(rule)) = &written {
            // It would stand in the way of everything after it for ever.
            tracing::error!(%rule, "an outcome can not be recorded");
            state.waiting.pop();
            miss(&mut state, &rule.to_string());
        }
        Ok(written?)
    }

    /// Counts something that ran, or was refused, without a record.
    pub(crate) async fn missed(&self, because: &Unrecorded) {
        let mut state = self.state.lock().await;
        miss(&mut state, &because.because);
    }

    /// Whether a change could be recorded now: tries again what failed, and looks for room and for a disk that may be written.
    pub(crate) async fn admits(&self) -> Result<(), Unrecorded> {
        self.admits_changes()?;
        if self.database.as_deref().is_some_and(is_read_only) {
            return Err(Unrecorded::lost("the journal's disk is read-only"));
        }
        let mut state = self.state.lock().await;
        if state.closed {
            return Err(Unrecorded::lost(AFTER_THE_END));
        }
        // Whatever failed left something behind: what waits, or the count of what was missed.
        if state.waiting.is_empty() && state.missed.is_none() {
            return Ok(());
        }
        Ok(self.write(&mut state, Vec::new(), None).await?)
    }

    /// The journal, opened now if need be.
    pub(crate) async fn journal(&self) -> Result<Arc<dyn Journal>, JournalError> {
        self.journal_in(&mut *self.state.lock().await).await
    }

    /// The journal if it is open.
    pub(crate) async fn open_journal(&self) -> Option<Arc<dyn Journal>> {
        self.state.lock().await.journal.clone()
    }

    /// What the person should hear once, beside the next result.
    pub(crate) async fn take_notices(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().await.notices)
    }

    /// Why events can not be written at the moment; `None` when they can, as far as is known.
    pub(crate) async fn trouble(&self) -> Option<String> {
        self.state.lock().await.trouble.clone()
    }

    /// How recording stands at this moment.
    pub(crate) fn state(&self) -> Recording {
        // Held while something is being written, which at the first prompt is the start of the session.
        let Ok(state) = self.state.try_lock() else { return Recording::Opening };
        match &state.trouble {
            Some(why) => Recording::Failing(why.clone()),
            None if state.waiting.is_empty() => Recording::On,
            None => Recording::Opening,
        }
    }

    /// Closes the journal. Nothing is recorded any more.
    pub(crate) async fn close(&self) {
        let journal = {
            let mut state = self.state.lock().await;
            state.closed = true;
            state.journal.take()
        };
        if let Some(journal) = journal {
            journal.close().await;
        }
    }

    async fn journal_in(&self, state: &mut State) -> Result<Arc<dyn Journal>, JournalError> {
        if let Some(journal) = &state.journal {
            return Ok(Arc::clone(journal));
        }
        let journal = (self.open)().await?;
        if self.notes_head.load(Ordering::Relaxed) && state.head_before.is_none() {
            state.head_before = journal.head().await.ok().map(|head| head.position);
        }
        state.journal = Some(Arc::clone(&journal));
        Ok(journal)
    }

    async fn write(
        &self,
        state: &mut State,
        intents: Vec<Draft>,
        token: Option<&CancellationToken>,
    ) -> Result<(), JournalError> {
        if state.closed {
            return Err(JournalError::Database(AFTER_THE_END.to_owned()));
        }
        let mut drafts = std::mem::take(&mut state.waiting);
        let waiting = drafts.len();
        let mut gap = None;
        if let Some(missed) = &state.missed {
            let body = Gap {
                count: missed.count,
                from: format!("{:.6}", missed.from),
                to: format!("{:.6}", missed.to),
                reason: missed.reason.clone(),
            };
            gap = Some(drafts.len());
            drafts.push(self.redactor.draft(EventKind::Gap, Timestamp::now(), &body));
        }
        drafts.extend(intents);
        let given_up = async {
            match token {
                Some(token) => {
                    token.cancelled().await;
                    tokio::time::sleep(GRACE).await;
                }
                None => std::future::pending().await,
            }
        };
        let recorded = async { self.journal_in(state).await?.record(&self.stream, &drafts).await };
        let result = tokio::select! {
            biased;
            result = recorded => result,
            () = given_up => {
                state.interrupted = true;
                Err(JournalError::Unknown { because: INTERRUPTED.to_owned() })
            }
        };
        let error = match result {
            Ok(_) => {
                state.missed = None;
                state.trouble = None;
                if let Some(told) = self.committed.get() {
                    told();
                }
                return Ok(());
            }
            Err(error) => error,
        };
        let because = error.to_string();
        // Said once: it may be tried again every second.
        if state.trouble.as_ref() != Some(&because) {
            tracing::error!(%error, "events were not recorded");
        }
        state.trouble = Some(because.clone());
        if let JournalError::Unknown { .. } = error {
            // All of them may be on disk: record exactly these again, and do not count the gap twice.
            state.missed = None;
            state.waiting = drafts;
        } else {
            if matches!(error, JournalError::ReadOnly { .. } | JournalError::Damaged(_)) {
                // Opened anew next time: permissions and disks get mended while a shell stays open.
                state.journal = None;
            }
            let dropped = drafts.len() - waiting - usize::from(gap.is_some());
            drafts.truncate(waiting);
            state.waiting = drafts;
            (0..dropped).for_each(|_| miss(state, &because));
        }
        Err(error)
    }
}

fn miss(state: &mut State, because: &str) {
    let now = Timestamp::now();
    match &mut state.missed {
        Some(missed) => {
            missed.count += 1;
            missed.to = now;
        }
        None => state.missed = Some(Missed { count: 1, from: now, to: now, reason: because.to_owned() }),
    }
}
