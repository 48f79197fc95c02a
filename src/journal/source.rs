//! The seam between what is asked of a journal and the database that answers: statements in the SQL that all of them
//! understand, and who runs them.
//!
//! Statements are written with question marks. Truths are 0 and 1, texts compare byte by byte, so that the same statement
//! means the same everywhere. What a planner has to be told is said with [`Source::JOIN_IN_ORDER`] and
//! [`Source::by_index`], and is nothing where the planner finds it by itself.

use super::{Difference, JournalError, cells::Cells};

/// A statement and the values of its question marks.
#[derive(Clone, Debug, Default)]
pub(super) struct Statement {
    pub sql: String,
    pub values: Vec<Value>,
}

/// A value of a question mark.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Number(i64),
    Bytes(Vec<u8>),
}

impl Statement {
    pub(super) fn new(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), values: Vec::new() }
    }

    /// Adds the value of the next question mark.
    pub(super) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Adds the values of the next question marks.
    pub(super) fn bind_all(mut self, values: &[Value]) -> Self {
        self.values.extend_from_slice(values);
        self
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_owned())
    }
}

/// Whoever runs statements: a journal with its connections for reading, or one connection inside a transaction.
pub(super) trait Source: Send {
    type Row: Cells + Send + Sync;

    /// Joins tables in the order in which they are named.
    const JOIN_IN_ORDER: &'static str;

    /// Walks a table by an index.
    fn by_index(index: &str) -> String;

    /// Runs a statement.
    fn rows(&mut self, statement: Statement) -> impl Future<Output = Result<Vec<Self::Row>, JournalError>> + Send;

    /// Where the index of what was typed is not what the commands give, when it is one that can be.
    fn text_differences(&mut self) -> impl Future<Output = Result<Vec<Difference>, JournalError>> + Send {
        async { Ok(Vec::new()) }
    }
}

/// Who takes notes that are no part of the record: cursors, receipts, presence.
pub(super) trait Notes: Source {
    /// Runs statements in one transaction that need not survive a power cut. Not for events.
    fn note(
        &mut self,
        statements: Vec<Statement>,
    ) -> impl Future<Output = Result<Vec<Vec<Self::Row>>, JournalError>> + Send;
}

/// Who finds what was typed.
pub(super) trait Search: Source {
    /// Which sessions have a command with some text: looked up when they are `few`.
    fn find_text(&mut self, text: &str, few: i64) -> impl Future<Output = Result<WithText, JournalError>> + Send;
}

/// Which sessions have a command with a text.
pub(super) enum WithText {
    /// These streams.
    Streams(Vec<i64>),
    /// Too many to look up: a condition on session `p` instead.
    TooMany(Statement),
}
