//! Reading a column of a row, when what stands there may be anything.
//!
//! Whoever has the file can put a value there that is of its column's type and still makes no sense to us: a text that is
//! no UTF-8, a number that is no process. That is a fault of the journal, and the error names its table and its row.

use sqlx::{Column, ColumnIndex, Decode, Row, Sqlite, Type, sqlite::SqliteRow};

use crate::journal::JournalError;

/// What says which row it is, where a query has read it.
const KEYS: [&str; 7] = ["name", "session_id", "stream", "seq", "position", "day", "component"];

/// A row whose columns are read without trust.
pub(super) trait Cells {
    /// The value of a column, or a word of where it stands.
    fn cell<'r, T: Decode<'r, Sqlite> + Type<Sqlite>>(&'r self, column: usize) -> Result<T, JournalError>;
}

impl Cells for SqliteRow {
    fn cell<'r, T: Decode<'r, Sqlite> + Type<Sqlite>>(&'r self, column: usize) -> Result<T, JournalError> {
        self.try_get(column).map_err(|_| unreadable(self, column))
    }
}

/// The error of a value that can not be read.
pub(super) fn unreadable(row: &SqliteRow, column: usize) -> JournalError {
    let Some(read) = row.columns().get(column) else {
        return JournalError::Damaged("a row has not the columns that it should have".to_owned());
    };
    let place = match read.origin().table_column() {
        Some(origin) => format!("`{}` of the table `{}`", origin.name, origin.table),
        None => format!("`{}`", read.name()),
    };
    let keys: Vec<String> = KEYS
        .iter()
        .filter(|key| **key != read.name())
        .filter_map(|key| Some(format!("{key} {}", word(row, key)?)))
        .collect();
    let row = if keys.is_empty() { String::new() } else { format!(", at {}", keys.join(", ")) };
    JournalError::Damaged(format!("the value of {place}{row} is not one that belongs there"))
}

fn word(row: &SqliteRow, key: &str) -> Option<String> {
    key.index(row).ok()?;
    let number = row.try_get::<i64, _>(key).map(|number| number.to_string());
    number.or_else(|_| row.try_get(key)).ok()
}

/// A number in a row that may be missing, which counts as nothing.
pub(super) fn number(row: Option<&SqliteRow>, column: usize) -> Result<i64, JournalError> {
    row.map_or(Ok(0), |row| row.cell(column))
}
