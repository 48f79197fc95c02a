//! Retention: bodies of whole, ended, delivered sessions go; headers stay until a prefix of them folds into the checkpoint.
//!
//! Invariants:
//! - What is removed was archived and synced before, when an archive is asked for.
//! - A session goes whole and in one transaction: its bodies, its rows in the projection and in the text index; what it
//!   adds to the sums moves to their base, so the sums themselves do not change and a rebuild gives them again.
//! - Old means that we have not heard of it since: our own clock decides, not the writers'.
//! - An observation in the journal's own stream is committed with the first session that goes.
//! - The last event is never folded: it holds the position and link that the next one is bound to.
//! - Only events of pruned sessions fold, and old observations about sessions that are no longer listed. They must be
//!   delivered too.

use std::collections::{HashMap, HashSet};

use super::{
    SqliteJournal, archive,
    pace::Turn,
    record::count,
    rows::{self, hash},
    script::Script,
    transaction::Transaction,
};
use crate::{
    event::{Draft, EventKind, Hash},
    journal::{Journal, JournalError, Prune, Pruned, cells::Cells},
};
use serde_json::{Map, Value, json};

/// Headers folded in one statement.
const FOLD: i64 = 100;

/// A session that may go.
#[derive(Clone)]
pub(super) struct Candidate {
    pub stream: i64,
    pub name: String,
    /// It goes only as it was archived.
    head_position: i64,
}

pub(super) async fn prune(journal: &SqliteJournal, plan: &Prune) -> Result<Pruned, JournalError> {
    let writer = journal.writer()?;
    let before_us = plan.before.as_microsecond();
    let candidates = candidates(journal, before_us).await?;
    let mut pruned = Pruned { sessions: 0, events: 0, bytes: 0, folded: 0 };
    if let Some(path) = plan.archive.as_deref().filter(|_| !candidates.is_empty()) {
        archive::write(journal, path, &candidates).await?;
    }
    let mut rest = candidates.iter().peekable();
    while rest.peek().is_some() {
        let is_first = pruned.sessions == 0;
        let mut held = writer.hold().await?;
        let turn = Turn::begin();
        let outcome = async {
            let mut transaction = held.begin().await?;
            let mut done = Pruned { sessions: 0, events: 0, bytes: 0, folded: 0 };
            while let Some(candidate) = rest.next_if(|_| !turn.is_over()) {
                transaction.prune_session(candidate, &mut done).await?;
            }
            if is_first && done.sessions > 0 {
                let draft = observation(plan, candidates.len());
                transaction.record(&journal.own_stream(), std::slice::from_ref(&draft)).await?;
            }
            transaction.commit().await?;
            Ok(done)
        };
        let outcome = outcome.await;
        let done = held.settle(outcome).await?;
        turn.rest().await;
        pruned.sessions += done.sessions;
        pruned.events += done.events;
        pruned.bytes += done.bytes;
    }
    loop {
        let mut held = writer.hold().await?;
        let turn = Turn::begin();
        let outcome = async {
            let mut transaction = held.begin().await?;
            let mut folded = 0;
            let mut more = true;
            while more && !turn.is_over() {
                let now = transaction.fold(before_us).await?;
                folded += now;
                more = now == FOLD;
            }
            transaction.commit().await?;
            Ok((folded, more))
        };
        let outcome = outcome.await;
        let (folded, more) = held.settle(outcome).await?;
        turn.rest().await;
        pruned.folded += count(folded);
        if !more {
            return Ok(pruned);
        }
    }
}

/// What the journal says of it. Made here, not by `redact`: its words are ours, and `by` is a name.
fn observation(plan: &Prune, sessions: usize) -> Draft {
    let mut detail = Map::new();
    detail.insert("sessions".to_owned(), json!(sessions));
    detail.insert("before".to_owned(), Value::String(plan.before.to_string()));
    detail.insert("archived".to_owned(), json!(plan.archive.is_some()));
    let body = json!({
        "what": "pruned",
        "by": plan.by.chars().take(100).collect::<String>(),
        "why": "retention",
        "detail": detail,
    });
    let Value::Object(body) = body else { unreachable!("it is an object") };
    Draft::new(EventKind::Observation, jiff::Timestamp::now(), body)
}

/// Ended sessions that were not heard of since, and whose events every sink has that takes them.
async fn candidates(journal: &SqliteJournal, before_us: i64) -> Result<Vec<Candidate>, JournalError> {
    let mut candidates: Vec<Candidate> = Vec::new();
    loop {
        let last = candidates.last().map_or(0, |candidate| candidate.stream);
        let mut script = Script::default();
        script
            .add(
                "SELECT s.id, s.name, s.head_position FROM streams s JOIN sessions p ON p.stream = s.id \
                 WHERE s.id > ? AND p.status <> 'open' AND s.heard_us < ? AND NOT EXISTS (SELECT 1 FROM cursors k \
                 WHERE k.component IN (s.component, '*', '') AND k.position < s.head_position) \
                 AND NOT EXISTS (SELECT 1 FROM buried b JOIN events e ON e.position = b.position \
                 WHERE e.stream = s.id) ORDER BY s.id LIMIT 2000",
            )
            .bind(last)
            .bind(before_us);
        let rows = journal.rows(script).await?;
        for row in &rows {
            candidates.push(Candidate { stream: row.cell(0)?, name: row.cell(1)?, head_position: row.cell(2)? });
        }
        if rows.is_empty() {
            return Ok(candidates);
        }
    }
}

