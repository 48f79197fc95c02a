//! What was found, kept per tree: one SQLite file in the component's data directory, for its owner alone.
//!
//! | module | what happens there |
//! |---|---|
//! | `write` | a run from its beginning to its end |
//! | `read` | runs, findings, differences |
//!
//! Invariants:
//! - A run that was begun and never ended reads as cancelled.
//! - Of each tree the last [`KEPT_RUNS`] runs stay.
//! - Findings go in and come out in pages: nothing here holds all of them.

mod read;
mod write;

use std::{
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use admin_shell::Result;
use anyhow::{Context, ensure};
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

pub use read::Query;
pub use write::{Begun, Row};

/// How many runs of a tree are kept.
pub const KEPT_RUNS: i64 = 200;
/// The schema that this program knows.
const SCHEMA: i64 = 1;

/// The store. A cheap clone.
#[derive(Clone, Debug)]
pub struct Store {
    pool: SqlitePool,
}

impl Store {
    /// Opens the file, and makes it when it is not there.
    ///
    /// # Errors
    /// When it can not be opened, or is of a newer program.
    pub async fn open(path: &Path) -> Result<Self> {
        let opening = || format!("opening {}", path.display());
        if let Some(directory) = path.parent() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).with_context(opening)?;
        }
        // Before SQLite does it, which asks the umask.
        let file: PathBuf = path.to_owned();
        std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&file).with_context(opening)?;
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            .pragma("cache_size", "-2000")
            .busy_timeout(Duration::from_secs(30));
        let pool = SqlitePoolOptions::new().max_connections(2).connect_with(options).await.with_context(opening)?;
        let store = Self { pool };
        store.migrate().await.with_context(opening)?;
        Ok(store)
    }

    async fn migrate(&self) -> Result<()> {
        let mut change = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *change).await?;
        ensure!(version <= SCHEMA, "a newer inspector-shell has made this file; update this one");
        if version == 0 {
            sqlx::raw_sql(include_str!("store/schema.sql")).execute(&mut *change).await?;
            sqlx::raw_sql("PRAGMA user_version = 1").execute(&mut *change).await?;
        }
        change.commit().await?;
        Ok(())
    }

    /// Closes it.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
