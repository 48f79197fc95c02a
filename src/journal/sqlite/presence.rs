//! Beats of living sessions, and who was asked to end.

use jiff::Timestamp;
use sqlx::Row;

use super::{SqliteJournal, script::Script};
use crate::{
    event::{Event, Observation, SessionId},
    journal::{EndRequest, JournalError, Presence},
};

pub(super) async fn beat(journal: &SqliteJournal, presence: &[Presence]) -> Result<(), JournalError> {
    let now_us = Timestamp::now().as_microsecond();
    let mut script = Script::default();
    for beat in presence {
        script.add(
            "INSERT INTO presence (session_id, component, heard_us, lease_us, detail) VALUES (?,?,?,?,?) ON CONFLICT \
             DO UPDATE SET heard_us = excluded.heard_us, lease_us = excluded.lease_us, detail = excluded.detail",
        );
        script.bind(beat.session_id.as_str()).bind(beat.component_name.as_str()).bind(now_us);
        script.bind(i64::from(beat.lease_seconds) * 1_000_000);
        script.bind(serde_json::to_string(&beat.emits).unwrap_or_default());
    }
    journal.note(script).await.map(drop)
}

pub(super) async fn end_requests(journal: &SqliteJournal, of: &[SessionId]) -> Result<Vec<EndRequest>, JournalError> {
    let mut requests = Vec::new();
    for session in of {
        let mut script = Script::default();
        script.add(
            "SELECT e.text FROM observations o JOIN events e ON e.position = o.position \
             WHERE o.about = ? AND o.what = 'end_requested' AND e.text IS NOT NULL AND NOT EXISTS \
             (SELECT 1 FROM sessions p WHERE p.session_id = o.about AND p.status <> 'open') ORDER BY o.position LIMIT 1",
        );
        script.bind(session.as_str());
        let rows = journal.rows(script).await?;
        let said = rows.first().and_then(|row| Event::parse(row.get(0)).ok()?.decode::<Observation>());
        requests.extend(said.map(|said| EndRequest { session_id: session.clone(), by: said.by, why: said.why }));
    }
    Ok(requests)
}
