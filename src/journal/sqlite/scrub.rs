//! Removing one body that should never have been recorded.
//!
//! The event's place, id, type, time and hash stay, and so does what its session's projection needs of it that is not
//! text somebody typed. Freed pages are overwritten and the WAL is emptied, so that the body is not in the file any more;
//! it may still be in backups, in file system snapshots and wherever it was delivered to.

use uuid::Uuid;

use super::{SqliteJournal, prune::forget_text, script::Script};
use crate::{
    event::{Draft, EventKind, Invalid},
    journal::{Journal, JournalError, cells::Cells, projection::residue},
};

pub(super) async fn scrub(journal: &SqliteJournal, event_id: Uuid, observation: &Draft) -> Result<(), JournalError> {
    let mut held = journal.writer()?.hold().await?;
    sqlx::query("PRAGMA secure_delete = ON")
        .execute(held.connection())
        .await
        .map_err(|error| journal.translate(&error))?;
    let outcome = async {
        let mut transaction = held.begin().await?;
        let mut script = Script::default();
        script
            .add("SELECT position, stream, type, text FROM events WHERE event_id = ?")
            .bind(event_id.as_bytes().as_slice());
        let answers = transaction.read(script).await?;
        let Some(row) = answers.iter().flatten().next() else {
            return Err(Invalid::new("event_id", "names no event of this journal").into());
        };
        let (position, stream): (i64, i64) = (row.cell(0)?, row.cell(1)?);
        let Some(text) = row.cell::<Option<&str>>(3)? else {
            return Err(Invalid::new("event_id", "names an event whose body was removed before").into());
        };
        let whole: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        let body = whole.get("body").cloned().unwrap_or_default();
        let kind = EventKind::from(row.cell::<String>(2)?);
        let mut script = Script::default();
        // From now on the text index overwrites what it removes.
        script.add("INSERT INTO command_text (command_text, rank) VALUES ('secure-delete', 1)");
        forget_text(&mut script, "e.position = ?", position);
        script.add("UPDATE events SET text = NULL, residue = ? WHERE position = ?");
        script.bind(residue(&kind, &body).to_string()).bind(position);
        script.add("DELETE FROM conflicts WHERE event_id = ?").bind(event_id.as_bytes().as_slice());
        transaction.read(script).await?;
        transaction.draw_again(stream).await?;
        transaction.record(&journal.own_stream(), std::slice::from_ref(observation)).await?;
        transaction.commit().await
    };
    let outcome = outcome.await;
    if journal.0.site.is_some() && outcome.is_ok() {
        // Pages that moved before have left copies where nothing overwrites them: write the file anew.
        if let Err(error) = sqlx::query("VACUUM").execute(held.connection()).await {
            tracing::warn!(%error, "the file could not be written anew: copies of the body may stand in its free pages");
        }
        let emptied = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(held.connection()).await;
        match emptied.map(|row| row.cell::<i64>(0)) {
            Ok(Ok(0)) => {}
            _ => tracing::warn!("a reader keeps the write-ahead log: the body stays in it until the next checkpoint"),
        }
    }
    if let Err(error) = sqlx::query("PRAGMA secure_delete = OFF").execute(held.connection()).await {
        tracing::debug!(%error, "secure deletion stays on for this connection");
    }
    held.settle(outcome).await
}
