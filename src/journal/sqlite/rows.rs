//! The tables' rows: how they are written, and the statements that read them. No rule lives here.

use uuid::Uuid;

use super::script::{Script, Shape};
pub(super) use crate::journal::{
    cells::hash,
    loaded::{Differences, EventRow, Loaded, add_difference, known, loaded},
};
use crate::{
    event::Observation,
    journal::{
        Parcel,
        loaded::{Gathered, SELECT_KNOWN, SELECT_STREAMS, Waiting, gather},
        projection::{Change, Facts, Picture, Totals, duration_class},
        replay::Command,
    },
};

/// Streams ever opened, the last position and its link.
pub(super) const SELECT_HEAD: &str = "SELECT j.streams, e.position, e.link FROM journal j \
     LEFT JOIN (SELECT position, link FROM events ORDER BY position DESC LIMIT 1) e";

pub(super) fn select_streams(script: &mut Script, names: &[&str]) {
    for names in names.chunks(128) {
        let places = places(names.len());
        script.add(&format!("{SELECT_STREAMS} WHERE s.name IN ({})", marks(places)));
        for at in 0..places {
            script.bind(names.get(at).copied());
        }
    }
}

pub(super) const SAID_COLUMNS: usize = 3;

/// What was said about sessions that are not there yet.
pub(super) fn select_said(script: &mut Script, names: &[&str]) {
    for names in names.chunks(128) {
        let places = places(names.len());
        script.add(&format!(
            "SELECT about, what, time_us FROM observations WHERE about IN ({}) ORDER BY position",
            marks(places)
        ));
        for at in 0..places {
            script.bind(names.get(at).copied());
        }
    }
}

pub(super) const KNOWN_COLUMNS: usize = 4;

pub(super) fn select_known(script: &mut Script, ids: &[Uuid]) {
    for ids in ids.chunks(512) {
        let places = places(ids.len());
        script.add(&format!("{SELECT_KNOWN} WHERE event_id IN ({})", marks(places)));
        for at in 0..places {
            script.bind(ids.get(at).map(|id| id.as_bytes().as_slice()));
        }
    }
}

/// The next chunk of some rows, of few different lengths so that its statement is found in the cache.
fn chunk<'r, T>(shape: Shape, rows: &mut &'r [T]) -> &'r [T] {
    let length = match shape {
        Shape::One => 1,
        Shape::Many => [16, 8, 4, 2, 1].into_iter().find(|length| *length <= rows.len()).unwrap_or(1),
    };
    let (chunk, rest) = rows.split_at(length.min(rows.len()));
    *rows = rest;
    chunk
}

pub(super) fn insert_events(scripts: &mut Vec<Script>, shape: Shape, rows: &[EventRow], now_us: i64) {
    const SQL: &str = "INSERT INTO events (position, event_id, stream, seq, type, time_us, recorded_us, hash, link, text, residue) \
         VALUES ";
    let mut rest = rows;
    while !rest.is_empty() {
        let rows = chunk(shape, &mut rest);
        shape.begin(scripts);
        let script = shape.last(scripts);
        script.add(&format!("{SQL}{}", vec!["(?,?,?,?,?,?,?,?,?,?,?)"; rows.len()].join(",")));
        for EventRow { position, stream, link, parcel: event } in rows {
            let seq = i64::try_from(event.seq()).unwrap_or(i64::MAX);
            script.bind(position).bind(event.event_id().as_bytes().as_slice()).bind(stream).bind(seq);
            script.bind(event.kind().as_str()).bind(event.timestamp().as_microsecond()).bind(now_us);
            script.bind(event.hash().as_bytes().as_slice()).bind(link.as_bytes().as_slice()).bind(event.text());
            script.bind(match event {
                Parcel::Whole(_) => None,
                Parcel::Stub(stub) => Some(stub.residue().to_string()),
            });
        }
    }
}

/// Writes changes of commands.
pub(super) fn write_changes(scripts: &mut Vec<Script>, shape: Shape, changes: Vec<Waiting>) {
    let Gathered { started, finished } = gather(changes);
    let mut rest = started.as_slice();
    while !rest.is_empty() {
        let rows = chunk(shape, &mut rest);
        shape.begin(scripts);
        insert_commands(shape.last(scripts), rows);
    }
    for (position, stream, change) in finished {
        shape.begin(scripts);
        finish_command(shape.last(scripts), position, stream, change);
    }
}

