//! Checking that the journal is what was recorded.
//!
//! Two passes over one snapshot. The first goes by positions: no hole, every link is the digest of what it binds, every
//! receipt's link is ours. The second goes by streams: every event's text has its hash and its columns, every stream is
//! gapless and bound from its base to its head, and its projection is what drawing it again gives.
//!
//! A value that can not be read is a fault like any other: it is named, and what else there is is looked at.
//!
//! What points at an event from elsewhere (the head of its stream, the count of streams, the sums of its day) is what
//! betrays a cut tail or a removed session. Whoever changes all of that too is betrayed by a receipt alone, and
//! `unknowable` says so.

mod positions;
mod projection;
mod streams;

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{
    Anchor, Fault, JournalError, Report,
    cells::{Cells, hash, number, optional_hash, uuid},
    chain::{genesis, link},
    differences::heard,
    pages::{StreamPage, Unreadable},
    replay::Said,
    shown::{count, timestamp},
    source::{Source, Statement},
};
use crate::event::{Event, Hash, JournalId, Observation, SessionId};

/// Positions and streams in a page.
const POSITIONS: i64 = 5_000;
const STREAMS: i64 = 500;

/// What is verified.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verified<'j> {
    /// The journal's id.
    pub id: &'j JournalId,
    /// It was read from an archive, which holds single observations of a stream.
    pub is_archive: bool,
}

/// Verifies a snapshot of a journal: everything, or one session.
pub(super) async fn verify<S: Source>(
    snapshot: &mut S,
    journal: Verified<'_>,
    only: Option<&SessionId>,
) -> Result<Report, JournalError> {
    let mut check =
        Check { journal, source: snapshot, report: empty(), said: HashMap::new(), scrubbed: HashSet::new() };
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
        prunings: Vec::new(),
        warnings: Vec::new(),
        position: 0,
        link: None,
        skipped: Vec::new(),
        unknowable: Vec::new(),
    }
}

struct Check<'c, S> {
    journal: Verified<'c>,
    source: &'c mut S,
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
    /// What the first event is bound to, where that can be read.
    first_link: Option<Hash>,
}

