//! Making the projection anew from the events, in turns, beside whoever records meanwhile.
//!
//! Each turn puts some streams right in a transaction of its own, so the projection is never half of a session. The sums
//! come last: those of one day and component are the sum of its sessions and of what pruning left as their base.

use std::collections::BTreeSet;

use sqlx::sqlite::SqliteRow;

use super::{
    SqliteJournal,
    differences::{self, Observations, heard},
    pace::Turn,
    pages::{StreamPage, StreamRow},
    rows,
    script::Script,
    source::On,
    transaction::Transaction,
};
use crate::journal::{
    Difference, JournalError, Rebuilt,
    cells::{Cells, number},
    projection::Totals,
    replay::{Drawn, Said, draw},
};

/// Streams in a turn, at most.
const STREAMS: i64 = 16;
/// Rows of other tables in a turn.
const ROWS: i64 = 500;
const DAY_US: i64 = 86_400_000_000;

pub(super) async fn rebuild(journal: &SqliteJournal) -> Result<Rebuilt, JournalError> {
    let mut differences = Vec::new();
    observations(journal, &mut differences).await?;
    let mut from = 1;
    loop {
        let (turn, more) = streams(journal, from, &mut differences).await?;
        turn.rest().await;
        from += STREAMS;
        if !more {
            break;
        }
    }
    leftovers(journal, &mut differences).await?;
    text(journal, &mut differences).await?;
    sums(journal, &mut differences).await?;
    let mut script = Script::default();
    script.add("SELECT count(*) FROM sessions");
    let sessions = super::record::count(number(journal.rows(script).await?.first(), 0)?);
    let corrected: BTreeSet<String> = differences.iter().filter_map(|difference| difference.stream.clone()).collect();
    Ok(Rebuilt { sessions, corrected: corrected.into_iter().collect(), differences })
}

/// Puts some streams right. Answers whether there are more.
async fn streams(
    journal: &SqliteJournal,
    from: i64,
    differences: &mut Vec<Difference>,
) -> Result<(Turn, bool), JournalError> {
    let mut held = journal.writer()?.hold().await?;
    let turn = Turn::begin();
    let outcome = async {
        let mut transaction = held.begin().await?;
        let page = transaction.page(from, from + STREAMS - 1).await?;
        let mut found = Vec::new();
        for stream in &page.streams {
            let drawn = if stream.is_session() && !stream.pruned {
                let said = transaction.said(&stream.name).await?;
                draw(&stream.component, &page.lines(stream), &said)
            } else {
                None
            };
            let differs = differences::of_stream(&page, stream, drawn.as_ref());
            if !differs.is_empty() {
                transaction.redraw(stream, drawn.as_ref()).await?;
                found.extend(differs);
            }
        }
        let mut script = Script::default();
        script.add("SELECT 1 FROM streams WHERE id >= ? LIMIT 1").bind(from + STREAMS);
        let more = transaction.read(script).await?.iter().any(|rows| !rows.is_empty());
        transaction.commit().await?;
        Ok((found, more))
    };
    let outcome = outcome.await;
    let (found, more) = held.settle(outcome).await?;
    differences.extend(found);
    Ok((turn, more))
}

impl Transaction<'_> {
    /// Itself, as what statements are run on.
    pub(super) fn on(&mut self) -> On<'_> {
        On { connection: self.connection, path: self.path, only_read: false }
    }

    /// Reads some streams, as they are in this transaction.
    pub(super) async fn page(&mut self, from: i64, to: i64) -> Result<StreamPage, JournalError> {
        StreamPage::read(&mut self.on(), from, to).await
    }

    /// What was said about a session.
    pub(super) async fn said(&mut self, name: &str) -> Result<Vec<Said>, JournalError> {
        let mut script = Script::default();
        script.add("SELECT position, what, time_us FROM observations WHERE about = ? ORDER BY position").bind(name);
        let answers = self.read(script).await?;
        let said = |row: &SqliteRow| Ok(Said { position: row.cell(0)?, what: row.cell(1)?, time_us: row.cell(2)? });
        answers.iter().flatten().map(said).collect()
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
        }
        let picture = drawn.map(|drawn| &drawn.picture);
        let counters = picture.map(|picture| picture.counters).unwrap_or_default();
        let running = picture.and_then(|picture| picture.running);
        script.add(
            "UPDATE streams SET last_us = ?, commands = ?, outcomes = ?, failed = ?, writes = ?, destroys = ?, \
             running = ?, running_position = ? WHERE id = ?",
        );
        script.bind(picture.map_or(stream.last_us, |picture| picture.last_us));
        script.bind(counters.commands).bind(counters.outcomes).bind(counters.failed);
        script.bind(counters.writes).bind(counters.destroys);
        script.bind(running.map(|(command, _)| command)).bind(running.map(|(_, position)| position)).bind(stream.id);
        self.read(script).await.map(drop)
    }
}

