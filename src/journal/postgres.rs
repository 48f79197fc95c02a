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
mod cells;
mod error;
mod migrate;
mod open;
mod rows;
mod source;
mod text;
mod transaction;
mod writer;

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::PgPool;
use uuid::Uuid;

use self::{address::Address, writer::Writer};
use super::{
    CommandFilter, CommandRecord, Entry, Filter, Found, Journal, JournalError, JournalStatus, Page, Prune, Pruned,
    Rebuilt, Report, SessionRecord, Sessions, Stream, Verdict, query, read,
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

    /// Why nothing can be written to it, when that is so.
    #[must_use]
    pub fn read_only(&self) -> Option<&JournalError> {
        self.0.writer.as_ref().err()
    }

    fn writer(&self) -> Result<&Writer, JournalError> {
        self.0.writer.as_ref().map_err(JournalError::clone)
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

    async fn append(&self, events: &[Event]) -> Result<Vec<Verdict>, JournalError> {
        self.writer()?.append(events).await
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

    async fn verify(&self, _only: Option<&SessionId>) -> Result<Report, JournalError> {
        Err(JournalError::Database("not yet".to_owned()))
    }

    async fn status(&self) -> Result<JournalStatus, JournalError> {
        Err(JournalError::Database("not yet".to_owned()))
    }

    async fn prune(&self, _plan: &Prune) -> Result<Pruned, JournalError> {
        Err(JournalError::Database("not yet".to_owned()))
    }

    async fn scrub(&self, _event_id: Uuid, _observation: &Draft) -> Result<(), JournalError> {
        Err(JournalError::Database("not yet".to_owned()))
    }

    async fn rebuild(&self) -> Result<Rebuilt, JournalError> {
        Err(JournalError::Database("not yet".to_owned()))
    }

    async fn close(&self) {
        self.0.readers.close().await;
        if let Ok(writer) = &self.0.writer {
            writer.close().await;
        }
    }
}
