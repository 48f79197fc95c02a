//! Beats of living sessions, and who was asked to end, as they are stored.

use jiff::Timestamp;

use super::{EndRequest, Heard, Presence, retired::QUIET_AFTER_THE_END};
use crate::{
    event::{Event, Observation, SessionId},
    journal::{
        JournalError,
        cells::Cells,
        source::{Notes, Source, Statement},
    },
};

/// Takes note of beats. What a session that has left the table emitted is in the sums already: if it comes back, it is heard
/// and not counted again.
pub(in crate::journal) async fn beat<S: Notes>(source: &mut S, presence: &[Presence]) -> Result<(), JournalError> {
    let now = Timestamp::now();
    let left = now.as_microsecond() - QUIET_AFTER_THE_END.as_micros() as i64;
    let note = |beat: &Presence| {
        let note = Statement::new(
            "INSERT INTO presence (session_id, component, heard_us, lease_us, detail) VALUES (?,?,?,?, \
             CASE WHEN EXISTS (SELECT 1 FROM sessions p JOIN streams s ON s.id = p.stream WHERE p.session_id = ? \
             AND p.status <> 'open' AND s.heard_us <= ?) THEN NULL ELSE ? END) \
             ON CONFLICT (session_id) DO UPDATE SET heard_us = excluded.heard_us, lease_us = excluded.lease_us, \
             detail = CASE WHEN presence.detail IS NULL THEN NULL ELSE excluded.detail END",
        );
        let (session, component) = (beat.session_id.as_str(), beat.component_name.as_str());
        let note = note.bind(session).bind(component).bind(now.as_microsecond());
        let note = note.bind(i64::from(beat.lease_seconds) * 1_000_000).bind(session).bind(left);
        note.bind(serde_json::to_string(&beat.emits).unwrap_or_default())
    };
    source.note(presence.iter().map(note).collect()).await.map(drop)
}

/// The last beats of sessions that were heard since.
pub(in crate::journal) async fn presences<S: Source>(
    source: &mut S,
    since: Timestamp,
) -> Result<Vec<Heard>, JournalError> {
    let heard = Statement::new(
        "SELECT session_id, component, heard_us, lease_us, detail FROM presence WHERE heard_us >= ? ORDER BY session_id",
    );
    let rows = source.rows(heard.bind(since.as_microsecond())).await?;
    let mut heard = Vec::with_capacity(rows.len());
    for row in &rows {
        let Ok(session_id) = row.cell::<&str>(0)?.parse() else { continue };
        let lease_seconds = u32::try_from(row.cell::<i64>(3)? / 1_000_000).unwrap_or(u32::MAX);
        let detail: Option<&str> = row.cell(4)?;
        let emits = detail.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let presence = Presence { session_id, component_name: row.cell(1)?, lease_seconds, emits };
        let at = Timestamp::from_microsecond(row.cell(2)?).unwrap_or(Timestamp::UNIX_EPOCH);
        heard.push(Heard { presence, at });
    }
    Ok(heard)
}

pub(in crate::journal) async fn was_heard<S: Source>(
    source: &mut S,
    session: &SessionId,
) -> Result<bool, JournalError> {
    let heard = Statement::new("SELECT 1 FROM presence WHERE session_id = ?").bind(session.as_str());
    Ok(!source.rows(heard).await?.is_empty())
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
