//! What a tracker asks of its journal beside the record: who writes which stream, what happened to sessions since it
//! last looked, sums per day.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    JournalError,
    cells::Cells,
    source::{Source, Statement},
};
use crate::event::{Event, StreamId};

/// Sums over the record that are carried on: everything up to a position is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fold {
    /// Everything up to here is in it.
    pub position: u64,
    /// The sums, as whoever makes them writes them.
    pub body: String,
}

/// Starts and ends of sessions, and what was said about them, after some position.
#[derive(Clone, Debug, Default)]
pub struct Milestones {
    /// In order of position. Those without a body are left out.
    pub events: Vec<(u64, Event)>,
    /// Up to here there are no others.
    pub upto: u64,
}

/// The sums of one day (UTC, of the sessions' starts) and one component. Pruned sessions are in them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Rollup {
    /// Days since 1970.
    pub day: i64,
    /// The component.
    pub component: String,
    /// Sessions that began.
    pub sessions: u64,
    /// Those of them that have ended.
    pub ended: u64,
    /// Those of them whose end was said by others.
    pub inferred: u64,
    /// How long the ended ones were open together, in microseconds.
    pub duration_us: u64,
    /// Commands of the ended ones.
    pub commands: u64,
    /// Those commands that have an outcome.
    pub outcomes: u64,
    /// Those outcomes that are not `ok`.
    pub failed: u64,
    /// Calls of write helpers.
    pub writes: u64,
    /// Calls of destroy helpers.
    pub destroys: u64,
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

pub(super) async fn writers<S: Source>(
    source: &mut S,
    of: &[StreamId],
) -> Result<Vec<(StreamId, String)>, JournalError> {
    if of.is_empty() {
        return Ok(Vec::new());
    }
    let marks = vec!["?"; of.len()].join(",");
    let mut statement = Statement::new(format!("SELECT stream, writer FROM writers WHERE stream IN ({marks})"));
    for stream in of {
        statement = statement.bind(stream.as_str());
    }
    let rows = source.rows(statement).await?;
    let mut writers = Vec::with_capacity(rows.len());
    for row in &rows {
        if let Ok(stream) = row.cell::<&str>(0)?.parse() {
            writers.push((stream, row.cell(1)?));
        }
    }
    Ok(writers)
}

/// The statement that settles who may write streams.
pub(super) fn bind_writers(writers: &[(StreamId, String)]) -> Statement {
    let marks = vec!["(?,?)"; writers.len()].join(",");
    let sql = format!("INSERT INTO writers (stream, writer) VALUES {marks} ON CONFLICT DO NOTHING");
    writers
        .iter()
        .fold(Statement::new(sql), |statement, (stream, writer)| statement.bind(stream.as_str()).bind(writer.as_str()))
}

pub(super) async fn milestones<S: Source>(source: &mut S, after: u64, limit: u32) -> Result<Milestones, JournalError> {
    // First where the journal ends: whatever is committed later may be read too, and is not lost.
    let head = source.rows(Statement::new("SELECT coalesce(max(position), 0) FROM events")).await?;
    let head = head.first().map_or(Ok(0), |row| row.cell::<i64>(0))?;
    let after_position = i64::try_from(after).unwrap_or(i64::MAX);
    let statement = Statement::new(format!(
        "SELECT e.position, e.text FROM events e {} WHERE e.position > ? \
         AND e.type IN ('session_start', 'session_end', 'observation') ORDER BY e.position LIMIT ?",
        S::by_index("events_milestones")
    ));
    let rows = source.rows(statement.bind(after_position).bind(limit)).await?;
    let is_all = rows.len() < limit as usize;
    let (mut events, mut last) = (Vec::with_capacity(rows.len()), after);
    for row in &rows {
        last = count(row.cell(0)?);
        let text: Option<&str> = row.cell(1)?;
        events.extend(text.and_then(|text| Event::parse(text).ok()).map(|event| (last, event)));
    }
    Ok(Milestones { events, upto: if is_all { last.max(count(head)) } else { last } })
}

pub(super) async fn fold<S: Source>(source: &mut S, name: &str) -> Result<Option<Fold>, JournalError> {
    let rows = source.rows(Statement::new("SELECT position, body FROM folds WHERE name = ?").bind(name)).await?;
    rows.first().map(|row| Ok(Fold { position: count(row.cell(0)?), body: row.cell(1)? })).transpose()
}

/// The statement that carries sums on from a position. It touches no row where they stand elsewhere.
pub(super) fn carry_on(name: &str, from: Option<u64>, fold: &Fold) -> Statement {
    let position = |position: u64| i64::try_from(position).unwrap_or(i64::MAX);
    match from {
        None => Statement::new("INSERT INTO folds (name, position, body) VALUES (?,?,?) ON CONFLICT DO NOTHING")
            .bind(name)
            .bind(position(fold.position))
            .bind(fold.body.as_str()),
        Some(from) => Statement::new("UPDATE folds SET position = ?, body = ? WHERE name = ? AND position = ?")
            .bind(position(fold.position))
            .bind(fold.body.as_str())
            .bind(name)
            .bind(position(from)),
    }
}

pub(super) async fn rollups<S: Source>(
    source: &mut S,
    days: std::ops::RangeInclusive<i64>,
    component: Option<&str>,
) -> Result<Vec<Rollup>, JournalError> {
    let mut sql = "SELECT day, component, sessions, ended, inferred, duration_us, commands, outcomes, failed, writes, \
                   destroys FROM rollups WHERE day >= ? AND day <= ?"
        .to_owned();
    if component.is_some() {
        sql.push_str(" AND component = ?");
    }
    sql.push_str(" ORDER BY day, component");
    let mut statement = Statement::new(sql).bind(*days.start()).bind(*days.end());
    if let Some(component) = component {
        statement = statement.bind(component);
    }
    let rows = source.rows(statement).await?;
    let mut rollups = Vec::with_capacity(rows.len());
    for row in &rows {
        let number = |at: usize| row.cell::<i64>(at).map(count);
        rollups.push(Rollup {
            day: row.cell(0)?,
            component: row.cell(1)?,
            sessions: number(2)?,
            ended: number(3)?,
            inferred: number(4)?,
            duration_us: number(5)?,
            commands: number(6)?,
            outcomes: number(7)?,
            failed: number(8)?,
            writes: number(9)?,
            destroys: number(10)?,
        });
    }
    Ok(rollups)
}

/// How long the newest ended sessions of a time were open, in microseconds, with their components.
pub(super) async fn durations<S: Source>(
    source: &mut S,
    after: Timestamp,
    before: Timestamp,
    component: Option<&str>,
    limit: u32,
) -> Result<Vec<(String, u64)>, JournalError> {
    let index = if component.is_some() { "sessions_by_component" } else { "sessions_by_start" };
    let mut sql = format!(
        "SELECT p.component, p.duration_us FROM sessions p {} WHERE p.order_us >= ? AND p.order_us < ? \
         AND p.duration_us IS NOT NULL",
        S::by_index(index)
    );
    if component.is_some() {
        sql.push_str(" AND p.component = ?");
    }
    sql.push_str(" ORDER BY p.order_us DESC, p.session_id DESC LIMIT ?");
    let mut statement = Statement::new(sql).bind(after.as_microsecond()).bind(before.as_microsecond());
    if let Some(component) = component {
        statement = statement.bind(component);
    }
    let rows = source.rows(statement.bind(limit)).await?;
    rows.iter().map(|row| Ok((row.cell(0)?, count(row.cell(1)?)))).collect()
}
