//! The connection for what is no part of the record: cursors, receipts, presence.
//!
//! Its commits are not synced (`synchronous=NORMAL`): what a power cut takes of them is found again, and a command never
//! waits for them. A connection of its own, so that the one that records keeps what it knows from one command to the
//! next. A journal in memory has only that one.

use sqlx::{ConnectOptions, Connection, Row, SqliteConnection, sqlite::SqliteSynchronous};
use tokio::sync::Mutex;

use super::{
    SqliteJournal,
    script::{Script, Stopped},
    writer::{Writer, check_version},
};
use crate::journal::JournalError;

/// The connection, once it was needed.
#[derive(Default)]
pub(super) struct Ledger(Mutex<Option<SqliteConnection>>);

impl Ledger {
    pub(super) async fn close(&self) {
        if let Some(connection) = self.0.lock().await.take() {
            let _ = connection.close().await;
        }
    }
}

impl SqliteJournal {
    /// Runs statements in one transaction that is not synced. Not for events.
    pub(super) async fn note(&self, script: Script) -> Result<Vec<Vec<sqlx::sqlite::SqliteRow>>, JournalError> {
        let writer = self.writer()?;
        if self.0.site.is_none() {
            let mut held = writer.hold().await?;
            let outcome = async {
                let mut transaction = held.begin().await?;
                let answers = transaction.read(script).await?;
                transaction.commit().await?;
                Ok(answers)
            };
            let outcome = outcome.await;
            return held.settle(outcome).await;
        }
        let mut slot = self.0.ledger.0.lock().await;
        // Taken out while it is used: a caller that goes away leaves no transaction half open.
        let mut connection = match slot.take() {
            Some(connection) => connection,
            None => connect(writer).await?,
        };
        let answers = run(&mut connection, script).await.map_err(|stopped| self.translate(&stopped.error))?;
        *slot = Some(connection);
        Ok(answers)
    }
}

async fn connect(writer: &Writer) -> Result<SqliteConnection, JournalError> {
    let options = writer.options().clone().synchronous(SqliteSynchronous::Normal);
    options.connect().await.map_err(|error| writer.translate(&error))
}

async fn run(connection: &mut SqliteConnection, script: Script) -> Result<Vec<Vec<sqlx::sqlite::SqliteRow>>, Stopped> {
    let mut begin = Script::default();
    begin.add("BEGIN IMMEDIATE").add("PRAGMA user_version");
    let answers = begin.run(connection).await?;
    let version = answers.get(1).and_then(|rows| rows.first()).map_or(0, |row| row.get(0));
    check_version(version).map_err(|error| Stopped { done: 0, error: sqlx::Error::Protocol(error.to_string()) })?;
    let answers = script.run(connection).await?;
    let mut commit = Script::default();
    commit.add("COMMIT");
    commit.run(connection).await?;
    Ok(answers)
}
