//! Opening: which file, for what, and bringing it up to date.

use std::{sync::Arc, time::Duration};

use sqlx::{
    ConnectOptions, Executor, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous},
};

use super::{
    Inner, Readers, SqliteJournal, archive,
    error::{BUSY_DEADLINE, translate},
    ledger::Ledger,
    migrate::{self, Look},
    site::{Access, Site},
    writer::Writer,
};
use crate::{event::JournalId, journal::JournalError};

/// Connections for reading, at most.
const READERS: u32 = 4;

impl SqliteJournal {
    /// Opens the journal at a path or a `sqlite:` URL, and makes it where there is none.
    ///
    /// A journal that may only be read (another user's, a read-only file or directory) opens too; writing to it fails
    /// with [`JournalError::ReadOnly`]. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// `Unusable` for a network file system or a path that is no file, `TooNew` when a newer version wrote it.
    pub async fn open(url_or_path: &str) -> Result<Self, JournalError> {
        if matches!(url_or_path, ":memory:" | "sqlite::memory:") {
            return Self::in_memory().await;
        }
        let site = Site::new(url_or_path)?;
        if crate::journal::archive::is_archive(&site.path) {
            return archived(site).await;
        }
        site.check_file_system()?;
        match site.access()? {
            Access::Read(because) => read_only(site, because).await,
            Access::Write => {
                site.make_directory()?;
                writable(site).await
            }
        }
    }

    /// Opens a journal for reading. Where there is none it makes none: `None` is the answer.
    ///
    /// # Errors
    /// Like [`open`](Self::open).
    pub async fn open_existing(url_or_path: &str) -> Result<Option<Self>, JournalError> {
        let site = Site::new(url_or_path)?;
        match std::fs::metadata(&site.path) {
            Ok(metadata) if metadata.is_file() && metadata.len() == 0 => {
                if site.is_being_made() {
                    return Ok(None);
                }
                // Asked again: whoever was making it may just have finished.
                if std::fs::metadata(&site.path).is_ok_and(|metadata| metadata.len() == 0) {
                    return Err(site.unusable("it is an empty file: a shell that is opened with it makes it a journal"));
                }
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(site.unusable(error.to_string())),
        }
        match Self::open(url_or_path).await {
            // Opening for writing wants room beside the file; reading does not.
            Err(JournalError::Full) => read_only(site, "the disk that holds it is full".to_owned()).await.map(Some),
            opened => opened.map(Some),
        }
    }

    /// A journal in memory, for tests and for reading archives.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub async fn in_memory() -> Result<Self, JournalError> {
        let name = ":memory:";
        let path = std::path::Path::new(name);
        let options = common(SqliteConnectOptions::new().in_memory(true));
        let mut connection = options.connect().await.map_err(|error| translate(&error, path))?;
        migrate::migrate(&mut connection, 0, path).await?;
        let Look::Current(id) = migrate::look(&mut connection, path).await? else {
            return Err(JournalError::Damaged("the schema was not made".to_owned()));
        };
        let writer = Arc::new(Writer::new(None, options, id.clone(), connection));
        let readers = Readers::Writer(Arc::clone(&writer));
        Ok(Self(Arc::new(Inner {
            id,
            site: None,
            name: name.to_owned(),
            is_archive: false,
            writer: Ok(writer),
            readers,
            ledger: Ledger::default(),
        })))
    }
}

/// What every connection has. Statements are not logged: their arguments are what people typed.
fn common(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options
        .foreign_keys(false)
        .busy_timeout(BUSY_DEADLINE)
        .pragma("temp_store", "memory")
        .disable_statement_logging()
        .thread_name(|id| format!("journal-{id}"))
}

async fn writable(site: Site) -> Result<SqliteJournal, JournalError> {
    let options = common(SqliteConnectOptions::new().filename(&site.path))
        .synchronous(SqliteSynchronous::Full)
        // Checkpoints are made behind the commits; this is the backstop.
        .pragma("wal_autocheckpoint", "16000")
        .pragma("journal_size_limit", "67108864");
    let current = match first_look(&options, &site).await? {
        Some(current) => current,
        None => make(&options, &site).await?,
    };
    let (connection, id) = current;
    let writer = Arc::new(Writer::new(Some(site.clone()), options, id.clone(), connection));
    let readers = pool(common(SqliteConnectOptions::new().filename(&site.path)).pragma("query_only", "on"));
    let name = site.path.display().to_string();
    let writer = Ok(writer);
    let ledger = Ledger::default();
    Ok(SqliteJournal(Arc::new(Inner { id, site: Some(site), name, is_archive: false, writer, readers, ledger })))
}

