//! The sums per day and component, read whole.

use std::collections::BTreeMap;

use super::{
    JournalError,
    cells::Cells,
    projection::Totals,
    source::{Source, Statement},
};

/// Sums by day and component.
pub(super) type Sums = BTreeMap<(i64, String), Totals>;

/// What pruned sessions made of them.
pub(super) async fn base<S: Source>(source: &mut S) -> Result<Sums, JournalError> {
    read(source, "rollups_base").await
}

/// The sums as they are kept.
pub(super) async fn kept<S: Source>(source: &mut S) -> Result<Sums, JournalError> {
    read(source, "rollups").await
}

async fn read<S: Source>(source: &mut S, table: &str) -> Result<Sums, JournalError> {
    let statement = Statement::new(format!(
        "SELECT day, component, sessions, ended, inferred, duration_us, commands, outcomes, failed, writes, destroys \
         FROM {table}"
    ));
    let mut sums = Sums::new();
    for row in &source.rows(statement).await? {
        let mut columns = [0; 9];
        for (at, column) in columns.iter_mut().enumerate() {
            *column = row.cell(at + 2)?;
        }
        sums.insert((row.cell(0)?, row.cell(1)?), Totals::from_columns(columns));
    }
    Ok(sums)
}
