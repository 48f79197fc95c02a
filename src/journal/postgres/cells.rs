//! Reading columns of Postgres' rows.

use sqlx::{
    Column, Row, TypeInfo,
    postgres::{PgRow, PgValueFormat},
};

use crate::journal::{JournalError, cells::Cells};

impl Cells for PgRow {
    fn number(&self, column: usize) -> Result<Option<i64>, JournalError> {
        let kind = self.columns().get(column).map(|column| column.type_info().name().to_owned());
        let read = match kind.as_deref() {
            Some("INT8") => self.try_get(column),
            Some("INT4") => self.try_get::<Option<i32>, _>(column).map(|number| number.map(i64::from)),
            _ => self.try_get::<Option<bool>, _>(column).map(|truth| truth.map(i64::from)),
        };
        read.map_err(|_| self.unreadable(column))
    }

    fn text(&self, column: usize) -> Result<Option<&str>, JournalError> {
        self.try_get(column).map_err(|_| self.unreadable(column))
    }

    fn bytes(&self, column: usize) -> Result<Option<&[u8]>, JournalError> {
        debug_assert!(self.try_get_raw(column).map_or(true, |value| value.format() == PgValueFormat::Binary));
        self.try_get(column).map_err(|_| self.unreadable(column))
    }

    fn unreadable(&self, column: usize) -> JournalError {
        let name = self.columns().get(column).map_or("?", Column::name);
        JournalError::Damaged(format!("the value of `{name}` is not one that belongs there"))
    }
}
