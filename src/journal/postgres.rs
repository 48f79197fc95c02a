//! The journal in a Postgres database: for a fleet, behind one tracker or several.
//!
//! Invariants:
//! - Appending is done under one lock across all programs that open the database, and positions are given out under it:
//!   no cursor ever passes an event that commits later.
//! - One task a process appends, and takes together what waits.
//! - A commit whose outcome is not known is [`JournalError::Unknown`]: recording the same drafts again finds what is
//!   stored.
//! - The rules are those of every journal: sealing, verdicts, projection, verification are not written here.
//! - User and password are in no error, no log and no name.

mod address;
mod apart;
mod cells;
mod error;
mod migrate;
mod open;
mod prune;
mod rebuild;
mod rows;
mod source;
mod status;
mod text;
mod transaction;
mod writer;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::PgPool;
use uuid::Uuid;

use self::{address::Address, writer::Writer};
use super::{
    Buried, CommandFilter, CommandRecord, DeliveryStatus, Emits, EndRequest, Entry, Filter, Fold, Found, Head, Heard,
    Holder, Journal, JournalError, JournalStatus, Kept, Milestones, Outgoing, Page, Parcel, Presence, Progress, Prune,
    Pruned, PrunedSession, Rebuilt, Report, Rollup, SessionRecord, Sessions, Stream, Verdict,
    outbox::stored as outbox,
    presence::{retired, stored as presence},
    prunings, query, read, retention,
    source::Notes,
    tracking,
};
use crate::event::{Draft, Event, JournalId, SessionId, StreamId};

/// A journal in a Postgres database. A cheap handle: clones share the connections.
#[derive(Clone)]
pub struct PostgresJournal(Arc<Inner>);

struct Inner {
    id: JournalId,
    address: Arc<Address>,
    writer: Result<Writer, JournalError>,
    readers: PgPool,
}

impl PostgresJournal {
    /// The journal's id, which is also the stream of its own observations.
    #[must_use]
    pub fn id(&self) -> &JournalId {
        &self.0.id
    }

    fn writer(&self) -> Result<&Writer, JournalError> {
        self.0.writer.as_ref().map_err(JournalError::clone)
    }

    /// Does what does no harm when it is done twice, again on another connection when the one that it had was cut.
    async fn insist<T: Send, F: Future<Output = Result<T, sqlx::Error>> + Send>(
        &self,
        work: impl Fn() -> F + Send + Sync,
    ) -> Result<T, JournalError> {
        let mut again = error::AGAIN.iter();
        loop {
            match work().await {
                Ok(done) => return Ok(done),
                Err(error) => match again.next().filter(|_| error::is_passing(&error)) {
                    Some(pause) => tokio::time::sleep(*pause).await,
                    None => return Err(self.translate(&error)),
                },
            }
        }
    }

    fn translate(&self, error: &sqlx::Error) -> JournalError {
        error::translate(error, &self.0.address)
    }
}

impl std::fmt::Debug for PostgresJournal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Inner { id, address, .. } = &*self.0;
        f.debug_struct("PostgresJournal").field("id", id).field("name", &address.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl Journal for PostgresJournal {
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

    async fn beat(&self, beats: &[Presence]) -> Result<(), JournalError> {
        presence::beat(&mut &*self, beats).await
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
        Notes::note(&mut &*self, vec![tracking::bind_writers(writers)]).await.map(drop)
    }

    async fn milestones(&self, after: u64, limit: u32) -> Result<Milestones, JournalError> {
        tracking::milestones(&mut &*self, after, limit).await
    }

    async fn fold(&self, name: &str) -> Result<Option<Fold>, JournalError> {
        tracking::fold(&mut &*self, name).await
    }

    async fn carry_on(&self, name: &str, from: Option<u64>, fold: &Fold) -> Result<bool, JournalError> {
        let mut statement = tracking::carry_on(name, from, fold);
        statement.sql.push_str(" RETURNING name");
        let answers = Notes::note(&mut &*self, vec![statement]).await?;
        Ok(answers.iter().any(|rows| !rows.is_empty()))
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
        prune::scrub(self, event_id, observation).await
    }

    async fn rebuild(&self) -> Result<Rebuilt, JournalError> {
        rebuild::rebuild(self).await
    }

    fn read_only(&self) -> Option<&JournalError> {
        self.0.writer.as_ref().err()
    }

    async fn close(&self) {
        self.0.readers.close().await;
        if let Ok(writer) = &self.0.writer {
            writer.close().await;
        }
    }
}
