//! The sums per day and component, read whole.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, SqliteConnection};

use crate::journal::{JournalError, cells::Cells, projection::Totals};

/// Sums by day and component.
pub(super) type Sums = BTreeMap<(i64, String), Totals>;

/// What pruned sessions made of them.
pub(super) async fn base(connection: &mut SqliteConnection) -> Result<Sums, JournalError> {
    read(connection, "rollups_base").await
}

/// The sums as they are kept.
pub(super) async fn kept(connection: &mut SqliteConnection) -> Result<Sums, JournalError> {
    read(connection, "rollups").await
}

async fn read(connection: &mut SqliteConnection, table: &str) -> Result<Sums, JournalError> {
    let sql = format!(
        "SELECT day, component, sessions, ended, inferred, duration_us, commands, outcomes, failed, writes, destroys \
         FROM {table}"
    );
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(connection).await;
    let rows = rows.map_err(|error| JournalError::Database(error.to_string()))?;
    let mut sums = Sums::new();
    for row in &rows {
        let mut columns = [0; 9];
        for (at, column) in columns.iter_mut().enumerate() {
            *column = row.cell(at + 2)?;
        }
        sums.insert((row.cell(0)?, row.cell(1)?), Totals::from_columns(columns));
    }
    Ok(sums)
}