impl<S: Source> Check<'_, S> {
    async fn all(&mut self, only: Option<&SessionId>) -> Result<(), JournalError> {
        let own = self.own().await?;
        self.anchors().await?;
        match only {
            Some(session) => {
                let looked = self.one(&own, session).await;
                self.readable(looked)?;
                self.report.skipped.push(
                    "Everything but this session: other sessions, the journal's own stream, and the order of all events \
                     but this one's."
                        .to_owned(),
                );
                self.report.skipped.push(
                    "What is made of many sessions: the sums of a day, the text index. `verify` without an id looks at them."
                        .to_owned(),
                );
            }
            None => {
                let looked = self.positions(&own).await;
                self.readable(looked)?;
                let looked = self.conflicts(None).await;
                self.readable(looked)?;
                let looked = self.prunings().await;
                self.readable(looked)?;
                let looked = self.streams(&own).await;
                self.readable(looked)?;
            }
        }
        self.say_what_is_unknowable();
        Ok(())
    }

    async fn one(&mut self, own: &Own, session: &SessionId) -> Result<(), JournalError> {
        let named = Statement::new("SELECT id FROM streams WHERE name = ?").bind(session.as_str());
        let Some(id) = self.source.rows(named).await?.first().map(|row| row.cell::<i64>(0)).transpose()? else {
            self.fault("removed_session", Some(session.as_str()), None, None, "no such session is stored".to_owned());
            return Ok(());
        };
        self.links_of(own, id, session).await?;
        let about = Statement::new(
            "SELECT e.position, e.text, e.residue, e.time_us FROM observations o \
             JOIN events e ON e.position = o.position WHERE o.about = ? ORDER BY o.position",
        );
        // What was scrubbed is said about no session: the journal's own stream says it.
        let scrubbed = Statement::new(
            "SELECT e.position, e.text, e.residue, e.time_us FROM events e JOIN streams s ON s.id = e.stream \
             WHERE s.name = ? AND e.text LIKE '%scrubbed%'",
        );
        for statement in [about.bind(session.as_str()), scrubbed.bind(self.journal.id.as_str())] {
            for row in self.source.rows(statement).await? {
                let heard = self.hear(&row, 0);
                self.readable(heard)?;
            }
        }
        let page = self.page(id, id).await?;
        self.unreadable_in(&page);
        for stream in page.streams.iter().filter(|stream| !page.unreadable.contains_key(&stream.id)) {
            self.stream(&page, stream);
        }
        self.conflicts(Some(session)).await?;
        let head = Statement::new("SELECT position, link FROM events ORDER BY position DESC LIMIT 1");
        if let Some(row) = self.source.rows(head).await?.first() {
            self.report.position = count(row.cell(0)?);
            self.report.link = Some(hash(row, 1)?.to_string());
        }
        Ok(())
    }

    /// The links at one session's positions, each with the one before it.
    async fn links_of(&mut self, own: &Own, id: i64, session: &SessionId) -> Result<(), JournalError> {
        let links = Statement::new(
            "SELECT e.position, e.event_id, e.hash, e.link, (SELECT b.link FROM events b \
             WHERE b.position = e.position - 1) FROM events e WHERE e.stream = ? ORDER BY e.seq",
        );
        for row in self.source.rows(links.bind(id)).await? {
            let position: i64 = row.cell(0)?;
            let bound = self.link_of(own, session, position, &row);
            self.readable_at(position, bound)?;
        }
        Ok(())
    }

    fn link_of(&mut self, own: &Own, session: &SessionId, position: i64, row: &S::Row) -> Result<(), JournalError> {
        let is_first = position == own.checkpoint + 1;
        let before = if is_first { own.first_link } else { optional_hash(row, 4)? };
        let Some(before) = before else {
            if !is_first {
                let message = format!("the event at position {} is missing", position - 1);
                self.fault("missing", None, None, Some(position - 1), message);
            }
            return Ok(());
        };
        if link(&before, count(position), &uuid(row, 1)?, &hash(row, 2)?) != hash(row, 3)? {
            let message = format!("position {position} is not bound to the one before it");
            self.fault("link", Some(session.as_str()), None, Some(position), message);
        }
        Ok(())
    }

    async fn own(&mut self) -> Result<Own, JournalError> {
        let rows = self.source.rows(Statement::new("SELECT streams, checkpoint, checkpoint_link FROM journal")).await?;
        let row = rows.first().ok_or_else(|| JournalError::Damaged("its own row is missing".to_owned()))?;
        let (streams, checkpoint) = (self.readable(row.cell(0))?, self.readable(row.cell(1))?);
        let link = optional_hash(row, 2).map(|link| Some(link.unwrap_or_else(|| genesis(self.journal.id))));
        Ok(Own { streams, checkpoint, first_link: self.readable(link)? })
    }

    async fn anchors(&mut self) -> Result<(), JournalError> {
        let receipts = Statement::new("SELECT position, link, tracker, received_us FROM receipts ORDER BY position");
        for row in self.source.rows(receipts).await? {
            let anchor = anchor(&row).map(Some);
            let anchor = self.readable(anchor)?;
            self.report.anchors.extend(anchor);
        }
        Ok(())
    }

    /// Takes an observation to what was said about its session.
    fn hear(&mut self, row: &S::Row, first: usize) -> Result<(), JournalError> {
        let (position, time_us): (i64, i64) = (row.cell(first)?, row.cell(first + 3)?);
        let (text, residue): (Option<&str>, Option<&str>) = (row.cell(first + 1)?, row.cell(first + 2)?);
        if let Some(observation) = text.and_then(|text| Event::parse(text).ok()?.decode::<Observation>())
            && observation.what == "scrubbed"
        {
            let id = observation.detail.get("event_id").and_then(serde_json::Value::as_str);
            self.scrubbed.extend(id.and_then(|id| id.parse::<Uuid>().ok()));
        }
        if let Some((about, what)) = heard(text, residue) {
            self.said.entry(about).or_default().push(Said { position, what, time_us });
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

    /// A value that can not be read is a fault, and no reason to look no further.
    fn readable<T: Default>(&mut self, read: Result<T, JournalError>) -> Result<T, JournalError> {
        match read {
            Err(JournalError::Damaged(what)) => {
                self.fault("unreadable", None, None, None, what);
                Ok(T::default())
            }
            other => other,
        }
    }

    /// The same of an event: one fault for its position, whoever comes upon it.
    fn readable_at<T: Default>(&mut self, position: i64, read: Result<T, JournalError>) -> Result<T, JournalError> {
        match read {
            Err(JournalError::Damaged(what)) => {
                self.unreadable(&Unreadable { stream: None, seq: None, position: Some(position), what });
                Ok(T::default())
            }
            other => other,
        }
    }

    fn unreadable(&mut self, found: &Unreadable) {
        let position = found.position.map(count);
        let known =
            self.report.faults.iter_mut().find(|fault| fault.what == "unreadable" && fault.position == position);
        match known.filter(|_| position.is_some()) {
            Some(fault) => {
                fault.stream = fault.stream.take().or_else(|| found.stream.clone());
                fault.seq = fault.seq.or(found.seq.map(count));
            }
            None => {
                let stream = found.stream.as_deref();
                self.fault("unreadable", stream, found.seq, found.position, found.what.clone());
            }
        }
    }

    fn unreadable_in(&mut self, page: &StreamPage) {
        page.unreadable.values().flatten().for_each(|found| self.unreadable(found));
    }

    async fn page(&mut self, from: i64, to: i64) -> Result<StreamPage, JournalError> {
        StreamPage::read_what_is_readable(self.source, from, to).await
    }

    async fn number(&mut self, sql: &str) -> Result<i64, JournalError> {
        number(self.source.rows(Statement::new(sql)).await?.first(), 0)
    }
}

fn anchor(row: &impl Cells) -> Result<Anchor, JournalError> {
    Ok(Anchor {
        position: count(row.cell(0)?),
        link: hash(row, 1)?.to_string(),
        tracker: row.cell(2)?,
        at: timestamp(row.cell(3)?),
    })
}
