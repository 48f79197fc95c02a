//! The journal: an append-only store of events, with the projection of sessions kept in the same transaction.
//!
//! Invariants:
//! - Only the process that opened a session writes its stream; what anyone else says about it is an observation in the
//!   journal's own stream.
//! - `seq`, `prev` and `hash` are assigned inside the transaction that stores the event.
//! - Every append gets the next position; `link` = SHA-256(previous link ‖ position ‖ event_id ‖ hash) chains positions.
//! - The projection equals what a rebuild from the events gives.
//! - A failed COMMIT is unknown, not failed: recording the same drafts again finds the ones that are already stored.

use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::event::{Draft, Event, JournalId, SessionId, StreamId};

mod archive;
mod cells;
mod chain;
mod differences;
mod error;
mod filter;
mod judge;
mod loaded;
mod open;
mod outbox;
mod pace;
mod pages;
mod parcel;
#[cfg(feature = "postgres")]
mod postgres;
mod presence;
mod projection;
mod prunings;
mod query;
mod read;
mod record;
mod replay;
mod report;
mod retention;
mod rollups;
mod sealing;
mod shown;
mod source;
mod sqlite;
mod tracking;
mod verify;

pub use error::JournalError;
pub use filter::{CommandFilter, Cursor, Filter, Found, Page, Sessions};
pub use open::{is_postgres, open, open_existing};
pub use outbox::{ALL_COMPONENTS, Buried, DeliveryStatus, Head, Kept, Outgoing, Placed, Progress, Refusal};
pub use parcel::{Always, Parcel, Stub};
#[cfg(feature = "postgres")]
pub use postgres::PostgresJournal;
pub use presence::{EMIT_BOUNDS_US, Emits, EndRequest, Heard, Presence};
pub use record::{CommandRecord, SessionRecord, SessionStatus};
pub use report::{
    Anchor, Difference, Fault, Holder, JournalStatus, Prune, Pruned, PrunedSession, Pruning, Rebuilt, Report,
};
pub use sqlite::SqliteJournal;
pub use tracking::{Fold, Milestones, Rollup};

/// A stream as its writer knows it.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Its id.
    pub id: StreamId,
    /// The component it belongs to.
    pub component: String,
}

