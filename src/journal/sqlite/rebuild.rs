//! Making the projection anew from the events, in turns, beside whoever records meanwhile.
//!
//! Each turn puts some streams right in a transaction of its own, so the projection is never half of a session. The sums
//! come last: those of one day and component are the sum of its sessions and of what pruning left as their base.

use std::collections::{BTreeSet, HashMap};

use sqlx::Row;

use super::{
    SqliteJournal,
    pace::Turn,
    pages::{StreamPage, StreamRow},
    rows,
    script::Script,
    transaction::Transaction,
};
use crate::{
    event::{Event, Observation},
    journal::{
        JournalError, Rebuilt,
        projection::Totals,
        replay::{Drawn, Said, draw},
    },
};

/// Streams in a turn, at most.
const STREAMS: i64 = 16;
/// Rows of other tables in a turn.
const ROWS: i64 = 500;
const DAY_US: i64 = 86_400_000_000;

pub(super) async fn rebuild(journal: &SqliteJournal) -> Result<Rebuilt, JournalError> {
    let mut corrected = BTreeSet::new();
    observations(journal).await?;
    let mut from = 1;
    loop {
        let (turn, more) = streams(journal, from, &mut corrected).await?;
        turn.rest().await;
        from += STREAMS;
        if !more {
            break;
        }
    }
    leftovers(journal, &mut corrected).await?;
    sums(journal).await?;
    let rows = {
        let mut script = Script::default();
        script.add("SELECT count(*) FROM sessions");
        journal.rows(script).await?
    };
    let sessions = rows.first().map_or(0, |row| super::record::count(row.get(0)));
    Ok(Rebuilt { sessions, corrected: corrected.into_iter().collect() })
}

/// Puts some streams right. Answers whether there are more.
async fn streams(
    journal: &SqliteJournal,
    from: i64,
    corrected: &mut BTreeSet<String>,
) -> Result<(Turn, bool), JournalError> {
    let mut held = journal.writer()?.hold().await?;
    let turn = Turn::begin();
    let outcome = async {
        let mut transaction = held.begin().await?;
        let page = transaction.page(from, from + STREAMS - 1).await?;
        for stream in page.streams.iter().filter(|stream| stream.is_session() && !stream.pruned) {
            let said = transaction.said(&stream.name).await?;
            let drawn = draw(&stream.component, &page.lines(stream), &said);
            if page.projected(stream) != drawn {
                transaction.redraw(stream, drawn.as_ref()).await?;
                corrected.insert(stream.name.clone());
            }
        }
        let mut script = Script::default();
        script.add("SELECT 1 FROM streams WHERE id >= ? LIMIT 1").bind(from + STREAMS);
        let more = transaction.read(script).await?.iter().any(|rows| !rows.is_empty());
        transaction.commit().await?;
        Ok(more)
    };
    let outcome = outcome.await;
    Ok((turn, held.settle(outcome).await?))
}

