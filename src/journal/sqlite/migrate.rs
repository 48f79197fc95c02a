//! The schema's versions. `PRAGMA user_version` holds the number of migrations done.
//!
//! Run by hand rather than by sqlx's `Migrator`: it is a handful of lines, needs no table of its own, and the version is
//! known from the first page of the file.

use sqlx::{Executor, SqliteConnection};

use super::{error::translate, script::Script};
use crate::{
    event::JournalId,
    journal::{
        JournalError,
        cells::{Cells, number},
    },
};

const MIGRATIONS: [&str; 3] = [
    include_str!("../../../migrations/sqlite/0001_journal.sql"),
    include_str!("../../../migrations/sqlite/0002_delivery.sql"),
    include_str!("../../../migrations/sqlite/0003_tracker.sql"),
];

/// The version that this program reads and writes.
pub(super) const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;

/// An empty table whose name says the version. Statements that mention it can not be prepared once a newer program has
/// migrated the file, so that whoever records with one need not ask for the version.
pub(super) fn marker(version: i64) -> String {
    format!("schema_{version}")
}

/// Brings the schema up to date. The caller holds the file lock.
pub(super) async fn migrate(
    connection: &mut SqliteConnection,
    found: i64,
    path: &std::path::Path,
) -> Result<(), JournalError> {
    let done = usize::try_from(found).unwrap_or(0);
    let mut sql = String::from("BEGIN IMMEDIATE;\n");
    for migration in MIGRATIONS.iter().skip(done) {
        sql.push_str(migration);
    }
    if done == 0 {
        let id = JournalId::new();
        let now = jiff::Timestamp::now().as_microsecond();
        sql.push_str(&format!("INSERT INTO journal (id, journal_id, created_us) VALUES (1, '{id}', {now});\n"));
    }
    let marker = marker(SCHEMA_VERSION);
    sql.push_str(&match found {
        0 => format!("CREATE TABLE {marker} (unused INTEGER);\n"),
        _ => format!("ALTER TABLE {} RENAME TO {marker};\n", self::marker(found)),
    });
    sql.push_str(&format!("PRAGMA user_version = {SCHEMA_VERSION};\nCOMMIT;"));
    let outcome = connection.execute(sqlx::AssertSqlSafe(sql)).await;
    if let Err(error) = outcome {
        // The connection is thrown away by the caller, and the transaction with it.
        return Err(translate(&error, path));
    }
    Ok(())
}

/// What a first look at the file shows.
pub(super) enum Look {
    /// Nothing of ours, or an older schema of this version.
    Old(i64),
    /// Up to date.
    Current(JournalId),
}

/// Looks at the version, and at the id where there is one.
pub(super) async fn look(connection: &mut SqliteConnection, path: &std::path::Path) -> Result<Look, JournalError> {
    let mut script = Script::default();
    script.add("PRAGMA user_version");
    let version = script.run(connection).await.map_err(|stopped| translate(&stopped.error, path))?;
    let found = number(version.first().and_then(|rows| rows.first()), 0)?;
    let mut script = Script::default();
    script.add("SELECT count(*), coalesce(sum(name IN ('journal', 'streams', 'events')), 0) FROM sqlite_master");
    let tables = script.run(connection).await.map_err(|stopped| translate(&stopped.error, path))?;
    let tables = tables.first().and_then(|rows| rows.first());
    let (all, ours) = (number(tables, 0)?, number(tables, 1)?);
    // Nothing is made in a database that somebody else has made something in.
    if ours < 3 && (all > 0 || found > 0) {
        let because = "it is a database of another program, and not a journal".to_owned();
        return Err(JournalError::Unusable { path: path.to_owned(), because });
    }
    if found > SCHEMA_VERSION {
        return Err(JournalError::TooNew { found, known: SCHEMA_VERSION });
    }
    if found < SCHEMA_VERSION {
        return Ok(Look::Old(found));
    }
    let row = sqlx::query("SELECT journal_id FROM journal").fetch_one(connection).await;
    let row = row.map_err(|error| translate(&error, path))?;
    let text: String = row.cell(0)?;
    let id = text.parse().map_err(|_| JournalError::Damaged("its id is not one".to_owned()))?;
    Ok(Look::Current(id))
}
