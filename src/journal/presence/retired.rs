//! Sessions that leave the table of presence, and the sums of what they emitted, which stay.
//!
//! Invariants:
//! - A session leaves when its end is known and it has been quiet for a while; one whose events never came, when it has been
//!   silent for a day. So the table does not grow with all sessions ever.
//! - An open session stays, however long it is silent: its row is what says that it is lost. After a day it is nothing but
//!   that, and no question about emits reads it.
//! - A row is emptied or removed in the transaction that adds what it held to the sums: nothing is lost and nothing counted
//!   twice, also with several trackers on one database.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Emits;
use crate::journal::{
    JournalError,
    cells::Cells,
    source::{Notes, Source, Statement},
};

/// So long a session is quiet after its end before it leaves: a last beat may still be on its way.
pub(super) const QUIET_AFTER_THE_END: Duration = Duration::from_secs(15 * 60);
/// So long one is silent before nothing more is expected of it.
const SILENT: Duration = Duration::from_secs(24 * 3_600);
/// Rows in one transaction.
const TURN: u32 = 200;
/// The name of the sums among the folds. Their position is the time up to which every row is in them.
const SUMS: &str = "emits";

/// What was emitted by sessions that have left, by component and type of event.
#[derive(Default, Serialize, Deserialize)]
struct Sums {
    /// Whoever wrote them: two that add the same at once are told apart.
    turn: Uuid,
    components: BTreeMap<String, BTreeMap<String, Emits>>,
}

/// What was emitted by components: each session that is there, and sums of those that have left.
pub(in crate::journal) async fn emitted<S: Source>(source: &mut S) -> Result<Vec<(String, Vec<Emits>)>, JournalError> {
    // One statement, so that nobody is seen twice who leaves meanwhile. A clock that was wrong may have left a time there
    // that is still to come.
    let statement = Statement::new(
        "SELECT component, detail FROM presence WHERE detail IS NOT NULL AND heard_us > coalesce((SELECT \
         CASE WHEN position < ? THEN position ELSE ? END FROM folds WHERE name = ?), 0) \
         UNION ALL SELECT NULL, body FROM folds WHERE name = ?",
    );
    let silent = Timestamp::now().as_microsecond() - SILENT.as_micros() as i64;
    let rows = source.rows(statement.bind(silent).bind(silent).bind(SUMS).bind(SUMS)).await?;
    let mut emitted = Vec::with_capacity(rows.len());
    for row in &rows {
        let text: &str = row.cell(1)?;
        match row.cell::<Option<String>>(0)? {
            Some(component) => emitted.push((component, serde_json::from_str(text).unwrap_or_default())),
            None => {
                let sums: Sums = serde_json::from_str(text).unwrap_or_default();
                let of = |(component, emits): (String, BTreeMap<_, _>)| (component, emits.into_values().collect());
                emitted.extend(sums.components.into_iter().map(of));
            }
        }
    }
    Ok(emitted)
}

/// Lets those leave who will not be heard any more. Answers how many rows were emptied or removed.
pub(in crate::journal) async fn retire<S: Notes>(source: &mut S, now: Timestamp) -> Result<u64, JournalError> {
    let mut retired = 0;
    loop {
        let turn = turn(source, now).await?;
        retired += turn;
        if turn < u64::from(TURN) {
            return Ok(retired);
        }
    }
}

async fn turn<S: Notes>(source: &mut S, now: Timestamp) -> Result<u64, JournalError> {
    let before = |quiet: Duration| now.as_microsecond().saturating_sub(quiet.as_micros() as i64);
    let (quiet, silent) = (before(QUIET_AFTER_THE_END), before(SILENT));
    let leaving = Statement::new(
        "SELECT b.session_id, b.component, b.heard_us, b.detail, p.status FROM presence b \
         LEFT JOIN sessions p ON p.session_id = b.session_id WHERE b.heard_us <= ? AND (p.status <> 'open' \
         OR (b.heard_us <= ? AND (p.status IS NULL OR b.detail IS NOT NULL))) ORDER BY b.heard_us LIMIT ?",
    );
    let rows = source.rows(leaving.bind(quiet).bind(silent).bind(TURN)).await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let statement = Statement::new("SELECT position, body FROM folds WHERE name = ?");
    let found = source.rows(statement.bind(SUMS)).await?;
    let (from, old) = match found.first() {
        Some(row) => (row.cell::<i64>(0)?, Some(row.cell::<String>(1)?)),
        None => (0, None),
    };
    let mut sums: Sums = old.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    sums.turn = Uuid::now_v7();
    let mut upto = silent;
    for row in &rows {
        if rows.len() >= TURN as usize {
            upto = upto.min(row.cell::<i64>(2)? - 1);
        }
        let emits: Vec<Emits> =
            row.cell::<Option<&str>>(3)?.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let of = sums.components.entry(row.cell(1)?).or_default();
        emits.iter().for_each(|emits| of.entry(emits.event_type.clone()).or_default().add(emits));
    }
    let body = serde_json::to_string(&sums).unwrap_or_default();
    let carried = match &old {
        None => Statement::new("INSERT INTO folds (name, position, body) VALUES (?,?,?) ON CONFLICT DO NOTHING")
            .bind(SUMS)
            .bind(upto)
            .bind(body.as_str()),
        Some(old) => Statement::new("UPDATE folds SET position = ?, body = ? WHERE name = ? AND body = ?")
            .bind(upto.max(from))
            .bind(body.as_str())
            .bind(SUMS)
            .bind(old.as_str()),
    };
    // What follows does nothing where somebody else was quicker.
    const OURS: &str = "EXISTS (SELECT 1 FROM folds WHERE name = ? AND body = ?)";
    let mut notes = vec![carried];
    for row in &rows {
        let is_open = row.cell::<Option<&str>>(4)? == Some("open");
        let what = if is_open { "UPDATE presence SET detail = NULL" } else { "DELETE FROM presence" };
        let note = Statement::new(format!("{what} WHERE session_id = ? AND {OURS}"));
        notes.push(note.bind(row.cell::<&str>(0)?).bind(SUMS).bind(body.as_str()));
    }
    source.note(notes).await?;
    Ok(rows.len() as u64)
}
