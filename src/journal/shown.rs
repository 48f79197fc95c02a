//! From rows to the records that everybody is shown.

use jiff::Timestamp;

use super::{
    CommandRecord, Entry, JournalError, SessionRecord, SessionStatus,
    cells::{Cells, hash, optional_hash, uuid},
    projection::State,
};
use crate::event::{Event, StreamId};

/// The columns of [`session`], of `sessions p`, `streams s` and `presence b`.
pub(super) const COLUMNS: &str = "p.session_id, p.component, p.order_us, p.start_us, p.end_us, p.duration_us, \
     p.status, p.end_reason, p.inferred, p.component_type, p.component_version, p.shell_type, p.mode, p.pid, \
     p.username, p.home, p.uid, p.actor_kind, p.verified, p.hostname, p.platform, p.runtime, p.python_version, \
     p.working_directory, p.reason, p.metadata, s.commands, s.outcomes, s.failed, s.writes, s.destroys, s.heard_us, \
     s.head_hash, b.heard_us, b.lease_us, EXISTS (SELECT 1 FROM conflicts c WHERE c.stream = p.session_id)";

/// How the tables of [`COLUMNS`] are joined.
pub(super) const JOINS: &str = "JOIN streams s ON s.id = p.stream LEFT JOIN presence b ON b.session_id = p.session_id";

/// Reads a row of [`COLUMNS`], as of `now_us`.
pub(super) fn session(row: &impl Cells, now_us: i64) -> Result<SessionRecord, JournalError> {
    let id: String = row.cell(0)?;
    let start_us: Option<i64> = row.cell(3)?;
    let state = State::parse(row.cell(6)?);
    let heard_us: i64 = row.cell(31)?;
    let beat_us: Option<i64> = row.cell(33)?;
    let inferred: bool = row.cell(8)?;
    let (outcomes, failed): (i64, i64) = (row.cell(27)?, row.cell(28)?);
    let end_reason: Option<String> = row.cell(7)?;
    let metadata: Option<String> = row.cell(25)?;
    let duration_us: Option<i64> = match state {
        State::Open => start_us.map(|start| now_us.saturating_sub(start).max(0)),
        State::Ended | State::Crashed => row.cell(5)?,
    };
    Ok(SessionRecord {
        session_id: id.parse().map_err(|_| JournalError::Damaged(format!("`{id}` is no session's id")))?,
        session_type: "admin_shell".to_owned(),
        component_name: row.cell(1)?,
        component_type: row.cell(9)?,
        component_version: row.cell(10)?,
        shell_type: row.cell(11)?,
        mode: row.cell(12)?,
        status: status(state, beat_us, row.cell(34)?, now_us),
        end_reason: end_reason.and_then(|word| word.parse().ok()),
        inferred,
        start_time: start_us.map(timestamp),
        end_time: row.cell::<Option<i64>>(4)?.map(timestamp),
        duration_seconds: duration_us.map(seconds),
        last_seen: Some(timestamp(heard_us.max(beat_us.unwrap_or(i64::MIN)))),
        pid: row.cell(13)?,
        username: row.cell(14)?,
        home: row.cell(15)?,
        uid: row.cell(16)?,
        actor_kind: row.cell(17)?,
        verified: row.cell(18)?,
        hostname: row.cell(19)?,
        platform: row.cell(20)?,
        runtime: row.cell(21)?,
        python_version: row.cell(22)?,
        working_directory: row.cell(23)?,
        reason: row.cell(24)?,
        commands: count(row.cell(26)?),
        failed_commands: count(failed),
        write_calls: count(row.cell(29)?),
        destroy_calls: count(row.cell(30)?),
        quality_score: quality(outcomes, failed, inferred),
        chain_head: optional_hash(row, 32)?.map(|hash| hash.to_string()),
        forked: row.cell(35)?,
        metadata: metadata.and_then(|text| serde_json::from_str(&text).ok()),
    })
}

/// `stale` and `lost` are for those that ever beat.
fn status(state: State, beat_us: Option<i64>, lease_us: Option<i64>, now_us: i64) -> SessionStatus {
    match (state, beat_us, lease_us) {
        (State::Ended, ..) => SessionStatus::Ended,
        (State::Crashed, ..) => SessionStatus::Crashed,
        (State::Open, Some(beat), Some(lease)) if now_us - beat > 3 * lease => SessionStatus::Lost,
        (State::Open, Some(beat), Some(lease)) if now_us - beat > lease => SessionStatus::Stale,
        (State::Open, ..) => SessionStatus::Active,
    }
}

/// 100 × succeeded / commands with an outcome, less 20 when the end was inferred.
fn quality(outcomes: i64, failed: i64, inferred: bool) -> Option<f64> {
    if outcomes <= 0 {
        return None;
    }
    let score = 100.0 * (outcomes - failed) as f64 / outcomes as f64 - if inferred { 20.0 } else { 0.0 };
    Some(score.clamp(0.0, 100.0))
}

pub(super) fn timestamp(us: i64) -> Timestamp {
    Timestamp::from_microsecond(us).unwrap_or(if us < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

pub(super) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn seconds(us: i64) -> f64 {
    us as f64 / 1_000_000.0
}

/// The columns of [`entry`], of `events e`.
pub(super) const ENTRY_COLUMNS: &str = "e.text, e.seq, e.event_id, e.type, e.time_us, e.hash";

/// Reads a row of [`ENTRY_COLUMNS`].
pub(super) fn entry(stream: &StreamId, row: &impl Cells) -> Result<Entry, JournalError> {
    let seq: i64 = row.cell(1)?;
    match row.cell::<Option<&str>>(0)? {
        Some(text) => Event::parse(text)
            .map(Entry::Whole)
            .map_err(|error| JournalError::Damaged(format!("event {seq} of {stream}: {error}"))),
        None => Ok(Entry::Pruned {
            seq: count(seq),
            event_id: uuid(row, 2)?,
            event_type: row.cell(3)?,
            timestamp: timestamp(row.cell(4)?),
            hash: hash(row, 5)?,
        }),
    }
}

/// The columns of [`command`], of `sessions p` and `commands c`.
pub(super) const COMMAND_COLUMNS: &str =
    "p.session_id, p.component, c.command, c.start_us, c.input, c.status, c.duration_us, c.error";

/// Reads a row of [`COMMAND_COLUMNS`].
pub(super) fn command(row: &impl Cells) -> Result<CommandRecord, JournalError> {
    let id: &str = row.cell(0)?;
    Ok(CommandRecord {
        session_id: id.parse().map_err(|_| JournalError::Damaged(format!("`{id}` is no session's id")))?,
        component_name: row.cell(1)?,
        command: count(row.cell(2)?),
        start_time: timestamp(row.cell(3)?),
        input: row.cell(4)?,
        status: row.cell::<Option<String>>(5)?.unwrap_or_else(|| "unknown".to_owned()),
        duration_us: row.cell::<Option<i64>>(6)?.map(count),
        error: row.cell(7)?,
    })
}
