//! Checking that the journal is what was recorded.
//!
//! Two passes over one snapshot. The first goes by positions: no hole, every link is the digest of what it binds, every
//! receipt's link is ours. The second goes by streams: every event's text has its hash and its columns, every stream is
//! gapless and bound from its base to its head, and its projection is what drawing it again gives.
//!
//! What points at an event from elsewhere (the head of its stream, the count of streams, the sums of its day) is what
//! betrays a cut tail or a removed session. Whoever changes all of that too is betrayed by a receipt alone, and
//! `unknowable` says so.

use std::collections::{BTreeMap, HashMap, HashSet};

use sqlx::{Connection, Row, SqliteConnection};
use uuid::Uuid;

use super::{
    SqliteJournal,
    pages::{StoredEvent, StreamPage, StreamRow},
    record::{count, timestamp},
    rows::{hash, optional_hash, uuid},
    script::Script,
};
use crate::{
    event::{Event, Hash, Observation, SessionId},
    journal::{
        Anchor, Fault, JournalError, Report,
        chain::{genesis, link},
        projection::Totals,
        replay::{Said, draw},
    },
};

/// Positions and streams in a page.
const POSITIONS: i64 = 5_000;
const STREAMS: i64 = 500;

pub(super) async fn verify(journal: &SqliteJournal, only: Option<&SessionId>) -> Result<Report, JournalError> {
    let mut reader = journal.reader().await?;
    // One snapshot for both passes. It ends with this function, also when the caller goes away.
    let mut snapshot = reader.connection().begin().await.map_err(|error| journal.translate(&error))?;
    let mut check =
        Check { journal, connection: &mut snapshot, report: empty(), said: HashMap::new(), scrubbed: HashSet::new() };
    check.all(only).await?;
    let mut report = check.report;
    report.faults.sort_by_key(|fault| (fault.position.unwrap_or(u64::MAX), fault.seq));
    Ok(report)
}

fn empty() -> Report {
    Report {
        streams: 0,
        events: 0,
        pruned: 0,
        faults: Vec::new(),
        anchors: Vec::new(),
        position: 0,
        link: None,
        unknowable: Vec::new(),
    }
}

struct Check<'c> {
    journal: &'c SqliteJournal,
    connection: &'c mut SqliteConnection,
    report: Report,
    /// What was said about sessions, as the events have it.
    said: HashMap<String, Vec<Said>>,
    /// Events whose bodies were removed with a word of why.
    scrubbed: HashSet<Uuid>,
}

/// The journal's own row.
struct Own {
    streams: i64,
    checkpoint: i64,
    checkpoint_link: Option<Hash>,
}