impl Transaction<'_> {
    /// Reads some streams, as they are in this transaction.
    pub(super) async fn page(&mut self, from: i64, to: i64) -> Result<StreamPage, JournalError> {
        let page = StreamPage::read(self.connection, from, to).await;
        page.map_err(|stopped| JournalError::Database(stopped.error.to_string()))
    }

    /// Draws one session again after a body of it went or came, and lets the sums follow.
    pub(super) async fn draw_again(&mut self, stream: i64) -> Result<(), JournalError> {
        let page = self.page(stream, stream).await?;
        let Some(row) = page.streams.first().filter(|row| row.is_session() && !row.pruned) else { return Ok(()) };
        let said = self.said(&row.name).await?;
        let drawn = draw(&row.component, &page.lines(row), &said);
        let before = page.projected(row);
        self.redraw(row, drawn.as_ref()).await?;
        let (Some(before), Some(after)) = (&before, &drawn) else { return Ok(()) };
        let mut sums = rows::Differences::new();
        let then = Some((before.picture.day(), before.picture.totals()));
        rows::add_difference(&mut sums, then, &after.picture);
        let mut script = Script::default();
        for ((day, component), totals) in &sums {
            rows::add_totals(&mut script, "rollups", *day, component, totals);
        }
        self.read(script).await.map(drop)
    }

    /// What was said about a session.
    pub(super) async fn said(&mut self, name: &str) -> Result<Vec<Said>, JournalError> {
        let mut script = Script::default();
        script.add("SELECT position, what, time_us FROM observations WHERE about = ? ORDER BY position").bind(name);
        let answers = self.read(script).await?;
        let said = |row: &sqlx::sqlite::SqliteRow| Said { position: row.get(0), what: row.get(1), time_us: row.get(2) };
        Ok(answers.iter().flatten().map(said).collect())
    }

    /// Writes a session's projection anew; without a drawing it has none. Neither the sums nor the text index follow:
    /// that is the caller's business.
    pub(super) async fn redraw(&mut self, stream: &StreamRow, drawn: Option<&Drawn>) -> Result<(), JournalError> {
        let mut script = Script::default();
        script.add("DELETE FROM sessions WHERE stream = ? OR session_id = ?").bind(stream.id).bind(&*stream.name);
        script
            .add("DELETE FROM commands WHERE position IN (SELECT position FROM events WHERE stream = ?)")
            .bind(stream.id);
        if let Some(drawn) = drawn {
            rows::insert_session(&mut script, stream.id, &stream.name, &drawn.picture, &drawn.facts);
            for row in &drawn.commands {
                rows::insert_commands(&mut script, &[(stream.id, row.clone())]);
            }
            let picture = &drawn.picture;
            let counters = picture.counters;
            script.add(
                "UPDATE streams SET last_us = ?, commands = ?, outcomes = ?, failed = ?, writes = ?, destroys = ?, \
                 running = ?, running_position = ? WHERE id = ?",
            );
            script.bind(picture.last_us).bind(counters.commands).bind(counters.outcomes).bind(counters.failed);
            script.bind(counters.writes).bind(counters.destroys);
            script.bind(picture.running.map(|(command, _)| command));
            script.bind(picture.running.map(|(_, position)| position)).bind(stream.id);
        }
        self.read(script).await.map(drop)
    }
}

/// Puts right what was said about sessions.
async fn observations(journal: &SqliteJournal) -> Result<(), JournalError> {
    let mut last = 0;
    loop {
        let mut held = journal.writer()?.hold().await?;
        let turn = Turn::begin();
        let outcome = async {
            let mut transaction = held.begin().await?;
            let mut script = Script::default();
            script
                .add(
                    "SELECT e.position, e.text, e.residue, e.time_us FROM streams s \
                     CROSS JOIN events e ON e.stream = s.id WHERE s.name >= 'jrnl_' AND s.name < 'jrnl`' \
                     AND e.type = 'observation' AND e.position > ? ORDER BY e.position LIMIT ?",
                )
                .bind(last)
                .bind(ROWS);
            let answers = transaction.read(script).await?;
            let mut script = Script::default();
            let found: Vec<_> = answers.iter().flatten().collect();
            let upto = match found.last() {
                Some(row) if found.len() >= usize::try_from(ROWS).unwrap_or(0) => row.get(0),
                _ => i64::MAX,
            };
            script.add("DELETE FROM observations WHERE position > ? AND position <= ?").bind(last).bind(upto);
            for row in found {
                if let Some(observation) = heard(row.get(1), row.get(2)) {
                    rows::insert_observation(&mut script, row.get(0), &observation, row.get(3));
                }
            }
            transaction.read(script).await?;
            transaction.commit().await?;
            Ok(upto)
        };
        let outcome = outcome.await;
        last = held.settle(outcome).await?;
        turn.rest().await;
        if last == i64::MAX {
            return Ok(());
        }
    }
}

fn heard(text: Option<&str>, residue: Option<&str>) -> Option<Observation> {
    if let Some(text) = text {
        return Event::parse(text).ok()?.decode();
    }
    let residue: serde_json::Value = serde_json::from_str(residue?).ok()?;
    Some(Observation {
        about: residue.get("about")?.as_str()?.parse().ok(),
        what: residue.get("what")?.as_str()?.to_owned(),
        by: String::new(),
        why: String::new(),
        detail: serde_json::Map::new(),
    })
}

