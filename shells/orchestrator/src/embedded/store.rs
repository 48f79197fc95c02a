//! The runs in the file: every statement over them, each change in one transaction that holds the write lock from its start.
//!
//! A deferred transaction that reads and then writes fails at once when another shell commits in between, so changes begin
//! with `BEGIN IMMEDIATE`. Who may do what is in the `WHERE` clauses: a run is claimed only while nobody owns it, and
//! ended only by its owner in the same attempt.

mod change;
mod output;
mod row;

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Row, Sqlite, SqliteConnection, SqlitePool, Transaction};
use supervisor::Identity;

use crate::{
    engine::{EngineError, GoneWrong, Wanted, error::Doing},
    run::{Run, RunId, Status, Submission},
};

use super::{queue::Ticket, verdict::Waits};

pub(crate) use change::Cancelled;
pub(crate) use output::Piece;

/// How many runs an ambiguous id is explained with.
const CANDIDATES: u32 = 5;

/// The runs in the file. A cheap clone.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pool: SqlitePool,
    waits: Waits,
}

/// Where each run stands, and how often it was started: in the order of submission.
pub(crate) type Picture = BTreeMap<RunId, (Status, u32)>;

/// A run that a worker owns, and what is known of its process.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) id: RunId,
    pub(crate) attempt: u32,
    pub(crate) process: Option<Identity>,
}

impl Store {
    pub(crate) fn new(pool: SqlitePool, waits: Waits) -> Self {
        Self { pool, waits }
    }

