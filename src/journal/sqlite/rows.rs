//! The tables' rows: how they are read and written. No rule lives here.

use std::collections::{BTreeMap, HashMap};

use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::{
    column::{Cells, unreadable},
    script::{Script, Shape},
    transaction::Known,
};
use crate::{
    event::{Event, Hash, Observation},
    journal::{
        JournalError,
        projection::{Change, Counters, Picture, Span, State, Totals, duration_class},
        replay::Command,
    },
};

/// The last position and its link; after everything was folded, those of the checkpoint.
pub(super) const SELECT_HEAD: &str = "SELECT position, link FROM events ORDER BY position DESC LIMIT 1";

/// An event and its place in the journal.
pub(super) struct EventRow {
    pub position: i64,
    pub stream: i64,
    pub link: Hash,
    pub event: Event,
}

/// A stream as a transaction sees it.
pub(super) struct Loaded {
    pub id: i64,
    pub component: String,
    pub own: bool,
    pub pruned: bool,
    pub base: i64,
    pub next_seq: i64,
    pub head_hash: Option<Hash>,
    /// The session that it draws; `None` for a journal's own stream and for a pruned session.
    pub picture: Option<Picture>,
    head_position: i64,
    heard_us: i64,
    /// The row is not in the table yet.
    is_new: bool,
    is_session: bool,
    /// The session's row is in the table.
    has_session: bool,
    changed: bool,
    span_before: Option<Span>,
    totals_before: Option<(i64, Totals)>,
    counters_before: Counters,
    facts: Option<Box<crate::journal::projection::Facts>>,
    /// What was said about the session before its first event came.
    said: Vec<(String, i64)>,
}

impl Loaded {
    /// A stream that is about to be opened.
    pub(super) fn new(id: i64, component: &str, own: bool, is_session: bool, said: Vec<(String, i64)>) -> Self {
        Self {
            id,
            component: component.to_owned(),
            own,
            pruned: false,
            base: 0,
            next_seq: 0,
            head_hash: None,
            picture: None,
            head_position: 0,
            heard_us: 0,
            is_new: true,
            is_session,
            has_session: false,
            changed: false,
            span_before: None,
            totals_before: None,
            counters_before: Counters::default(),
            facts: None,
            said,
        }
    }

    /// As it is once its changes are committed.
    pub(super) fn settled(mut self) -> Self {
        self.is_new = false;
        self.changed = false;
        self.has_session = self.picture.is_some();
        self.span_before = self.picture.as_ref().map(|picture| picture.span.clone());
        self.totals_before = self.picture.as_ref().map(|picture| (picture.day(), picture.totals()));
        self.counters_before = self.picture.as_ref().map(|picture| picture.counters).unwrap_or_default();
        self.facts = None;
        self
    }

    /// Where the counters of an open session that is stored stood before, when nothing but them has changed.
    pub(super) fn goes_on_from(&self) -> Option<Counters> {
        let picture = self.picture.as_ref()?;
        let is_open = self.span_before.as_ref() == Some(&picture.span) && picture.span.state == State::Open;
        (is_open && self.has_session && self.facts.is_none()).then_some(self.counters_before)
    }

    /// Whether its rows must be written.
    pub(super) fn has_changed(&self) -> bool {
        self.changed
    }

    /// Moves the head to an event and draws it.
    pub(super) fn push(&mut self, row: &EventRow, now_us: i64) -> Option<Change> {
        let event = &row.event;
        let seq = i64::try_from(event.seq()).unwrap_or(i64::MAX);
        if self.is_new && self.next_seq == 0 && seq > 0 {
            self.base = seq;
        }
        self.next_seq = seq + 1;
        self.head_hash = Some(event.hash());
        self.head_position = row.position;
        self.heard_us = now_us;
        self.changed = true;
        if !self.is_session || self.pruned {
            return None;
        }
        let time_us = event.timestamp().as_microsecond();
        let component = &self.component;
        let picture = self.picture.get_or_insert_with(|| Picture::new(component, time_us));
        let change = picture.apply(event.kind(), row.position, time_us, event.body());
        for (what, time_us) in self.said.drain(..) {
            picture.observe(&what, time_us);
        }
        match change {
            Some(Change::Facts(facts)) => {
                self.facts = Some(facts);
                None
            }
            other => other,
        }
    }

    /// Draws what somebody else said.
    pub(super) fn observe(&mut self, what: &str, time_us: i64) {
        if let Some(picture) = self.picture.as_mut() {
            picture.observe(what, time_us);
            self.changed = true;
        }
    }
}

