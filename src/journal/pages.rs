//! Streams in pages: their rows, their events and what the projection says of them, read together.
//!
//! Verifying and rebuilding both go through the journal this way, in the order of `streams.id`, so that neither needs
//! memory for more than a page.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::Value;
use uuid::Uuid;

use super::{
    JournalError,
    cells::{Cells, hash, optional_hash, uuid},
    projection::{Counters, Facts, Picture, Span, State, duration_class},
    replay::{Command, Drawn, Line},
    source::{Source, Statement},
};
use crate::event::{EventKind, Hash};

/// A row of `streams`.
pub(super) struct StreamRow {
    pub id: i64,
    pub name: String,
    pub component: String,
    pub own: bool,
    pub pruned: bool,
    pub base: i64,
    pub base_hash: Option<Hash>,
    pub next_seq: i64,
    pub head_hash: Option<Hash>,
    pub head_position: i64,
    pub counters: Counters,
    pub last_us: i64,
    pub running: Option<(i64, i64)>,
}

impl StreamRow {
    pub(super) fn is_session(&self) -> bool {
        self.name.starts_with("sess_")
    }
}

/// A row of `events`.
pub(super) struct StoredEvent {
    pub position: i64,
    pub event_id: Uuid,
    pub seq: i64,
    pub kind: String,
    pub time_us: i64,
    pub hash: Hash,
    pub residue: Option<String>,
    pub text: Option<String>,
}

impl StoredEvent {
    /// The event as drawing it needs, from its text as it stands.
    pub(super) fn line(&self) -> Line {
        let stored = self.text.as_deref().or(self.residue.as_deref()).unwrap_or("null");
        let mut whole: Value = serde_json::from_str(stored).unwrap_or_default();
        let body = if self.text.is_some() { whole.get_mut("body").map(Value::take).unwrap_or_default() } else { whole };
        Line { position: self.position, kind: EventKind::from(self.kind.clone()), time_us: self.time_us, body }
    }
}

/// A row of `sessions`, and whether what is derived inside the row is right.
pub(super) struct SessionRow {
    pub name: String,
    pub component: String,
    pub span: Span,
    pub facts: Facts,
    pub class_is_right: bool,
}

/// A value that can not be read, in a row of a stream or of what belongs to it.
pub(super) struct Unreadable {
    /// The stream's name, when it is known.
    pub stream: Option<String>,
    pub seq: Option<i64>,
    pub position: Option<i64>,
    pub what: String,
}

/// Some streams in a row.
#[derive(Default)]
pub(super) struct StreamPage {
    pub streams: Vec<StreamRow>,
    /// By stream: what can not be read of it.
    pub unreadable: BTreeMap<i64, Vec<Unreadable>>,
    pub events: HashMap<i64, Vec<StoredEvent>>,
    pub sessions: HashMap<i64, SessionRow>,
    /// By stream, in the order of their positions.
    pub commands: HashMap<i64, Vec<Command>>,
    /// Positions of commands whose row names another stream than their event.
    pub misplaced: HashSet<i64>,
}

impl StreamPage {
    /// Reads the streams whose ids are in a range; all of them, or not one.
    pub(super) async fn read<S: Source>(source: &mut S, from: i64, to: i64) -> Result<Self, JournalError> {
        let page = Self::read_what_is_readable(source, from, to).await?;
        match page.unreadable.into_values().flatten().next() {
            Some(Unreadable { what, .. }) => Err(JournalError::Damaged(what)),
            None => Ok(Self { unreadable: BTreeMap::new(), ..page }),
        }
    }

    /// Reads the streams whose ids are in a range, as far as they can be read.
    pub(super) async fn read_what_is_readable<S: Source>(
        source: &mut S,
        from: i64,
        to: i64,
    ) -> Result<Self, JournalError> {
        let by_seq = S::by_index("events_by_seq");
        let streams = "SELECT id, name, component, pruned, base, base_hash, next_seq, head_hash, head_position, \
             commands, outcomes, failed, writes, destroys, last_us, running, running_position, own FROM streams \
             WHERE id BETWEEN ? AND ? ORDER BY id";
        let events = format!(
            "SELECT stream, position, event_id, seq, type, time_us, hash, residue, text FROM events {by_seq} \
             WHERE stream BETWEEN ? AND ? ORDER BY stream, seq"
        );
        let sessions = "SELECT stream, session_id, component, order_us, start_us, end_us, duration_us, \
             duration_class, status, end_reason, own_end, inferred, component_type, component_version, shell_type, \
             mode, pid, username, home, uid, actor_kind, verified, hostname, platform, runtime, python_version, \
             working_directory, reason, metadata FROM sessions WHERE stream BETWEEN ? AND ?";
        let commands = format!(
            "SELECT e.stream, c.position, c.command, c.start_us, c.input, c.status, c.duration_us, c.error, c.stream \
             FROM events e {by_seq} {} commands c ON c.position = e.position WHERE e.stream BETWEEN ? AND ? \
             ORDER BY e.stream, c.position",
            S::JOIN_IN_ORDER
        );
        let mut page = Self::default();
        for row in source.rows(Statement::new(streams).bind(from).bind(to)).await? {
            if let Some(stream) = page.keep(row.cell(0)?, (None, None), stream(&row))? {
                page.streams.push(stream);
            }
        }
        for row in source.rows(Statement::new(events).bind(from).bind(to)).await? {
            let (id, place) = (row.cell(0)?, (row.cell(3).ok(), row.cell(1).ok()));
            if let Some(event) = page.keep(id, place, event(&row))? {
                page.events.entry(id).or_default().push(event);
            }
        }
        for row in source.rows(Statement::new(sessions).bind(from).bind(to)).await? {
            let id = row.cell(0)?;
            if let Some(session) = page.keep(id, (None, None), session(&row))? {
                page.sessions.insert(id, session);
            }
        }
        for row in source.rows(Statement::new(commands).bind(from).bind(to)).await? {
            let (is, says): (i64, i64) = (row.cell(0)?, row.cell(8)?);
            if is != says {
                page.misplaced.insert(row.cell(1)?);
            }
            if let Some(command) = page.keep(is, (None, row.cell(1).ok()), command(&row))? {
                page.commands.entry(is).or_default().push(command);
            }
        }
        for (id, unreadable) in &mut page.unreadable {
            let named = page.streams.iter().find(|stream| stream.id == *id);
            unreadable.iter_mut().for_each(|unreadable| unreadable.stream = named.map(|stream| stream.name.clone()));
        }
        Ok(page)
    }

