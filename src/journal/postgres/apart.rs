//! What is done apart from appending: a transaction on a connection of its own, and one snapshot to read.
//!
//! Pruning, scrubbing and rebuilding take the appenders' lock, as everything that changes the record does, for a few
//! milliseconds a turn.

use sqlx::{Connection, PgConnection, Row, postgres::PgRow};

use super::{
    PostgresJournal,
    address::Address,
    error::translate,
    migrate::SCHEMA_VERSION,
    source::{run, run_all},
    transaction::Transaction,
};
use crate::{
    event::SessionId,
    journal::{
        JournalError, Report,
        source::{Notes, Source, Statement},
        verify::{self, Verified},
    },
};

/// One connection, inside the transaction that it is in.
pub(super) struct On<'c> {
    pub connection: &'c mut PgConnection,
    pub address: &'c Address,
}

impl Source for On<'_> {
    type Row = PgRow;

    const JOIN_IN_ORDER: &'static str = "JOIN";

    fn by_index(_: &str) -> String {
        String::new()
    }

    async fn rows(&mut self, statement: Statement) -> Result<Vec<PgRow>, JournalError> {
        run(self.connection, &statement).await.map_err(|error| translate(&error, self.address))
    }
}

impl Notes for &PostgresJournal {
    async fn note(&mut self, statements: Vec<Statement>) -> Result<Vec<Vec<PgRow>>, JournalError> {
        self.writer()?;
        let (journal, statements) = (&self.0, &statements);
        let noted = self.insist(move || async move {
            let mut connection = journal.readers.acquire().await?;
            let mut transaction = connection.begin().await?;
            let sql = "SET LOCAL synchronous_commit = off; SELECT schema_version FROM journal";
            let found: i64 = sqlx::raw_sql(sql).fetch_one(&mut *transaction).await?.try_get(0)?;
            if found != SCHEMA_VERSION {
                return Ok(Err(JournalError::TooNew { found, known: SCHEMA_VERSION }));
            }
            let answers = run_all(&mut transaction, statements).await?;
            transaction.commit().await?;
            Ok(Ok(answers))
        });
        noted.await?
    }
}

/// A connection for changes beside appending.
pub(super) struct Apart {
    connection: PgConnection,
}

impl Apart {
    pub(super) async fn open(journal: &PostgresJournal) -> Result<Self, JournalError> {
        journal.writer()?;
        let connection = journal.0.address.connect().await.map_err(|error| journal.translate(&error))?;
        Ok(Self { connection })
    }

    /// Begins a transaction. Whoever does not commit it drops the connection with it, which undoes it.
    pub(super) async fn begin<'t>(&'t mut self, journal: &'t PostgresJournal) -> Result<Transaction<'t>, JournalError> {
        Transaction::begin(&mut self.connection, &journal.0.address, &journal.0.id).await
    }

    /// The connection itself, outside of a transaction.
    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    pub(super) async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::debug!(%error, "a connection to the journal was not closed cleanly");
        }
    }
}

impl PostgresJournal {
    /// Verifies one snapshot.
    pub(super) async fn check(&self, only: Option<&SessionId>) -> Result<Report, JournalError> {
        let translate = |error: sqlx::Error| self.translate(&error);
        let mut connection = self.0.readers.acquire().await.map_err(translate)?;
        let mut snapshot =
            connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.map_err(translate)?;
        let mut on = On { connection: &mut snapshot, address: &self.0.address };
        verify::verify(&mut on, Verified { id: &self.0.id, is_archive: false }, only).await
    }
}
