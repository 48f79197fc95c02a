//! The journal: an append-only store of events, with the projection of sessions kept in the same transaction.
//!
//! Invariants:
//! - Only the process that opened a session writes its stream; what anyone else says about it is an observation in the
//!   journal's own stream.
//! - `seq`, `prev` and `hash` are assigned inside the transaction that stores the event.
//! - Every append gets the next position; `link` = SHA-256(previous link ‖ position ‖ event_id ‖ hash) chains positions.
//! - The projection equals what a rebuild from the events gives.
//! - A failed COMMIT is unknown, not failed: recording the same drafts again finds the ones that are already stored.

use std::{path::PathBuf, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::event::{Draft, EndReason, Event, Invalid, JournalId, SessionId, StreamId};

mod chain;
mod projection;
mod replay;
mod sqlite;

pub use sqlite::SqliteJournal;

/// A stream as its writer knows it.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Its id.
    pub id: StreamId,
    /// The component it belongs to.
    pub component: String,
}

/// Where events are kept. Implementations: SQLite.
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    /// The journal's id, which is also the stream of its own observations.
    fn id(&self) -> &JournalId;

    /// Seals drafts at the head of their stream and appends them, all in one transaction. Drafts whose `event_id` is
    /// stored already are not appended again: calling this once more after an unknown commit is safe.
    async fn record(&self, stream: &Stream, drafts: &[Draft]) -> Result<Vec<Event>, JournalError>;

    /// Appends events that were sealed elsewhere, all in one transaction, with a verdict for each.
    async fn append(&self, events: &[Event]) -> Result<Vec<Verdict>, JournalError>;

    /// One page of sessions, newest first.
    async fn sessions(&self, filter: &Filter, page: &Page) -> Result<Sessions, JournalError>;

    /// The session that an id, or an unambiguous prefix of one, names.
    async fn find(&self, id_or_prefix: &str) -> Result<Found, JournalError>;

    /// Events of one stream in order of `seq`, beginning at `from`.
    async fn events(&self, stream: &StreamId, from: u64, limit: u32) -> Result<Vec<Entry>, JournalError>;

    /// Observations about one session, oldest first.
    async fn observations(&self, about: &SessionId) -> Result<Vec<Event>, JournalError>;

    /// Commands with their inputs and outcomes, newest first.
    async fn commands(&self, filter: &CommandFilter) -> Result<Vec<CommandRecord>, JournalError>;

    /// Sessions that nobody has ended: candidates for a sweep.
    async fn open_sessions(&self) -> Result<Vec<SessionRecord>, JournalError>;

    /// Checks chains, links, seals and the projection; everything, or one session.
    async fn verify(&self, only: Option<&SessionId>) -> Result<Report, JournalError>;

    /// Size, counts, heads.
    async fn status(&self) -> Result<JournalStatus, JournalError>;

    /// Removes the bodies of whole ended sessions and folds what no longer needs to stand alone.
    async fn prune(&self, plan: &Prune) -> Result<Pruned, JournalError>;

    /// Removes one leaked body; `observation` says why, in the same transaction.
    async fn scrub(&self, event_id: Uuid, observation: &Draft) -> Result<(), JournalError>;

    /// Makes the projection anew from the events, and says what differed.
    async fn rebuild(&self) -> Result<Rebuilt, JournalError>;

    /// Flushes and closes.
    async fn close(&self);

    /// How much room there is to write. Cheap enough to be asked before every change.
    fn room(&self) -> Room {
        Room::Enough
    }

    /// The journal's own stream, for observations.
    fn own_stream(&self) -> Stream {
        Stream { id: StreamId::Journal(self.id().clone()), component: OWN_COMPONENT.to_owned() }
    }
}

/// The component that a journal's own stream belongs to.
pub const OWN_COMPONENT: &str = "journal";

/// How much room there is where the journal lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Nothing to say.
    Enough,
    /// Under 256 MiB: worth a warning.
    Low {
        /// Free bytes.
        free_bytes: u64,
    },
    /// Under 64 MiB: changes are to be refused, so that what happened until now can still be recorded.
    Critical {
        /// Free bytes.
        free_bytes: u64,
    },
}

impl Room {
    /// What a number of free bytes means.
    #[must_use]
    pub fn of(free_bytes: u64) -> Self {
        const MIB: u64 = 1024 * 1024;
        if free_bytes < 64 * MIB {
            Self::Critical { free_bytes }
        } else if free_bytes < 256 * MIB {
            Self::Low { free_bytes }
        } else {
            Self::Enough
        }
    }
}

