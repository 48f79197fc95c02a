//! Search in what was typed: any part of an input, whatever its case.
//!
//! With `pg_trgm` an index finds it; without, Postgres reads the inputs one by one. A part that is common is not looked up
//! at all: walking the list and trying each session finds a page sooner.

use super::PostgresJournal;
use crate::journal::{
    JournalError,
    cells::Cells,
    source::{Source, Statement, WithText},
};

pub(super) async fn find(mut journal: &PostgresJournal, text: &str, few: i64) -> Result<WithText, JournalError> {
    let pattern = format!("%{}%", text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"));
    let statement = Statement::new(format!("SELECT stream FROM commands WHERE input ILIKE ? LIMIT {few}"));
    let rows = journal.rows(statement.bind(pattern.as_str())).await?;
    if i64::try_from(rows.len()).unwrap_or(i64::MAX) >= few {
        let common = Statement::new(
            "EXISTS (SELECT 1 FROM events e JOIN commands c ON c.position = e.position \
             WHERE e.stream = p.stream AND c.input ILIKE ?)",
        );
        return Ok(WithText::TooMany(common.bind(pattern)));
    }
    let mut streams = rows.iter().map(|row| row.cell(0)).collect::<Result<Vec<i64>, _>>()?;
    streams.sort_unstable();
    streams.dedup();
    Ok(WithText::Streams(streams))
}
