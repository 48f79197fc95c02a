//! Reading columns of SQLite's rows.

use sqlx::{Column, ColumnIndex, Decode, Row, Sqlite, Type, sqlite::SqliteRow};

use crate::journal::{JournalError, cells::Cells};

/// What says which row it is, where a query has read it.
const KEYS: [&str; 7] = ["name", "session_id", "stream", "seq", "position", "day", "component"];

impl Cells for SqliteRow {
    fn number(&self, column: usize) -> Result<Option<i64>, JournalError> {
        value(self, column)
    }

    fn text(&self, column: usize) -> Result<Option<&str>, JournalError> {
        value(self, column)
    }

    fn bytes(&self, column: usize) -> Result<Option<&[u8]>, JournalError> {
        value(self, column)
    }

    fn unreadable(&self, column: usize) -> JournalError {
        let Some(read) = self.columns().get(column) else {
            return JournalError::Damaged("a row has not the columns that it should have".to_owned());
        };
        let place = match read.origin().table_column() {
            Some(origin) => format!("`{}` of the table `{}`", origin.name, origin.table),
            None => format!("`{}`", read.name()),
        };
        let keys: Vec<String> = KEYS
            .iter()
            .filter(|key| **key != read.name())
            .filter_map(|key| Some(format!("{key} {}", word(self, key)?)))
            .collect();
        let row = if keys.is_empty() { String::new() } else { format!(", at {}", keys.join(", ")) };
        JournalError::Damaged(format!("the value of {place}{row} is not one that belongs there"))
    }
}

fn value<'r, T: Decode<'r, Sqlite> + Type<Sqlite>>(
    row: &'r SqliteRow,
    column: usize,
) -> Result<Option<T>, JournalError> {
    row.try_get(column).map_err(|_| row.unreadable(column))
}

fn word(row: &SqliteRow, key: &str) -> Option<String> {
    key.index(row).ok()?;
    let number = row.try_get::<i64, _>(key).map(|number| number.to_string());
    number.or_else(|_| row.try_get(key)).ok()
}
