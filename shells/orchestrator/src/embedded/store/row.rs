//! From rows to records.

use jiff::Timestamp;
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};
use supervisor::Identity;

use crate::{
    engine::{EngineError, error::Doing},
    run::{Run, RunId, Status, seconds},
};

use super::Held;

const READING: &str = "reading a run";

/// The run with this id.
pub(super) async fn one(connection: &mut SqliteConnection, id: &RunId) -> Result<Run, EngineError> {
    let row = sqlx::query("SELECT * FROM runs WHERE id = ?1")
        .bind(id.as_str())
        .fetch_optional(connection)
        .await
        .doing(READING)?;
    let row = row.ok_or_else(|| EngineError::Unknown { given: id.to_string(), nearest: None })?;
    run(&row, Timestamp::now())
}

/// A row as a record at a moment.
pub(super) fn run(row: &SqliteRow, now: Timestamp) -> Result<Run, EngineError> {
    let status: Status = text(row, "status")?.parse().doing(READING)?;
    let (started, finished) = (time(row, "started")?, time(row, "finished")?);
    let until = if status == Status::Running { Some(now) } else { finished };
    let duration_seconds = started.zip(until).map(|(from, to)| seconds(to.duration_since(from)));
    let timeout_ms: Option<i64> = row.try_get("timeout_ms").doing(READING)?;
    Ok(Run {
        id: text(row, "id")?.parse().doing(READING)?,
        name: text(row, "name")?,
        status,
        attempts: row.try_get("attempts").doing(READING)?,
        created: time(row, "created")?.unwrap_or_default(),
        started,
        finished,
        duration_seconds,
        exit_code: row.try_get("exit_code").doing(READING)?,
        signal: row.try_get("signal").doing(READING)?,
        error: row.try_get("error").doing(READING)?,
        program: text(row, "program")?,
        args: serde_json::from_str(&text(row, "args")?).doing(READING)?,
        cwd: text(row, "cwd")?,
        timeout_seconds: timeout_ms.map(|limit| limit as f64 / 1000.0),
        max_attempts: row.try_get("allowance").doing(READING)?,
        next_attempt: time(row, "next_attempt")?,
        pid: row.try_get("pid").doing(READING)?,
        last_line: row.try_get("last_line").doing(READING)?,
    })
}

/// A row as what a worker holds.
pub(super) fn held(row: &SqliteRow) -> Result<Held, EngineError> {
    let pid: Option<i32> = row.try_get("pid").doing(READING)?;
    let (began, home) = (row.try_get("pid_began").doing(READING)?, row.try_get("pid_home").doing(READING)?);
    Ok(Held {
        id: text(row, "id")?.parse().doing(READING)?,
        attempt: row.try_get("attempts").doing(READING)?,
        process: pid.map(|pid| Identity { pid, began, home }),
    })
}

fn text(row: &SqliteRow, column: &str) -> Result<String, EngineError> {
    row.try_get(column).doing(READING)
}

fn time(row: &SqliteRow, column: &str) -> Result<Option<Timestamp>, EngineError> {
    let microseconds: Option<i64> = row.try_get(column).doing(READING)?;
    microseconds.map(|at| Timestamp::from_microsecond(at).doing(READING)).transpose()
}
