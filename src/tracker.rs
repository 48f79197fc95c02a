//! The tracker: the service that events of many shells reach, and that people and programs ask about them.
//!
//! One room, several doors. [`Tracker`] authorises, validates, appends and queries; its doors ([`rest`], and MCP beside
//! it) only translate: no SQL and no rule lives in a door.
//!
//! Invariants:
//! - What it knows is in the journal alone, so that several trackers can stand in front of one database, and any of them
//!   can start anew at any moment.
//! - Nothing of a batch is stored before all of it was found to be the caller's to write.
//! - What goes wrong is one [`TrackerError`]; causes go to the log, never to a caller.

mod append;
mod beats;
mod caller;
mod error;
mod frame;
mod gate;
mod ids;
mod live;
mod mcp;
mod metrics;
mod older;
pub mod rest;
pub mod server;

use std::{path::PathBuf, sync::Arc};

use schemars::JsonSchema;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use self::{append::Writers, metrics::Ingest};

use crate::{
    analytics::{self, Answer, Query, Span},
    event::{Event, StreamId, check_reason},
    journal::{Entry, Filter, Journal, Page, SessionRecord, SessionStatus, Sessions},
    recorder::{Ended, Lives, end_elsewhere, end_session, is_here, sweep},
    token::Scope,
};

pub use caller::Caller;
pub use error::TrackerError;
pub use frame::Limits;
pub use gate::{Gate, GateError, Jwks};
pub use mcp::{Names, serve_stdio};
pub use metrics::Exposition;
pub use older::{EndAnswer, StartAnswer};

/// The room. A cheap handle: clones share everything.
#[derive(Clone)]
pub struct Tracker(Arc<Inner>, Option<Gate>);

struct Inner {
    journal: Arc<dyn Journal>,
    gate: Gate,
    writers: Writers,
    ingest: Ingest,
    stop: CancellationToken,
    /// Where the journal lies when it is a file: shells on this machine hold their locks beside it.
    database: Option<PathBuf>,
}

/// How the tracker is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Health {
    /// `healthy`.
    pub status: &'static str,
    /// The version of this program.
    pub version: &'static str,
}

/// What ending a session came to.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct End {
    /// The session.
    pub session_id: String,
    /// `requested`, `recorded` or `already_ended`.
    pub outcome: &'static str,
}

impl Tracker {
    /// A tracker over a journal. `database` is the journal's file, where it is one.
    #[must_use]
    pub fn new(journal: Arc<dyn Journal>, database: Option<PathBuf>, gate: Gate) -> Self {
        let inner = Inner {
            journal,
            gate,
            writers: Writers::default(),
            ingest: Ingest::default(),
            stop: CancellationToken::new(),
            database,
        };
        Self(Arc::new(inner), None)
    }

    /// The journal behind it.
    #[must_use]
    pub fn journal(&self) -> &Arc<dyn Journal> {
        &self.0.journal
    }

    /// The same room behind another gate.
    #[must_use]
    pub fn with_gate(&self, gate: Gate) -> Self {
        Self(Arc::clone(&self.0), Some(gate))
    }

    fn gate(&self) -> &Gate {
        self.1.as_ref().unwrap_or(&self.0.gate)
    }