impl Transaction<'_> {
    async fn prune_session(&mut self, candidate: &Candidate, done: &mut Pruned) -> Result<(), JournalError> {
        let page = self.page(candidate.stream, candidate.stream).await?;
        let Some(stream) = page.streams.first().filter(|s| s.head_position == candidate.head_position && !s.pruned)
        else {
            return Ok(());
        };
        let Some(drawn) = page.projected(stream) else { return Ok(()) };
        let id = stream.id;
        let mut script = Script::default();
        forget_text(&mut script, "e.stream = ?", id);
        script.add("DELETE FROM commands WHERE position IN (SELECT position FROM events WHERE stream = ?)").bind(id);
        script.add("DELETE FROM sessions WHERE stream = ?").bind(id);
        script.add("UPDATE events SET text = NULL, residue = NULL WHERE stream = ?").bind(id);
        script
            .add(
                "UPDATE streams SET pruned = 1, commands = 0, outcomes = 0, failed = 0, writes = 0, destroys = 0, \
                 running = NULL, running_position = NULL WHERE id = ?",
            )
            .bind(id);
        script.add("DELETE FROM presence WHERE session_id = ?").bind(stream.name.as_str());
        script.add("DELETE FROM conflicts WHERE stream = ?").bind(stream.name.as_str());
        let picture = &drawn.picture;
        rows::add_totals(&mut script, "rollups_base", picture.day(), &picture.component, &picture.totals());
        self.read(script).await?;
        done.sessions += 1;
        for event in page.events.get(&id).into_iter().flatten() {
            if let Some(text) = &event.text {
                done.events += 1;
                done.bytes += text.len() as u64;
            }
        }
        Ok(())
    }

    /// Folds the beginning of what is left into the checkpoint. Answers how many headers went.
    async fn fold(&mut self, before_us: i64) -> Result<i64, JournalError> {
        let mut script = Script::default();
        script
            .add(
                "SELECT e.position, e.link, e.stream, e.seq, e.hash, s.pruned OR (s.name >= 'jrnl_' AND \
                 s.name < 'jrnl`' AND e.recorded_us < ? AND NOT EXISTS (SELECT 1 FROM observations o \
                 JOIN sessions p ON p.session_id = o.about WHERE o.position = e.position)) \
                 FROM events e JOIN streams s ON s.id = e.stream \
                 WHERE e.position < (SELECT max(position) FROM events) \
                 AND NOT EXISTS (SELECT 1 FROM cursors k WHERE k.position < e.position) \
                 ORDER BY e.position LIMIT ?",
            )
            .bind(before_us)
            .bind(FOLD);
        let answers = self.read(script).await?;
        let (mut last, mut folded) = (None, 0);
        let mut bases: HashMap<i64, (i64, Hash)> = HashMap::new();
        for row in answers.iter().flatten() {
            if !row.cell::<bool>(5)? {
                break;
            }
            last = Some((row.cell::<i64>(0)?, hash(row, 1)?));
            bases.insert(row.cell(2)?, (row.cell::<i64>(3)? + 1, hash(row, 4)?));
            folded += 1;
        }
        let Some((position, link)) = last else { return Ok(0) };
        let mut script = Script::default();
        script.add("DELETE FROM events WHERE position <= ?").bind(position);
        script.add("DELETE FROM observations WHERE position <= ?").bind(position);
        script.add("UPDATE journal SET checkpoint = ?, checkpoint_link = ?").bind(position);
        script.bind(link.as_bytes().as_slice());
        for (stream, (base, hash)) in bases {
            script.add("UPDATE streams SET base = ?, base_hash = ? WHERE id = ?").bind(base);
            script.bind(hash.as_bytes().as_slice()).bind(stream);
        }
        self.read(script).await?;
        Ok(folded)
    }
}

/// Takes commands out of the text index, by a condition on their events `e`.
pub(super) fn forget_text(script: &mut Script, condition: &str, value: i64) {
    script
        .add(&format!(
            "INSERT INTO command_text (command_text, rowid, input) SELECT 'delete', c.position, c.input \
             FROM events e CROSS JOIN commands c ON c.position = e.position WHERE {condition} \
             AND c.position <= (SELECT text_position FROM journal)"
        ))
        .bind(value);
}

/// The names of some candidates, to look observations up by.
pub(super) fn names(candidates: &[Candidate]) -> HashSet<&str> {
    candidates.iter().map(|candidate| candidate.name.as_str()).collect()
}
