//! Reading a column of a row, whatever database gave it and whatever stands there.
//!
//! Whoever has the database can put a value there that is of its column's type and still makes no sense to us: a text that
//! is no UTF-8, a number that is no process. That is a fault of the journal, and the error names its place.

use uuid::Uuid;

use super::JournalError;
use crate::event::Hash;

/// A row whose columns are read without trust.
pub(super) trait Cells {
    /// An integer, or a truth as 0 or 1.
    fn number(&self, column: usize) -> Result<Option<i64>, JournalError>;
    /// A text.
    fn text(&self, column: usize) -> Result<Option<&str>, JournalError>;
    /// Bytes.
    fn bytes(&self, column: usize) -> Result<Option<&[u8]>, JournalError>;
    /// The error of a value that can not be read: a word of where it stands.
    fn unreadable(&self, column: usize) -> JournalError;

    /// The value of a column, or a word of where it stands.
    fn cell<'r, T: Cell<'r>>(&'r self, column: usize) -> Result<T, JournalError>
    where
        Self: Sized,
    {
        T::read(self, column)
    }
}

/// What a column can be read as.
pub(super) trait Cell<'r>: Sized {
    fn read(row: &'r impl Cells, column: usize) -> Result<Self, JournalError>;
}

macro_rules! cells {
    ($($cell:ty: $kind:ident, $convert:expr;)+) => {$(
        impl<'r> Cell<'r> for $cell {
            fn read(row: &'r impl Cells, column: usize) -> Result<Self, JournalError> {
                Option::<$cell>::read(row, column)?.ok_or_else(|| row.unreadable(column))
            }
        }

        impl<'r> Cell<'r> for Option<$cell> {
            fn read(row: &'r impl Cells, column: usize) -> Result<Self, JournalError> {
                let Some(value) = row.$kind(column)? else { return Ok(None) };
                let convert: fn(_) -> Option<$cell> = $convert;
                convert(value).map(Some).ok_or_else(|| row.unreadable(column))
            }
        }
    )+};
}

cells! {
    i64: number, Some;
    u32: number, |number: i64| u32::try_from(number).ok();
    bool: number, |number: i64| Some(number != 0);
    &'r str: text, Some;
    String: text, |text: &str| Some(text.to_owned());
    &'r [u8]: bytes, Some;
}

/// A number in a row that may be missing, which counts as nothing.
pub(super) fn number<R: Cells>(row: Option<&R>, column: usize) -> Result<i64, JournalError> {
    row.map_or(Ok(0), |row| row.cell(column))
}

/// A hash in a column of bytes.
pub(super) fn hash(row: &impl Cells, column: usize) -> Result<Hash, JournalError> {
    optional_hash(row, column)?.ok_or_else(|| row.unreadable(column))
}

/// A hash in a column of bytes that may be null.
pub(super) fn optional_hash(row: &impl Cells, column: usize) -> Result<Option<Hash>, JournalError> {
    let hash = |bytes: &[u8]| <[u8; 32]>::try_from(bytes).map(Hash::from_bytes);
    row.bytes(column)?.map(hash).transpose().map_err(|_| row.unreadable(column))
}

/// An id in a column of bytes.
pub(super) fn uuid(row: &impl Cells, column: usize) -> Result<Uuid, JournalError> {
    Uuid::from_slice(row.cell(column)?).map_err(|_| row.unreadable(column))
}
