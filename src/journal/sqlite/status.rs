//! Size and state of the journal, and what about it wants attention.

use super::{SqliteJournal, migrate::SCHEMA_VERSION, record, script::Script, site::Site};
use crate::journal::{Journal, JournalError, JournalStatus, Room, cells::Cells};

/// Past this size it is worth thinking about pruning.
const LARGE_BYTES: u64 = 1024 * 1024 * 1024;

pub(super) async fn status(journal: &SqliteJournal) -> Result<JournalStatus, JournalError> {
    let mut script = Script::default();
    // Positions have no holes, so the number of events needs no counting; the number of sessions is in the index.
    script.add(
        "SELECT coalesce((SELECT max(position) FROM events), checkpoint), checkpoint, \
         (SELECT count(*) FROM events INDEXED BY events_without_text WHERE text IS NULL), \
         (SELECT count(*) FROM sessions), (SELECT count(*) FROM sessions WHERE status = 'open'), \
         (SELECT count(*) FROM conflicts), \
         (SELECT time_us FROM events WHERE text IS NOT NULL ORDER BY position LIMIT 1), \
         (SELECT count(*) FROM buried), (SELECT count(*) FROM streams WHERE pruned <> 0) FROM journal",
    );
    let rows = journal.rows(script).await?;
    let row = rows.first().ok_or_else(|| JournalError::Damaged("its own row is missing".to_owned()))?;
    let (position, checkpoint) = (record::count(row.cell(0)?), record::count(row.cell(1)?));
    let site = journal.0.site.as_ref();
    let bytes = site.map_or(0, Site::bytes);
    let conflicts = record::count(row.cell(5)?);
    let mut warnings = Vec::new();
    if bytes > LARGE_BYTES {
        warnings.push(format!("The journal has grown to {} MiB: prune it.", bytes >> 20));
    }
    match journal.room() {
        Room::Enough => {}
        Room::Low { free_bytes } => warnings.push(format!("Only {} MiB are free on its disk.", free_bytes >> 20)),
        Room::Critical { free_bytes } => warnings.push(format!(
            "Only {} MiB are free on its disk: changes are refused until there is room.",
            free_bytes >> 20
        )),
    }
    if conflicts > 0 {
        warnings.push(format!("{conflicts} events contradict what is stored and are kept aside."));
    }
    warnings.extend(site.and_then(Site::open_to_others));
    if let Some(error) = journal.read_only() {
        warnings.push(format!("It is open for reading only: {error}."));
    }
    Ok(JournalStatus {
        journal_id: journal.id().to_string(),
        database: journal.0.name.clone(),
        bytes,
        free_bytes: site.and_then(Site::free_bytes),
        position,
        events: position.saturating_sub(checkpoint),
        pruned: record::count(row.cell(2)?),
        pruned_sessions: record::count(row.cell(8)?),
        sessions: record::count(row.cell(3)?),
        active: record::count(row.cell(4)?),
        conflicts,
        oldest: row.cell::<Option<i64>>(6)?.map(record::timestamp),
        schema_version: SCHEMA_VERSION,
        warnings,
    })
}
