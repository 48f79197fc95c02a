//! One writing transaction: what was read of the file, what is to be written, and the commit.
//!
//! Invariants:
//! - `BEGIN IMMEDIATE`: whoever reads a head here is the only one who can move it.
//! - The schema's version is checked in the transaction, so a program that is too old stops at the first commit after
//!   the file was migrated.
//! - Events, projection and rollups of one piece of work are in one commit.
//! - Each stream's row is written once, at the end, however many events it got.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use jiff::Timestamp;
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};
use uuid::Uuid;

use super::{
    error::{Code, code, translate},
    migrate::SCHEMA_VERSION,
    opening,
    rows::{self, EventRow, KNOWN_COLUMNS, Loaded, SAID_COLUMNS},
    script::{Script, Shape, Stopped},
    single,
    writer::{check_version, failed_commit},
};
use crate::{
    event::{Event, EventKind, Hash, JournalId, Observation, StreamId},
    journal::{
        JournalError, Parcel,
        cells::{Cells, number},
        chain::{genesis, link},
        loaded::Known,
        projection::Change,
    },
};

/// At most this many rows wait before they are written.
const ROWS_WAITING: usize = 256;

/// What a committed transaction leaves to the next one on the same connection.
pub(super) struct Warm {
    pub streams: HashMap<String, Loaded>,
    data_version: i64,
    position: i64,
    link: Hash,
    opened: i64,
}

/// Why a transaction was not committed.
pub(super) enum Uncommitted {
    /// It went on from an earlier one, and that is not where the journal stands: begin anew.
    Stale,
    /// It failed.
    Failed(JournalError),
}

impl Uncommitted {
    /// The error of a transaction that has begun by itself.
    pub(super) fn into_error(self) -> JournalError {
        match self {
            Self::Failed(error) => error,
            Self::Stale => JournalError::Database("the journal has changed meanwhile".to_owned()),
        }
    }
}

/// Fails, with an error of SQLite's, when somebody else has written to the file since, or has migrated it.
const GUARD: &str = "SELECT iif((SELECT data_version FROM pragma_data_version) = ? \
     AND (SELECT user_version FROM pragma_user_version) = ?, 1, json('stale'))";

/// One writing transaction.
pub(super) struct Transaction<'c> {
    pub(super) connection: &'c mut SqliteConnection,
    pub(super) journal: &'c JournalId,
    pub(super) now_us: i64,
    pub(super) streams: HashMap<String, Loaded>,
    pub(super) known: HashMap<Uuid, Known>,
    /// What was said about sessions that are not there yet.
    said: HashMap<String, Vec<(String, i64)>>,
    pub(super) path: &'c Path,
    /// What all of its work needs has been read.
    is_provided: bool,
    /// It goes on from a commit, and has not begun: its only trip begins, checks that nobody has written since, and
    /// commits.
    goes_on: bool,
    data_version: i64,
    position: i64,
    link: Hash,
    /// Streams ever opened.
    opened: i64,
    opened_more: bool,
    events: Vec<EventRow>,
    changes: Vec<(i64, i64, i64, Change)>,
    observations: Vec<(i64, Observation, i64)>,
}