/// What became of an event that was sealed elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", content = "reason", rename_all = "snake_case")]
pub enum Verdict {
    /// Stored now.
    Accepted,
    /// Stored before, with the same hash.
    Duplicate,
    /// The same id or place holds other content: kept aside, the session is marked `forked`.
    Conflict(String),
    /// Not stored.
    Rejected(String),
}

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

/// A stored event, or what pruning left of it.
#[derive(Clone, Debug)]
pub enum Entry {
    /// The event.
    Whole(Event),
    /// Its body was removed; its header and hash remain.
    Pruned {
        /// Position in its stream.
        seq: u64,
        /// Its id.
        event_id: Uuid,
        /// Its type.
        event_type: String,
        /// Its time.
        timestamp: Timestamp,
        /// Its hash.
        hash: crate::event::Hash,
    },
}

/// What happened to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SessionStatus {
    /// Open.
    Active,
    /// One lease without a beat.
    Stale,
    /// Ended by its owner, an operator, or a client of the older generation.
    Ended,
    /// Its process died without a word.
    Crashed,
    /// Three leases without a beat.
    Lost,
}

impl SessionStatus {
    /// The word as it stands in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Stale => "stale",
            Self::Ended => "ended",
            Self::Crashed => "crashed",
            Self::Lost => "lost",
        }
    }
}

/// One session as lists show it. The same names in REST, MCP, the command line and exports; null where unknown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionRecord {
    /// `sess_` and 26 characters.
    pub session_id: SessionId,
    /// Always `admin_shell`.
    pub session_type: String,
    /// The component's name.
    pub component_name: String,
    /// What kind of component it is.
    pub component_type: Option<String>,
    /// The component's version.
    pub component_version: Option<String>,
    /// Name of the shell's type.
    pub shell_type: Option<String>,
    /// `interactive`, `command`, `file`, `stdin`, `embedded`.
    pub mode: Option<String>,
    /// Where it stands.
    pub status: SessionStatus,
    /// Why it ended.
    pub end_reason: Option<EndReason>,
    /// True when its end was said by an observer, not by its owner.
    pub inferred: bool,
    /// When it was opened, by its writer's clock.
    pub start_time: Option<Timestamp>,
    /// When it ended.
    pub end_time: Option<Timestamp>,
    /// How long it was open, in seconds; elapsed so far while it is active.
    pub duration_seconds: Option<f64>,
    /// When we last heard of it, by our clock.
    pub last_seen: Option<Timestamp>,
    /// Its process.
    pub pid: Option<u32>,
    /// Login name.
    pub username: Option<String>,
    /// Home directory.
    pub home: Option<String>,
    /// Numeric user id.
    pub uid: Option<u32>,
    /// `human`, `agent`, `service`.
    pub actor_kind: Option<String>,
    /// Whether the name was verified.
    pub verified: Option<bool>,
    /// The machine.
    pub hostname: Option<String>,
    /// Its operating system.
    pub platform: Option<String>,
    /// The shell's runtime.
    pub runtime: Option<String>,
    /// Set by older clients only.
    pub python_version: Option<String>,
    /// Working directory.
    pub working_directory: Option<String>,
    /// Why it was opened.
    pub reason: Option<String>,
    /// Commands started.
    pub commands: u64,
    /// Commands that have an outcome, and not `ok`.
    pub failed_commands: u64,
    /// Calls of write helpers that were let through.
    pub write_calls: u64,
    /// Calls of destroy helpers that were let through.
    pub destroy_calls: u64,
    /// 0..=100, null without an outcome.
    pub quality_score: Option<f64>,
    /// Hash of its last event.
    pub chain_head: Option<String>,
    /// Two histories were seen.
    pub forked: bool,
    /// What its start said about it.
    pub metadata: Option<Map<String, Value>>,
}

/// Which sessions. Every field narrows; `Default` takes all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Exact component name.
    pub component: Option<String>,
    /// Exact user name.
    pub user: Option<String>,
    /// Exact host name.
    pub host: Option<String>,
    /// Exact component type.
    pub component_type: Option<String>,
    /// Status as computed now.
    pub status: Option<SessionStatus>,
    /// Started at or after.
    pub after: Option<Timestamp>,
    /// Started before.
    pub before: Option<Timestamp>,
    /// Open for longer than this, running ones too.
    pub longer_than: Option<Duration>,
    /// Open for less than this.
    pub shorter_than: Option<Duration>,
    /// Only open ones.
    pub active: bool,
    /// Only those without an end of their own.
    pub incomplete: bool,
    /// Part of a command's input.
    pub text: Option<String>,
}

/// Which part of a list.
#[derive(Clone, Debug)]
pub struct Page {
    /// At most this many.
    pub limit: u32,
    /// Where the page before ended.
    pub after: Option<Cursor>,
}

