//! What sinks read and note: events after a position, cursors, receipts, refusals.

use jiff::Timestamp;
use sqlx::{Row, sqlite::SqliteRow};

use super::{
    SqliteJournal,
    record::{count, timestamp},
    rows::{hash, optional_hash, uuid},
    script::Script,
};
use crate::{
    event::{Event, EventKind, StreamId},
    journal::{
        ALL_COMPONENTS, Always, Buried, DeliveryStatus, Head, JournalError, Kept, Outgoing, Parcel, Placed, Progress,
        Stub, chain::genesis,
    },
};

/// Most bytes of text in one answer.
const MOST_BYTES: i64 = 8 << 20;
const MOST_OF_ONE: i64 = crate::event::MAX_EVENT_BYTES as i64;
/// Receipts kept for each cursor. When the other side knows none of them, everything is delivered again.
const RECEIPTS: i64 = 100;

pub(super) async fn head(journal: &SqliteJournal) -> Result<Head, JournalError> {
    let mut script = Script::default();
    script.add(
        "SELECT coalesce((SELECT max(position) FROM events), checkpoint), \
         coalesce((SELECT link FROM events ORDER BY position DESC LIMIT 1), checkpoint_link) FROM journal",
    );
    let rows = journal.rows(script).await?;
    let row = rows.first().ok_or_else(|| JournalError::Damaged("its own row is missing".to_owned()))?;
    let link = optional_hash(row, 1)?.unwrap_or_else(|| genesis(&journal.0.id));
    Ok(Head { tracker_id: journal.0.id.clone(), position: count(row.get(0)), link })
}

pub(super) async fn knows(journal: &SqliteJournal, head: &Head) -> Result<bool, JournalError> {
    if head.tracker_id != journal.0.id {
        return Ok(false);
    }
    if head.position == 0 {
        return Ok(head.link == genesis(&journal.0.id));
    }
    let mut script = Script::default();
    script.add("SELECT checkpoint, (SELECT link FROM events WHERE position = ?) FROM journal");
    script.bind(position(head.position));
    let rows = journal.rows(script).await?;
    let Some(row) = rows.first() else { return Ok(false) };
    Ok(match optional_hash(row, 1)? {
        Some(link) => link == head.link,
        None => head.position <= count(row.get(0)),
    })
}

pub(super) async fn after(
    journal: &SqliteJournal,
    from: u64,
    component: Option<&str>,
    limit: u32,
) -> Result<Outgoing, JournalError> {
    let mut script = Script::default();
    // First where the journal ends: whatever is committed later may be read too, and harms nothing.
    script.add("SELECT coalesce((SELECT max(position) FROM events), checkpoint) FROM journal");
    let filter = match component {
        Some(_) => "CROSS JOIN streams s ON s.id = e.stream WHERE e.position > ? AND s.component = ?",
        None => "WHERE e.position > ?",
    };
    script.add(&format!(
        "SELECT e.position, e.text, s.name, s.component, s.own, s.pruned, e.seq, e.event_id, e.type, e.time_us, e.hash, \
         e.residue, CASE WHEN e.text IS NULL THEN coalesce((SELECT p.hash FROM events p WHERE p.stream = e.stream \
         AND p.seq = e.seq - 1), iif(e.seq = s.base, s.base_hash, NULL)) END \
         FROM (SELECT place, sum(size) OVER (ORDER BY place) - size AS before FROM (SELECT e.position AS place, \
         coalesce(octet_length(e.text), 0) AS size FROM events e {filter} ORDER BY e.position LIMIT ?)) w \
         CROSS JOIN events e ON e.position = w.place CROSS JOIN streams s ON s.id = e.stream \
         WHERE w.before <= ? ORDER BY w.place"
    ));
    script.bind(position(from));
    if let Some(component) = component {
        script.bind(component);
    }
    script.bind(limit).bind(MOST_BYTES - MOST_OF_ONE);
    let mut reader = journal.reader().await?;
    let answers = script.run(reader.connection()).await.map_err(|stopped| journal.translate(&stopped.error))?;
    drop(reader);
    let head = answers.first().and_then(|rows| rows.first()).map_or(0, |row| count(row.get(0)));
    let rows = answers.get(1).map(Vec::as_slice).unwrap_or_default();
    let placed: Vec<Placed> = rows.iter().map(|row| placed(journal, row)).collect::<Result<_, _>>()?;
    let last = placed.last().map_or(from, |placed| placed.position);
    let bytes: usize = placed.iter().filter_map(|placed| placed.parcel.text()).map(str::len).sum();
    // Cut short by number or by size: what comes behind the last one has not been looked at.
    let is_cut = placed.len() >= limit as usize || bytes as i64 > MOST_BYTES - MOST_OF_ONE;
    Ok(Outgoing { placed, upto: if is_cut { last } else { last.max(head) } })
}