impl Check<'_> {
    async fn all(&mut self, only: Option<&SessionId>) -> Result<(), JournalError> {
        let own = self.own().await?;
        self.anchors().await?;
        match only {
            Some(session) => self.one(&own, session).await?,
            None => {
                self.positions(&own).await?;
                self.streams(&own).await?;
            }
        }
        self.say_what_is_unknowable();
        Ok(())
    }

    async fn one(&mut self, own: &Own, session: &SessionId) -> Result<(), JournalError> {
        let mut script = Script::default();
        script.add("SELECT id FROM streams WHERE name = ?").bind(session.as_str());
        let Some(id) = self.rows(script).await?.first().map(|row| row.get::<i64, _>(0)) else {
            self.fault("removed_session", Some(session.as_str()), None, None, "no such session is stored".to_owned());
            return Ok(());
        };
        self.links_of(own, id, session).await?;
        let mut script = Script::default();
        script
            .add(
                "SELECT e.position, e.text, e.residue, e.time_us FROM observations o \
                 JOIN events e ON e.position = o.position WHERE o.about = ? ORDER BY o.position",
            )
            .bind(session.as_str());
        // What was scrubbed is said about no session: the journal's own stream says it.
        script
            .add(
                "SELECT e.position, e.text, e.residue, e.time_us FROM events e JOIN streams s ON s.id = e.stream \
                 WHERE s.name = ? AND e.text LIKE '%scrubbed%'",
            )
            .bind(self.journal.id().as_str());
        for row in self.rows(script).await? {
            self.hear(row.get(0), row.get(1), row.get(2), row.get(3));
        }
        let page = self.page(id, id).await?;
        for stream in &page.streams {
            self.stream(&page, stream);
        }
        let mut script = Script::default();
        script.add("SELECT position, link FROM events ORDER BY position DESC LIMIT 1");
        if let Some(row) = self.rows(script).await?.first() {
            self.report.position = count(row.get(0));
            self.report.link = Some(hash(row, 1)?.to_string());
        }
        Ok(())
    }

    /// The links at one session's positions, each with the one before it.
    async fn links_of(&mut self, own: &Own, id: i64, session: &SessionId) -> Result<(), JournalError> {
        let mut script = Script::default();
        script
            .add(
                "SELECT e.position, e.event_id, e.hash, e.link, (SELECT b.link FROM events b \
                 WHERE b.position = e.position - 1) FROM events e WHERE e.stream = ? ORDER BY e.seq",
            )
            .bind(id);
        for row in self.rows(script).await? {
            let position: i64 = row.get(0);
            let before =
                if position == own.checkpoint + 1 { Some(self.first_link(own)) } else { optional_hash(&row, 4)? };
            let Some(before) = before else {
                let message = format!("the event at position {} is missing", position - 1);
                self.fault("missing", None, None, Some(position - 1), message);
                continue;
            };
            if link(&before, count(position), &uuid(&row, 1)?, &hash(&row, 2)?) != hash(&row, 3)? {
                let message = format!("position {position} is not bound to the one before it");
                self.fault("link", Some(session.as_str()), None, Some(position), message);
            }
        }
        Ok(())
    }

    async fn own(&mut self) -> Result<Own, JournalError> {
        let mut script = Script::default();
        script.add("SELECT streams, checkpoint, checkpoint_link FROM journal");
        let rows = self.rows(script).await?;
        let row = rows.first().ok_or_else(|| JournalError::Damaged("its own row is missing".to_owned()))?;
        Ok(Own { streams: row.get(0), checkpoint: row.get(1), checkpoint_link: optional_hash(row, 2)? })
    }

    async fn anchors(&mut self) -> Result<(), JournalError> {
        let mut script = Script::default();
        script.add("SELECT position, link, tracker, received_us FROM receipts ORDER BY position");
        for row in self.rows(script).await? {
            let anchor = Anchor {
                position: count(row.get(0)),
                link: hash(&row, 1)?.to_string(),
                tracker: row.get(2),
                at: timestamp(row.get(3)),
            };
            self.report.anchors.push(anchor);
        }
        Ok(())
    }

    fn first_link(&self, own: &Own) -> Hash {
        own.checkpoint_link.unwrap_or_else(|| genesis(self.journal.id()))
    }

    /// The first pass: no hole, every link right, every receipt's link ours.
    async fn positions(&mut self, own: &Own) -> Result<(), JournalError> {
        let (mut last, mut before) = (own.checkpoint, self.first_link(own));
        let mut anchored: BTreeMap<u64, Vec<Anchor>> = BTreeMap::new();
        for anchor in &self.report.anchors {
            anchored.entry(anchor.position).or_default().push(anchor.clone());
        }
        self.compare_anchors(&mut anchored, last, &before);
        loop {
            let mut script = Script::default();
            script
                .add(
                    "SELECT e.position, e.event_id, e.hash, e.link, e.time_us, s.name, \
                     CASE WHEN e.type = 'observation' THEN e.text END, \
                     CASE WHEN e.type = 'observation' THEN e.residue END, e.seq \
                     FROM events e LEFT JOIN streams s ON s.id = e.stream WHERE e.position > ? \
                     ORDER BY e.position LIMIT ?",
                )
                .bind(last)
                .bind(POSITIONS);
            let rows = self.rows(script).await?;
            for row in &rows {
                let position: i64 = row.get(0);
                let (stream, seq): (Option<&str>, i64) = (row.get(5), row.get(8));
                let stored = hash(row, 3)?;
                if position != last + 1 {
                    let message = match position - last {
                        2 => format!("the event at position {} is missing", last + 1),
                        _ => format!("the events at positions {} to {} are missing", last + 1, position - 1),
                    };
                    self.fault("missing", None, None, Some(last + 1), message);
                } else if link(&before, count(position), &uuid(row, 1)?, &hash(row, 2)?) != stored {
                    let message = format!("position {position} is not bound to the one before it");
                    self.fault("link", stream, Some(seq), Some(position), message);
                }
                if stream.is_none() {
                    let message = format!("the event at position {position} belongs to a stream that is gone");
                    self.fault("removed_session", None, None, Some(position), message);
                }
                self.hear(position, row.get(6), row.get(7), row.get(4));
                (last, before) = (position, stored);
                self.compare_anchors(&mut anchored, last, &before);
            }
            if rows.is_empty() {
                break;
            }
        }
        for anchor in anchored.into_values().flatten().filter(|anchor| anchor.position > count(last)) {
            let message = format!(
                "{} holds this journal up to position {}, and it ends at {last}",
                anchor.tracker, anchor.position
            );
            self.fault("cut_tail", None, None, i64::try_from(anchor.position).ok(), message);
        }
        self.report.position = count(last);
        self.report.link = Some(before.to_string());
        Ok(())
    }

    fn compare_anchors(&mut self, anchored: &mut BTreeMap<u64, Vec<Anchor>>, position: i64, link: &Hash) {
        for anchor in anchored.remove(&count(position)).unwrap_or_default() {
            if anchor.link != link.to_string() {
                let message = format!(
                    "{} holds another history up to position {position}: the events until there were made anew",
                    anchor.tracker
                );
                self.fault("anchor", None, None, Some(position), message);
            }
        }
    }

    /// Takes an observation to what was said about its session.
    fn hear(&mut self, position: i64, text: Option<&str>, residue: Option<&str>, time_us: i64) {
        let body = match (text, residue) {
            (Some(text), _) => Event::parse(text).ok().map(|event| event.body().clone()),
            (None, Some(residue)) => serde_json::from_str(residue).ok(),
            (None, None) => None,
        };
        let Some(body) = body else { return };
        let word = |key: &str| body.get(key).and_then(serde_json::Value::as_str).map(str::to_owned);
        if word("what").as_deref() == Some("scrubbed") {
            let id = body.pointer("/detail/event_id").and_then(serde_json::Value::as_str);
            self.scrubbed.extend(id.and_then(|id| id.parse::<Uuid>().ok()));
        }
        if let (Some(about), Some(what)) = (word("about"), word("what")) {
            self.said.entry(about).or_default().push(Said { position, what, time_us });
        }
    }

    /// The second pass: every stream, its events and its projection.
    async fn streams(&mut self, own: &Own) -> Result<(), JournalError> {
        let mut sums: BTreeMap<(i64, String), Totals> = super::rollups::base(self.connection).await?;
        let mut sessions = 0;
        let mut commands = 0;
        let mut from = 1;
        let highest = self.number("SELECT coalesce(max(id), 0) FROM streams").await?.max(own.streams);
        while from <= highest {
            let to = from + STREAMS - 1;
            let page = self.page(from, to).await?;
            let mut expected = from;
            for stream in &page.streams {
                self.removed(expected, stream.id);
                expected = stream.id + 1;
                if let Some((picture, rows)) = self.stream(&page, stream) {
                    sessions += 1;
                    commands += rows;
                    let sum = sums.entry((picture.day(), picture.component.clone())).or_default();
                    *sum = sum.zip(picture.totals(), |a, b| a + b);
                }
            }
            self.removed(expected, to.min(own.streams) + 1);
            from = to + 1;
        }
        if self.report.faults.is_empty() {
            self.leftovers(sessions, commands).await?;
            self.sums(&sums).await?;
        }
        Ok(())
    }

    /// Streams whose numbers are passed over.
    fn removed(&mut self, from: i64, to: i64) {
        for id in from..to {
            let message = format!("stream number {id} was recorded and is gone");
            self.fault("removed_session", None, None, None, message);
        }
    }

    /// Checks one stream. Answers its picture and the number of its commands, when it is in the projection.
    fn stream(&mut self, page: &StreamPage, stream: &StreamRow) -> Option<(crate::journal::projection::Picture, i64)> {
        self.report.streams += 1;
        let faults = self.report.faults.len();
        let none = Vec::new();
        let events = page.events.get(&stream.id).unwrap_or(&none);
        self.chain(stream, events);
        if !stream.is_session() || stream.pruned {
            return None;
        }
        let said = self.said.get(&stream.name).map_or(&[][..], Vec::as_slice);
        let drawn = draw(&stream.component, &page.lines(stream), said);
        // An event that is not what was recorded draws something else: one fault is enough.
        if self.report.faults.len() == faults && page.projected(stream) != drawn {
            let message = format!("the projection of {} is not what its events give", stream.name);
            self.fault("projection", Some(&stream.name), None, None, message);
        }
        drawn.map(|drawn| (drawn.picture, i64::try_from(drawn.commands.len()).unwrap_or(0)))
    }

    /// Checks that a stream is gapless and bound from its base to its head, and that each event is what it says.
    fn chain(&mut self, stream: &StreamRow, events: &[StoredEvent]) {
        let name = Some(stream.name.as_str());
        if events.is_empty() && stream.next_seq > stream.base {
            let message = format!("all events of {} are gone", stream.name);
            self.fault("removed_session", name, Some(stream.base), Some(stream.head_position), message);
            return;
        }
        let (mut next, mut before) = (stream.base, stream.base_hash);
        // An archive holds single observations of a stream, not the stream.
        let has_holes = self.journal.0.is_archive && !stream.is_session();
        for event in events {
            self.report.events += 1;
            let at = (Some(event.seq), Some(event.position));
            if event.seq >= stream.next_seq {
                let message = format!("seq {} of {} is beyond the head of its stream", event.seq, stream.name);
                self.fault("inserted", name, at.0, at.1, message);
                continue;
            }
            let is_next = event.seq == next;
            if !is_next && !has_holes {
                let message = match event.seq - next {
                    1 => format!("seq {next} of {} is missing", stream.name),
                    _ => format!("seq {next} to {} of {} are missing", event.seq - 1, stream.name),
                };
                self.fault("missing", name, Some(next), None, message);
            }
            self.event(stream, event, before.filter(|_| is_next));
            (next, before) = (event.seq + 1, Some(event.hash));
        }
        if next < stream.next_seq {
            let message =
                format!("{} was recorded up to seq {}, and ends at {}", stream.name, stream.next_seq - 1, next - 1);
            self.fault("cut_tail", name, Some(next), Some(stream.head_position), message);
        } else if before != stream.head_hash {
            let message = format!("the last event of {} is not the one that its head names", stream.name);
            self.fault("edited", name, Some(next - 1), Some(stream.head_position), message);
        }
    }

    fn event(&mut self, stream: &StreamRow, stored: &StoredEvent, before: Option<Hash>) {
        let at = (Some(stored.seq), Some(stored.position));
        let name = Some(stream.name.as_str());
        let Some(text) = &stored.text else {
            self.report.pruned += 1;
            let is_stub = stored.residue.as_deref().is_some_and(|residue| residue.contains("\"stub\":"));
            let is_lawful =
                !stream.is_session() || stream.pruned || is_stub || self.scrubbed.contains(&stored.event_id);
            if !is_lawful {
                let message = format!(
                    "the body of seq {} of {} is gone, and nobody has pruned or scrubbed it",
                    stored.seq, stream.name
                );
                self.fault("erased", name, at.0, at.1, message);
            }
            return;
        };
        let what = |why: &str| format!("seq {} of {} was edited: {why}", stored.seq, stream.name);
        let event = match Event::parse(text) {
            Ok(event) => event,
            Err(error) => return self.fault("edited", name, at.0, at.1, what(&error.to_string())),
        };
        let is_same = event.hash() == stored.hash
            && event.event_id() == stored.event_id
            && i64::try_from(event.seq()) == Ok(stored.seq)
            && event.stream().as_str() == stream.name
            && event.component() == stream.component
            && event.kind().as_str() == stored.kind
            && event.timestamp().as_microsecond() == stored.time_us;
        if !is_same {
            return self.fault("edited", name, at.0, at.1, what("its text and its row differ"));
        }
        if before.is_some() && event.prev() != before {
            self.fault("edited", name, at.0, at.1, what("it is not bound to the event before it"));
        }
        if stored.kind == "observation" && !stream.is_session() && event.decode::<Observation>().is_none() {
            self.fault("edited", name, at.0, at.1, what("it is no observation"));
        }
    }

    /// Rows of the projection that belong to no event.
    async fn leftovers(&mut self, sessions: i64, commands: i64) -> Result<(), JournalError> {
        let said: usize = self.said.values().map(Vec::len).sum();
        for (table, expected) in
            [("sessions", sessions), ("commands", commands), ("observations", i64::try_from(said).unwrap_or(0))]
        {
            let found = self.number(&format!("SELECT count(*) FROM {table}")).await?;
            if found != expected {
                let message = format!("the table `{table}` has {found} rows where the events give {expected}");
                self.fault("projection", None, None, None, message);
            }
        }
        Ok(())
    }

    async fn sums(&mut self, expected: &BTreeMap<(i64, String), Totals>) -> Result<(), JournalError> {
        let stored = super::rollups::kept(self.connection).await?;
        let nothing = Totals::default();
        let days: std::collections::BTreeSet<_> = expected.keys().chain(stored.keys()).collect();
        for day in days {
            if expected.get(day).unwrap_or(&nothing) != stored.get(day).unwrap_or(&nothing) {
                let date = timestamp(day.0.saturating_mul(86_400_000_000)).strftime("%F").to_string();
                let message = format!("the sums of {} on {date} are not those of its sessions", day.1);
                self.fault("projection", None, None, None, message);
            }
        }
        Ok(())
    }

    fn say_what_is_unknowable(&mut self) {
        let report = &mut self.report;
        let say = |sentence: String, into: &mut Vec<String>| into.push(sentence);
        let last = report.anchors.iter().map(|anchor| anchor.position).max();
        match last.filter(|_| report.faults.iter().all(|fault| fault.what != "anchor")) {
            Some(anchored) if anchored >= report.position => {}
            Some(anchored) => say(
                format!(
                    "Events after position {anchored}: nobody outside vouches for them. Whoever can write the file \
                     could have made them anew, or cut some off its end, together with all that points at them."
                ),
                &mut report.unknowable,
            ),
            None => say(
                "Nobody outside vouches for this journal. Whoever can write the file could have made all of it anew, \
                 or cut events off its end, together with all that points at them."
                    .to_owned(),
                &mut report.unknowable,
            ),
        }
        if report.pruned > 0 {
            say(
                format!(
                    "What {} events said whose bodies were removed: their places and hashes remain.",
                    report.pruned
                ),
                &mut report.unknowable,
            );
        }
        say("When events were received here: only their writers' times are sealed.".to_owned(), &mut report.unknowable);
    }

    fn fault(&mut self, what: &str, stream: Option<&str>, seq: Option<i64>, position: Option<i64>, message: String) {
        self.report.faults.push(Fault {
            what: what.to_owned(),
            stream: stream.map(str::to_owned),
            seq: seq.map(count),
            position: position.map(count),
            message,
        });
    }

    async fn page(&mut self, from: i64, to: i64) -> Result<StreamPage, JournalError> {
        StreamPage::read(self.connection, from, to).await.map_err(|stopped| self.journal.translate(&stopped.error))
    }

    async fn number(&mut self, sql: &str) -> Result<i64, JournalError> {
        let mut script = Script::default();
        script.add(sql);
        Ok(self.rows(script).await?.first().map_or(0, |row| row.get(0)))
    }

    async fn rows(&mut self, script: Script) -> Result<Vec<sqlx::sqlite::SqliteRow>, JournalError> {
        let answers = script.run(self.connection).await.map_err(|stopped| self.journal.translate(&stopped.error))?;
        Ok(answers.into_iter().flatten().collect())
    }
}
