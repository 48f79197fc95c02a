//! One writing transaction: what was read of the journal, what is to be written, and the commit.
//!
//! Invariants:
//! - It holds the appenders' lock from its beginning to its commit, across all programs that open the database. Positions
//!   are given out under it, as the last position + 1, and the lock is released after the commit is visible: whoever sees
//!   a position sees all before it, so no cursor ever passes an event that commits later.
//! - The schema's version and the journal's id are read after the lock was taken, so a program that is too old, or whose
//!   database was replaced, stops.
//! - Events, projection and rollups of one piece of work are in one commit; each row is written once, in one statement.
//! - It is durable: a database whose `synchronous_commit` is off is overruled.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use sqlx::{AssertSqlSafe, PgConnection, Row};
use uuid::Uuid;

use super::{
    address::Address,
    error::{failed_commit, translate},
    migrate::{LOCK, SCHEMA_VERSION, unusable},
    rows::{Batch, finish_elsewhere},
    source::run,
};
use crate::{
    event::{Draft, Event, EventKind, Hash, JournalId, Observation, StreamId},
    journal::{
        JournalError, Parcel, Stream, Verdict,
        cells::Cells,
        chain::{genesis, link},
        judge::{Judgement, follows_a_conflict, judge},
        loaded::{
            EventRow, Known, Loaded, SELECT_KNOWN, SELECT_STREAMS, Waiting, add_difference, gather, known, loaded,
        },
        projection::Facts,
        sealing::{Sealed, seal},
        source::Statement,
    },
};

/// One writing transaction.
pub(super) struct Transaction<'c> {
    pub(super) connection: &'c mut PgConnection,
    pub(super) journal: &'c JournalId,
    pub(super) address: &'c Address,
    now_us: i64,
    streams: HashMap<String, Loaded>,
    known: HashMap<Uuid, Known>,
    /// What was said about sessions that are not there yet.
    said: HashMap<String, Vec<(String, i64)>>,
    position: i64,
    link: Hash,
    /// Streams ever opened.
    opened: i64,
    opened_more: bool,
    events: Vec<EventRow>,
    changes: Vec<Waiting>,
    observations: Vec<(i64, Observation, i64)>,
}

