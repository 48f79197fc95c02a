//! One event in one statement: how a shell records its commands.
//!
//! Each statement of a script wakes whoever waits for the script, and those wake-ups cost more than the statements. So
//! the commit that is made most often, one event of a session that goes on, is a single `INSERT` into a view; a trigger
//! does the rest, and SQLite's own transaction around the statement is the commit. The view and the trigger are
//! temporary: they belong to the connection and not to the file.
//!
//! The trigger refuses to run when somebody else has written to the file since, or has migrated it: the caller then
//! begins anew, and looks first.

use super::{
    migrate::SCHEMA_VERSION,
    rows::{EventRow, Loaded},
    script::Script,
};
use crate::journal::projection::{Change, Totals};

/// Makes the view and the trigger.
pub(super) const PREPARE: &str = "
CREATE TEMP VIEW IF NOT EXISTS single AS SELECT 0 AS data_version, 0 AS schema_version, 0 AS position, 0 AS event_id,
    0 AS stream, 0 AS seq, 0 AS type, 0 AS time_us, 0 AS recorded_us, 0 AS hash, 0 AS link, 0 AS text, 0 AS commands,
    0 AS outcomes, 0 AS failed, 0 AS writes, 0 AS destroys, 0 AS running, 0 AS running_position, 0 AS started,
    0 AS input, 0 AS finished_position, 0 AS status, 0 AS duration_us, 0 AS error, 0 AS day, 0 AS component,
    0 AS more_commands, 0 AS more_outcomes, 0 AS more_failed, 0 AS more_writes, 0 AS more_destroys;
CREATE TEMP TRIGGER IF NOT EXISTS record_single INSTEAD OF INSERT ON single BEGIN
    SELECT RAISE(ABORT, 'stale') WHERE (SELECT data_version FROM pragma_data_version) <> NEW.data_version
        OR (SELECT user_version FROM pragma_user_version) <> NEW.schema_version;
    INSERT INTO events (position, event_id, stream, seq, type, time_us, recorded_us, hash, link, text)
        VALUES (NEW.position, NEW.event_id, NEW.stream, NEW.seq, NEW.type, NEW.time_us, NEW.recorded_us, NEW.hash,
        NEW.link, NEW.text);
    UPDATE streams SET next_seq = NEW.seq + 1, head_hash = NEW.hash, head_position = NEW.position,
        heard_us = NEW.recorded_us, last_us = NEW.time_us, commands = NEW.commands, outcomes = NEW.outcomes,
        failed = NEW.failed, writes = NEW.writes, destroys = NEW.destroys, running = NEW.running,
        running_position = NEW.running_position WHERE id = NEW.stream;
    INSERT INTO commands (position, stream, command, start_us, input)
        SELECT NEW.position, NEW.stream, NEW.started, NEW.time_us, NEW.input WHERE NEW.started IS NOT NULL;
    UPDATE commands SET status = NEW.status, duration_us = NEW.duration_us, error = NEW.error
        WHERE position = NEW.finished_position;
    UPDATE rollups SET commands = commands + NEW.more_commands, outcomes = outcomes + NEW.more_outcomes,
        failed = failed + NEW.more_failed, writes = writes + NEW.more_writes, destroys = destroys + NEW.more_destroys
        WHERE day = NEW.day AND component = NEW.component;
END;";

/// The statement that records an event of an open session, when it is one of those that a single statement can record.
pub(super) fn script(
    row: &EventRow,
    change: Option<&Change>,
    loaded: &Loaded,
    now_us: i64,
    data_version: i64,
) -> Option<Script> {
    let picture = loaded.picture.as_ref()?;
    let before = loaded.goes_on_from()?;
    let (mut started, mut finished) = (None, None);
    match change {
        None => {}
        Some(Change::Started { command, input }) => started = Some((*command, input.as_deref())),
        Some(Change::Finished { at: Some(at), status, duration_us, error, .. }) => {
            finished = Some((*at, status.as_str(), *duration_us, error.as_deref()));
        }
        Some(Change::Finished { at: None, .. } | Change::Facts(_)) => return None,
    }
    let more = picture.totals().zip(before, |a, b| a - b);
    let day = (more != Totals::default()).then(|| picture.day());
    let event = &row.event;
    let mut script = Script::default();
    script.add("INSERT INTO single VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
    script.bind(data_version).bind(SCHEMA_VERSION).bind(row.position).bind(event.event_id().as_bytes().as_slice());
    script.bind(row.stream).bind(i64::try_from(event.seq()).ok()).bind(event.kind().as_str());
    script.bind(event.timestamp().as_microsecond()).bind(now_us).bind(event.hash().as_bytes().as_slice());
    script.bind(row.link.as_bytes().as_slice()).bind(event.text());
    let counters = picture.counters;
    script.bind(counters.commands).bind(counters.outcomes).bind(counters.failed);
    script.bind(counters.writes).bind(counters.destroys);
    script.bind(picture.running.map(|(command, _)| command)).bind(picture.running.map(|(_, position)| position));
    script.bind(started.map(|(command, _)| command)).bind(started.and_then(|(_, input)| input));
    script.bind(finished.map(|(at, ..)| at)).bind(finished.map(|(_, status, ..)| status));
    script.bind(finished.and_then(|(_, _, duration_us, _)| duration_us)).bind(finished.and_then(|(.., error)| error));
    script.bind(day).bind(picture.component.as_str()).bind(more.commands).bind(more.outcomes).bind(more.failed);
    script.bind(more.writes).bind(more.destroys);
    Some(script)
}