/// Puts right what was said about sessions.
async fn observations(journal: &SqliteJournal, differences: &mut Vec<Difference>) -> Result<(), JournalError> {
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
                Some(row) if found.len() >= usize::try_from(ROWS).unwrap_or(0) => row.cell(0)?,
                _ => i64::MAX,
            };
            script.add("SELECT position, about, what, time_us FROM observations WHERE position > ? AND position <= ?");
            script.bind(last).bind(upto);
            let stored = transaction.read(script).await?;
            let stored = differences::observations(stored.first().map_or(&[][..], Vec::as_slice))?;
            let mut given = Observations::new();
            for row in found {
                let (position, time_us): (i64, i64) = (row.cell(0)?, row.cell(3)?);
                let heard = heard(row.cell(1)?, row.cell(2)?);
                given.extend(heard.map(|(about, what)| (position, (about, what, time_us))));
            }
            let differs = differences::of_observations(&given, &stored);
            if !differs.is_empty() {
                let mut script = Script::default();
                script.add("DELETE FROM observations WHERE position > ? AND position <= ?").bind(last).bind(upto);
                for (position, (about, what, time_us)) in given {
                    script.add("INSERT INTO observations (position, about, what, time_us) VALUES (?,?,?,?)");
                    script.bind(position).bind(about).bind(what).bind(time_us);
                }
                transaction.read(script).await?;
            }
            transaction.commit().await?;
            Ok((upto, differs))
        };
        let outcome = outcome.await;
        let (upto, differs) = held.settle(outcome).await?;
        differences.extend(differs);
        last = upto;
        turn.rest().await;
        if last == i64::MAX {
            return Ok(());
        }
    }
}

/// Removes rows that belong to no event.
async fn leftovers(journal: &SqliteJournal, differences: &mut Vec<Difference>) -> Result<(), JournalError> {
    let found = differences::of_nobody(&mut &*journal).await?;
    for rows in found.chunks(usize::try_from(ROWS).unwrap_or(1)) {
        let mut held = journal.writer()?.hold().await?;
        let turn = Turn::begin();
        let outcome = async {
            let mut transaction = held.begin().await?;
            let mut script = Script::default();
            for row in rows {
                match (&row.stream, row.position.and_then(|position| i64::try_from(position).ok())) {
                    // Rows are of nobody only while nobody has come for them: that is asked again here.
                    (Some(name), _) => script
                        .add(
                            "DELETE FROM sessions WHERE session_id = ? \
                             AND stream NOT IN (SELECT id FROM streams WHERE pruned = 0 AND name >= 'sess_' AND name < 'sess`')",
                        )
                        .bind(name.as_str()),
                    (None, position) => script
                        .add(
                            "DELETE FROM commands WHERE position = ? AND NOT EXISTS (SELECT 1 FROM events e \
                             JOIN streams s ON s.id = e.stream WHERE e.position = commands.position \
                             AND e.type = 'command_start' AND s.pruned = 0)",
                        )
                        .bind(position),
                };
            }
            transaction.read(script).await?;
            transaction.commit().await
        };
        let outcome = outcome.await;
        held.settle(outcome).await?;
        turn.rest().await;
    }
    differences.extend(found);
    Ok(())
}

/// Empties the text index where it is not what the commands give. It is filled again behind the commits.
async fn text(journal: &SqliteJournal, differences: &mut Vec<Difference>) -> Result<(), JournalError> {
    let found = journal.text_differences().await?;
    if found.is_empty() {
        return Ok(());
    }
    let mut held = journal.writer()?.hold().await?;
    let outcome = async {
        let mut transaction = held.begin().await?;
        let mut script = Script::default();
        script.add("INSERT INTO command_text (command_text) VALUES ('delete-all')");
        script.add("UPDATE journal SET text_position = 0");
        transaction.read(script).await?;
        transaction.commit().await
    };
    let outcome = outcome.await;
    held.settle(outcome).await?;
    differences.extend(found);
    Ok(())
}

/// Puts the sums right, one day and component at a time.
async fn sums(journal: &SqliteJournal, differences: &mut Vec<Difference>) -> Result<(), JournalError> {
    // Division that rounds down, also before 1970.
    let day = format!("(order_us - ((order_us % {DAY_US}) + {DAY_US}) % {DAY_US}) / {DAY_US}");
    let mut script = Script::default();
    script.add(&format!(
        "SELECT {day}, component FROM sessions UNION SELECT day, component FROM rollups \
         UNION SELECT day, component FROM rollups_base"
    ));
    let rows = journal.rows(script).await?;
    let day = |row: &SqliteRow| Ok((row.cell(0)?, row.cell(1)?));
    let days = rows.iter().map(day).collect::<Result<Vec<(i64, String)>, JournalError>>()?;
    let mut days = days.into_iter().peekable();
    while days.peek().is_some() {
        let mut held = journal.writer()?.hold().await?;
        let turn = Turn::begin();
        let outcome = async {
            let mut transaction = held.begin().await?;
            let mut found = Vec::new();
            while let Some((day, component)) = days.next_if(|_| !turn.is_over()) {
                if transaction.sum(day, &component).await? {
                    found.push(differences::of_day(day, &component));
                }
            }
            transaction.commit().await?;
            Ok(found)
        };
        let outcome = outcome.await;
        differences.extend(held.settle(outcome).await?);
        turn.rest().await;
    }
    Ok(())
}

impl Transaction<'_> {
    /// Puts the sums of a day right. Answers whether they differed.
    async fn sum(&mut self, day: i64, component: &str) -> Result<bool, JournalError> {
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
        let mut totals = [Totals::default(); 3];
        for (totals, rows) in totals.iter_mut().zip(&answers) {
            let Some(row) = rows.first() else { continue };
            let mut columns = [0; 9];
            for (at, column) in columns.iter_mut().enumerate() {
                *column = row.cell::<Option<i64>>(at)?.unwrap_or(0);
            }
            *totals = Totals::from_columns(columns);
        }
        let [sessions, base, kept] = totals;
        let difference = sessions.zip(base, |a, b| a + b).zip(kept, |a, b| a - b);
        if difference == Totals::default() {
            return Ok(false);
        }
        let mut script = Script::default();
        rows::add_totals(&mut script, "rollups", day, component, &difference);
        self.read(script).await.map(|_| true)
    }
}