fn placed(journal: &SqliteJournal, row: &SqliteRow) -> Result<Placed, JournalError> {
    let at: i64 = row.get(0);
    let damaged = |what: String| JournalError::Damaged(format!("event at position {at}: {what}"));
    if let Some(text) = row.get::<Option<&str>, _>(1) {
        let event = Event::parse(text).map_err(|error| damaged(error.to_string()))?;
        return Ok(Placed { position: count(at), parcel: Parcel::Whole(event) });
    }
    let session_id: StreamId = row.get::<&str, _>(2).parse().map_err(|_| damaged("its stream has no id".to_owned()))?;
    let residue = row.get::<Option<&str>, _>(11).and_then(|text| serde_json::from_str(text).ok());
    let residue: serde_json::Value = residue.unwrap_or_default();
    let (own, pruned): (bool, bool) = (row.get(4), row.get(5));
    let reason = match residue["stub"].as_str() {
        Some(reason) => reason.to_owned(),
        None if pruned => "pruned".to_owned(),
        None => "scrubbed".to_owned(),
    };
    let journal_id = match &session_id {
        StreamId::Journal(id) => Some(id.clone()),
        StreamId::Session(_) if own => Some(journal.0.id.clone()),
        StreamId::Session(_) => residue["journal_id"].as_str().and_then(|id| id.parse().ok()),
    };
    let stub = Stub {
        stub: Always,
        event_id: uuid(row, 7)?,
        event_type: EventKind::from(row.get::<String, _>(8)),
        session_id,
        journal_id,
        component_name: row.get(3),
        seq: count(row.get(6)),
        prev: optional_hash(row, 12)?,
        timestamp: timestamp(row.get(9)),
        hash: hash(row, 10)?,
        reason,
    };
    Ok(Placed { position: count(at), parcel: stub.into() })
}

pub(super) async fn components(journal: &SqliteJournal) -> Result<Vec<String>, JournalError> {
    let mut script = Script::default();
    script.add("SELECT DISTINCT component FROM streams ORDER BY component");
    Ok(journal.rows(script).await?.iter().map(|row| row.get(0)).collect())
}

pub(super) async fn cursor(journal: &SqliteJournal, sink: &str, component: &str) -> Result<Option<u64>, JournalError> {
    let mut script = Script::default();
    script.add("SELECT position FROM cursors WHERE sink = ? AND component = ?").bind(sink).bind(component);
    Ok(journal.rows(script).await?.first().map(|row| count(row.get(0))))
}

pub(super) async fn delivered(journal: &SqliteJournal, progress: &Progress) -> Result<(), JournalError> {
    let now_us = Timestamp::now().as_microsecond();
    let (sink, component, at) = (progress.sink.as_str(), progress.component.as_str(), position(progress.position));
    let mut script = Script::default();
    script.add(
        "INSERT INTO cursors (sink, component, position, changed_us) VALUES (?,?,?,?) ON CONFLICT DO UPDATE SET \
         position = excluded.position, changed_us = excluded.changed_us",
    );
    script.bind(sink).bind(component).bind(at).bind(now_us);
    script.add("DELETE FROM receipts WHERE sink = ? AND component = ? AND position > ?");
    script.bind(sink).bind(component).bind(at);
    if let Some(receipt) = &progress.receipt {
        script.add(
            "INSERT OR REPLACE INTO receipts (tracker, position, link, tracker_position, tracker_link, received_us, \
             sink, component) SELECT ?, position, link, ?, ?, ?, ?, ? FROM events WHERE position = ?",
        );
        script.bind(receipt.tracker_id.as_str()).bind(position(receipt.position)).bind(receipt.link.to_string());
        script.bind(now_us).bind(sink).bind(component).bind(at);
        script.add(
            "DELETE FROM receipts WHERE sink = ? AND component = ? AND position < (SELECT min(position) FROM \
             (SELECT position FROM receipts WHERE sink = ? AND component = ? ORDER BY position DESC LIMIT ?))",
        );
        script.bind(sink).bind(component).bind(sink).bind(component).bind(RECEIPTS);
    }
    for refusal in &progress.buried {
        script.add("INSERT OR REPLACE INTO buried (sink, position, event_id, reason, buried_us) VALUES (?,?,?,?,?)");
        script.bind(sink).bind(position(refusal.position)).bind(refusal.event_id.as_bytes().as_slice());
        script.bind(refusal.reason.as_str()).bind(now_us);
    }
    journal.note(script).await.map(drop)
}