impl<'c> Transaction<'c> {
    /// Begins: takes the lock and reads where the journal stands, in one trip.
    pub(super) async fn begin(
        connection: &'c mut PgConnection,
        address: &'c Address,
        journal: &'c JournalId,
    ) -> Result<Self, JournalError> {
        let sql = format!(
            "BEGIN; SET LOCAL lock_timeout = '10s'; SET LOCAL idle_in_transaction_session_timeout = '30s'; \
             SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'; \
             {LOCK}; \
             SELECT schema_version, journal_id, streams, coalesce(e.position, checkpoint), \
             coalesce(e.link, checkpoint_link) FROM journal \
             LEFT JOIN (SELECT position, link FROM events ORDER BY position DESC LIMIT 1) e ON true"
        );
        let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut *connection).await;
        let rows = rows.map_err(|error| translate(&error, address))?;
        let Some(row) = rows.last().filter(|row| row.len() == 5) else {
            return Err(JournalError::Damaged("its own row is missing".to_owned()));
        };
        let found: i64 = row.get(0);
        if found != SCHEMA_VERSION {
            return Err(JournalError::TooNew { found, known: SCHEMA_VERSION });
        }
        if row.get::<String, _>(1) != journal.as_str() {
            return Err(unusable(address, "another journal has taken its place while it was open"));
        }
        let link = match row.get::<Option<Vec<u8>>, _>(4).map(<[u8; 32]>::try_from) {
            None => genesis(journal),
            Some(Ok(link)) => Hash::from_bytes(link),
            Some(Err(_)) => return Err(JournalError::Damaged("the last link has not 32 bytes".to_owned())),
        };
        Ok(Self {
            journal,
            address,
            now_us: Timestamp::now().as_microsecond(),
            streams: HashMap::new(),
            known: HashMap::new(),
            said: HashMap::new(),
            position: row.get(3),
            link,
            opened: row.get(2),
            opened_more: false,
            events: Vec::new(),
            changes: Vec::new(),
            observations: Vec::new(),
            connection,
        })
    }

    /// Reads the streams and ids that some work needs.
    pub(super) async fn prefetch(&mut self, names: &[&str], ids: &[Uuid]) -> Result<(), JournalError> {
        let names: Vec<String> = names
            .iter()
            .filter(|name| !self.streams.contains_key(**name) && !self.said.contains_key(**name))
            .map(|name| (*name).to_owned())
            .collect();
        if !names.is_empty() {
            let sql = format!("{SELECT_STREAMS} WHERE s.name = ANY($1)");
            let rows = sqlx::query(AssertSqlSafe(sql)).bind(&names).fetch_all(&mut *self.connection).await;
            for row in rows.map_err(|error| self.translate(&error))? {
                let (name, loaded) = loaded(&row)?;
                self.streams.insert(name, loaded);
            }
        }
        let new: Vec<String> = names.into_iter().filter(|name| !self.streams.contains_key(name)).collect();
        if !new.is_empty() {
            let sql = "SELECT about, what, time_us FROM observations WHERE about = ANY($1) ORDER BY position";
            let rows = sqlx::query(sql).bind(&new).fetch_all(&mut *self.connection).await;
            let rows = rows.map_err(|error| self.translate(&error))?;
            self.said.extend(new.into_iter().map(|name| (name, Vec::new())));
            for row in &rows {
                let about: String = row.cell(0)?;
                self.said.entry(about).or_default().push((row.cell(1)?, row.cell(2)?));
            }
        }
        if !ids.is_empty() {
            let ids: Vec<Vec<u8>> = ids.iter().map(|id| id.as_bytes().to_vec()).collect();
            let sql = format!("{SELECT_KNOWN} WHERE event_id = ANY($1)");
            let rows = sqlx::query(AssertSqlSafe(sql)).bind(ids).fetch_all(&mut *self.connection).await;
            for row in rows.map_err(|error| self.translate(&error))? {
                let (id, stored) = known(&row)?;
                self.known.insert(id, stored);
            }
        }
        Ok(())
    }

    /// Seals drafts at the head of their stream. Those that are stored already are answered as they are. What it needs
    /// was fetched.
    pub(super) async fn record(&mut self, stream: &Stream, drafts: &[Draft]) -> Result<Vec<Event>, JournalError> {
        let name = stream.id.as_str();
        let Sealed { events, fresh } = seal(stream, drafts, self.journal, self.streams.get(name), &self.known)?;
        if !fresh.is_empty() && !self.streams.contains_key(name) {
            self.open_stream(&stream.id, &stream.component, true);
        }
        for event in &fresh {
            self.push(&event.clone().into()).await?;
        }
        Ok(events)
    }

    /// Judges what was sealed elsewhere, in order, and stores what is accepted. What it needs was fetched.
    pub(super) async fn receive(&mut self, parcels: &[Parcel]) -> Result<Vec<Verdict>, JournalError> {
        let mut verdicts = Vec::with_capacity(parcels.len());
        for parcel in parcels {
            let verdict = self.judge(parcel).await?;
            match &verdict {
                Verdict::Accepted if self.known.contains_key(&parcel.event_id()) => self.fill(parcel).await?,
                Verdict::Accepted => {
                    if !self.streams.contains_key(parcel.stream().as_str()) {
                        self.open_stream(parcel.stream(), parcel.component(), false);
                    }
                    self.push(parcel).await?;
                }
                Verdict::Conflict(reason) => self.keep_aside(parcel, reason).await?,
                Verdict::Duplicate | Verdict::Rejected(_) => {}
            }
            verdicts.push(verdict);
        }
        Ok(verdicts)
    }

    async fn judge(&mut self, event: &Parcel) -> Result<Verdict, JournalError> {
        let known = self.known.get(&event.event_id());
        let stream = self.streams.get(event.stream().as_str());
        match judge(event, self.journal, known, stream) {
            Judgement::Is(verdict) => Ok(verdict),
            Judgement::UnlessItFollowsAConflict(verdict) => {
                let Some(prev) = event.prev() else { return Ok(verdict) };
                let asked = Statement::new("SELECT 1 FROM conflicts WHERE hash = ?").bind(prev.as_bytes().as_slice());
                Ok(if self.rows(asked).await?.is_empty() { verdict } else { follows_a_conflict() })
            }
        }
    }

    async fn keep_aside(&mut self, event: &Parcel, reason: &str) -> Result<(), JournalError> {
        let statement = Statement::new(
            "INSERT INTO conflicts (hash, event_id, stream, seq, recorded_us, reason, text) VALUES (?,?,?,?,?,?,?) \
             ON CONFLICT DO NOTHING",
        );
        let statement = statement.bind(event.hash().as_bytes().as_slice()).bind(event.event_id().as_bytes().as_slice());
        let statement = statement.bind(event.stream().as_str()).bind(i64::try_from(event.seq()).unwrap_or(i64::MAX));
        self.rows(statement.bind(self.now_us).bind(reason).bind(event.text().unwrap_or_default())).await.map(drop)
    }

    /// Opens a stream that is not there yet. What was said about its session before it came is kept for its first event.
    fn open_stream(&mut self, id: &StreamId, component: &str, own: bool) {
        let said = self.said.remove(id.as_str()).unwrap_or_default();
        self.opened += 1;
        self.opened_more = true;
        let is_session = matches!(id, StreamId::Session(_));
        let opened = Loaded::new(self.opened, component, own, is_session, said);
        self.streams.insert(id.as_str().to_owned(), opened);
    }

    /// Puts an event at the end of the journal and at the head of its stream, which must be loaded.
    async fn push(&mut self, parcel: &Parcel) -> Result<(), JournalError> {
        self.position += 1;
        let position = u64::try_from(self.position).unwrap_or(0);
        self.link = link(&self.link, position, &parcel.event_id(), &parcel.hash());
        let stream = self.streams.get_mut(parcel.stream().as_str()).expect("the caller has loaded the stream");
        let row = EventRow { position: self.position, stream: stream.id, link: self.link, parcel: parcel.clone() };
        if let Some(change) = stream.push(&row, self.now_us) {
            self.changes.push((self.position, stream.id, parcel.timestamp().as_microsecond(), change));
        }
        let (event, is_stub) = match parcel {
            Parcel::Whole(event) => (Some(event.clone()), false),
            Parcel::Stub(_) => (None, true),
        };
        self.known.insert(parcel.event_id(), Known { hash: parcel.hash(), text: None, event, is_stub });
        self.events.push(row);
        if let Parcel::Whole(event) = parcel
            && *event.kind() == EventKind::Observation
            && matches!(event.stream(), StreamId::Journal(_))
        {
            self.observe(event).await?;
        }
        Ok(())
    }

    /// Puts an event in the place of its stub, and draws its session again.
    async fn fill(&mut self, parcel: &Parcel) -> Result<(), JournalError> {
        let (name, id) = (parcel.stream().as_str(), parcel.event_id());
        self.flush().await?;
        let filled = Statement::new("UPDATE events SET text = ?, residue = NULL WHERE event_id = ? RETURNING stream");
        let filled = filled.bind(parcel.text().unwrap_or_default()).bind(id.as_bytes().as_slice());
        if let Some(row) = self.rows(filled).await?.first() {
            self.draw_again(row.cell(0)?).await?;
        }
        if let Some(known) = self.known.get_mut(&id) {
            known.is_stub = false;
        }
        // What follows in this transaction finds the stream as it is now.
        self.streams.remove(name);
        self.prefetch(&[name], &[]).await
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

    /// Writes everything that waits.
    pub(super) async fn flush(&mut self) -> Result<(), JournalError> {
        let nothing = Facts::default();
        let mut streams = Vec::new();
        let (mut sessions, mut spans, mut sums) = (Vec::new(), Vec::new(), BTreeMap::new());
        for (name, loaded) in self.streams.iter().filter(|(_, loaded)| loaded.has_changed()) {
            streams.push((name.as_str(), loaded));
            let Some(picture) = &loaded.picture else { continue };
            if !loaded.has_session || loaded.facts.is_some() {
                let facts = loaded.facts.as_deref().unwrap_or(&nothing);
                sessions.push((loaded.id, name.as_str(), picture, facts));
            } else if loaded.span_before.as_ref() != Some(&picture.span) {
                spans.push((loaded.id, picture));
            }
            add_difference(&mut sums, loaded.totals_before, picture);
        }
        // In one order everywhere, so that nobody waits in a circle.
        streams.sort_unstable_by_key(|(_, loaded)| loaded.id);
        let gathered = gather(std::mem::take(&mut self.changes));
        let mut batch = Batch::default();
        batch.events(&self.events, self.now_us);
        batch.commands(&gathered);
        batch.streams(&streams);
        batch.sessions(&sessions);
        batch.session_spans(&spans);
        batch.observations(&self.observations);
        batch.sums("rollups", &sums);
        if self.opened_more {
            batch.opened(self.opened);
        }
        let outcome = async {
            batch.run(self.connection).await?;
            finish_elsewhere(self.connection, &gathered).await
        };
        let outcome = outcome.await;
        outcome.map_err(|error| self.translate(&error))?;
        self.events.clear();
        self.observations.clear();
        self.opened_more = false;
        self.streams.values_mut().filter(|loaded| loaded.has_changed()).for_each(Loaded::settle);
        Ok(())
    }

    /// Commits what was flushed. A COMMIT that fails is looked into: only what is surely not stored has failed.
    pub(super) async fn commit(self) -> Result<(), JournalError> {
        let outcome = sqlx::raw_sql("COMMIT").execute(&mut *self.connection).await;
        outcome.map(drop).map_err(|error| failed_commit(&error, self.address))
    }

    /// Runs a statement inside the transaction.
    pub(super) async fn rows(&mut self, statement: Statement) -> Result<Vec<sqlx::postgres::PgRow>, JournalError> {
        run(self.connection, &statement).await.map_err(|error| self.translate(&error))
    }

    pub(super) fn translate(&self, error: &sqlx::Error) -> JournalError {
        translate(error, self.address)
    }
}
