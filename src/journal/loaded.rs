//! A stream as a writing transaction sees it: loaded once, moved by each event, written once.
//!
//! Every kind of journal appends this way. What a database adds is how rows are read and written, and how the
//! transaction excludes others.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::{
    JournalError, Parcel,
    cells::{Cells, hash, optional_hash, uuid},
    projection::{Change, Counters, Facts, Picture, Span, State, Totals},
    replay::Command,
};
use crate::event::{Event, Hash};

/// An event, or its stub, and its place in the journal.
pub(super) struct EventRow {
    pub position: i64,
    pub stream: i64,
    pub link: Hash,
    pub parcel: Parcel,
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
    pub head_position: i64,
    pub heard_us: i64,
    /// The row is not in the table yet.
    pub is_new: bool,
    is_session: bool,
    /// The session's row is in the table.
    pub has_session: bool,
    changed: bool,
    pub span_before: Option<Span>,
    pub totals_before: Option<(i64, Totals)>,
    counters_before: Counters,
    pub facts: Option<Box<Facts>>,
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
    pub(super) fn settle(&mut self) {
        self.is_new = false;
        self.changed = false;
        self.has_session = self.picture.is_some();
        self.span_before = self.picture.as_ref().map(|picture| picture.span.clone());
        self.totals_before = self.picture.as_ref().map(|picture| (picture.day(), picture.totals()));
        self.counters_before = self.picture.as_ref().map(|picture| picture.counters).unwrap_or_default();
        self.facts = None;
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
        let event = &row.parcel;
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
        let change = match event {
            Parcel::Whole(event) => picture.apply(event.kind(), row.position, time_us, event.body()),
            Parcel::Stub(stub) => picture.apply(&stub.event_type, row.position, time_us, &stub.residue()),
        };
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

/// Streams and what the projection says of them; a condition on `s.name` follows.
pub(super) const SELECT_STREAMS: &str = "SELECT s.id, s.name, s.component, s.own, s.pruned, s.base, s.next_seq, \
     s.head_hash, s.head_position, s.heard_us, s.last_us, s.commands, s.outcomes, s.failed, s.writes, s.destroys, \
     s.running, s.running_position, p.order_us, p.start_us, p.end_us, p.duration_us, p.status, p.end_reason, \
     p.own_end, p.inferred FROM streams s LEFT JOIN sessions p ON p.stream = s.id";

/// Reads a row of [`SELECT_STREAMS`].
pub(super) fn loaded(row: &impl Cells) -> Result<(String, Loaded), JournalError> {
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

/// An event that is stored already.
#[derive(Clone)]
pub(super) struct Known {
    pub hash: Hash,
    /// Its text as it was read, or the event as it was just pushed.
    pub text: Option<String>,
    pub event: Option<Event>,
    /// Only its header is there.
    pub is_stub: bool,
}

/// Stored events; a condition on `event_id` follows.
pub(super) const SELECT_KNOWN: &str = "SELECT event_id, hash, text, \
     CASE WHEN text IS NULL AND residue LIKE '%\"stub\":%' THEN 1 ELSE 0 END FROM events";

/// Reads a row of [`SELECT_KNOWN`].
pub(super) fn known(row: &impl Cells) -> Result<(Uuid, Known), JournalError> {
    let id = uuid(row, 0)?;
    Ok((id, Known { hash: hash(row, 1)?, text: row.cell(2)?, event: None, is_stub: row.cell(3)? }))
}

/// A change, with the position, stream and time of the event that made it.
pub(super) type Waiting = (i64, i64, i64, Change);

/// Changes of commands as their table takes them.
pub(super) struct Gathered {
    /// Rows to insert, with their streams.
    pub started: Vec<(i64, Command)>,
    /// Ends of commands that are in the table already: the end's position, its stream, and what it says.
    pub finished: Vec<(i64, i64, Change)>,
}

/// Gathers changes of commands. A command that starts and ends among them is one row, written once.
pub(super) fn gather(changes: Vec<Waiting>) -> Gathered {
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
    Gathered { started, finished }
}

/// Differences to the sums, by day and component.
pub(super) type Differences = BTreeMap<(i64, String), Totals>;

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
