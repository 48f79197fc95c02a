//! Reading archives: a journal in memory, for reading only. What an archive is like is said in `journal/archive`.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use super::SqliteJournal;
use crate::{
    event::{Event, StreamId},
    journal::{Journal, JournalError, Verdict},
};

/// Events in one step of reading.
const STEP: usize = 500;

/// Reads an archive into a journal in memory.
pub(super) async fn read(path: &Path) -> Result<SqliteJournal, JournalError> {
    let unusable = |because: String| JournalError::Unusable { path: path.to_owned(), because };
    let file = File::open(path).map_err(|error| unusable(error.to_string()))?;
    let journal = SqliteJournal::in_memory().await?;
    let mut waiting = Vec::new();
    let mut observations = Vec::new();
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(|error| unusable(error.to_string()))?;
        if line.is_empty() {
            continue;
        }
        let event = Event::parse(&line).map_err(|error| unusable(format!("line {}: {error}", number + 1)))?;
        match event.stream() {
            StreamId::Session(_) => waiting.push(event),
            StreamId::Journal(_) => observations.push(event),
        }
        if waiting.len() >= STEP {
            append(&journal, &std::mem::take(&mut waiting)).await.map_err(&unusable)?;
        }
    }
    append(&journal, &waiting).await.map_err(&unusable)?;
    journal.adopt(observations).await?;
    Ok(journal)
}

async fn append(journal: &SqliteJournal, events: &[Event]) -> Result<(), String> {
    let verdicts = journal.append(events).await.map_err(|error| error.to_string())?;
    for (event, verdict) in events.iter().zip(verdicts) {
        if let Verdict::Rejected(why) = verdict {
            return Err(format!("event {} of {}: {why}", event.seq(), event.stream()));
        }
    }
    Ok(())
}

impl SqliteJournal {
    /// Stores observations that are out of the row of their stream, as an archive has them.
    async fn adopt(&self, mut observations: Vec<Event>) -> Result<(), JournalError> {
        observations.sort_by(|a, b| (a.stream(), a.seq()).cmp(&(b.stream(), b.seq())));
        observations.dedup();
        let mut held = self.writer()?.hold().await?;
        let outcome = async {
            let mut transaction = held.begin().await?;
            for event in &observations {
                transaction.prefetch(&[event.stream().as_str()], &[]).await?;
                if !transaction.streams.contains_key(event.stream().as_str()) {
                    transaction.open_stream(event.stream(), event.component(), false);
                }
                transaction.push(&event.clone().into()).await?;
            }
            transaction.commit().await
        };
        let outcome = outcome.await;
        held.settle(outcome).await
    }
}
