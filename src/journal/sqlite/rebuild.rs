//! Making the projection anew from the events, in turns, beside whoever records meanwhile.
//!
//! Each turn puts some streams right in a transaction of its own, so the projection is never half of a session. The sums
//! come last: those of one day and component are the sum of its sessions and of what pruning left as their base.

use std::collections::BTreeSet;

use sqlx::sqlite::SqliteRow;

use super::{
    SqliteJournal,
    differences::{self, Stretch},
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
    rollups,
};

/// Streams in a turn, at most.
const STREAMS: i64 = 16;
/// Rows of other tables in a turn.
const ROWS: u32 = 500;

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
            let Stretch { upto, given, differences: differs } =
                differences::stretch(&mut transaction.on(), last, ROWS).await?;
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
    for rows in found.chunks(ROWS as usize) {
        let mut held = journal.writer()?.hold().await?;
        let turn = Turn::begin();
        let outcome = async {
            let mut transaction = held.begin().await?;
            for row in rows {
                transaction.read(differences::removal(row).into()).await?;
            }
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
    let days = rollups::days(&mut &*journal).await?;
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
        let difference = rollups::lacking(&mut self.on(), day, component).await?;
        if difference == Totals::default() {
            return Ok(false);
        }
        let mut script = Script::default();
        rows::add_totals(&mut script, "rollups", day, component, &difference);
        self.read(script).await.map(|_| true)
    }
}
