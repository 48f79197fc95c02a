//! What sinks read and note, as it is stored: events after a position, cursors, receipts, refusals.

use jiff::Timestamp;

use super::{ALL_COMPONENTS, Buried, DeliveryStatus, Head, Kept, Outgoing, Placed, Progress};
use crate::{
    event::{Event, EventKind, JournalId, StreamId},
    journal::{
        Always, JournalError, Parcel, Stub,
        cells::{Cells, hash, number, optional_hash, uuid},
        chain::genesis,
        shown::{count, timestamp},
        source::{Notes, Source, Statement},
    },
};

/// Most bytes of text in one answer.
const MOST_BYTES: i64 = 8 << 20;
const MOST_OF_ONE: i64 = crate::event::MAX_EVENT_BYTES as i64;
/// Receipts kept for each cursor. When the other side knows none of them, everything is delivered again.
const RECEIPTS: i64 = 100;

pub(in crate::journal) async fn head<S: Source>(source: &mut S, own: &JournalId) -> Result<Head, JournalError> {
    let statement = Statement::new(
        "SELECT coalesce((SELECT max(position) FROM events), checkpoint), \
         coalesce((SELECT link FROM events ORDER BY position DESC LIMIT 1), checkpoint_link) FROM journal",
    );
    let rows = source.rows(statement).await?;
    let row = rows.first().ok_or_else(|| JournalError::Damaged("its own row is missing".to_owned()))?;
    let link = optional_hash(row, 1)?.unwrap_or_else(|| genesis(own));
    Ok(Head { tracker_id: own.clone(), position: count(row.cell(0)?), link })
}

pub(in crate::journal) async fn knows<S: Source>(
    source: &mut S,
    own: &JournalId,
    head: &Head,
) -> Result<bool, JournalError> {
    if head.tracker_id != *own {
        return Ok(false);
    }
    if head.position == 0 {
        return Ok(head.link == genesis(own));
    }
    let link = Statement::new("SELECT checkpoint, (SELECT link FROM events WHERE position = ?) FROM journal");
    let rows = source.rows(link.bind(position(head.position))).await?;
    let Some(row) = rows.first() else { return Ok(false) };
    Ok(match optional_hash(row, 1)? {
        Some(link) => link == head.link,
        None => head.position <= count(row.cell(0)?),
    })
}

pub(in crate::journal) async fn components<S: Source>(source: &mut S) -> Result<Vec<String>, JournalError> {
    let statement = Statement::new("SELECT DISTINCT component FROM streams ORDER BY component");
    source.rows(statement).await?.iter().map(|row| row.cell(0)).collect()
}

pub(in crate::journal) async fn after<S: Source>(
    source: &mut S,
    own: &JournalId,
    from: u64,
    component: Option<&str>,
    limit: u32,
) -> Result<Outgoing, JournalError> {
    // First where the journal ends: whatever is committed later may be read too, and harms nothing.
    let end = Statement::new("SELECT coalesce((SELECT max(position) FROM events), checkpoint) FROM journal");
    let head = count(number(source.rows(end).await?.first(), 0)?);
    let join = S::JOIN_IN_ORDER;
    let filter = match component {
        Some(_) => format!("{join} streams s ON s.id = e.stream WHERE e.position > ? AND s.component = ?"),
        None => "WHERE e.position > ?".to_owned(),
    };
    let mut statement = Statement::new(format!(
        "SELECT e.position, e.text, s.name, s.component, s.own, s.pruned, e.seq, e.event_id, e.type, e.time_us, e.hash, \
         e.residue, CASE WHEN e.text IS NULL THEN coalesce((SELECT p.hash FROM events p WHERE p.stream = e.stream \
         AND p.seq = e.seq - 1), CASE WHEN e.seq = s.base THEN s.base_hash END) END \
         FROM (SELECT place, sum(size) OVER (ORDER BY place) - size AS before FROM (SELECT e.position AS place, \
         coalesce(octet_length(e.text), 0) AS size FROM events e {filter} ORDER BY e.position LIMIT ?) sizes) w \
         {join} events e ON e.position = w.place {join} streams s ON s.id = e.stream \
         WHERE w.before <= ? ORDER BY w.place"
    ));
    statement = statement.bind(position(from));
    if let Some(component) = component {
        statement = statement.bind(component);
    }
    let rows = source.rows(statement.bind(limit).bind(MOST_BYTES - MOST_OF_ONE)).await?;
    let placed: Vec<Placed> = rows.iter().map(|row| placed(own, row)).collect::<Result<_, _>>()?;
    let last = placed.last().map_or(from, |placed| placed.position);
    let bytes: usize = placed.iter().filter_map(|placed| placed.parcel.text()).map(str::len).sum();
    // Cut short by number or by size: what comes behind the last one has not been looked at.
    let is_cut = placed.len() >= limit as usize || bytes as i64 > MOST_BYTES - MOST_OF_ONE;
    Ok(Outgoing { placed, upto: if is_cut { last } else { last.max(head) } })
}

