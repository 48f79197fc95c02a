//! Making the projection anew from the events, in turns, beside whoever records meanwhile.
//!
//! Each turn puts some streams right in a transaction of its own, so the projection is never half of a session. The sums
//! come last: those of one day and component are the sum of its sessions and of what pruning left as their base.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    PostgresJournal,
    apart::{Apart, On},
    rows::Batch,
    transaction::Transaction,
};
use crate::journal::{
    Difference, JournalError, Rebuilt,
    cells::{Cells, number},
    differences::{self, Stretch},
    loaded::{Differences, add_difference},
    pace::Turn,
    pages::{StreamPage, StreamRow},
    projection::Totals,
    replay::{Drawn, Said, draw},
    rollups,
    shown::count,
    source::{Source, Statement},
};

/// Streams in a turn.
const STREAMS: i64 = 64;
/// Rows of other tables in a turn.
const ROWS: u32 = 500;

pub(super) async fn rebuild(mut journal: &PostgresJournal) -> Result<Rebuilt, JournalError> {
    let mut apart = Apart::open(journal).await?;
    let mut found = Vec::new();
    observations(journal, &mut apart, &mut found).await?;
    let mut from = 1;
    let highest = number(journal.rows(Statement::new("SELECT coalesce(max(id), 0) FROM streams")).await?.first(), 0)?;
    while from <= highest {
        streams(journal, &mut apart, from, &mut found).await?;
        from += STREAMS;
    }
    leftovers(journal, &mut apart, &mut found).await?;
    sums(journal, &mut apart, &mut found).await?;
    apart.close().await;
    let sessions = count(number(journal.rows(Statement::new("SELECT count(*) FROM sessions")).await?.first(), 0)?);
    let corrected: BTreeSet<String> = found.iter().filter_map(|difference| difference.stream.clone()).collect();
    Ok(Rebuilt { sessions, corrected: corrected.into_iter().collect(), differences: found })
}

/// Puts right what was said about sessions.
async fn observations(
    journal: &PostgresJournal,
    apart: &mut Apart,
    found: &mut Vec<Difference>,
) -> Result<(), JournalError> {
    let mut last = 0;
    while last != i64::MAX {
        let turn = Turn::begin();
        let mut transaction = apart.begin(journal).await?;
        let Stretch { upto, given, differences } = differences::stretch(&mut transaction.on(), last, ROWS).await?;
        if !differences.is_empty() {
            let all = Statement::new("DELETE FROM observations WHERE position > ? AND position <= ?");
            transaction.rows(all.bind(last).bind(upto)).await?;
            for (position, (about, what, time_us)) in given {
                let row = Statement::new("INSERT INTO observations (position, about, what, time_us) VALUES (?,?,?,?)");
                transaction.rows(row.bind(position).bind(about).bind(what).bind(time_us)).await?;
            }
        }
        transaction.commit().await?;
        found.extend(differences);
        last = upto;
        turn.rest().await;
    }
    Ok(())
}

/// Puts some streams right.
async fn streams(
    journal: &PostgresJournal,
    apart: &mut Apart,
    from: i64,
    found: &mut Vec<Difference>,
) -> Result<(), JournalError> {
    let turn = Turn::begin();
    let mut transaction = apart.begin(journal).await?;
    let page = StreamPage::read(&mut transaction.on(), from, from + STREAMS - 1).await?;
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
    transaction.commit().await?;
    turn.rest().await;
    Ok(())
}

/// Removes rows that belong to no event.
async fn leftovers(
    mut journal: &PostgresJournal,
    apart: &mut Apart,
    found: &mut Vec<Difference>,
) -> Result<(), JournalError> {
    let nobodys = differences::of_nobody(&mut journal).await?;
    for rows in nobodys.chunks(ROWS as usize) {
        let turn = Turn::begin();
        let mut transaction = apart.begin(journal).await?;
        for row in rows {
            transaction.rows(differences::removal(row)).await?;
        }
        transaction.commit().await?;
        turn.rest().await;
    }
    found.extend(nobodys);
    Ok(())
}

