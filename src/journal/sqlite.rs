//! The journal in a SQLite file.
/// A journal in a SQLite file.
#[derive(Debug)]
pub struct SqliteJournal {}