/// Opens the file without a lock when it is up to date, which it is but once in its life. `None` when it wants making.
async fn first_look(
    options: &SqliteConnectOptions,
    site: &Site,
) -> Result<Option<(SqliteConnection, JournalId)>, JournalError> {
    if !std::fs::metadata(&site.path).is_ok_and(|metadata| metadata.len() > 0) {
        return Ok(None);
    }
    let Ok(mut connection) = options.connect().await else { return Ok(None) };
    match migrate::look(&mut connection, &site.path).await {
        Ok(Look::Current(id)) => Ok(Some((connection, id))),
        Ok(Look::Old(_)) | Err(JournalError::Busy { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes or migrates the file under the lock; whoever waited for it finds the work done.
async fn make(options: &SqliteConnectOptions, site: &Site) -> Result<(SqliteConnection, JournalId), JournalError> {
    let lock = site.lock().await?;
    site.make_file()?;
    let translate = |error: sqlx::Error| translate(&error, &site.path);
    let mut connection = options.connect().await.map_err(translate)?;
    let mut look = migrate::look(&mut connection, &site.path).await?;
    if let Look::Old(found) = look {
        connection.execute("PRAGMA journal_mode = WAL").await.map_err(translate)?;
        migrate::migrate(&mut connection, found, &site.path).await?;
        look = migrate::look(&mut connection, &site.path).await?;
    }
    drop(lock);
    match look {
        Look::Current(id) => Ok((connection, id)),
        Look::Old(_) => Err(JournalError::Damaged("the schema was not made".to_owned())),
    }
}

/// Opens for reading. WAL wants shared memory beside the file: where that can not be made, and nothing waits in a WAL,
/// the file is read as one that does not change.
async fn read_only(site: Site, because: String) -> Result<SqliteJournal, JournalError> {
    if !site.path.exists() {
        return Err(JournalError::ReadOnly { path: site.path.clone(), because });
    }
    let options = common(SqliteConnectOptions::new().filename(&site.path)).read_only(true);
    let nothing_waits = std::fs::metadata(site.beside("-wal")).map_or(true, |wal| wal.len() == 0);
    let mut tried = Err(JournalError::Damaged(String::new()));
    for options in [options.clone().immutable(nothing_waits), options] {
        tried = look_once(&options, &site).await.map(|id| (id, options));
        if tried.is_ok() {
            break;
        }
    }
    let (id, options) = match tried {
        Err(JournalError::Unusable { .. }) if !nothing_waits => {
            return Err(site.unusable(
                "its last events are in journal.db-wal beside it, which can not be read where nothing can be written; \
                 copy both files to a directory of your own and name the copy with --database",
            ));
        }
        tried => tried?,
    };
    let name = site.path.display().to_string();
    let refused = JournalError::ReadOnly { path: site.path.clone(), because };
    Ok(SqliteJournal(Arc::new(Inner {
        id,
        site: Some(site),
        name,
        is_archive: false,
        writer: Err(refused),
        readers: pool(options),
        ledger: Ledger::default(),
    })))
}

/// Opens an archive: a copy of it in memory, for reading only.
async fn archived(site: Site) -> Result<SqliteJournal, JournalError> {
    let loaded = archive::read(&site.path).await?;
    let writer = Arc::clone(loaded.writer()?);
    let because = "it is an archive".to_owned();
    Ok(SqliteJournal(Arc::new(Inner {
        id: loaded.id().clone(),
        name: site.path.display().to_string(),
        is_archive: true,
        writer: Err(JournalError::ReadOnly { path: site.path.clone(), because }),
        site: Some(site),
        readers: Readers::Writer(writer),
        ledger: Ledger::default(),
    })))
}

async fn look_once(options: &SqliteConnectOptions, site: &Site) -> Result<JournalId, JournalError> {
    let mut connection = options.connect().await.map_err(|error| translate(&error, &site.path))?;
    match migrate::look(&mut connection, &site.path).await? {
        Look::Current(id) => Ok(id),
        Look::Old(0) => Err(site.unusable("it is not a journal")),
        Look::Old(_) => Err(site.unusable("its schema is old, and it can not be brought up to date without writing")),
    }
}

fn pool(options: SqliteConnectOptions) -> Readers {
    let pool = SqlitePoolOptions::new()
        .max_connections(READERS)
        .min_connections(0)
        .acquire_timeout(Duration::from_secs(30))
        .max_lifetime(None)
        .idle_timeout(None)
        .test_before_acquire(false);
    Readers::Pool(pool.connect_lazy_with(options))
}