/// Inserts commands of streams.
pub(super) fn insert_commands(script: &mut Script, rows: &[(i64, Command)]) {
    const SQL: &str =
        "INSERT INTO commands (position, stream, command, start_us, input, status, duration_us, error) VALUES ";
    script.add(&format!("{SQL}{}", vec!["(?,?,?,?,?,?,?,?)"; rows.len()].join(",")));
    for (stream, row) in rows {
        script.bind(row.position).bind(stream).bind(row.command).bind(row.start_us).bind(row.input.as_deref());
        script.bind(row.status.as_deref()).bind(row.duration_us).bind(row.error.as_deref());
    }
}

fn finish_command(script: &mut Script, position: i64, stream: i64, change: Change) {
    const SQL: &str = "UPDATE commands SET status = ?, duration_us = ?, error = ? WHERE position = ";
    let Change::Finished { command, at, status, duration_us, error } = change else { return };
    match at {
        Some(_) => script.add(&format!("{SQL}?")),
        // Not the last one that was started: found by way of its session's events.
        None => script.add(&format!(
            "{SQL}(SELECT c.position FROM events e JOIN commands c ON c.position = e.position \
             WHERE e.stream = ? AND c.command = ? AND e.position < ? ORDER BY e.seq DESC LIMIT 1)"
        )),
    };
    script.bind(status).bind(duration_us).bind(error);
    match at {
        Some(at) => script.bind(at),
        None => script.bind(stream).bind(command).bind(position),
    };
}

pub(super) fn insert_observation(script: &mut Script, position: i64, observation: &Observation, time_us: i64) {
    let Some(about) = &observation.about else { return };
    script.add("INSERT INTO observations (position, about, what, time_us) VALUES (?,?,?,?)");
    script.bind(position).bind(about.as_str()).bind(observation.what.as_str()).bind(time_us);
}