impl<'c> Transaction<'c> {
    /// Begins, and reads in the same trip where the journal stands, some streams, and which of some ids are stored. Where
    /// ids are given, they and the streams are all that will be needed.
    pub(super) async fn begin(
        connection: &'c mut SqliteConnection,
        path: &'c Path,
        journal: &'c JournalId,
        names: &[&str],
        ids: &[Uuid],
    ) -> Result<Self, JournalError> {
        let mut script = Script::default();
        script.add("BEGIN IMMEDIATE").add("PRAGMA user_version").add("PRAGMA data_version").add(rows::SELECT_HEAD);
        rows::select_streams(&mut script, names);
        rows::select_known(&mut script, ids);
        rows::select_said(&mut script, names);
        let answers = script.run(connection).await.map_err(|stopped| translate(&stopped.error, path))?;
        let first = |at: usize| answers.get(at).and_then(|rows| rows.first());
        check_version(number(first(1), 0)?)?;
        let data_version = number(first(2), 0)?;
        let Some(head) = first(3) else {
            return Err(JournalError::Damaged("its own row is missing".to_owned()));
        };
        let opened = head.cell(0)?;
        let (position, link) = match head.cell::<Option<i64>>(1)? {
            Some(position) => (position, rows::hash(head, 2)?),
            None => (0, genesis(journal)),
        };
        let mut transaction = Self {
            connection,
            journal,
            now_us: Timestamp::now().as_microsecond(),
            streams: HashMap::new(),
            known: HashMap::new(),
            said: HashMap::new(),
            path,
            is_provided: !ids.is_empty(),
            goes_on: false,
            data_version,
            position,
            link,
            opened,
            opened_more: false,
            events: Vec::new(),
            changes: Vec::new(),
            observations: Vec::new(),
        };
        transaction.take_in(names, answers.get(4..).unwrap_or_default())?;
        Ok(transaction)
    }

    /// Goes on where a transaction on this connection was committed, without reading anything again.
    pub(super) fn go_on(
        connection: &'c mut SqliteConnection,
        path: &'c Path,
        journal: &'c JournalId,
        warm: Warm,
    ) -> Self {
        Self {
            connection,
            journal,
            now_us: Timestamp::now().as_microsecond(),
            streams: warm.streams,
            known: HashMap::new(),
            said: HashMap::new(),
            path,
            is_provided: true,
            goes_on: true,
            data_version: warm.data_version,
            position: warm.position,
            link: warm.link,
            opened: warm.opened,
            opened_more: false,
            events: Vec::new(),
            changes: Vec::new(),
            observations: Vec::new(),
        }
    }

    /// Reads the streams and ids that a piece of work needs, unless `begin` has done so.
    pub(super) async fn provide(&mut self, names: &[&str], ids: &[Uuid]) -> Result<(), JournalError> {
        if self.is_provided { Ok(()) } else { self.prefetch(names, ids).await }
    }

    /// Reads some streams that are not known yet, and some ids.
    pub(super) async fn prefetch(&mut self, names: &[&str], ids: &[Uuid]) -> Result<(), JournalError> {
        let is_new = |name: &&str| !self.streams.contains_key(*name) && !self.said.contains_key(*name);
        let names: Vec<&str> = names.iter().copied().filter(is_new).collect();
        if names.is_empty() && ids.is_empty() {
            return Ok(());
        }
        let mut script = Script::default();
        rows::select_streams(&mut script, &names);
        rows::select_known(&mut script, ids);
        rows::select_said(&mut script, &names);
        let answers = self.read(script).await?;
        self.take_in(&names, &answers)
    }

    fn take_in(&mut self, names: &[&str], answers: &[Vec<SqliteRow>]) -> Result<(), JournalError> {
        let mut said = Vec::new();
        for row in answers.iter().flatten() {
            match row.len() {
                KNOWN_COLUMNS => {
                    let (id, known) = rows::known(row)?;
                    self.known.insert(id, known);
                }
                SAID_COLUMNS => said.push(row),
                _ => {
                    let (name, loaded) = rows::loaded(row)?;
                    self.streams.entry(name).or_insert(loaded);
                }
            }
        }
        for name in names.iter().filter(|name| !self.streams.contains_key(**name)) {
            self.said.insert((*name).to_owned(), Vec::new());
        }
        for row in said {
            let about: String = row.cell(0)?;
            if let Some(said) = self.said.get_mut(&about) {
                said.push((row.cell(1)?, row.cell(2)?));
            }
        }
        Ok(())
    }

