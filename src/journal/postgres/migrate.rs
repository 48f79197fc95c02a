//! The schema's versions. `journal.schema_version` holds the number of migrations done.
//!
//! Making the schema and migrating it happen in one transaction, under the lock that appenders take: whoever waited for
//! it finds the work done, and nobody writes meanwhile.

use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::{address::Address, error::translate};
use crate::{event::JournalId, journal::JournalError};

const MIGRATIONS: [&str; 1] = [include_str!("../../../migrations/postgres/0001_journal.sql")];

/// The version that this program reads and writes.
pub(super) const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;

/// The lock of whoever appends to a journal or changes it otherwise: given back by the end of the transaction, whatever
/// ends it. One a database.
pub(super) const LOCK: &str = "SELECT pg_advisory_xact_lock(7020380127319221091)";

/// What a look at the database shows.
pub(super) enum Look {
    /// Nothing of ours.
    Nothing,
    /// An older schema, of this version.
    Old(i64),
    /// Up to date.
    Current(JournalId),
}

/// Looks at the version and at the id.
pub(super) async fn look(connection: &mut PgConnection, address: &Address) -> Result<Look, JournalError> {
    let translate = |error: sqlx::Error| translate(&error, address);
    // Not `to_regclass`: it remembers that there was no table, and does not hear of one that was made while this
    // transaction waited for the lock.
    let sql = "SELECT EXISTS (SELECT 1 FROM pg_class WHERE relname = 'journal' AND pg_table_is_visible(oid)), \
               getdatabaseencoding()::text";
    let row = sqlx::query(sql).fetch_one(&mut *connection).await.map_err(translate)?;
    let (is_there, encoding): (bool, String) = (row.get(0), row.get(1));
    if encoding != "UTF8" {
        return Err(unusable(address, format!("its encoding is {encoding}, and a journal wants UTF8")));
    }
    if !is_there {
        return Ok(Look::Nothing);
    }
    let row = sqlx::query("SELECT schema_version, journal_id FROM journal").fetch_optional(connection).await;
    let row = match row {
        Ok(Some(row)) => row,
        Ok(None) => return Err(JournalError::Damaged("its own row is missing".to_owned())),
        // A table of that name that has other columns.
        Err(error) if super::error::code(&error).as_deref() == Some("42703") => return Err(taken(address)),
        Err(error) => return Err(translate(error)),
    };
    let found: i64 = row.get(0);
    if found > SCHEMA_VERSION {
        return Err(JournalError::TooNew { found, known: SCHEMA_VERSION });
    }
    if found < SCHEMA_VERSION {
        return Ok(Look::Old(found));
    }
    let id = row.get::<String, _>(1).parse();
    id.map(Look::Current).map_err(|_| JournalError::Damaged("its id is not one".to_owned()))
}

/// Makes the schema, or brings it up to date.
pub(super) async fn migrate(connection: &mut PgConnection, address: &Address) -> Result<JournalId, JournalError> {
    let translate = |error: sqlx::Error| match super::error::code(&error).as_deref() {
        // A table of one of our names is there already.
        Some("42P07") => taken(address),
        Some("42501" | "25006") => unusable(
            address,
            format!(
                "there is no journal in it, and none can be made: {}; let its user own the database",
                super::error::words(&error)
            ),
        ),
        _ => translate(&error, address),
    };
    let begin = format!("BEGIN; SET LOCAL lock_timeout = '60s'; {LOCK}");
    sqlx::raw_sql(AssertSqlSafe(begin)).execute(&mut *connection).await.map_err(translate)?;
    let found = match look(connection, address).await? {
        Look::Current(id) => {
            sqlx::raw_sql("COMMIT").execute(connection).await.map_err(translate)?;
            return Ok(id);
        }
        Look::Nothing => 0,
        Look::Old(found) => found,
    };
    let mut sql = String::new();
    for migration in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        sql.push_str(migration);
    }
    if found == 0 {
        let id = JournalId::new();
        let now = jiff::Timestamp::now().as_microsecond();
        sql.push_str(&format!(
            "INSERT INTO journal (id, journal_id, created_us, schema_version) VALUES (1, '{id}', {now}, 0);\n"
        ));
    }
    sql.push_str(&format!("UPDATE journal SET schema_version = {SCHEMA_VERSION}; COMMIT;"));
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await.map_err(translate)?;
    match look(connection, address).await? {
        Look::Current(id) => Ok(id),
        Look::Nothing | Look::Old(_) => Err(JournalError::Damaged("the schema was not made".to_owned())),
    }
}

pub(super) fn unusable(address: &Address, because: impl Into<String>) -> JournalError {
    JournalError::Unusable { path: address.path(), because: because.into() }
}

fn taken(address: &Address) -> JournalError {
    unusable(address, "it holds tables of something else; give the journal a database of its own")
}