/// Writes what a transaction has changed of a stream: its row, its session's row; and adds to the sums of its day.
pub(super) fn write_stream(script: &mut Script, name: &str, loaded: &Loaded, sums: &mut Differences) {
    let counters = loaded.picture.as_ref().map(|picture| picture.counters).unwrap_or_default();
    let running = loaded.picture.as_ref().and_then(|picture| picture.running);
    let last_us = loaded.picture.as_ref().map_or(loaded.heard_us, |picture| picture.last_us);
    if loaded.is_new {
        script.add(
            "INSERT INTO streams (next_seq, head_hash, head_position, heard_us, last_us, commands, outcomes, failed, \
             writes, destroys, running, running_position, id, name, component, own, base) \
             VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        );
    } else {
        script.add(
            "UPDATE streams SET next_seq = ?, head_hash = ?, head_position = ?, heard_us = ?, last_us = ?, \
             commands = ?, outcomes = ?, failed = ?, writes = ?, destroys = ?, running = ?, running_position = ? \
             WHERE id = ?",
        );
    }
    script.bind(loaded.next_seq).bind(loaded.head_hash.map(|hash| hash.as_bytes().to_vec()));
    script.bind(loaded.head_position).bind(loaded.heard_us).bind(last_us);
    script.bind(counters.commands).bind(counters.outcomes).bind(counters.failed);
    script.bind(counters.writes).bind(counters.destroys);
    script.bind(running.map(|(command, _)| command)).bind(running.map(|(_, position)| position)).bind(loaded.id);
    if loaded.is_new {
        script.bind(name).bind(loaded.component.as_str()).bind(loaded.own).bind(loaded.base);
    }
    if let Some(picture) = &loaded.picture {
        write_session(script, name, loaded, picture);
        add_difference(sums, loaded.totals_before, picture);
    }
}

fn write_session(script: &mut Script, name: &str, loaded: &Loaded, picture: &Picture) {
    if !loaded.has_session {
        let facts = loaded.facts.as_deref().cloned().unwrap_or_default();
        insert_session(script, loaded.id, name, picture, &facts);
        return;
    }
    if loaded.span_before.as_ref() != Some(&picture.span) {
        let span = &picture.span;
        script.add(
            "UPDATE sessions SET order_us = ?, start_us = ?, end_us = ?, duration_us = ?, duration_class = ?, \
             status = ?, end_reason = ?, own_end = ?, inferred = ? WHERE stream = ?",
        );
        script.bind(span.order_us).bind(span.start_us).bind(span.end_us).bind(span.duration_us);
        script.bind(span.duration_us.map(duration_class)).bind(span.state.as_str());
        script.bind(span.end_reason.as_deref()).bind(span.own_end).bind(span.inferred).bind(loaded.id);
    }
    if let Some(facts) = &loaded.facts {
        script.add("DELETE FROM sessions WHERE stream = ?").bind(loaded.id);
        insert_session(script, loaded.id, name, picture, facts);
    }
}

/// Inserts a session's row.
pub(super) fn insert_session(script: &mut Script, stream: i64, name: &str, picture: &Picture, facts: &Facts) {
    script.add(&format!(
        "INSERT INTO sessions ({}) VALUES ({})",
        SESSION_COLUMNS.join(","),
        marks(SESSION_COLUMNS.len())
    ));
    bind_session(script, stream, name, picture, facts);
}

/// The columns of a session's row.
#[rustfmt::skip]
pub(super) const SESSION_COLUMNS: [&str; 29] = [
    "stream", "session_id", "component", "order_us", "start_us", "end_us", "duration_us", "duration_class", "status",
    "end_reason", "own_end", "inferred", "component_type", "component_version", "shell_type", "mode", "pid", "username",
    "home", "uid", "actor_kind", "verified", "hostname", "platform", "runtime", "python_version", "working_directory",
    "reason", "metadata",
];

/// Binds the row of [`SESSION_COLUMNS`].
pub(super) fn bind_session(script: &mut Script, stream: i64, name: &str, picture: &Picture, facts: &Facts) {
    let span = &picture.span;
    script.bind(stream).bind(name).bind(picture.component.as_str()).bind(span.order_us).bind(span.start_us);
    script.bind(span.end_us).bind(span.duration_us).bind(span.duration_us.map(duration_class));
    script.bind(span.state.as_str()).bind(span.end_reason.as_deref()).bind(span.own_end).bind(span.inferred);
    script.bind(facts.component_type.as_deref()).bind(facts.component_version.as_deref());
    script.bind(facts.shell_type.as_deref()).bind(facts.mode.as_deref()).bind(facts.pid);
    script.bind(facts.username.as_deref()).bind(facts.home.as_deref()).bind(facts.uid);
    script.bind(facts.actor_kind.as_deref()).bind(facts.verified).bind(facts.hostname.as_deref());
    script.bind(facts.platform.as_deref()).bind(facts.runtime.as_deref()).bind(facts.python_version.as_deref());
    script.bind(facts.working_directory.as_deref()).bind(facts.reason.as_deref()).bind(facts.metadata.as_deref());
}

/// Adds to the sums of a day, in `rollups` or `rollups_base`.
pub(super) fn add_totals(script: &mut Script, table: &str, day: i64, component: &str, totals: &Totals) {
    script.add(&sum_up(table, "VALUES (?,?,?,?,?,?,?,?,?,?,?)"));
    script.bind(day).bind(component);
    for column in totals.columns() {
        script.bind(column);
    }
}

/// The statement that adds rows to sums.
pub(super) fn sum_up(table: &str, rows: &str) -> String {
    format!(
        "INSERT INTO {table} (day, component, sessions, ended, inferred, duration_us, commands, outcomes, failed, \
         writes, destroys) {rows} ON CONFLICT DO UPDATE SET sessions = sessions + \
         excluded.sessions, ended = ended + excluded.ended, inferred = inferred + excluded.inferred, duration_us = \
         duration_us + excluded.duration_us, commands = commands + excluded.commands, outcomes = outcomes + \
         excluded.outcomes, failed = failed + excluded.failed, writes = writes + excluded.writes, destroys = destroys \
         + excluded.destroys"
    )
}

/// A number of places of few different sizes, so that statements are found in the cache.
fn places(count: usize) -> usize {
    count.next_power_of_two()
}

pub(super) fn marks(count: usize) -> String {
    let mut marks = "?,".repeat(count);
    marks.pop();
    marks
}