    /// Opens a stream that is not there yet. What was said about its session before it came is kept for its first event.
    pub(super) fn open_stream(&mut self, id: &StreamId, component: &str, own: bool) {
        let said = self.said.remove(id.as_str()).unwrap_or_default();
        self.opened += 1;
        self.opened_more = true;
        let is_session = matches!(id, StreamId::Session(_));
        self.streams.insert(id.as_str().to_owned(), Loaded::new(self.opened, component, own, is_session, said));
    }

    /// Puts an event, or its stub, at the end of the journal and at the head of its stream, which must be loaded.
    pub(super) async fn push(&mut self, parcel: &Parcel) -> Result<(), JournalError> {
        self.position += 1;
        let position = u64::try_from(self.position).unwrap_or(0);
        self.link = link(&self.link, position, &parcel.event_id(), &parcel.hash());
        let stream = self.streams.get_mut(parcel.stream().as_str()).expect("the caller has loaded the stream");
        let row = EventRow { position: self.position, stream: stream.id, link: self.link, parcel: parcel.clone() };
        let change = stream.push(&row, self.now_us);
        if let Some(change) = change {
            self.changes.push((self.position, stream.id, parcel.timestamp().as_microsecond(), change));
        }
        let event = match parcel {
            Parcel::Whole(event) => Some(event.clone()),
            Parcel::Stub(_) => None,
        };
        let known = Known { hash: parcel.hash(), text: None, is_stub: event.is_none(), event: event.clone() };
        self.known.insert(parcel.event_id(), known);
        self.events.push(row);
        if let Some(event) = event
            && *event.kind() == EventKind::Observation
            && matches!(event.stream(), StreamId::Journal(_))
        {
            self.observe(&event).await?;
        }
        if self.events.len() >= ROWS_WAITING {
            self.flush().await?;
        }
        Ok(())
    }

    /// Lets an observation change the session that it is about.
    async fn observe(&mut self, event: &Event) -> Result<(), JournalError> {
        let Some(observation) = event.decode::<Observation>() else { return Ok(()) };
        let Some(about) = observation.about.clone() else { return Ok(()) };
        let time_us = event.timestamp().as_microsecond();
        self.prefetch(&[about.as_str()], &[]).await?;
        match self.streams.get_mut(about.as_str()) {
            Some(loaded) => loaded.observe(&observation.what, time_us),
            None => self.said.entry(about.as_str().to_owned()).or_default().push((observation.what.clone(), time_us)),
        }
        self.observations.push((self.position, observation, time_us));
        Ok(())
    }

    /// Writes what waits, in scripts of few different shapes.
    pub(super) async fn flush(&mut self) -> Result<(), JournalError> {
        for script in self.waiting(Shape::Many) {
            self.read(script).await?;
        }
        Ok(())
    }

    /// The scripts that write what waits: one, or one for each chunk of rows.
    fn waiting(&mut self, shape: Shape) -> Vec<Script> {
        let mut scripts = vec![Script::default()];
        if self.goes_on {
            scripts[0].add("BEGIN IMMEDIATE").add(GUARD).bind(self.data_version).bind(SCHEMA_VERSION);
        }
        rows::insert_events(&mut scripts, shape, &std::mem::take(&mut self.events), self.now_us);
        rows::write_changes(&mut scripts, shape, std::mem::take(&mut self.changes));
        for (position, observation, time_us) in self.observations.drain(..) {
            shape.begin(&mut scripts);
            rows::insert_observation(shape.last(&mut scripts), position, &observation, time_us);
        }
        scripts
    }

    /// Writes the rows of the streams that have changed, and the sums, before the end of the transaction.
    pub(super) async fn write_streams(&mut self) -> Result<(), JournalError> {
        let (mut script, mut sums) = (Script::default(), BTreeMap::new());
        for (name, loaded) in &mut self.streams {
            if loaded.has_changed() {
                rows::write_stream(&mut script, name, loaded, &mut sums);
                loaded.settle();
            }
        }
        for ((day, component), totals) in &sums {
            rows::add_totals(&mut script, "rollups", *day, component, totals);
        }
        self.read(script).await.map(drop)
    }

