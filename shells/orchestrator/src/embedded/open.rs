//! Opening the engine's file: private to its owner, brought to the current shape once, by one process at a time.
//!
//! Beside the file lie `….lock`, held while the file is made or migrated (several first opens at once otherwise meet
//! "database is locked" whatever the timeout), and the directory `….live` with the leases of the workers.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use nix::unistd::geteuid;
use sqlx::{
    SqlSafeStr, SqlitePool,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::engine::{EngineError, error::Doing};

/// How long a statement waits for another process's write before it gives up.
const BUSY: Duration = Duration::from_secs(10);

/// Opens the file, and makes it first when it is not there.
pub(crate) async fn open(database: &Path) -> Result<SqlitePool, EngineError> {
    let path = database.to_owned();
    let guard = tokio::task::spawn_blocking(move || prepare(&path)).await.doing("preparing its files")??;
    let options = SqliteConnectOptions::new()
        .filename(database)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY);
    let pool = SqlitePoolOptions::new()
        .max_connections(4)
        .acquire_timeout(BUSY)
        .connect_with(options)
        .await
        .doing("opening it")?;
    migrations().run(&pool).await.doing("bringing it to the current shape")?;
    drop(guard);
    Ok(pool)
}

/// Opens a file that can not be written now, for questions. WAL wants shared memory beside the file: where that can not be
/// made, and nothing waits in a WAL, the file is read as one that does not change.
pub(crate) async fn read(database: &Path) -> Result<SqlitePool, EngineError> {
    let options = SqliteConnectOptions::new().filename(database).read_only(true).busy_timeout(BUSY);
    let mut wal = database.as_os_str().to_owned();
    wal.push("-wal");
    let nothing_waits = fs::metadata(wal).map_or(true, |wal| wal.len() == 0);
    match readable(options.clone()).await {
        Err(_) if nothing_waits => readable(options.immutable(true)).await,
        tried => tried,
    }
}

async fn readable(options: SqliteConnectOptions) -> Result<SqlitePool, EngineError> {
    let pool = SqlitePoolOptions::new().max_connections(1).acquire_timeout(BUSY).connect_lazy_with(options);
    sqlx::query("SELECT 1 FROM runs LIMIT 1").fetch_optional(&pool).await.doing("reading it")?;
    Ok(pool)
}

/// Where the leases of the workers of a database lie.
pub(crate) fn leases(database: &Path) -> PathBuf {
    beside(database, "live")
}

fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(suffix);
    database.with_file_name(name)
}

/// Makes what is missing, refuses what is another's, and holds the lock until the file is in shape.
fn prepare(database: &Path) -> Result<File, EngineError> {
    let directories = database.parent().into_iter().map(Path::to_owned).chain([leases(database)]);
    for directory in directories {
        DirBuilder::new().recursive(true).mode(0o700).create(&directory).doing("making its directory")?;
    }
    let create = |path: &Path| OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    match fs::metadata(database) {
        Ok(found) if found.uid() != geteuid().as_raw() => {
            return Err(EngineError::ForeignOwner { path: database.to_owned() });
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error).doing("looking for its file"),
        _ => {}
    }
    let guard = create(&beside(database, "lock")).doing("making its lock")?;
    guard.lock().doing("waiting for another shell to make it")?;
    // SQLite gives its side files the mode of the file itself, and would make the file readable for everybody.
    create(database).doing("making its file")?;
    Ok(guard)
}

/// apalis's own tables and ours, in one list: sqlx keeps one account of both.
fn migrations() -> Migrator {
    let ours = [(20_261_120_000_001, "runs", include_str!("../../migrations/20261120000001_runs.sql"))].map(
        |(version, name, sql)| Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false),
    );
    let theirs = apalis_sqlite::SqliteStorage::migrations();
    let mut all = Migrator::with_migrations(theirs.iter().cloned().chain(ours).collect());
    // A newer shell may have been here; its additions do not disturb us.
    all.set_ignore_missing(true);
    all
}
