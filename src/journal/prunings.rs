//! What was pruned, when, by whom and why, as the journal's own stream has it.
//!
//! Invariants:
//! - Each observation of a pruning carries on what those before it said, so that they can be folded away. The last
//!   [`CARRIED`] are carried one by one, all of them in the totals.
//! - The last one is never folded.
//! - `streams.pruned` holds the time of the pruning, in microseconds: the same time as that of its observation.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    JournalError, PrunedSession, Pruning,
    cells::{Cells, number},
    shown::timestamp,
    source::{Source, Statement},
};
use crate::event::{Event, JournalId, Observation};

/// Prunings that an observation carries one by one.
const CARRIED: usize = 100;

/// Everything that is known of prunings.
#[derive(Default)]
pub(super) struct Prunings {
    /// By their times, in microseconds.
    pub known: BTreeMap<i64, Pruning>,
    /// Sessions of all prunings, also of those that are not known one by one.
    pub sessions: u64,
}

/// The observations of prunings that are there, newest first.
const OBSERVATIONS: &str = "SELECT e.position, e.text FROM streams s JOIN events e ON e.stream = s.id WHERE s.name = ? \
     AND e.type = 'observation' AND e.text LIKE '%\"what\":\"pruned\"%' ORDER BY e.position DESC";

async fn rows<S: Source>(source: &mut S, journal: &JournalId) -> Result<Vec<(i64, Event, Observation)>, JournalError> {
    let mut found = Vec::new();
    for row in source.rows(Statement::new(OBSERVATIONS).bind(journal.as_str())).await? {
        let Ok(event) = Event::parse(row.cell(1)?) else { continue };
        if let Some(said) = event.decode::<Observation>().filter(|said| said.what == "pruned") {
            found.push((row.cell(0)?, event, said));
        }
    }
    Ok(found)
}

/// The position of the last one; the end of all positions when there is none.
pub(super) async fn last<S: Source>(source: &mut S, journal: &JournalId) -> Result<i64, JournalError> {
    Ok(rows(source, journal).await?.first().map_or(i64::MAX, |(position, ..)| *position))
}

/// All that the observations say.
pub(super) async fn of<S: Source>(source: &mut S, journal: &JournalId) -> Result<Prunings, JournalError> {
    let mut prunings = Prunings::default();
    for (at, (_, event, said)) in rows(source, journal).await?.into_iter().enumerate() {
        let number = |name: &str| said.detail.get(name).and_then(Value::as_u64);
        let sessions = number("sessions").unwrap_or(0);
        if at == 0 {
            prunings.sessions = number("all_sessions").unwrap_or(sessions);
        }
        let carried = said.detail.get("earlier").cloned().unwrap_or_default();
        let carried: Vec<Pruning> = serde_json::from_value(carried).unwrap_or_default();
        let archived = said.detail.get("archived").and_then(Value::as_bool).unwrap_or(false);
        let own = Pruning { at: event.timestamp(), by: said.by, why: said.why, sessions, archived };
        for pruning in carried.into_iter().chain([own]) {
            prunings.known.entry(pruning.at.as_microsecond()).or_insert(pruning);
        }
    }
    Ok(prunings)
}

impl Prunings {
    /// What the next observation carries on, which is about some sessions more.
    pub(super) fn carried(&self, sessions: u64) -> Map<String, Value> {
        let earlier: Vec<&Pruning> = self.known.values().rev().take(CARRIED).collect();
        let mut detail = Map::new();
        detail.insert("all_sessions".to_owned(), json!(self.sessions + sessions));
        if !earlier.is_empty() {
            let earlier = earlier.into_iter().rev().map(|pruning| {
                json!({
                    "at": format!("{:.6}", pruning.at), "by": pruning.by, "why": pruning.why,
                    "sessions": pruning.sessions, "archived": pruning.archived,
                })
            });
            detail.insert("earlier".to_owned(), earlier.collect());
        }
        detail
    }
}

/// The pruned session that an id, or the beginning of one, names.
pub(super) async fn find<S: Source>(
    source: &mut S,
    journal: &JournalId,
    prefix: &str,
) -> Result<Option<PrunedSession>, JournalError> {
    if !prefix.starts_with("sess_") || !prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Ok(None);
    }
    let named = Statement::new(
        "SELECT name, component, pruned FROM streams WHERE name >= ? AND name < ? AND pruned <> 0 LIMIT 2",
    );
    let found = source.rows(named.bind(prefix).bind(format!("{prefix}~"))).await?;
    let [row] = found.as_slice() else { return Ok(None) };
    let at_us = number(Some(row), 2)?;
    let known = of(source, journal).await?.known;
    Ok(Some(PrunedSession {
        session_id: row.cell(0)?,
        component_name: row.cell(1)?,
        at: timestamp(at_us),
        pruning: known.get(&at_us).cloned(),
    }))
}
