//! Search in what was typed.
//!
//! `command_text` finds any part of three characters or more. It is filled behind the commits, in steps, because keeping
//! it in every commit would cost recording a third more; what is not in it yet is searched row by row. A part that is
//! common is not looked up at all: walking the list and trying each session finds a page sooner than sorting all matches.

use sqlx::Row;

use super::{SqliteJournal, script::Script};
use crate::journal::{
    JournalError,
    source::{Statement, WithText},
};

/// Turns that a search spends on the text index.
const TURNS: usize = 4;

pub(super) async fn find(journal: &SqliteJournal, text: &str, few: i64) -> Result<WithText, JournalError> {
    let matches = condition(text);
    let common = Statement::new(format!(
        "EXISTS (SELECT 1 FROM events e CROSS JOIN commands c ON c.position = e.position \
         WHERE e.stream = p.stream AND {})",
        matches.sql.replace("input", "c.input")
    ));
    let common = common.bind_all(&matches.values);
    if let Ok(writer) = journal.writer()
        && has_backlog(journal).await?
    {
        // Short-lived programs leave their commands to whoever searches next. What is not done in its turns is searched
        // row by row, and so is everything when the index can not be written now.
        if let Err(error) = writer.fill_text(Some(TURNS)).await {
            tracing::debug!(%error, "the text index is filled later");
        }
    }
    let statement = if text.chars().count() < 3 {
        // Nothing so short is in the index: the commands are tried one by one, which stops soon when it is common.
        Statement::new(format!("SELECT stream FROM commands WHERE {} ORDER BY position DESC LIMIT {few}", matches.sql))
    } else {
        let indexed = Statement::new(format!(
            "SELECT stream FROM commands WHERE position IN \
             (SELECT rowid FROM command_text WHERE {0} LIMIT {few}) UNION ALL SELECT stream FROM commands \
             WHERE position > (SELECT text_position FROM journal) AND {0} LIMIT {few}",
            matches.sql
        ));
        indexed.bind_all(&matches.values)
    };
    let rows = journal.rows(statement.bind_all(&matches.values).into()).await?;
    if i64::try_from(rows.len()).unwrap_or(i64::MAX) >= few {
        return Ok(WithText::TooMany(common));
    }
    let mut streams: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
    streams.sort_unstable();
    streams.dedup();
    Ok(WithText::Streams(streams))
}

async fn has_backlog(journal: &SqliteJournal) -> Result<bool, JournalError> {
    let mut script = Script::default();
    script.add("SELECT 1 FROM commands WHERE position > (SELECT text_position FROM journal) LIMIT 1 OFFSET 500");
    Ok(!journal.rows(script).await?.is_empty())
}

/// `LIKE` without `ESCAPE`, which is what the index understands: its two special characters stand for any one character
/// there, and are compared after.
fn condition(text: &str) -> Statement {
    let pattern = format!("%{}%", text.replace('%', "_"));
    if text.contains(['%', '_']) {
        let sql = "input LIKE ? AND instr(lower(input), lower(?)) > 0";
        return Statement::new(sql).bind(pattern).bind(text);
    }
    Statement::new("input LIKE ?").bind(pattern)
}
