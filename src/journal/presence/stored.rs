//! Beats of living sessions, and who was asked to end, as they are stored.

use jiff::Timestamp;

use super::{EndRequest, Presence};
use crate::{
    event::{Event, Observation, SessionId},
    journal::{
        JournalError,
        cells::Cells,
        source::{Notes, Source, Statement},
    },
};

pub(in crate::journal) async fn beat<S: Notes>(source: &mut S, presence: &[Presence]) -> Result<(), JournalError> {
    let now_us = Timestamp::now().as_microsecond();
    let note = |beat: &Presence| {
        let note = Statement::new(
            "INSERT INTO presence (session_id, component, heard_us, lease_us, detail) VALUES (?,?,?,?,?) \
             ON CONFLICT (session_id) DO UPDATE SET heard_us = excluded.heard_us, lease_us = excluded.lease_us, \
             detail = excluded.detail",
        );
        let note = note.bind(beat.session_id.as_str()).bind(beat.component_name.as_str()).bind(now_us);
        let note = note.bind(i64::from(beat.lease_seconds) * 1_000_000);
        note.bind(serde_json::to_string(&beat.emits).unwrap_or_default())
    };
    source.note(presence.iter().map(note).collect()).await.map(drop)
}

pub(in crate::journal) async fn end_requests<S: Source>(
    source: &mut S,
    of: &[SessionId],
) -> Result<Vec<EndRequest>, JournalError> {
    let mut requests = Vec::new();
    for session in of {
        let asked = Statement::new(
            "SELECT e.text FROM observations o JOIN events e ON e.position = o.position \
             WHERE o.about = ? AND o.what = 'end_requested' AND e.text IS NOT NULL AND NOT EXISTS \
             (SELECT 1 FROM sessions p WHERE p.session_id = o.about AND p.status <> 'open') \
             ORDER BY o.position LIMIT 1",
        );
        let rows = source.rows(asked.bind(session.as_str())).await?;
        let Some(row) = rows.first() else { continue };
        let said = Event::parse(row.cell(0)?).ok().and_then(|event| event.decode::<Observation>());
        requests.extend(said.map(|said| EndRequest { session_id: session.clone(), by: said.by, why: said.why }));
    }
    Ok(requests)
}
