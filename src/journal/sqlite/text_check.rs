//! Whether the text index holds what the commands say, and nothing else.
//!
//! The index is a list of pairs: a piece of three characters, and a command that has it. Both sides of the comparison are
//! taken together to one sum for each command, so that it needs little memory however long the inputs are. What of an
//! input goes into the index is plain for ASCII; for any other the tokenizer itself is asked, by way of an index in memory.

use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, Connection, Executor, SqliteConnection};

use super::{
    Readers, SqliteJournal,
    differences::at_position,
    error::{Code, code},
    script::Script,
};
use crate::journal::{Difference, JournalError, cells::Cells};

/// Commands in a page.
const COMMANDS: i64 = 2_000;

/// What is needed beside the index itself. Temporary: it belongs to the connection and not to the file.
const PREPARE: &str = "PRAGMA query_only = off;
    CREATE VIRTUAL TABLE IF NOT EXISTS temp.text_pairs USING fts5vocab(main, command_text, instance);
    CREATE VIRTUAL TABLE IF NOT EXISTS temp.text_sample
        USING fts5(input, content='', tokenize='trigram', detail='none', columnsize=0);
    CREATE VIRTUAL TABLE IF NOT EXISTS temp.text_sample_pairs USING fts5vocab(temp, text_sample, instance);";

/// The pieces of one command: how many, and the sum of their hashes.
type Sum = (u64, u64);

impl SqliteJournal {
    /// The commands that are not in the index as they should be, in a snapshot of its own.
    pub(super) async fn text_differences(&self) -> Result<Vec<Difference>, JournalError> {
        let only_read = matches!(self.0.readers, Readers::Pool(_));
        let mut reader = self.reader().await?;
        let mut snapshot = reader.connection().begin().await.map_err(|error| self.translate(&error))?;
        differences(&mut snapshot, only_read).await
    }
}

/// The commands that are not in the index as they should be.
pub(super) async fn differences(
    connection: &mut SqliteConnection,
    only_read: bool,
) -> Result<Vec<Difference>, JournalError> {
    let outcome = compare(connection).await;
    if only_read && let Err(error) = connection.execute("PRAGMA query_only = on").await {
        tracing::debug!(%error, "the connection for reading may write");
    }
    match outcome {
        Err(Trouble::Database(error)) if code(&error) == Code::Corrupt => Ok(vec![Difference {
            table: "command_text".to_owned(),
            key: "the whole index: it can not be read".to_owned(),
            stream: None,
            position: None,
        }]),
        Err(Trouble::Database(error)) => Err(JournalError::Database(error.to_string())),
        Err(Trouble::Journal(error)) => Err(error),
        Ok(mut positions) => {
            positions.sort_unstable();
            Ok(positions.into_iter().map(|position| at_position("command_text", position, None)).collect())
        }
    }
}

enum Trouble {
    Database(sqlx::Error),
    Journal(JournalError),
}

impl From<JournalError> for Trouble {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

async fn compare(connection: &mut SqliteConnection) -> Result<Vec<i64>, Trouble> {
    connection.execute(PREPARE).await?;
    let mut expected: HashMap<i64, Sum> = HashMap::new();
    let mut last = 0;
    loop {
        let mut script = Script::default();
        script
            .add(
                "SELECT position, input FROM commands WHERE position > ? AND input IS NOT NULL \
                 AND position <= (SELECT text_position FROM journal) ORDER BY position LIMIT ?",
            )
            .bind(last)
            .bind(COMMANDS);
        let rows = script.run(connection).await.map_err(|stopped| stopped.error)?;
        let mut sample = Script::default();
        for row in rows.iter().flatten() {
            let input: &str = row.cell(1)?;
            last = row.cell(0)?;
            if !input.is_ascii() || input.contains('\0') {
                sample.add("INSERT INTO text_sample (rowid, input) VALUES (?, ?)").bind(last).bind(input);
            } else if let Some(sum) = sum(input) {
                expected.insert(last, sum);
            }
        }
        if sample.len() > 0 {
            sample.run(connection).await.map_err(|stopped| stopped.error)?;
            add_pairs(connection, "text_sample_pairs", &mut expected).await?;
            connection.execute("INSERT INTO text_sample (text_sample) VALUES ('delete-all')").await?;
        }
        if rows.iter().all(Vec::is_empty) {
            break;
        }
    }
    let mut found = HashMap::new();
    add_pairs(connection, "text_pairs", &mut found).await?;
    let unlike = |(position, sum): (&i64, &Sum)| (found.get(position) != Some(sum)).then_some(*position);
    let missing = expected.iter().filter_map(unlike);
    let more = found.keys().filter(|position| !expected.contains_key(position)).copied();
    Ok(missing.chain(more).collect())
}

/// The pieces of an ASCII input, each once.
fn sum(input: &str) -> Option<Sum> {
    let folded = input.to_ascii_lowercase();
    let pieces: HashSet<&str> = (3..=folded.len()).map(|end| &folded[end - 3..end]).collect();
    let sum = pieces.iter().fold(0, |sum: u64, piece| sum.wrapping_add(hash(piece)));
    (!pieces.is_empty()).then_some((pieces.len() as u64, sum))
}

/// Adds what an index holds, a piece at a time with all commands that have it.
async fn add_pairs(
    connection: &mut SqliteConnection,
    pairs: &str,
    sums: &mut HashMap<i64, Sum>,
) -> Result<(), Trouble> {
    let sql = format!("SELECT term, group_concat(doc) FROM temp.{pairs} GROUP BY term");
    let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(&mut *connection);
    while let Some(row) = rows.try_next().await? {
        let piece = hash(row.cell(0)?);
        let commands: &str = row.cell(1)?;
        for command in commands.split(',').filter_map(|command| command.parse().ok()) {
            let (pieces, sum) = sums.entry(command).or_default();
            *pieces += 1;
            *sum = sum.wrapping_add(piece);
        }
    }
    Ok(())
}

fn hash(piece: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    piece.hash(&mut hasher);
    hasher.finish()
}