    /// A row, or nothing where a value of it can not be read: that is kept instead.
    fn keep<T>(
        &mut self,
        stream: i64,
        (seq, position): (Option<i64>, Option<i64>),
        row: Result<T, JournalError>,
    ) -> Result<Option<T>, JournalError> {
        match row {
            Ok(row) => Ok(Some(row)),
            Err(JournalError::Damaged(what)) => {
                let unreadable = Unreadable { stream: None, seq, position, what };
                self.unreadable.entry(stream).or_default().push(unreadable);
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }

    /// The ids of the streams that are there, also of those that can not be read.
    pub(super) fn ids(&self) -> BTreeSet<i64> {
        self.streams.iter().map(|stream| stream.id).chain(self.unreadable.keys().copied()).collect()
    }

    /// What the projection says of a stream, in the form that drawing it gives.
    pub(super) fn projected(&self, stream: &StreamRow) -> Option<Drawn> {
        let session = self.sessions.get(&stream.id)?;
        if session.name != stream.name || !session.class_is_right {
            return None;
        }
        let picture = Picture {
            component: session.component.clone(),
            span: session.span.clone(),
            counters: stream.counters,
            last_us: stream.last_us,
            running: stream.running,
        };
        let commands = self.commands.get(&stream.id).cloned().unwrap_or_default();
        Some(Drawn { picture, facts: session.facts.clone(), commands })
    }

    /// The stream's events as drawing needs them, in the order of their positions.
    pub(super) fn lines(&self, stream: &StreamRow) -> Vec<Line> {
        self.events.get(&stream.id).into_iter().flatten().map(StoredEvent::line).collect()
    }
}

fn stream(row: &impl Cells) -> Result<StreamRow, JournalError> {
    let running: Option<i64> = row.cell(15)?;
    let position: Option<i64> = row.cell(16)?;
    Ok(StreamRow {
        id: row.cell(0)?,
        name: row.cell(1)?,
        component: row.cell(2)?,
        own: row.cell(17)?,
        pruned: row.cell(3)?,
        base: row.cell(4)?,
        base_hash: optional_hash(row, 5)?,
        next_seq: row.cell(6)?,
        head_hash: optional_hash(row, 7)?,
        head_position: row.cell(8)?,
        counters: Counters {
            commands: row.cell(9)?,
            outcomes: row.cell(10)?,
            failed: row.cell(11)?,
            writes: row.cell(12)?,
            destroys: row.cell(13)?,
        },
        last_us: row.cell(14)?,
        running: running.zip(position),
    })
}

fn event(row: &impl Cells) -> Result<StoredEvent, JournalError> {
    Ok(StoredEvent {
        position: row.cell(1)?,
        event_id: uuid(row, 2)?,
        seq: row.cell(3)?,
        kind: row.cell(4)?,
        time_us: row.cell(5)?,
        hash: hash(row, 6)?,
        residue: row.cell(7)?,
        text: row.cell(8)?,
    })
}

fn session(row: &impl Cells) -> Result<SessionRow, JournalError> {
    let duration_us: Option<i64> = row.cell(6)?;
    let class: Option<i64> = row.cell(7)?;
    Ok(SessionRow {
        name: row.cell(1)?,
        component: row.cell(2)?,
        span: Span {
            order_us: row.cell(3)?,
            start_us: row.cell(4)?,
            end_us: row.cell(5)?,
            duration_us,
            state: State::parse(row.cell(8)?),
            end_reason: row.cell(9)?,
            own_end: row.cell(10)?,
            inferred: row.cell(11)?,
        },
        facts: Facts {
            component_type: row.cell(12)?,
            component_version: row.cell(13)?,
            shell_type: row.cell(14)?,
            mode: row.cell(15)?,
            pid: row.cell(16)?,
            username: row.cell(17)?,
            home: row.cell(18)?,
            uid: row.cell(19)?,
            actor_kind: row.cell(20)?,
            verified: row.cell(21)?,
            hostname: row.cell(22)?,
            platform: row.cell(23)?,
            runtime: row.cell(24)?,
            python_version: row.cell(25)?,
            working_directory: row.cell(26)?,
            reason: row.cell(27)?,
            metadata: row.cell(28)?,
        },
        class_is_right: class == duration_us.map(duration_class),
    })
}

fn command(row: &impl Cells) -> Result<Command, JournalError> {
    Ok(Command {
        position: row.cell(1)?,
        command: row.cell(2)?,
        start_us: row.cell(3)?,
        input: row.cell(4)?,
        status: row.cell(5)?,
        duration_us: row.cell(6)?,
        error: row.cell(7)?,
    })
}