fn placed(own_id: &JournalId, row: &impl Cells) -> Result<Placed, JournalError> {
    let at: i64 = row.cell(0)?;
    let damaged = |what: String| JournalError::Damaged(format!("event at position {at}: {what}"));
    if let Some(text) = row.cell::<Option<&str>>(1)? {
        let event = Event::parse(text).map_err(|error| damaged(error.to_string()))?;
        return Ok(Placed { position: count(at), parcel: Parcel::Whole(event) });
    }
    let session_id: StreamId = row.cell::<&str>(2)?.parse().map_err(|_| damaged("its stream has no id".to_owned()))?;
    let residue = row.cell::<Option<&str>>(11)?.and_then(|text| serde_json::from_str(text).ok());
    let residue: serde_json::Value = residue.unwrap_or_default();
    let (own, pruned): (bool, bool) = (row.cell(4)?, row.cell(5)?);
    let reason = match residue["stub"].as_str() {
        Some(reason) => reason.to_owned(),
        None if pruned => "pruned".to_owned(),
        None => "scrubbed".to_owned(),
    };
    let journal_id = match &session_id {
        StreamId::Journal(id) => Some(id.clone()),
        StreamId::Session(_) if own => Some(own_id.clone()),
        StreamId::Session(_) => residue["journal_id"].as_str().and_then(|id| id.parse().ok()),
    };
    let stub = Stub {
        stub: Always,
        event_id: uuid(row, 7)?,
        event_type: EventKind::from(row.cell::<String>(8)?),
        session_id,
        journal_id,
        component_name: row.cell(3)?,
        seq: count(row.cell(6)?),
        prev: optional_hash(row, 12)?,
        timestamp: timestamp(row.cell(9)?),
        hash: hash(row, 10)?,
        reason,
    };
    Ok(Placed { position: count(at), parcel: stub.into() })
}

pub(in crate::journal) async fn cursor<S: Source>(
    source: &mut S,
    sink: &str,
    component: &str,
) -> Result<Option<u64>, JournalError> {
    let cursor = Statement::new("SELECT position FROM cursors WHERE sink = ? AND component = ?");
    let rows = source.rows(cursor.bind(sink).bind(component)).await?;
    rows.first().map(|row| Ok(count(row.cell(0)?))).transpose()
}

pub(in crate::journal) async fn delivered<S: Notes>(source: &mut S, progress: &Progress) -> Result<(), JournalError> {
    let now_us = Timestamp::now().as_microsecond();
    let (sink, component, at) = (progress.sink.as_str(), progress.component.as_str(), position(progress.position));
    let moved = Statement::new(
        "INSERT INTO cursors (sink, component, position, changed_us) VALUES (?,?,?,?) ON CONFLICT (sink, component) \
         DO UPDATE SET position = excluded.position, changed_us = excluded.changed_us",
    );
    let beyond = Statement::new("DELETE FROM receipts WHERE sink = ? AND component = ? AND position > ?");
    let mut notes =
        vec![moved.bind(sink).bind(component).bind(at).bind(now_us), beyond.bind(sink).bind(component).bind(at)];
    if let Some(receipt) = &progress.receipt {
        let kept = Statement::new(
            "INSERT INTO receipts (tracker, position, link, tracker_position, tracker_link, received_us, sink, \
             component) SELECT ?, position, link, ?, ?, ?, ?, ? FROM events WHERE position = ? \
             ON CONFLICT (tracker, position) DO UPDATE SET link = excluded.link, \
             tracker_position = excluded.tracker_position, tracker_link = excluded.tracker_link, \
             received_us = excluded.received_us, sink = excluded.sink, component = excluded.component",
        );
        let kept = kept.bind(receipt.tracker_id.as_str()).bind(position(receipt.position));
        notes.push(kept.bind(receipt.link.to_string()).bind(now_us).bind(sink).bind(component).bind(at));
        let old = Statement::new(
            "DELETE FROM receipts WHERE sink = ? AND component = ? AND position < (SELECT min(position) FROM \
             (SELECT position FROM receipts WHERE sink = ? AND component = ? ORDER BY position DESC LIMIT ?) newest)",
        );
        notes.push(old.bind(sink).bind(component).bind(sink).bind(component).bind(RECEIPTS));
    }
    for refusal in &progress.buried {
        let buried = Statement::new(
            "INSERT INTO buried (sink, position, event_id, reason, buried_us) VALUES (?,?,?,?,?) \
             ON CONFLICT (sink, position) DO UPDATE SET event_id = excluded.event_id, reason = excluded.reason, \
             buried_us = excluded.buried_us",
        );
        let buried = buried.bind(sink).bind(position(refusal.position)).bind(refusal.event_id.as_bytes().as_slice());
        notes.push(buried.bind(refusal.reason.as_str()).bind(now_us));
    }
    source.note(notes).await.map(drop)
}