pub(super) async fn receipts(journal: &SqliteJournal, sink: &str, component: &str) -> Result<Vec<Kept>, JournalError> {
    let mut script = Script::default();
    script.add(
        "SELECT position, tracker, tracker_position, tracker_link FROM receipts WHERE sink = ? AND component = ? \
         AND tracker_position IS NOT NULL ORDER BY position DESC",
    );
    script.bind(sink).bind(component);
    let kept = |row: &SqliteRow| {
        let damaged = || JournalError::Damaged("a receipt can not be read".to_owned());
        let head = Head {
            tracker_id: row.get::<&str, _>(1).parse().map_err(|_| damaged())?,
            position: count(row.get(2)),
            link: row.get::<&str, _>(3).parse().map_err(|_| damaged())?,
        };
        Ok(Kept { position: count(row.get(0)), head })
    };
    journal.rows(script).await?.iter().map(kept).collect()
}

pub(super) async fn deliveries(journal: &SqliteJournal) -> Result<Vec<DeliveryStatus>, JournalError> {
    let mut script = Script::default();
    script.add(&format!(
        "SELECT k.sink, k.component, k.position, k.changed_us, CASE k.component WHEN '{ALL_COMPONENTS}' THEN \
         (SELECT count(*) FROM events e WHERE e.position > k.position) ELSE (SELECT count(*) FROM events e \
         CROSS JOIN streams s ON s.id = e.stream WHERE e.position > k.position AND s.component = k.component) END, \
         (SELECT count(*) FROM buried b JOIN events e ON e.position = b.position JOIN streams s ON s.id = e.stream \
         WHERE b.sink = k.sink AND k.component IN (s.component, '{ALL_COMPONENTS}')) \
         FROM cursors k ORDER BY k.sink, k.component"
    ));
    let status = |row: &SqliteRow| DeliveryStatus {
        sink: row.get(0),
        component: row.get(1),
        position: count(row.get(2)),
        changed: timestamp(row.get(3)),
        backlog: count(row.get(4)),
        buried: count(row.get(5)),
    };
    Ok(journal.rows(script).await?.iter().map(status).collect())
}

pub(super) async fn buried(journal: &SqliteJournal, sink: Option<&str>) -> Result<Vec<Buried>, JournalError> {
    let mut script = Script::default();
    script.add(
        "SELECT b.sink, b.position, b.event_id, s.name, s.component, e.type, e.seq, b.reason, b.buried_us FROM buried b \
         JOIN events e ON e.position = b.position JOIN streams s ON s.id = e.stream WHERE ?1 IS NULL OR b.sink = ?1 \
         ORDER BY b.sink, b.position",
    );
    script.bind(sink);
    let buried = |row: &SqliteRow| {
        let name: &str = row.get(3);
        Ok(Buried {
            sink: row.get(0),
            position: count(row.get(1)),
            event_id: uuid(row, 2)?,
            session_id: name.parse().map_err(|_| JournalError::Damaged(format!("`{name}` is no stream's id")))?,
            component_name: row.get(4),
            event_type: row.get(5),
            seq: count(row.get(6)),
            reason: row.get(7),
            buried: timestamp(row.get(8)),
        })
    };
    journal.rows(script).await?.iter().map(buried).collect()
}

pub(super) async fn unbury(journal: &SqliteJournal, sink: &str, positions: &[u64]) -> Result<(), JournalError> {
    let mut script = Script::default();
    for at in positions {
        script.add("DELETE FROM buried WHERE sink = ? AND position = ?").bind(sink).bind(position(*at));
    }
    journal.note(script).await.map(drop)
}

pub(super) async fn forget_sink(journal: &SqliteJournal, sink: &str) -> Result<bool, JournalError> {
    let mut script = Script::default();
    for table in ["cursors", "buried", "receipts"] {
        script.add(&format!("DELETE FROM {table} WHERE sink = ? RETURNING 1")).bind(sink);
    }
    Ok(journal.note(script).await?.iter().any(|rows| !rows.is_empty()))
}

fn position(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}
