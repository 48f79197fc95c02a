//! Opening: which database, for what, and bringing it up to date.

use std::{sync::Arc, time::Duration};

use sqlx::{Connection, PgConnection, PgPool, Row, postgres::PgPoolOptions};

use super::{
    Inner, PostgresJournal,
    address::Address,
    error,
    migrate::{self, Look, unusable},
    writer::Writer,
};
use crate::{event::JournalId, journal::JournalError};

/// Connections for reading, at most.
const READERS: u32 = 4;

impl PostgresJournal {
    /// Opens the journal in the database that a `postgres:` URL names, and makes it where there is none. The database
    /// itself has to be there.
    ///
    /// A journal that may only be read (a standby, a user without the right to write) opens too; writing to it fails with
    /// [`JournalError::ReadOnly`]. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// `Unusable` when there is no connection or the database is not for us, `TooNew` when a newer version wrote it.
    pub async fn open(url: &str) -> Result<Self, JournalError> {
        let address = Address::parse(url)?;
        let mut connection = connect(&address).await?;
        let id = match migrate::look(&mut connection, &address).await? {
            Look::Current(id) => id,
            Look::Nothing | Look::Old(_) => migrate::migrate(&mut connection, &address).await?,
        };
        Self::around(address, connection, id).await
    }

    /// Opens a journal that is there. Where there is none it makes none: `None` is the answer.
    ///
    /// # Errors
    /// Like [`open`](Self::open).
    pub async fn open_existing(url: &str) -> Result<Option<Self>, JournalError> {
        let address = Address::parse(url)?;
        let mut connection = connect(&address).await?;
        match migrate::look(&mut connection, &address).await? {
            Look::Nothing => Ok(None),
            Look::Current(_) | Look::Old(_) => {
                drop(connection.close().await);
                Self::open(url).await.map(Some)
            }
        }
    }

    async fn around(address: Address, mut connection: PgConnection, id: JournalId) -> Result<Self, JournalError> {
        let address = Arc::new(address);
        let writer = match why_not_writable(&mut connection).await {
            Ok(None) => Ok(Writer::start(Arc::clone(&address), id.clone(), connection)),
            Ok(Some(because)) => Err(JournalError::ReadOnly { path: address.path(), because }),
            Err(error) => return Err(error::translate(&error, &address)),
        };
        let readers = readers(&address);
        Ok(Self(Arc::new(Inner { id, address, writer, readers })))
    }
}

async fn connect(address: &Address) -> Result<PgConnection, JournalError> {
    address.connect().await.map_err(|error| match error::code(&error).as_deref() {
        Some("28000" | "28P01" | "3D000") => error::translate(&error, address),
        _ => unusable(address, error::words(&error)),
    })
}

/// Why nothing can be written, when that is so.
async fn why_not_writable(connection: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    let sql = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on', \
               has_table_privilege('events', 'INSERT') AND has_table_privilege('streams', 'UPDATE')";
    let row = sqlx::query(sql).fetch_one(connection).await?;
    let (is_standby, is_read_only, may_write): (bool, bool, bool) = (row.get(0), row.get(1), row.get(2));
    Ok(if is_standby {
        Some("the server is a standby".to_owned())
    } else if is_read_only {
        Some("its transactions are read-only".to_owned())
    } else if !may_write {
        Some("its user has no right to write".to_owned())
    } else {
        None
    })
}

/// Every list is planned for the values that it asks for. A plan that is kept for any value walks all sessions in order of
/// time to find the fifty of a rare component; compiling a plan takes longer than a page may.
const PLANS: &str = "SET plan_cache_mode = force_custom_plan; SET jit = off";

/// Connections for reading. Each is tried before it is used: one that a restart of the server has cut is replaced.
fn readers(address: &Address) -> PgPool {
    PgPoolOptions::new()
        .max_connections(READERS)
        .min_connections(0)
        .acquire_timeout(Duration::from_secs(5))
        .idle_timeout(Duration::from_secs(60))
        .test_before_acquire(true)
        .after_connect(|connection, _| {
            Box::pin(async move { sqlx::raw_sql(PLANS).execute(connection).await.map(drop) })
        })
        .connect_lazy_with(address.options())
}