/// Puts the sums right, one day and component at a time.
async fn sums(
    mut journal: &PostgresJournal,
    apart: &mut Apart,
    found: &mut Vec<Difference>,
) -> Result<(), JournalError> {
    let mut days = rollups::days(&mut journal).await?.into_iter().peekable();
    while days.peek().is_some() {
        let turn = Turn::begin();
        let mut transaction = apart.begin(journal).await?;
        while let Some((day, component)) = days.next_if(|_| !turn.is_over()) {
            let lacking = rollups::lacking(&mut transaction.on(), day, &component).await?;
            if lacking != Totals::default() {
                found.push(differences::of_day(day, &component));
                transaction.add_sums("rollups", &BTreeMap::from([((day, component), lacking)])).await?;
            }
        }
        transaction.commit().await?;
        turn.rest().await;
    }
    Ok(())
}

impl Transaction<'_> {
    /// Itself, as what statements are run on.
    pub(super) fn on(&mut self) -> On<'_> {
        On { connection: self.connection, address: self.address }
    }

    /// What was said about a session.
    async fn said(&mut self, name: &str) -> Result<Vec<Said>, JournalError> {
        let said = Statement::new("SELECT position, what, time_us FROM observations WHERE about = ? ORDER BY position");
        let rows = self.rows(said.bind(name)).await?;
        let said =
            rows.iter().map(|row| Ok(Said { position: row.cell(0)?, what: row.cell(1)?, time_us: row.cell(2)? }));
        said.collect()
    }

    /// Writes a session's projection anew; without a drawing it has none. The sums are the caller's business.
    async fn redraw(&mut self, stream: &StreamRow, drawn: Option<&Drawn>) -> Result<(), JournalError> {
        let session = Statement::new("DELETE FROM sessions WHERE stream = ? OR session_id = ?");
        self.rows(session.bind(stream.id).bind(stream.name.as_str())).await?;
        let commands =
            Statement::new("DELETE FROM commands WHERE position IN (SELECT position FROM events WHERE stream = ?)");
        self.rows(commands.bind(stream.id)).await?;
        if let Some(drawn) = drawn {
            let mut batch = Batch::default();
            batch.sessions(&[(stream.id, &stream.name, &drawn.picture, &drawn.facts)]);
            let commands: Vec<_> = drawn.commands.iter().map(|command| (stream.id, command.clone())).collect();
            batch.insert_commands(&commands);
            batch.run(self.connection).await.map_err(|error| self.translate(&error))?;
        }
        let picture = drawn.map(|drawn| &drawn.picture);
        let counters = picture.map(|picture| picture.counters).unwrap_or_default();
        let running = picture.and_then(|picture| picture.running);
        let mut row = Statement::new(format!(
            "UPDATE streams SET last_us = ?, commands = ?, outcomes = ?, failed = ?, writes = ?, destroys = ?, {} \
             WHERE id = ?",
            match running {
                Some(_) => "running = ?, running_position = ?",
                None => "running = NULL, running_position = NULL",
            }
        ));
        row = row.bind(picture.map_or(stream.last_us, |picture| picture.last_us));
        row = row.bind(counters.commands).bind(counters.outcomes).bind(counters.failed);
        row = row.bind(counters.writes).bind(counters.destroys);
        if let Some((command, position)) = running {
            row = row.bind(command).bind(position);
        }
        self.rows(row.bind(stream.id)).await.map(drop)
    }

    /// Draws one session again after a body of it went or came, and lets the sums follow.
    pub(super) async fn draw_again(&mut self, stream: i64) -> Result<(), JournalError> {
        let page = StreamPage::read(&mut self.on(), stream, stream).await?;
        let Some(row) = page.streams.first().filter(|row| row.is_session() && !row.pruned) else { return Ok(()) };
        let said = self.said(&row.name).await?;
        let drawn = draw(&row.component, &page.lines(row), &said);
        let before = page.projected(row);
        self.redraw(row, drawn.as_ref()).await?;
        let (Some(before), Some(after)) = (&before, &drawn) else { return Ok(()) };
        let mut sums = Differences::new();
        add_difference(&mut sums, Some((before.picture.day(), before.picture.totals())), &after.picture);
        self.add_sums("rollups", &sums).await
    }

    /// Adds to the sums, in `rollups` or `rollups_base`.
    pub(super) async fn add_sums(&mut self, table: &str, sums: &Differences) -> Result<(), JournalError> {
        let mut batch = Batch::default();
        batch.sums(table, sums);
        batch.run(self.connection).await.map_err(|error| self.translate(&error))
    }
}
