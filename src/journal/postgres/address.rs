//! Where a journal in Postgres lies: the URL, and its name without what must not be shown.
//!
//! The URL is libpq's: `postgres://user:password@host:port/database?sslmode=verify-full&sslrootcert=FILE`. What it leaves
//! out comes from the variables that libpq reads (`PGHOST`, `PGUSER`, `PGPASSWORD`, `PGPASSFILE` …).

use std::{path::PathBuf, str::FromStr, time::Duration};

use sqlx::{ConnectOptions, PgConnection, postgres::PgConnectOptions};

use super::error;
use crate::journal::JournalError;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);

/// Parameters of a URL. What is not known is refused: a misspelt `sslmode` would be a connection in the clear, and a
/// misspelt `password` would be written to the log by whoever ignores it.
const PARAMETERS: [&str; 18] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// Those that name a file: without this, the error of one that is missing would not say which.
const FILES: [&str; 7] = ["sslrootcert", "ssl-root-cert", "ssl-ca", "sslcert", "ssl-cert", "sslkey", "ssl-key"];

/// A database, and what to call it.
#[derive(Clone)]
pub(super) struct Address {
    options: PgConnectOptions,
    /// Without user and password.
    pub name: String,
}

impl Address {
    pub(super) fn parse(url: &str) -> Result<Self, JournalError> {
        // The URL itself is not quoted: it may hold a password.
        let unusable = |because: String| JournalError::Unusable { path: "postgres://…".into(), because };
        let query = url.split_once('?').map_or("", |(_, query)| query);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let key = pair.split('=').next().unwrap_or_default();
            if !PARAMETERS.contains(&key) && !key.starts_with("options[") {
                return Err(unusable(format!("its URL has a parameter `{key}`, which Postgres does not know")));
            }
        }
        for pair in query.split('&') {
            let Some((key, file)) = pair.split_once('=').filter(|(key, _)| FILES.contains(key)) else { continue };
            if let (false, Err(error)) = (file.contains('%'), std::fs::File::open(file)) {
                return Err(unusable(format!("its URL names a file, {key}={file}, that can not be read: {error}")));
            }
        }
        let options = PgConnectOptions::from_str(url)
            .map_err(|error| unusable(format!("its URL is not right: {}", error::words(&error))))?
            .application_name("admin-shell")
            // Their arguments are what people typed.
            .disable_statement_logging();
        let name = name(&options);
        Ok(Self { options, name })
    }

    pub(super) async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        tokio::time::timeout(CONNECT, self.options.connect()).await.unwrap_or_else(|_| Err(error::late(CONNECT)))
    }

    pub(super) fn options(&self) -> PgConnectOptions {
        self.options.clone()
    }

    pub(super) fn path(&self) -> PathBuf {
        PathBuf::from(&self.name)
    }
}

fn name(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    match options.get_socket() {
        Some(socket) => format!("postgres:///{database}?host={}&port={}", socket.display(), options.get_port()),
        None if options.get_host().starts_with('/') => {
            format!("postgres:///{database}?host={}&port={}", options.get_host(), options.get_port())
        }
        None => format!("postgres://{}:{}/{database}", options.get_host(), options.get_port()),
    }
}