/// Removes rows that belong to no event, and empties the text index, which is filled again behind the commits.
async fn leftovers(journal: &SqliteJournal, corrected: &mut BTreeSet<String>) -> Result<(), JournalError> {
    let mut script = Script::default();
    script.add("SELECT session_id FROM sessions WHERE stream NOT IN (SELECT id FROM streams WHERE pruned = 0)");
    corrected.extend(journal.rows(script).await?.iter().map(|row| row.get::<String, _>(0)));
    let mut from = 0;
    loop {
        let mut held = journal.writer()?.hold().await?;
        let turn = Turn::begin();
        let outcome = async {
            let mut transaction = held.begin().await?;
            let mut script = Script::default();
            script
                .add("SELECT max(position) FROM (SELECT position FROM commands WHERE position > ? LIMIT ?)")
                .bind(from)
                .bind(ROWS);
            let answers = transaction.read(script).await?;
            let upto: Option<i64> = answers.first().and_then(|rows| rows.first()).and_then(|row| row.get(0));
            let mut script = Script::default();
            match upto {
                Some(upto) => {
                    script
                        .add(
                            "DELETE FROM commands WHERE position > ? AND position <= ? AND NOT EXISTS (SELECT 1 \
                             FROM events e JOIN streams s ON s.id = e.stream WHERE e.position = commands.position \
                             AND e.type = 'command_start' AND s.pruned = 0)",
                        )
                        .bind(from)
                        .bind(upto);
                }
                None => {
                    script.add("DELETE FROM sessions WHERE stream NOT IN (SELECT id FROM streams WHERE pruned = 0)");
                    script.add("INSERT INTO command_text (command_text) VALUES ('delete-all')");
                    script.add("UPDATE journal SET text_position = 0");
                }
            }
            transaction.read(script).await?;
            transaction.commit().await?;
            Ok(upto)
        };
        let outcome = outcome.await;
        let upto = held.settle(outcome).await?;
        turn.rest().await;
        match upto {
            Some(upto) => from = upto,
            None => return Ok(()),
        }
    }
}

/// Puts the sums right, one day and component at a time.
async fn sums(journal: &SqliteJournal) -> Result<(), JournalError> {
    // Division that rounds down, also before 1970.
    let day = format!("(order_us - ((order_us % {DAY_US}) + {DAY_US}) % {DAY_US}) / {DAY_US}");
    let mut script = Script::default();
    script.add(&format!(
        "SELECT {day}, component FROM sessions UNION SELECT day, component FROM rollups \
         UNION SELECT day, component FROM rollups_base"
    ));
    let days: Vec<(i64, String)> = journal.rows(script).await?.iter().map(|row| (row.get(0), row.get(1))).collect();
    let mut days = days.into_iter().peekable();
    while days.peek().is_some() {
        let mut held = journal.writer()?.hold().await?;
        let turn = Turn::begin();
        let outcome = async {
            let mut transaction = held.begin().await?;
            while let Some((day, component)) = days.next_if(|_| !turn.is_over()) {
                transaction.sum(day, &component).await?;
            }
            transaction.commit().await
        };
        let outcome = outcome.await;
        held.settle(outcome).await?;
        turn.rest().await;
    }
    Ok(())
}

impl Transaction<'_> {
    async fn sum(&mut self, day: i64, component: &str) -> Result<(), JournalError> {
        let mut script = Script::default();
        script.add(
            "SELECT count(*), sum(p.status <> 'open'), sum(p.inferred), sum(iif(p.status <> 'open', coalesce(p.duration_us, 0), 0)), \
             sum(iif(p.status <> 'open', s.commands, 0)), sum(iif(p.status <> 'open', s.outcomes, 0)), \
             sum(iif(p.status <> 'open', s.failed, 0)), sum(iif(p.status <> 'open', s.writes, 0)), \
             sum(iif(p.status <> 'open', s.destroys, 0)) \
             FROM sessions p INDEXED BY sessions_by_component JOIN streams s ON s.id = p.stream \
             WHERE p.component = ? AND p.order_us >= ? AND p.order_us < ?",
        );
        script.bind(component).bind(day.saturating_mul(DAY_US)).bind((day + 1).saturating_mul(DAY_US));
        for table in ["rollups_base", "rollups"] {
            script.add(&format!(
                "SELECT sessions, ended, inferred, duration_us, commands, outcomes, failed, writes, destroys \
                 FROM {table} WHERE day = ? AND component = ?"
            ));
            script.bind(day).bind(component);
        }
        let answers = self.read(script).await?;
        let totals: HashMap<usize, Totals> = answers
            .iter()
            .enumerate()
            .filter_map(|(at, rows)| {
                let row = rows.first()?;
                let column = |column| row.get::<Option<i64>, _>(column).unwrap_or(0);
                Some((at, Totals::from_columns(std::array::from_fn(column))))
            })
            .collect();
        let of = |at: usize| totals.get(&at).copied().unwrap_or_default();
        let difference = of(0).zip(of(1), |a, b| a + b).zip(of(2), |a, b| a - b);
        if difference == Totals::default() {
            return Ok(());
        }
        let mut script = Script::default();
        rows::add_totals(&mut script, "rollups", day, component, &difference);
        self.read(script).await.map(drop)
    }
}
