//! Size and state of the journal, and what about it wants attention.

use super::{PostgresJournal, migrate::SCHEMA_VERSION};
use crate::journal::{
    Journal, JournalError, JournalStatus,
    cells::Cells,
    shown::{count, timestamp},
    source::{Source, Statement},
};

pub(super) async fn status(mut journal: &PostgresJournal) -> Result<JournalStatus, JournalError> {
    // Positions have no holes, so the number of events needs no counting.
    let statement = Statement::new(
        "SELECT coalesce((SELECT max(position) FROM events), checkpoint), checkpoint, \
         (SELECT count(*) FROM events WHERE text IS NULL), \
         (SELECT count(*) FROM sessions), (SELECT count(*) FROM sessions WHERE status = 'open'), \
         (SELECT count(*) FROM conflicts), \
         (SELECT time_us FROM events WHERE text IS NOT NULL ORDER BY position LIMIT 1), \
         pg_database_size(current_database()), current_setting('fsync') = 'on', \
         EXISTS (SELECT 1 FROM pg_indexes WHERE indexname = 'commands_by_text'), \
         (SELECT count(*) FROM streams WHERE pruned <> 0) FROM journal",
    );
    let rows = journal.rows(statement).await?;
    let row = rows.first().ok_or_else(|| JournalError::Damaged("its own row is missing".to_owned()))?;
    let (position, checkpoint) = (count(row.cell(0)?), count(row.cell(1)?));
    let conflicts = count(row.cell(5)?);
    let mut warnings = Vec::new();
    if conflicts > 0 {
        warnings.push(format!("{conflicts} events contradict what is stored and are kept aside."));
    }
    if !row.cell::<bool>(8)? {
        warnings.push("The server runs with `fsync = off`: a power cut may take what was recorded.".to_owned());
    }
    if !row.cell::<bool>(9)? {
        warnings.push(
            "The server has no `pg_trgm`: a search in what was typed reads all of it. The owner of the database can \
             mend that with `CREATE EXTENSION pg_trgm; CREATE INDEX commands_by_text ON commands USING gin (input \
             gin_trgm_ops);`."
                .to_owned(),
        );
    }
    if let Some(error) = journal.read_only() {
        warnings.push(format!("It is open for reading only: {error}."));
    }
    Ok(JournalStatus {
        journal_id: journal.id().to_string(),
        database: journal.0.address.name.clone(),
        bytes: count(row.cell(7)?),
        free_bytes: None,
        position,
        events: position.saturating_sub(checkpoint),
        pruned: count(row.cell(2)?),
        pruned_sessions: count(row.cell(10)?),
        sessions: count(row.cell(3)?),
        active: count(row.cell(4)?),
        conflicts,
        oldest: row.cell::<Option<i64>>(6)?.map(timestamp),
        schema_version: SCHEMA_VERSION,
        warnings,
    })
}
