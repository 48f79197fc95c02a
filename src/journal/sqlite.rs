//! The journal in a SQLite file: WAL, `synchronous=FULL`, one connection that writes, a few that read.
//!
//! Invariants:
//! - Opening a journal that is up to date takes no lock. Making one, the switch to WAL and migrating are done under a
//!   file lock, because SQLite's own busy timeout does not cover them.
//! - Nothing is written to a journal of another user, nor where the file or its directory is read-only.
//! - Readers page and hold no transaction between pages, so that they do not keep the WAL from being reset.
//!
//! A file of JSON lines, as `prune --archive` writes it, opens too: it is read into memory, for reading only.

mod append;
mod archive;
mod column;
mod error;
mod ledger;
mod migrate;
mod open;
mod prune;
mod rebuild;
mod rows;
mod script;
mod scrub;
mod single;
mod site;
mod source;
mod status;
mod text;
mod text_check;
mod transaction;
mod upkeep;
mod writer;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::{Sqlite, SqliteConnection, SqlitePool, pool::PoolConnection};
use uuid::Uuid;

use self::{ledger::Ledger, site::Site, writer::Writer};
use super::{
    Buried, CommandFilter, CommandRecord, DeliveryStatus, Emits, EndRequest, Entry, Filter, Fold, Found, Head, Heard,
    Holder, Journal, JournalError, JournalStatus, Kept, Milestones, Outgoing, Page, Parcel, Presence, Progress, Prune,
    Pruned, PrunedSession, Rebuilt, Report, Rollup, Room, SessionRecord, Sessions, Stream, Verdict,
    cells::Cells,
    differences,
    outbox::stored as outbox,
    pace, pages,
    presence::{retired, stored as presence},
    prunings, query, read, retention, shown as record, tracking,
};
use crate::event::{Draft, Event, JournalId, SessionId, StreamId};

/// A journal in a SQLite file. A cheap handle: clones share the connections.
#[derive(Clone)]
pub struct SqliteJournal(Arc<Inner>);

struct Inner {
    id: JournalId,
    /// Where it is; `None` for one in memory.
    site: Option<Site>,
    /// What to call it.
    name: String,
    /// It was read from an archive, which holds single observations of a stream.
    is_archive: bool,
    writer: Result<Arc<Writer>, JournalError>,
    readers: Readers,
    ledger: Ledger,
}

/// Where reading is done.
enum Readers {
    /// Connections of their own, opened when they are needed.
    Pool(SqlitePool),
    /// The connection that writes: the only one that a journal in memory has.
    Writer(Arc<Writer>),
}

/// A connection for reading.
enum Reader<'j> {
    Pooled(PoolConnection<Sqlite>),
    Held(writer::Held<'j>),
}

impl Reader<'_> {
    fn connection(&mut self) -> &mut SqliteConnection {
        match self {
            Self::Pooled(connection) => connection,
            Self::Held(held) => held.connection(),
        }
    }
}

impl SqliteJournal {
    /// The journal's id, which is also the stream of its own observations.
    #[must_use]
    pub fn id(&self) -> &JournalId {
        &self.0.id
    }

    fn writer(&self) -> Result<&Arc<Writer>, JournalError> {
        self.0.writer.as_ref().map_err(JournalError::clone)
    }

    async fn reader(&self) -> Result<Reader<'_>, JournalError> {
        match &self.0.readers {
            Readers::Pool(pool) => pool.acquire().await.map(Reader::Pooled).map_err(|error| self.translate(&error)),
            Readers::Writer(writer) => Ok(Reader::Held(writer.hold_to_read().await?)),
        }
    }

    fn translate(&self, error: &sqlx::Error) -> JournalError {
        error::translate(error, std::path::Path::new(&self.0.name))
    }
}