    /// Whether callers need no token.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.gate().is_open()
    }

    /// Who shows this bearer token, and what they may do.
    ///
    /// # Errors
    /// When there is none, or it is worth nothing here.
    pub async fn authorise(&self, bearer: Option<&str>) -> Result<Caller, TrackerError> {
        self.gate().authorise(bearer).await
    }

    /// That it runs.
    #[must_use]
    pub fn health(&self) -> Health {
        Health { status: "healthy", version: env!("CARGO_PKG_VERSION") }
    }

    /// That it runs and its journal answers.
    ///
    /// # Errors
    /// When the journal does not.
    pub async fn ready(&self) -> Result<Health, TrackerError> {
        self.0.journal.find(NO_SESSION).await?;
        Ok(self.health())
    }

    /// One page of sessions, newest first.
    ///
    /// # Errors
    /// When the caller may not read, or the journal can not be read.
    pub async fn sessions(&self, caller: &Caller, filter: &Filter, page: &Page) -> Result<Sessions, TrackerError> {
        caller.require(Scope::SessionsRead)?;
        self.observe_deaths().await;
        Ok(self.0.journal.sessions(filter, page).await?)
    }

    /// The session that an id, or the beginning of one, names.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub async fn show(&self, caller: &Caller, id: &str) -> Result<SessionRecord, TrackerError> {
        caller.require(Scope::SessionsRead)?;
        self.observe_deaths().await;
        self.session(id).await
    }

    /// Events of one session, or of a journal's own stream, in order of `seq`, beginning at `from`.
    ///
    /// # Errors
    /// When there is no such session, or the journal can not be read.
    pub async fn events(&self, caller: &Caller, id: &str, from: u64, limit: u32) -> Result<Vec<Entry>, TrackerError> {
        caller.require(Scope::SessionsRead)?;
        let stream = match id.strip_prefix("jrnl_") {
            Some(_) => id.parse::<StreamId>().map_err(|_| TrackerError::not_found(id))?,
            None => self.session(id).await?.session_id.into(),
        };
        Ok(self.0.journal.events(&stream, from, limit).await?)
    }

    /// What others said about a session, each thing sealed in the stream of the journal that said it.
    ///
    /// # Errors
    /// When there is no such session, or the journal can not be read.
    pub async fn observations(&self, caller: &Caller, id: &str) -> Result<Vec<Event>, TrackerError> {
        let session = self.show(caller, id).await?;
        Ok(self.0.journal.observations(&session.session_id).await?)
    }

    /// Statistics.
    ///
    /// # Errors
    /// When the caller may not read, or the journal can not be read.
    pub async fn analytics(&self, caller: &Caller, query: Query, span: &Span) -> Result<Answer, TrackerError> {
        caller.require(Scope::SessionsRead)?;
        self.observe_deaths().await;
        Ok(analytics::ask(&*self.0.journal, query, span).await?)
    }

    /// Asks a live session to end; records an operator's end of a dead one.
    ///
    /// # Errors
    /// When the caller may not, there is no such session, or the journal can not be written.
    pub async fn end(&self, caller: &Caller, id: &str, reason: &str) -> Result<End, TrackerError> {
        caller.require(Scope::SessionsAdmin)?;
        check_reason(reason)?;
        self.observe_deaths().await;
        let session = self.session(id).await?;
        let ended = self.end_session(&session, caller.subject(), reason).await?;
        let outcome = match ended {
            Ended::Requested => "requested",
            Ended::Recorded => "recorded",
            Ended::Already => "already_ended",
        };
        Ok(End { session_id: session.session_id.to_string(), outcome })
    }

    async fn end_session(&self, session: &SessionRecord, by: &str, why: &str) -> Result<Ended, TrackerError> {
        let (journal, id) = (&*self.0.journal, &session.session_id);
        if let Some(database) = self.0.database.as_deref().filter(|database| is_here(database, id)) {
            return Ok(end_session(journal, database, session, by, why).await?);
        }
        let beats = journal.was_heard(id).await?;
        let lives = beats && matches!(session.status, SessionStatus::Active | SessionStatus::Stale);
        let lives = if lives { Lives::AsFarAsIsHeard } else { Lives::NoMore };
        Ok(end_elsewhere(journal, session, lives, by, why).await?)
    }

    /// Says which shells on this machine have died, so that a status that is shown is the truth now.
    async fn observe_deaths(&self) {
        let Some(database) = &self.0.database else { return };
        if let Err(error) = sweep(&*self.0.journal, database, "session-tracker serve").await {
            tracing::warn!(%error, "sessions that crashed may be shown as active");
        }
    }
}

/// An id that no session has: looking it up shows that the journal answers.
const NO_SESSION: &str = "sess_00000000000000000000000000";

impl std::fmt::Debug for Tracker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tracker").field("journal", self.0.journal.id()).finish_non_exhaustive()
    }
}
