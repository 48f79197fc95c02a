//! Reading single things: a session by its id, events, observations, commands.

use jiff::Timestamp;

use super::{
    CommandFilter, CommandRecord, Entry, Found, JournalError, SessionRecord,
    cells::Cells,
    shown,
    source::{Source, Statement},
};
use crate::event::{Event, SessionId, StreamId};

/// Most commands in one answer when nobody says how many.
const COMMANDS: u32 = 1_000;

pub(super) async fn find<S: Source>(source: &mut S, prefix: &str) -> Result<Found, JournalError> {
    // An id is 31 characters of a small alphabet; whatever else was asked for names nothing.
    if prefix.is_empty() || prefix.len() > 64 || !prefix.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Ok(Found::None);
    }
    let statement = Statement::new(format!(
        "SELECT {} FROM sessions p {} WHERE p.session_id >= ? AND p.session_id < ? ORDER BY p.session_id LIMIT 10",
        shown::COLUMNS,
        shown::JOINS
    ));
    let rows = source.rows(statement.bind(prefix).bind(format!("{prefix}~"))).await?;
    let now_us = Timestamp::now().as_microsecond();
    let names = rows.iter().map(|row| row.cell::<&str>(0)).collect::<Result<Vec<_>, _>>()?;
    let exact = names.iter().position(|name| *name == prefix).map(|at| &rows[at]);
    match (exact, rows.as_slice()) {
        (Some(row), _) | (None, [row]) => Ok(Found::One(Box::new(shown::session(row, now_us)?))),
        (None, []) => Ok(Found::None),
        (None, _) => Ok(Found::Many(names.iter().filter_map(|name| name.parse().ok()).collect())),
    }
}

pub(super) async fn events<S: Source>(
    source: &mut S,
    stream: &StreamId,
    from: u64,
    limit: u32,
) -> Result<Vec<Entry>, JournalError> {
    let statement = Statement::new(format!(
        "SELECT {} FROM streams s JOIN events e ON e.stream = s.id WHERE s.name = ? AND e.seq >= ? \
         ORDER BY e.seq LIMIT ?",
        shown::ENTRY_COLUMNS
    ));
    let statement = statement.bind(stream.as_str()).bind(i64::try_from(from).unwrap_or(i64::MAX)).bind(limit);
    source.rows(statement).await?.iter().map(|row| shown::entry(stream, row)).collect()
}

pub(super) async fn observations<S: Source>(source: &mut S, about: &SessionId) -> Result<Vec<Event>, JournalError> {
    let statement = Statement::new(
        "SELECT e.text FROM observations o JOIN events e ON e.position = o.position \
         WHERE o.about = ? AND e.text IS NOT NULL ORDER BY o.position",
    );
    let parse = |row: &S::Row| {
        Event::parse(row.cell(0)?)
            .map_err(|error| JournalError::Damaged(format!("an observation about {about}: {error}")))
    };
    source.rows(statement.bind(about.as_str())).await?.iter().map(parse).collect()
}

pub(super) async fn commands<S: Source>(
    source: &mut S,
    filter: &CommandFilter,
) -> Result<Vec<CommandRecord>, JournalError> {
    let join = S::JOIN_IN_ORDER;
    let from = match &filter.session {
        // By way of the session's events, which saves the commands an index of their own.
        Some(_) => format!(
            "streams s JOIN sessions p ON p.stream = s.id {join} events e ON e.stream = s.id \
             {join} commands c ON c.position = e.position WHERE s.name = ?"
        ),
        None => format!("commands c {join} sessions p ON p.stream = c.stream WHERE 1 = 1"),
    };
    let mut sql = format!("SELECT {} FROM {from}", shown::COMMAND_COLUMNS);
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
    let mut statement = Statement::new(sql);
    if let Some(session) = &filter.session {
        statement = statement.bind(session.as_str());
    }
    if let Some(component) = &filter.component {
        statement = statement.bind(component.as_str());
    }
    if let Some(after) = filter.after {
        statement = statement.bind(after.as_microsecond());
    }
    let statement = statement.bind(if filter.limit == 0 { COMMANDS } else { filter.limit });
    source.rows(statement).await?.iter().map(shown::command).collect()
}

pub(super) async fn open_sessions<S: Source>(source: &mut S) -> Result<Vec<SessionRecord>, JournalError> {
    let statement = Statement::new(format!(
        "SELECT {} FROM sessions p {} {} WHERE p.status = 'open' ORDER BY p.order_us DESC, p.session_id DESC",
        shown::COLUMNS,
        S::by_index("sessions_by_status"),
        shown::JOINS
    ));
    let now_us = Timestamp::now().as_microsecond();
    source.rows(statement).await?.iter().map(|row| shown::session(row, now_us)).collect()
}