/// Where events are kept. Implementations: SQLite, Postgres.
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    /// The journal's id, which is also the stream of its own observations.
    fn id(&self) -> &JournalId;

    /// Seals drafts at the head of their stream and appends them, all in one transaction. Drafts whose `event_id` is
    /// stored already are not appended again: calling this once more after an unknown commit is safe.
    async fn record(&self, stream: &Stream, drafts: &[Draft]) -> Result<Vec<Event>, JournalError>;

    /// Appends what was sealed elsewhere, in order and all in one transaction, with a verdict for each. A stub is
    /// judged like its event; an event that comes after its stub takes the stub's place.
    async fn receive(&self, parcels: &[Parcel]) -> Result<Vec<Verdict>, JournalError>;

    /// Appends events that were sealed elsewhere, all in one transaction, with a verdict for each.
    async fn append(&self, events: &[Event]) -> Result<Vec<Verdict>, JournalError> {
        let parcels: Vec<Parcel> = events.iter().cloned().map(Parcel::Whole).collect();
        self.receive(&parcels).await
    }

    /// Where the journal stands: position 0 and the digest of its id when it is empty.
    async fn head(&self) -> Result<Head, JournalError>;

    /// Whether this was the journal's head once. What is folded away counts as known.
    async fn knows(&self, head: &Head) -> Result<bool, JournalError>;

    /// What comes after a position, of one component or of all: at most `limit` events and 8 MiB of text, but one at
    /// least. Of those that were pruned or scrubbed, what is left. The journal's own stream is component
    /// [`OWN_COMPONENT`].
    async fn after(&self, position: u64, component: Option<&str>, limit: u32) -> Result<Outgoing, JournalError>;

    /// Every component that has sessions, and the journal's own where it has said something.
    async fn components(&self) -> Result<Vec<String>, JournalError>;

    /// How far a sink has got with a component; `None` when it is new.
    async fn cursor(&self, sink: &str, component: &str) -> Result<Option<u64>, JournalError>;

    /// Moves a cursor, forwards or back, and keeps the receipt and what was refused: one transaction.
    async fn delivered(&self, progress: &Progress) -> Result<(), JournalError>;

    /// The receipts of a sink for a component, newest first.
    async fn receipts(&self, sink: &str, component: &str) -> Result<Vec<Kept>, JournalError>;

    /// Every cursor.
    async fn deliveries(&self) -> Result<Vec<DeliveryStatus>, JournalError>;

    /// What sinks have refused, by position; of one sink or of all.
    async fn buried(&self, sink: Option<&str>) -> Result<Vec<Buried>, JournalError>;

    /// These were delivered after all.
    async fn unbury(&self, sink: &str, positions: &[u64]) -> Result<(), JournalError>;

    /// Forgets a sink: its cursors, receipts and what it refused. False when there was none of that name.
    async fn forget_sink(&self, sink: &str) -> Result<bool, JournalError>;

    /// Takes note of living sessions, by our own clock.
    async fn beat(&self, presence: &[Presence]) -> Result<(), JournalError>;

    /// Which of these sessions were asked to end and have not.
    async fn end_requests(&self, of: &[SessionId]) -> Result<Vec<EndRequest>, JournalError>;

    /// The last beats of sessions that were heard since.
    async fn presences(&self, since: Timestamp) -> Result<Vec<Heard>, JournalError>;

    /// Whether a session ever beat and has not left since.
    async fn was_heard(&self, session: &SessionId) -> Result<bool, JournalError>;

    /// What was emitted by components: each session that is there, and sums of those that have left.
    async fn emitted(&self) -> Result<Vec<(String, Vec<Emits>)>, JournalError>;

    /// Lets sessions leave that will not be heard any more at this time; what they emitted stays counted. Answers how many.
    async fn retire_presences(&self, now: Timestamp) -> Result<u64, JournalError>;

    /// Who may write these streams, where that is settled.
    async fn writers(&self, of: &[StreamId]) -> Result<Vec<(StreamId, String)>, JournalError>;

    /// Settles who may write streams. What is settled already stays.
    async fn bind_writers(&self, writers: &[(StreamId, String)]) -> Result<(), JournalError>;

    /// Starts and ends of sessions, and what was said about them, after a position.
    async fn milestones(&self, after: u64, limit: u32) -> Result<Milestones, JournalError>;

    /// Sums over the record that somebody carries on.
    async fn fold(&self, name: &str) -> Result<Option<Fold>, JournalError>;

    /// Carries sums on from a position (`None`: from nothing). False when they do not stand there: somebody else has
    /// carried them on meanwhile.
    async fn carry_on(&self, name: &str, from: Option<u64>, fold: &Fold) -> Result<bool, JournalError>;

    /// Sums by day (days since 1970) and component.
    async fn rollups(
        &self,
        days: std::ops::RangeInclusive<i64>,
        component: Option<&str>,
    ) -> Result<Vec<Rollup>, JournalError>;

    /// How long the newest sessions that began in a time and have ended were open: component and microseconds.
    async fn durations(
        &self,
        after: Timestamp,
        before: Timestamp,
        component: Option<&str>,
        limit: u32,
    ) -> Result<Vec<(String, u64)>, JournalError>;

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

    /// The position of the start of a component's oldest session that nobody has ended.
    async fn oldest_open(&self, component: &str) -> Result<Option<u64>, JournalError>;

    /// How many sessions of each component are open and not lost.
    async fn active_sessions(&self) -> Result<Vec<(String, u64)>, JournalError>;

    /// Checks chains, links, seals and the projection; everything, or one session.
    async fn verify(&self, only: Option<&SessionId>) -> Result<Report, JournalError>;

    /// Size, counts, heads.
    async fn status(&self) -> Result<JournalStatus, JournalError>;

    /// Removes the bodies of whole ended sessions and folds what no longer needs to stand alone.
    async fn prune(&self, plan: &Prune) -> Result<Pruned, JournalError>;

    /// What pruning would remove now; `None` when that can not be said beforehand.
    async fn prunable(&self, _before: Timestamp) -> Result<Option<Pruned>, JournalError> {
        Ok(None)
    }

    /// Which sinks keep sessions from being pruned that ended and were not heard of since.
    async fn holders(&self, _before: Timestamp) -> Result<Vec<Holder>, JournalError> {
        Ok(Vec::new())
    }

    /// The pruned session that an id, or an unambiguous prefix of one, names.
    async fn find_pruned(&self, _id_or_prefix: &str) -> Result<Option<PrunedSession>, JournalError> {
        Ok(None)
    }

    /// Removes one leaked body; `observation` says why, in the same transaction.
    async fn scrub(&self, event_id: Uuid, observation: &Draft) -> Result<(), JournalError>;

    /// Makes the projection anew from the events, and says what differed.
    async fn rebuild(&self) -> Result<Rebuilt, JournalError>;

    /// Why nothing can be written to it, when that is so.
    fn read_only(&self) -> Option<&JournalError> {
        None
    }

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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