    /// Writes everything and commits.
    pub(super) async fn commit(self) -> Result<(), JournalError> {
        self.commit_and_keep().await.map(drop).map_err(Uncommitted::into_error)
    }

    /// Writes everything and commits. A COMMIT that fails is looked into: only what is surely not stored has failed.
    pub(super) async fn commit_and_keep(mut self) -> Result<Warm, Uncommitted> {
        // A command's commit is one trip. Much to write is written in scripts that are found in the cache.
        let changed = self.streams.values().filter(|stream| stream.has_changed()).count();
        let shape = if self.events.len() <= 4 && changed <= 2 { Shape::One } else { Shape::Many };
        let single = self.single();
        if single.is_none() && self.goes_on && self.opened_more {
            // What was said about the session was not looked for.
            return Err(Uncommitted::Stale);
        }
        if let Some(script) = single {
            return match script.run(self.connection).await {
                Ok(_) => Ok(self.into_warm()),
                Err(Stopped { error, .. }) if code(&error) == Code::Other => Err(Uncommitted::Stale),
                Err(Stopped { error, .. }) => Err(Uncommitted::Failed(failed_commit(&error, self.path))),
            };
        }
        let mut scripts = self.waiting(shape);
        let mut sums = BTreeMap::new();
        for (name, loaded) in self.streams.iter().filter(|(_, loaded)| loaded.has_changed()) {
            shape.begin(&mut scripts);
            rows::write_stream(shape.last(&mut scripts), name, loaded, &mut sums);
        }
        shape.begin(&mut scripts);
        let last = shape.last(&mut scripts);
        for ((day, component), totals) in &sums {
            rows::add_totals(last, "rollups", *day, component, totals);
        }
        if self.opened_more {
            last.add("UPDATE journal SET streams = ?").bind(self.opened);
        }
        last.add("COMMIT");
        let statements = last.len();
        let last = scripts.pop().unwrap_or_default();
        for script in scripts {
            self.read(script).await.map_err(Uncommitted::Failed)?;
        }
        match last.run(self.connection).await {
            Ok(_) => Ok(self.into_warm()),
            Err(Stopped { done, error }) if done + 1 == statements => {
                Err(Uncommitted::Failed(failed_commit(&error, self.path)))
            }
            // The guard spoke, or an id or a place is taken, which is for a transaction that looks first to sort out.
            Err(Stopped { done, error }) if self.goes_on && done > 0 && code(&error) == Code::Other => {
                Err(Uncommitted::Stale)
            }
            Err(Stopped { error, .. }) => Err(Uncommitted::Failed(translate(&error, self.path))),
        }
    }

    /// The one statement that is all of this transaction, when it is that short.
    fn single(&self) -> Option<Script> {
        let [row] = self.events.as_slice() else { return None };
        if !self.goes_on || !self.observations.is_empty() || self.changes.len() > 1 {
            return None;
        }
        let change = self.changes.first().map(|(.., change)| change);
        let name = row.parcel.stream().as_str();
        let loaded = self.streams.get(name)?;
        if self.opened_more {
            return opening::script(row, name, loaded, self.now_us);
        }
        single::script(row, change, loaded, self.now_us)
    }

    fn into_warm(self) -> Warm {
        let Self { mut streams, data_version, position, link, opened, .. } = self;
        // One process records few sessions at a time; a tracker's many are read again.
        if streams.len() > 4 {
            streams.clear();
        }
        streams.values_mut().for_each(Loaded::settle);
        Warm { streams, data_version, position, link, opened }
    }

    /// Runs a script inside the transaction.
    pub(super) async fn read(&mut self, script: Script) -> Result<Vec<Vec<SqliteRow>>, JournalError> {
        if script.len() == 0 {
            return Ok(Vec::new());
        }
        script.run(self.connection).await.map_err(|stopped| translate(&stopped.error, self.path))
    }
}