impl std::fmt::Debug for SqliteJournal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteJournal").field("id", &self.0.id).field("name", &self.0.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl Journal for SqliteJournal {
    fn id(&self) -> &JournalId {
        &self.0.id
    }

    async fn record(&self, stream: &Stream, drafts: &[Draft]) -> Result<Vec<Event>, JournalError> {
        self.writer()?.record(stream, drafts).await
    }

    async fn receive(&self, parcels: &[Parcel]) -> Result<Vec<Verdict>, JournalError> {
        self.writer()?.receive(parcels).await
    }

    async fn head(&self) -> Result<Head, JournalError> {
        outbox::head(&mut &*self, self.id()).await
    }

    async fn knows(&self, head: &Head) -> Result<bool, JournalError> {
        outbox::knows(&mut &*self, self.id(), head).await
    }

    async fn after(&self, position: u64, component: Option<&str>, limit: u32) -> Result<Outgoing, JournalError> {
        outbox::after(&mut &*self, self.id(), position, component, limit).await
    }

    async fn components(&self) -> Result<Vec<String>, JournalError> {
        outbox::components(&mut &*self).await
    }

    async fn cursor(&self, sink: &str, component: &str) -> Result<Option<u64>, JournalError> {
        outbox::cursor(&mut &*self, sink, component).await
    }

    async fn delivered(&self, progress: &Progress) -> Result<(), JournalError> {
        outbox::delivered(&mut &*self, progress).await
    }

    async fn receipts(&self, sink: &str, component: &str) -> Result<Vec<Kept>, JournalError> {
        outbox::receipts(&mut &*self, sink, component).await
    }

    async fn deliveries(&self) -> Result<Vec<DeliveryStatus>, JournalError> {
        outbox::deliveries(&mut &*self).await
    }

    async fn buried(&self, sink: Option<&str>) -> Result<Vec<Buried>, JournalError> {
        outbox::buried(&mut &*self, sink).await
    }

    async fn unbury(&self, sink: &str, positions: &[u64]) -> Result<(), JournalError> {
        outbox::unbury(&mut &*self, sink, positions).await
    }

    async fn forget_sink(&self, sink: &str) -> Result<bool, JournalError> {
        outbox::forget_sink(&mut &*self, sink).await
    }

    async fn beat(&self, presence: &[Presence]) -> Result<(), JournalError> {
        presence::beat(&mut &*self, presence).await
    }

    async fn end_requests(&self, of: &[SessionId]) -> Result<Vec<EndRequest>, JournalError> {
        presence::end_requests(&mut &*self, of).await
    }

    async fn presences(&self, since: Timestamp) -> Result<Vec<Heard>, JournalError> {
        presence::presences(&mut &*self, since).await
    }

    async fn was_heard(&self, session: &SessionId) -> Result<bool, JournalError> {
        presence::was_heard(&mut &*self, session).await
    }

    async fn emitted(&self) -> Result<Vec<(String, Vec<Emits>)>, JournalError> {
        retired::emitted(&mut &*self).await
    }

    async fn retire_presences(&self, now: Timestamp) -> Result<u64, JournalError> {
        retired::retire(&mut &*self, now).await
    }

    async fn writers(&self, of: &[StreamId]) -> Result<Vec<(StreamId, String)>, JournalError> {
        tracking::writers(&mut &*self, of).await
    }

    async fn bind_writers(&self, writers: &[(StreamId, String)]) -> Result<(), JournalError> {
        self.note(tracking::bind_writers(writers).into()).await.map(drop)
    }

    async fn milestones(&self, after: u64, limit: u32) -> Result<Milestones, JournalError> {
        tracking::milestones(&mut &*self, after, limit).await
    }

    async fn fold(&self, name: &str) -> Result<Option<Fold>, JournalError> {
        tracking::fold(&mut &*self, name).await
    }

    async fn carry_on(&self, name: &str, from: Option<u64>, fold: &Fold) -> Result<bool, JournalError> {
        let mut script: script::Script = tracking::carry_on(name, from, fold).into();
        script.add("SELECT changes()");
        let answers = self.note(script).await?;
        Ok(answers.iter().flatten().next().is_some_and(|row| row.cell::<i64>(0).is_ok_and(|changed| changed > 0)))
    }

    async fn rollups(
        &self,
        days: std::ops::RangeInclusive<i64>,
        component: Option<&str>,
    ) -> Result<Vec<Rollup>, JournalError> {
        tracking::rollups(&mut &*self, days, component).await
    }

    async fn durations(
        &self,
        after: Timestamp,
        before: Timestamp,
        component: Option<&str>,
        limit: u32,
    ) -> Result<Vec<(String, u64)>, JournalError> {
        tracking::durations(&mut &*self, after, before, component, limit).await
    }

    async fn sessions(&self, filter: &Filter, page: &Page) -> Result<Sessions, JournalError> {
        query::sessions(&mut &*self, filter, page).await
    }

    async fn find(&self, id_or_prefix: &str) -> Result<Found, JournalError> {
        read::find(&mut &*self, id_or_prefix).await
    }

    async fn events(&self, stream: &StreamId, from: u64, limit: u32) -> Result<Vec<Entry>, JournalError> {
        read::events(&mut &*self, stream, from, limit).await
    }

    async fn observations(&self, about: &SessionId) -> Result<Vec<Event>, JournalError> {
        read::observations(&mut &*self, about).await
    }

    async fn commands(&self, filter: &CommandFilter) -> Result<Vec<CommandRecord>, JournalError> {
        read::commands(&mut &*self, filter).await
    }

    async fn open_sessions(&self) -> Result<Vec<SessionRecord>, JournalError> {
        read::open_sessions(&mut &*self).await
    }

    async fn oldest_open(&self, component: &str) -> Result<Option<u64>, JournalError> {
        query::oldest_open(&mut &*self, component).await
    }

    async fn active_sessions(&self) -> Result<Vec<(String, u64)>, JournalError> {
        query::active_sessions(&mut &*self).await
    }

    async fn verify(&self, only: Option<&SessionId>) -> Result<Report, JournalError> {
        self.check(only).await
    }

    async fn status(&self) -> Result<JournalStatus, JournalError> {
        status::status(self).await
    }

    async fn prune(&self, plan: &Prune) -> Result<Pruned, JournalError> {
        prune::prune(self, plan).await
    }

    async fn holders(&self, before: Timestamp) -> Result<Vec<Holder>, JournalError> {
        retention::holders(&mut &*self, before).await
    }

    async fn prunable(&self, before: Timestamp) -> Result<Option<Pruned>, JournalError> {
        retention::prunable(&mut &*self, before).await.map(Some)
    }

    async fn find_pruned(&self, id_or_prefix: &str) -> Result<Option<PrunedSession>, JournalError> {
        prunings::find(&mut &*self, self.id(), id_or_prefix).await
    }

    async fn scrub(&self, event_id: Uuid, observation: &Draft) -> Result<(), JournalError> {
        scrub::scrub(self, event_id, observation).await
    }

    async fn rebuild(&self) -> Result<Rebuilt, JournalError> {
        rebuild::rebuild(self).await
    }

    fn read_only(&self) -> Option<&JournalError> {
        self.0.writer.as_ref().err()
    }

    async fn close(&self) {
        if let Readers::Pool(pool) = &self.0.readers {
            pool.close().await;
        }
        self.0.ledger.close().await;
        if let Ok(writer) = &self.0.writer {
            writer.close().await;
        }
    }

    fn room(&self) -> Room {
        self.0.site.as_ref().and_then(Site::free_bytes).map_or(Room::Enough, Room::of)
    }
}
