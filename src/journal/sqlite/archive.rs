//! Archives: what pruning removes, as JSON lines, and reading them again.
//!
//! A line is the canonical text of an event, verbatim. The events of a session stand together in the order of `seq`;
//! after the sessions come the observations about them. A file that is there already is added to, so that one archive
//! can take every month; the same event twice is no harm.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use super::{
    SqliteJournal,
    prune::{Candidate, names},
    script::Script,
};
use crate::{
    event::{Event, StreamId},
    journal::{JournalError, Verdict, cells::Cells},
};

/// Events in one step of reading.
const STEP: usize = 500;

/// Writes sessions to an archive and syncs it.
pub(super) async fn write(journal: &SqliteJournal, path: &Path, candidates: &[Candidate]) -> Result<(), JournalError> {
    let failed = |error: std::io::Error| JournalError::Unusable {
        path: path.to_owned(),
        because: format!("the archive could not be written, and nothing was removed: {error}"),
    };
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path).map_err(failed)?;
    let mut archive = BufWriter::new(&file);
    for candidate in candidates {
        let mut script = Script::default();
        script.add("SELECT text FROM events WHERE stream = ? AND text IS NOT NULL ORDER BY seq").bind(candidate.stream);
        for row in journal.rows(script).await? {
            writeln!(archive, "{}", row.cell::<&str>(0)?).map_err(failed)?;
        }
    }
    for name in names(candidates) {
        let mut script = Script::default();
        script
            .add(
                "SELECT e.text FROM observations o JOIN events e ON e.position = o.position \
                 WHERE o.about = ? AND e.text IS NOT NULL ORDER BY o.position",
            )
            .bind(name);
        for row in journal.rows(script).await? {
            writeln!(archive, "{}", row.cell::<&str>(0)?).map_err(failed)?;
        }
    }
    archive.flush().map_err(failed)?;
    drop(archive);
    file.sync_all().map_err(failed)?;
    // The name is only safe once its directory is.
    if let Some(directory) = path.parent() {
        let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)?;
    }
    Ok(())
}

/// Whether a path names an archive.
pub(super) fn is_archive(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "jsonl" || extension == "ndjson")
}

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
    let verdicts = journal.writer().map_err(|error| error.to_string())?.append(events).await;
    let verdicts = verdicts.map_err(|error| error.to_string())?;
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
                    transaction.open_stream(event.stream(), event.component(), false).await?;
                }
                transaction.push(event).await?;
            }
            transaction.commit().await
        };
        let outcome = outcome.await;
        held.settle(outcome).await
    }
}