pub(super) fn select_streams(script: &mut Script, names: &[&str]) {
    const SQL: &str = "SELECT s.id, s.name, s.component, s.own, s.pruned, s.base, s.next_seq, s.head_hash, \
         s.head_position, s.heard_us, s.last_us, s.commands, s.outcomes, s.failed, s.writes, s.destroys, s.running, \
         s.running_position, p.order_us, p.start_us, p.end_us, p.duration_us, p.status, p.end_reason, p.own_end, \
         p.inferred FROM streams s LEFT JOIN sessions p ON p.stream = s.id WHERE s.name IN ";
    for names in names.chunks(128) {
        let places = places(names.len());
        script.add(&format!("{SQL}({})", marks(places)));
        for at in 0..places {
            script.bind(names.get(at).copied());
        }
    }
}

/// Reads a row of [`select_streams`].
pub(super) fn loaded(row: &SqliteRow) -> Result<(String, Loaded), JournalError> {
    let name: String = row.cell(1)?;
    let is_session = name.starts_with("sess_");
    let component: String = row.cell(2)?;
    let order_us: Option<i64> = row.cell(18)?;
    let running: Option<i64> = row.cell(16)?;
    let picture = match order_us {
        None => None,
        Some(order_us) => Some(Picture {
            component: component.clone(),
            span: Span {
                order_us,
                start_us: row.cell(19)?,
                end_us: row.cell(20)?,
                duration_us: row.cell(21)?,
                state: State::parse(row.cell(22)?),
                end_reason: row.cell(23)?,
                own_end: row.cell(24)?,
                inferred: row.cell(25)?,
            },
            counters: Counters {
                commands: row.cell(11)?,
                outcomes: row.cell(12)?,
                failed: row.cell(13)?,
                writes: row.cell(14)?,
                destroys: row.cell(15)?,
            },
            last_us: row.cell(10)?,
            running: running.zip(row.cell(17)?),
        }),
    };
    let loaded = Loaded {
        id: row.cell(0)?,
        own: row.cell(3)?,
        pruned: row.cell(4)?,
        base: row.cell(5)?,
        next_seq: row.cell(6)?,
        head_hash: optional_hash(row, 7)?,
        head_position: row.cell(8)?,
        heard_us: row.cell(9)?,
        is_new: false,
        is_session,
        has_session: picture.is_some(),
        changed: false,
        span_before: picture.as_ref().map(|picture| picture.span.clone()),
        totals_before: picture.as_ref().map(|picture| (picture.day(), picture.totals())),
        counters_before: picture.as_ref().map(|picture| picture.counters).unwrap_or_default(),
        facts: None,
        said: Vec::new(),
        component,
        picture,
    };
    Ok((name, loaded))
}

pub(super) const KNOWN_COLUMNS: usize = 3;

pub(super) fn select_known(script: &mut Script, ids: &[Uuid]) {
    for ids in ids.chunks(512) {
        let places = places(ids.len());
        script.add(&format!("SELECT event_id, hash, text FROM events WHERE event_id IN ({})", marks(places)));
        for at in 0..places {
            script.bind(ids.get(at).map(|id| id.as_bytes().as_slice()));
        }
    }
}

/// Reads a row of [`select_known`].
pub(super) fn known(row: &SqliteRow) -> Result<(Uuid, Known), JournalError> {
    let id = uuid(row, 0)?;
    Ok((id, Known { hash: hash(row, 1)?, text: row.cell(2)?, event: None }))
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
    const SQL: &str =
        "INSERT INTO events (position, event_id, stream, seq, type, time_us, recorded_us, hash, link, text) VALUES ";
    let mut rest = rows;
    while !rest.is_empty() {
        let rows = chunk(shape, &mut rest);
        shape.begin(scripts);
        let script = shape.last(scripts);
        script.add(&format!("{SQL}{}", vec!["(?,?,?,?,?,?,?,?,?,?)"; rows.len()].join(",")));
        for EventRow { position, stream, link, event } in rows {
            let seq = i64::try_from(event.seq()).unwrap_or(i64::MAX);
            script.bind(position).bind(event.event_id().as_bytes().as_slice()).bind(stream).bind(seq);
            script.bind(event.kind().as_str()).bind(event.timestamp().as_microsecond()).bind(now_us);
            script.bind(event.hash().as_bytes().as_slice()).bind(link.as_bytes().as_slice()).bind(event.text());
        }
    }
}

