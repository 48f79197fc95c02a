//! What may be pruned and folded, and what is said about it. Every kind of journal prunes by this.
//!
//! Invariants:
//! - Old means that we have not heard of it since: our own clock decides, not the writers'.
//! - A session goes when it has ended and every sink that takes it has all of it.
//! - The last event is never folded: it holds the position and link that the next one is bound to. Neither is the last
//!   observation of a pruning.
//! - Only events of pruned sessions fold, and old observations about sessions that are no longer listed. They must be
//!   delivered too.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Holder, JournalError, Prune, Pruned,
    cells::{Cells, hash, number},
    prunings::Prunings,
    shown::{count, timestamp},
    source::{Source, Statement},
};
use crate::event::{Draft, EventKind, Hash};

/// Headers folded in one statement.
pub(super) const FOLD: i64 = 100;

/// A session that may go.
#[derive(Clone)]
pub(super) struct Candidate {
    pub stream: i64,
    pub name: String,
    /// It goes only as it was archived.
    pub head_position: i64,
}

/// Ended sessions that were not heard of since, and whose events every sink has that takes them.
pub(super) async fn candidates<S: Source>(source: &mut S, before_us: i64) -> Result<Vec<Candidate>, JournalError> {
    let mut candidates: Vec<Candidate> = Vec::new();
    loop {
        let last = candidates.last().map_or(0, |candidate| candidate.stream);
        let statement = Statement::new(
            "SELECT s.id, s.name, s.head_position FROM streams s JOIN sessions p ON p.stream = s.id \
             WHERE s.id > ? AND p.status <> 'open' AND s.heard_us < ? AND NOT EXISTS (SELECT 1 FROM cursors k \
             WHERE k.component IN (s.component, '*', '') AND k.position < s.head_position) \
             AND NOT EXISTS (SELECT 1 FROM buried b JOIN events e ON e.position = b.position \
             WHERE e.stream = s.id) ORDER BY s.id LIMIT 2000",
        );
        let rows = source.rows(statement.bind(last).bind(before_us)).await?;
        for row in &rows {
            candidates.push(Candidate { stream: row.cell(0)?, name: row.cell(1)?, head_position: row.cell(2)? });
        }
        if rows.is_empty() {
            return Ok(candidates);
        }
    }
}

/// Which sinks keep ended sessions that were not heard of since: they have not got all of them, or have refused some.
pub(super) async fn holders<S: Source>(source: &mut S, before: Timestamp) -> Result<Vec<Holder>, JournalError> {
    let ended = "p.status <> 'open' AND s.heard_us < ?";
    let statement = Statement::new(format!(
        "SELECT h.sink, CAST(sum(h.waits) AS BIGINT), CAST(sum(h.refused) AS BIGINT), \
         (SELECT max(k.changed_us) FROM cursors k WHERE k.sink = h.sink) FROM \
         (SELECT k.sink AS sink, s.id AS stream, 1 AS waits, 0 AS refused FROM cursors k JOIN streams s \
         ON k.component IN (s.component, '*', '') AND k.position < s.head_position JOIN sessions p ON p.stream = s.id \
         WHERE {ended} UNION SELECT b.sink, s.id, 0, 1 FROM buried b JOIN events e ON e.position = b.position \
         JOIN streams s ON s.id = e.stream JOIN sessions p ON p.stream = s.id WHERE {ended}) h GROUP BY h.sink ORDER BY h.sink"
    ));
    let before_us = before.as_microsecond();
    let holder = |row: &S::Row| {
        let changed = row.cell::<Option<i64>>(3)?.map(timestamp);
        Ok(Holder { sink: row.cell(0)?, waiting: count(row.cell(1)?), refused: count(row.cell(2)?), changed })
    };
    source.rows(statement.bind(before_us).bind(before_us)).await?.iter().map(holder).collect()
}

/// What pruning would remove now.
pub(super) async fn prunable<S: Source>(source: &mut S, before: Timestamp) -> Result<Pruned, JournalError> {
    let candidates = candidates(source, before.as_microsecond()).await?;
    let mut all = Pruned { sessions: candidates.len() as u64, events: 0, bytes: 0, folded: 0 };
    for some in candidates.chunks(500) {
        let streams: Vec<String> = some.iter().map(|candidate| candidate.stream.to_string()).collect();
        let statement = Statement::new(format!(
            "SELECT count(text), CAST(coalesce(sum(octet_length(text)), 0) AS BIGINT) FROM events WHERE stream IN ({})",
            streams.join(",")
        ));
        let rows = source.rows(statement).await?;
        all.events += count(number(rows.first(), 0)?);
        all.bytes += count(number(rows.first(), 1)?);
    }
    Ok(all)
}

/// What the journal says of it. Made here, not by `redact`: its words are ours, and `by` is a name.
pub(super) fn observation(plan: &Prune, at: Timestamp, sessions: usize, before: &Prunings) -> Draft {
    let mut detail = before.carried(sessions as u64);
    detail.insert("sessions".to_owned(), json!(sessions));
    detail.insert("before".to_owned(), Value::String(plan.before.to_string()));
    detail.insert("archived".to_owned(), json!(plan.archive.is_some()));
    let body = json!({
        "what": "pruned",
        "by": plan.by.chars().take(100).collect::<String>(),
        "why": plan.why.chars().take(500).collect::<String>(),
        "detail": detail,
    });
    let Value::Object(body) = body else { unreachable!("it is an object") };
    Draft::new(EventKind::Observation, at, body)
}

/// The beginning of what is left, as far as it folds into the checkpoint.
pub(super) struct Fold {
    /// The checkpoint's new place.
    pub position: i64,
    /// The link there.
    pub link: Hash,
    /// What the streams that lose events begin with now: the next seq, and the hash of the last event that went.
    pub bases: HashMap<i64, (i64, Hash)>,
    /// How many headers go.
    pub folded: i64,
}

/// What folds now, [`FOLD`] headers at most.
pub(super) async fn foldable<S: Source>(
    source: &mut S,
    before_us: i64,
    last_pruning: i64,
) -> Result<Option<Fold>, JournalError> {
    let statement = Statement::new(
        "SELECT e.position, e.link, e.stream, e.seq, e.hash, s.pruned <> 0 OR (s.name >= 'jrnl_' AND \
         s.name < 'jrnl`' AND e.recorded_us < ? AND NOT EXISTS (SELECT 1 FROM observations o \
         JOIN sessions p ON p.session_id = o.about WHERE o.position = e.position)) \
         FROM events e JOIN streams s ON s.id = e.stream \
         WHERE e.position < (SELECT max(position) FROM events) AND e.position < ? \
         AND NOT EXISTS (SELECT 1 FROM cursors k WHERE k.position < e.position) \
         ORDER BY e.position LIMIT ?",
    );
    let mut fold: Option<Fold> = None;
    for row in source.rows(statement.bind(before_us).bind(last_pruning).bind(FOLD)).await? {
        if !row.cell::<bool>(5)? {
            break;
        }
        let (mut bases, folded) = fold.map_or_else(Default::default, |fold| (fold.bases, fold.folded));
        bases.insert(row.cell(2)?, (row.cell::<i64>(3)? + 1, hash(&row, 4)?));
        fold = Some(Fold { position: row.cell(0)?, link: hash(&row, 1)?, bases, folded: folded + 1 });
    }
    Ok(fold)
}