    pub(crate) fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    async fn write(&self) -> Result<Transaction<'static, Sqlite>, EngineError> {
        self.pool.begin_with("BEGIN IMMEDIATE").await.doing("beginning a change")
    }

    /// Queues a new run.
    pub(crate) async fn submit(&self, submission: &Submission, cwd: &str) -> Result<Run, EngineError> {
        let (id, now) = (RunId::new(), Timestamp::now());
        let mut change = self.write().await?;
        sqlx::query(
            "INSERT INTO runs (id, name, program, args, cwd, timeout_ms, budget, allowance, status, created)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, 'queued', ?8)",
        )
        .bind(id.as_str())
        .bind(&submission.name)
        .bind(&submission.program)
        .bind(serde_json::to_string(&submission.args).doing("writing the arguments")?)
        .bind(cwd)
        .bind(submission.timeout.map(|limit| i64::try_from(limit.as_millis()).unwrap_or(i64::MAX)))
        .bind(submission.attempts)
        .bind(now.as_microsecond())
        .execute(&mut *change)
        .await
        .doing("storing a run")?;
        Ticket { run: id.clone(), number: 0 }.push(&mut change, now).await?;
        let run = row::one(&mut change, &id).await?;
        change.commit().await.doing("storing a run")?;
        Ok(run)
    }

    /// The runs that are wanted, newest first; failures by when they happened.
    pub(crate) async fn runs(&self, wanted: Wanted) -> Result<Vec<Run>, EngineError> {
        let statuses = wanted.statuses.iter().map(|status| format!("'{status}'")).collect::<Vec<_>>().join(", ");
        let only = if statuses.is_empty() { String::new() } else { format!("WHERE status IN ({statuses})") };
        let order = match wanted.gone_wrong {
            GoneWrong::Only => "finished DESC, id DESC",
            GoneWrong::Any => "id DESC",
        };
        // Made of our own words only: statuses are an enum.
        let query = AssertSqlSafe(format!("SELECT * FROM runs {only} ORDER BY {order} LIMIT ?1"));
        let rows = sqlx::query(query).bind(wanted.limit).fetch_all(&self.pool).await.doing("listing runs")?;
        rows.iter().map(|row| row::run(row, Timestamp::now())).collect()
    }

    /// The run whose id this is, or begins.
    pub(crate) async fn find(&self, given: &str) -> Result<Run, EngineError> {
        let wanted = given.trim();
        if wanted.is_empty() || !wanted.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err(self.unknown(given).await);
        }
        let from = if wanted.starts_with("run_") || "run_".starts_with(wanted) {
            wanted.to_owned()
        } else {
            format!("run_{wanted}")
        };
        // `{` comes after every character of an id.
        let rows = sqlx::query("SELECT * FROM runs WHERE id >= ?1 AND id < ?1 || '{' ORDER BY id DESC LIMIT ?2")
            .bind(&from)
            .bind(CANDIDATES)
            .fetch_all(&self.pool)
            .await
            .doing("looking for a run")?;
        let mut found: Vec<Run> = rows.iter().map(|row| row::run(row, Timestamp::now())).collect::<Result<_, _>>()?;
        match found.len() {
            0 => Err(self.unknown(given).await),
            1 => Ok(found.remove(0)),
            _ => Err(EngineError::Ambiguous {
                given: given.to_owned(),
                candidates: found.into_iter().map(|run| run.id).collect(),
            }),
        }
    }

    /// What to say of an id that no run has: people give a run's name as well, and mistype both.
    async fn unknown(&self, given: &str) -> EngineError {
        let latest = sqlx::query_as::<_, (String, String)>("SELECT id, name FROM runs ORDER BY id DESC LIMIT 1000");
        // A hint only: without it the error is as true.
        let latest = latest.fetch_all(&self.pool).await.unwrap_or_default();
        let wanted = given.trim().to_lowercase();
        let most = (wanted.chars().count() / 3).min(4);
        let distance = |text: &str| strsim::damerau_levenshtein(&wanted, &text.to_lowercase());
        let near = latest.iter().map(|(id, name)| (distance(id).min(distance(name)), id, name));
        // Of equal ones the first, which is the latest run.
        let nearest = near.filter(|(distance, ..)| *distance <= most).min_by_key(|(distance, ..)| *distance);
        EngineError::Unknown {
            given: given.to_owned(),
            nearest: nearest.map(|(_, id, name)| format!("{id} (`{name}`)")),
        }
    }

    /// One run as it is now.
    pub(crate) async fn get(&self, id: &RunId) -> Result<Run, EngineError> {
        let mut connection = self.pool.acquire().await.doing("reading a run")?;
        row::one(&mut connection, id).await
    }

    /// Where all runs stand.
    pub(crate) async fn picture(&self) -> Result<Picture, EngineError> {
        const READING: &str = "looking over the runs";
        let rows = sqlx::query("SELECT id, status, attempts FROM runs").fetch_all(&self.pool).await.doing(READING)?;
        let standing = rows.iter().map(|row| {
            let id = row.try_get::<String, _>("id").doing(READING)?.parse().doing(READING)?;
            let status = row.try_get::<String, _>("status").doing(READING)?.parse().doing(READING)?;
            Ok((id, (status, row.try_get("attempts").doing(READING)?)))
        });
        standing.collect()
    }

    /// Every worker that owns a run.
    pub(crate) async fn owners(&self) -> Result<Vec<String>, EngineError> {
        sqlx::query_scalar("SELECT DISTINCT owner FROM runs WHERE owner IS NOT NULL")
            .fetch_all(&self.pool)
            .await
            .doing("looking for workers")
    }

    /// The worker that owns a run now.
    pub(crate) async fn owner(&self, id: &RunId) -> Result<Option<String>, EngineError> {
        let owner: Option<Option<String>> = sqlx::query_scalar("SELECT owner FROM runs WHERE id = ?1")
            .bind(id.as_str())
            .fetch_optional(&self.pool)
            .await
            .doing("looking for a run's worker")?;
        Ok(owner.flatten())
    }

    /// What a worker owns.
    pub(crate) async fn held_by(&self, owner: &str) -> Result<Vec<Held>, EngineError> {
        let rows = sqlx::query("SELECT id, attempts, pid, pid_began, pid_home FROM runs WHERE owner = ?1")
            .bind(owner)
            .fetch_all(&self.pool)
            .await
            .doing("looking for a worker's runs")?;
        rows.iter().map(row::held).collect()
    }

    /// Which of a worker's runs somebody wants stopped.
    pub(crate) async fn unwanted(&self, owner: &str) -> Result<Vec<RunId>, EngineError> {
        let rows = sqlx::query("SELECT id FROM runs WHERE owner = ?1 AND cancel = 1")
            .bind(owner)
            .fetch_all(&self.pool)
            .await
            .doing("looking for cancelled runs")?;
        rows.iter()
            .map(|row| row.try_get::<String, _>("id").doing("reading a run")?.parse().doing("reading a run"))
            .collect()
    }
}

/// Makes a run wait for a worker: a new ticket, and the older ones are void.
async fn requeue(change: &mut SqliteConnection, id: &RunId, at: Timestamp) -> Result<(), EngineError> {
    let number: i64 = sqlx::query_scalar("UPDATE runs SET ticket = ticket + 1 WHERE id = ?1 RETURNING ticket")
        .bind(id.as_str())
        .fetch_one(&mut *change)
        .await
        .doing("queueing a run")?;
    Ticket { run: id.clone(), number }.push(change, at).await
}
