//! Opening a journal of whatever kind its place names.

use std::sync::Arc;

use super::{Journal, JournalError, SqliteJournal};

/// Opens the journal at a path, a `sqlite:` URL or a `postgres:` URL, and makes it where there is none.
///
/// # Errors
/// When it can not be used; like [`SqliteJournal::open`].
pub async fn open(database: &str) -> Result<Arc<dyn Journal>, JournalError> {
    if is_postgres(database) {
        return on_server(database).await;
    }
    Ok(Arc::new(SqliteJournal::open(database).await?))
}

/// Opens a journal that is there. Where there is none it makes none: `None` is the answer.
///
/// # Errors
/// Like [`open`].
pub async fn open_existing(database: &str) -> Result<Option<Arc<dyn Journal>>, JournalError> {
    if is_postgres(database) {
        return existing_on_server(database).await;
    }
    let journal = SqliteJournal::open_existing(database).await?;
    Ok(journal.map(|journal| Arc::new(journal) as Arc<dyn Journal>))
}

/// Whether a place is a database in Postgres.
#[must_use]
pub fn is_postgres(database: &str) -> bool {
    database.starts_with("postgres:") || database.starts_with("postgresql:")
}

#[cfg(feature = "postgres")]
async fn on_server(url: &str) -> Result<Arc<dyn Journal>, JournalError> {
    Ok(Arc::new(super::PostgresJournal::open(url).await?))
}

#[cfg(feature = "postgres")]
async fn existing_on_server(url: &str) -> Result<Option<Arc<dyn Journal>>, JournalError> {
    let journal = super::PostgresJournal::open_existing(url).await?;
    Ok(journal.map(|journal| Arc::new(journal) as Arc<dyn Journal>))
}

#[cfg(not(feature = "postgres"))]
async fn on_server(_: &str) -> Result<Arc<dyn Journal>, JournalError> {
    Err(JournalError::Unusable {
        path: "postgres://…".into(),
        because: "this program was built without Postgres; build it with the feature `postgres`".to_owned(),
    })
}

#[cfg(not(feature = "postgres"))]
async fn existing_on_server(url: &str) -> Result<Option<Arc<dyn Journal>>, JournalError> {
    on_server(url).await.map(Some)
}