impl Default for Page {
    fn default() -> Self {
        Self { limit: 50, after: None }
    }
}

/// Where a page ended: the key of its last row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Start of the last session, in microseconds since 1970.
    pub start_us: i64,
    /// Its id.
    pub session_id: String,
}

/// One page.
#[derive(Clone, Debug)]
pub struct Sessions {
    /// The records.
    pub records: Vec<SessionRecord>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<Cursor>,
}

/// What an id or a prefix names.
#[derive(Clone, Debug)]
pub enum Found {
    /// Exactly one.
    One(Box<SessionRecord>),
    /// More than one; the first ten.
    Many(Vec<SessionId>),
    /// None.
    None,
}

/// Which commands.
#[derive(Clone, Debug, Default)]
pub struct CommandFilter {
    /// Only of this session.
    pub session: Option<SessionId>,
    /// Only of this component.
    pub component: Option<String>,
    /// Only those started at or after.
    pub after: Option<Timestamp>,
    /// Only those that did not end `ok`.
    pub failed: bool,
    /// At most this many; 0 means 1,000.
    pub limit: u32,
}

/// One command as the projection knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CommandRecord {
    /// Its session.
    pub session_id: SessionId,
    /// The component.
    pub component_name: String,
    /// Number in the session, from 1.
    pub command: u64,
    /// When it started.
    pub start_time: Timestamp,
    /// What was typed, redacted.
    pub input: Option<String>,
    /// `ok`, `error`, …; `unknown` when it has no outcome.
    pub status: String,
    /// How long it ran, in microseconds.
    pub duration_us: Option<u64>,
    /// What went wrong.
    pub error: Option<String>,
}

/// What `verify` found.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Report {
    /// Streams looked at.
    pub streams: u64,
    /// Events looked at.
    pub events: u64,
    /// Events whose body was pruned: their place and hash were checked, their content can not be.
    pub pruned: u64,
    /// What is wrong, in the order of the journal.
    pub faults: Vec<Fault>,
    /// Receipts that anchor the journal outside itself.
    pub anchors: Vec<Anchor>,
    /// Last position and its link.
    pub position: u64,
    /// The link at that position.
    pub link: Option<String>,
    /// What this check can not know, in sentences.
    pub unknowable: Vec<String>,
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Fault {
    /// A word for programs: `edited`, `missing`, `inserted`, `cut_tail`, `removed_session`, `projection`, `link`, `anchor`, …
    pub what: String,
    /// The stream.
    pub stream: Option<String>,
    /// Position in the stream.
    pub seq: Option<u64>,
    /// Position in the journal.
    pub position: Option<u64>,
    /// A sentence for people.
    pub message: String,
}

/// A tracker's word that it holds the journal up to a position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Anchor {
    /// Our position that is vouched for.
    pub position: u64,
    /// Our link at that position, as the tracker received it.
    pub link: String,
    /// Who says so.
    pub tracker: String,
    /// When.
    pub at: Timestamp,
}

/// Size and state of a journal.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct JournalStatus {
    /// Its id.
    pub journal_id: String,
    /// Where it is.
    pub database: String,
    /// Bytes on disk.
    pub bytes: u64,
    /// Free bytes on that disk.
    pub free_bytes: Option<u64>,
    /// Last position.
    pub position: u64,
    /// Events stored.
    pub events: u64,
    /// Events whose body was pruned.
    pub pruned: u64,
    /// Sessions known.
    pub sessions: u64,
    /// Sessions open.
    pub active: u64,
    /// Conflicts kept aside.
    pub conflicts: u64,
    /// Time of the oldest event that still has its body.
    pub oldest: Option<Timestamp>,
    /// Schema version.
    pub schema_version: i64,
    /// Sentences about what wants attention.
    pub warnings: Vec<String>,
}

/// What to prune.
#[derive(Clone, Debug)]
pub struct Prune {
    /// Sessions that ended before this are pruned.
    pub before: Timestamp,
    /// Write what is removed to this file first, as JSON lines.
    pub archive: Option<PathBuf>,
    /// Who asked for it, for the observation.
    pub by: String,
}

/// What was pruned.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Pruned {
    /// Sessions.
    pub sessions: u64,
    /// Events whose body was removed.
    pub events: u64,
    /// Bytes of bodies removed.
    pub bytes: u64,
    /// Headers folded into the checkpoint.
    pub folded: u64,
}

/// What a rebuild found.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Rebuilt {
    /// Sessions in the new projection.
    pub sessions: u64,
    /// Sessions whose projection differed.
    pub corrected: Vec<String>,
}
