//! Reading single things: a session by its id, events, observations, commands.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

use super::{
    SqliteJournal,
    column::Cells,
    record,
    rows::{hash, uuid},
    script::Script,
};
use crate::{
    event::{Event, SessionId, StreamId},
    journal::{CommandFilter, CommandRecord, Entry, Found, JournalError, SessionRecord},
};

/// Most commands in one answer when nobody says how many.
const COMMANDS: u32 = 1_000;

impl SqliteJournal {
    /// Runs one statement on a connection for reading.
    pub(super) async fn rows(&self, script: Script) -> Result<Vec<SqliteRow>, JournalError> {
        let mut reader = self.reader().await?;
        let answers = script.run(reader.connection()).await.map_err(|stopped| self.translate(&stopped.error))?;
        Ok(answers.into_iter().flatten().collect())
    }
}

pub(super) async fn find(journal: &SqliteJournal, prefix: &str) -> Result<Found, JournalError> {
    // An id is 31 characters of a small alphabet; whatever else was asked for names nothing.
    if prefix.is_empty() || prefix.len() > 64 || !prefix.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Ok(Found::None);
    }
    let mut script = Script::default();
    script.add(&format!(
        "SELECT {} FROM sessions p {} WHERE p.session_id >= ? AND p.session_id < ? ORDER BY p.session_id LIMIT 10",
        record::COLUMNS,
        record::JOINS
    ));
    script.bind(prefix).bind(format!("{prefix}~"));
    let rows = journal.rows(script).await?;
    let now_us = Timestamp::now().as_microsecond();
    let names = rows.iter().map(|row| row.cell::<&str>(0)).collect::<Result<Vec<_>, _>>()?;
    let exact = names.iter().position(|name| *name == prefix).map(|at| &rows[at]);
    match (exact, rows.as_slice()) {
        (Some(row), _) | (None, [row]) => Ok(Found::One(Box::new(record::session(row, now_us)?))),
        (None, []) => Ok(Found::None),
        (None, _) => Ok(Found::Many(names.iter().filter_map(|name| name.parse().ok()).collect())),
    }
}

pub(super) async fn events(
    journal: &SqliteJournal,
    stream: &StreamId,
    from: u64,
    limit: u32,
) -> Result<Vec<Entry>, JournalError> {
    let mut script = Script::default();
    script.add(
        "SELECT e.text, e.seq, e.event_id, e.type, e.time_us, e.hash FROM streams s JOIN events e ON e.stream = s.id \
         WHERE s.name = ? AND e.seq >= ? ORDER BY e.seq LIMIT ?",
    );
    script.bind(stream.as_str()).bind(i64::try_from(from).unwrap_or(i64::MAX)).bind(limit);
    journal.rows(script).await?.iter().map(|row| entry(stream, row)).collect()
}

fn entry(stream: &StreamId, row: &SqliteRow) -> Result<Entry, JournalError> {
    let seq: i64 = row.cell(1)?;
    match row.cell::<Option<&str>>(0)? {
        Some(text) => Event::parse(text)
            .map(Entry::Whole)
            .map_err(|error| JournalError::Damaged(format!("event {seq} of {stream}: {error}"))),
        None => Ok(Entry::Pruned {
            seq: record::count(seq),
            event_id: uuid(row, 2)?,
            event_type: row.cell(3)?,
            timestamp: record::timestamp(row.cell(4)?),
            hash: hash(row, 5)?,
        }),
    }
}

pub(super) async fn observations(journal: &SqliteJournal, about: &SessionId) -> Result<Vec<Event>, JournalError> {
    let mut script = Script::default();
    script.add(
        "SELECT e.text FROM observations o JOIN events e ON e.position = o.position \
         WHERE o.about = ? AND e.text IS NOT NULL ORDER BY o.position",
    );
    script.bind(about.as_str());
    let parse = |row: &SqliteRow| {
        Event::parse(row.cell(0)?)
            .map_err(|error| JournalError::Damaged(format!("an observation about {about}: {error}")))
    };
    journal.rows(script).await?.iter().map(parse).collect()
}

pub(super) async fn commands(
    journal: &SqliteJournal,
    filter: &CommandFilter,
) -> Result<Vec<CommandRecord>, JournalError> {
    let mut script = Script::default();
    let from = match &filter.session {
        // By way of the session's events, which saves the commands an index of their own.
        Some(_) => {
            "streams s JOIN sessions p ON p.stream = s.id CROSS JOIN events e ON e.stream = s.id \
             CROSS JOIN commands c ON c.position = e.position WHERE s.name = ?"
        }
        None => "commands c CROSS JOIN sessions p ON p.stream = c.stream WHERE 1",
    };
    let mut sql = format!(
        "SELECT p.session_id, p.component, c.command, c.start_us, c.input, c.status, c.duration_us, c.error FROM {from}"
    );
    for (is_asked, condition) in [
        (filter.component.is_some(), " AND p.component = ?"),
        (filter.after.is_some(), " AND c.start_us >= ?"),
        (filter.failed, " AND c.status IS NOT NULL AND c.status <> 'ok'"),
    ] {
        if is_asked {
            sql.push_str(condition);
        }
    }
    sql.push_str(" ORDER BY c.position DESC LIMIT ?");
    script.add(&sql);
    if let Some(session) = &filter.session {
        script.bind(session.as_str());
    }
    if let Some(component) = &filter.component {
        script.bind(component.as_str());
    }
    if let Some(after) = filter.after {
        script.bind(after.as_microsecond());
    }
    script.bind(if filter.limit == 0 { COMMANDS } else { filter.limit });
    journal.rows(script).await?.iter().map(command).collect()
}

fn command(row: &SqliteRow) -> Result<CommandRecord, JournalError> {
    let id: &str = row.cell(0)?;
    Ok(CommandRecord {
        session_id: id.parse().map_err(|_| JournalError::Damaged(format!("`{id}` is no session's id")))?,
        component_name: row.cell(1)?,
        command: record::count(row.cell(2)?),
        start_time: record::timestamp(row.cell(3)?),
        input: row.cell(4)?,
        status: row.cell::<Option<String>>(5)?.unwrap_or_else(|| "unknown".to_owned()),
        duration_us: row.cell::<Option<i64>>(6)?.map(record::count),
        error: row.cell(7)?,
    })
}

pub(super) async fn open_sessions(journal: &SqliteJournal) -> Result<Vec<SessionRecord>, JournalError> {
    let mut script = Script::default();
    script.add(&format!(
        "SELECT {} FROM sessions p INDEXED BY sessions_by_status {} WHERE p.status = 'open' \
         ORDER BY p.order_us DESC, p.session_id DESC",
        record::COLUMNS,
        record::JOINS
    ));
    let now_us = Timestamp::now().as_microsecond();
    journal.rows(script).await?.iter().map(|row| record::session(row, now_us)).collect()
}