/// A change, with the position, stream and time of the event that made it.
pub(super) type Waiting = (i64, i64, i64, Change);

/// Writes changes of commands. A command that starts and ends among them is one row, written once.
pub(super) fn write_changes(scripts: &mut Vec<Script>, shape: Shape, changes: Vec<Waiting>) {
    let mut started: Vec<(i64, Command)> = Vec::new();
    let mut places: HashMap<i64, usize> = HashMap::new();
    let mut finished = Vec::new();
    for (position, stream, time_us, change) in changes {
        match change {
            Change::Facts(_) => {}
            Change::Started { command, input } => {
                places.insert(position, started.len());
                let (status, duration_us, error) = (None, None, None);
                let row = Command { position, command, start_us: time_us, input, status, duration_us, error };
                started.push((stream, row));
            }
            Change::Finished { at: Some(at), status, duration_us, error, .. } if places.contains_key(&at) => {
                let (_, row) = &mut started[places[&at]];
                (row.status, row.duration_us, row.error) = (Some(status), duration_us, error);
            }
            change @ Change::Finished { .. } => finished.push((position, stream, change)),
        }
    }
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

/// Differences to the sums, by day and component.
pub(super) type Differences = BTreeMap<(i64, String), Totals>;

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
pub(super) fn insert_session(
    script: &mut Script,
    stream: i64,
    name: &str,
    picture: &Picture,
    facts: &crate::journal::projection::Facts,
) {
    let span = &picture.span;
    script.add(
        "INSERT INTO sessions (stream, session_id, component, order_us, start_us, end_us, duration_us, duration_class, \
         status, end_reason, own_end, inferred, component_type, component_version, shell_type, mode, pid, username, \
         home, uid, actor_kind, verified, hostname, platform, runtime, python_version, working_directory, reason, \
         metadata) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    );
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

/// Adds what a session's totals have changed by.
pub(super) fn add_difference(sums: &mut Differences, before: Option<(i64, Totals)>, picture: &Picture) {
    let mut add = |day: i64, totals: Totals, sign: i64| {
        let sum = sums.entry((day, picture.component.clone())).or_default();
        *sum = sum.zip(totals, |a, b| a + sign * b);
    };
    let now = (picture.day(), picture.totals());
    if before == Some(now) {
        return;
    }
    if let Some((day, totals)) = before {
        add(day, totals, -1);
    }
    add(now.0, now.1, 1);
}

/// Adds to the sums of a day, in `rollups` or `rollups_base`.
pub(super) fn add_totals(script: &mut Script, table: &str, day: i64, component: &str, totals: &Totals) {
    script.add(&format!(
        "INSERT INTO {table} (day, component, sessions, ended, inferred, duration_us, commands, outcomes, failed, \
         writes, destroys) VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET sessions = sessions + \
         excluded.sessions, ended = ended + excluded.ended, inferred = inferred + excluded.inferred, duration_us = \
         duration_us + excluded.duration_us, commands = commands + excluded.commands, outcomes = outcomes + \
         excluded.outcomes, failed = failed + excluded.failed, writes = writes + excluded.writes, destroys = destroys \
         + excluded.destroys"
    ));
    script.bind(day).bind(component);
    for column in totals.columns() {
        script.bind(column);
    }
}

/// A hash in a column of bytes.
pub(super) fn hash(row: &SqliteRow, column: usize) -> Result<Hash, JournalError> {
    optional_hash(row, column)?.ok_or_else(|| unreadable(row, column))
}

pub(super) fn optional_hash(row: &SqliteRow, column: usize) -> Result<Option<Hash>, JournalError> {
    let bytes: Option<&[u8]> = row.cell(column)?;
    let hash = |bytes: &[u8]| <[u8; 32]>::try_from(bytes).map(Hash::from_bytes);
    bytes.map(hash).transpose().map_err(|_| unreadable(row, column))
}

/// An id in a column of bytes.
pub(super) fn uuid(row: &SqliteRow, column: usize) -> Result<Uuid, JournalError> {
    let bytes: &[u8] = row.cell(column)?;
    Uuid::from_slice(bytes).map_err(|_| unreadable(row, column))
}

/// A number of places of few different sizes, so that statements are found in the cache.
fn places(count: usize) -> usize {
    count.next_power_of_two()
}

fn marks(count: usize) -> String {
    let mut marks = "?,".repeat(count);
    marks.pop();
    marks
}