pub(in crate::journal) async fn receipts<S: Source>(
    source: &mut S,
    sink: &str,
    component: &str,
) -> Result<Vec<Kept>, JournalError> {
    let statement = Statement::new(
        "SELECT position, tracker, tracker_position, tracker_link FROM receipts WHERE sink = ? AND component = ? \
         AND tracker_position IS NOT NULL ORDER BY position DESC",
    );
    let kept = |row: &S::Row| {
        let damaged = || JournalError::Damaged("a receipt can not be read".to_owned());
        let head = Head {
            tracker_id: row.cell::<&str>(1)?.parse().map_err(|_| damaged())?,
            position: count(row.cell(2)?),
            link: row.cell::<&str>(3)?.parse().map_err(|_| damaged())?,
        };
        Ok(Kept { position: count(row.cell(0)?), head })
    };
    source.rows(statement.bind(sink).bind(component)).await?.iter().map(kept).collect()
}

pub(in crate::journal) async fn deliveries<S: Source>(source: &mut S) -> Result<Vec<DeliveryStatus>, JournalError> {
    let statement = Statement::new(format!(
        "SELECT k.sink, k.component, k.position, k.changed_us, CASE k.component WHEN '{ALL_COMPONENTS}' THEN \
         (SELECT count(*) FROM events e WHERE e.position > k.position) ELSE (SELECT count(*) FROM events e \
         {} streams s ON s.id = e.stream WHERE e.position > k.position AND s.component = k.component) END, \
         (SELECT count(*) FROM buried b JOIN events e ON e.position = b.position JOIN streams s ON s.id = e.stream \
         WHERE b.sink = k.sink AND k.component IN (s.component, '{ALL_COMPONENTS}')) \
         FROM cursors k ORDER BY k.sink, k.component",
        S::JOIN_IN_ORDER
    ));
    let status = |row: &S::Row| {
        Ok(DeliveryStatus {
            sink: row.cell(0)?,
            component: row.cell(1)?,
            position: count(row.cell(2)?),
            changed: timestamp(row.cell(3)?),
            backlog: count(row.cell(4)?),
            buried: count(row.cell(5)?),
        })
    };
    source.rows(statement).await?.iter().map(status).collect()
}

pub(in crate::journal) async fn buried<S: Source>(
    source: &mut S,
    sink: Option<&str>,
) -> Result<Vec<Buried>, JournalError> {
    let mut statement = Statement::new(format!(
        "SELECT b.sink, b.position, b.event_id, s.name, s.component, e.type, e.seq, b.reason, b.buried_us FROM buried b \
         JOIN events e ON e.position = b.position JOIN streams s ON s.id = e.stream {} ORDER BY b.sink, b.position",
        if sink.is_some() { "WHERE b.sink = ?" } else { "" }
    ));
    if let Some(sink) = sink {
        statement = statement.bind(sink);
    }
    let buried = |row: &S::Row| {
        let name: &str = row.cell(3)?;
        Ok(Buried {
            sink: row.cell(0)?,
            position: count(row.cell(1)?),
            event_id: uuid(row, 2)?,
            session_id: name.parse().map_err(|_| JournalError::Damaged(format!("`{name}` is no stream's id")))?,
            component_name: row.cell(4)?,
            event_type: row.cell(5)?,
            seq: count(row.cell(6)?),
            reason: row.cell(7)?,
            buried: timestamp(row.cell(8)?),
        })
    };
    source.rows(statement).await?.iter().map(buried).collect()
}

pub(in crate::journal) async fn unbury<S: Notes>(
    source: &mut S,
    sink: &str,
    positions: &[u64],
) -> Result<(), JournalError> {
    let unbury =
        |at: &u64| Statement::new("DELETE FROM buried WHERE sink = ? AND position = ?").bind(sink).bind(position(*at));
    source.note(positions.iter().map(unbury).collect()).await.map(drop)
}

pub(in crate::journal) async fn forget_sink<S: Notes>(source: &mut S, sink: &str) -> Result<bool, JournalError> {
    let tables = ["cursors", "buried", "receipts"];
    let forget = |table| Statement::new(format!("DELETE FROM {table} WHERE sink = ? RETURNING 1")).bind(sink);
    Ok(source.note(tables.map(forget).to_vec()).await?.iter().any(|rows| !rows.is_empty()))
}

fn position(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}
