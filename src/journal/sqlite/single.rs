//! One event in one statement: how a shell records its commands.
//!
//! Each statement of a script wakes whoever waits for the script, and those wake-ups cost more than the statements. So
//! the commit that is made most often, one event of a session that goes on, is a single `INSERT` into a view; a trigger
//! does the rest, and SQLite's own transaction around the statement is the commit. The view and the trigger are
//! temporary: they belong to the connection and not to the file.
//!
//! The trigger refuses to run when its stream is not where the caller left it; the caller then begins anew, and looks
//! first. Whatever another process writes to the record takes the next position, so an append of somebody else's makes
//! this one fail too. Counters are added to and not overwritten, so that a rebuild between two commands keeps its word.
//! That the file was migrated shows in the name of an empty table that the trigger mentions: after a migration there is
//! none of that name, and the statement can not be prepared again. The pragmas that would say the same cost a quarter
//! of all that SQLite does here.

use super::{
    migrate::{SCHEMA_VERSION, marker},
    rows::{EventRow, Loaded},
    script::Script,
};
use crate::journal::projection::Change;

/// Makes the view and the trigger, on a connection that has seen the file at this version.
pub(super) fn prepare() -> String {
    format!(
        "CREATE TEMP VIEW IF NOT EXISTS single AS SELECT 0 AS position, 0 AS event_id, 0 AS stream, 0 AS seq,
            0 AS type, 0 AS time_us, 0 AS recorded_us, 0 AS hash, 0 AS link, 0 AS text, 0 AS commands, 0 AS outcomes,
            0 AS failed, 0 AS writes, 0 AS destroys, 0 AS running, 0 AS running_position, 0 AS started, 0 AS input,
            0 AS finished_position, 0 AS status, 0 AS duration_us, 0 AS error;
        CREATE TEMP TRIGGER IF NOT EXISTS record_single INSTEAD OF INSERT ON single BEGIN
            UPDATE streams SET next_seq = NEW.seq + 1, head_hash = NEW.hash, head_position = NEW.position,
                heard_us = NEW.recorded_us, last_us = NEW.time_us, commands = commands + NEW.commands,
                outcomes = outcomes + NEW.outcomes, failed = failed + NEW.failed, writes = writes + NEW.writes,
                destroys = destroys + NEW.destroys, running = NEW.running, running_position = NEW.running_position
                WHERE id = NEW.stream AND next_seq = NEW.seq;
            SELECT RAISE(ABORT, 'stale') WHERE changes() <> 1;
            SELECT 1 FROM {marker} WHERE 0;
            INSERT INTO events (position, event_id, stream, seq, type, time_us, recorded_us, hash, link, text)
                VALUES (NEW.position, NEW.event_id, NEW.stream, NEW.seq, NEW.type, NEW.time_us, NEW.recorded_us,
                NEW.hash, NEW.link, NEW.text);
            INSERT INTO commands (position, stream, command, start_us, input)
                SELECT NEW.position, NEW.stream, NEW.started, NEW.time_us, NEW.input WHERE NEW.started IS NOT NULL;
            UPDATE commands SET status = NEW.status, duration_us = NEW.duration_us, error = NEW.error
                WHERE position = NEW.finished_position;
        END;",
        marker = marker(SCHEMA_VERSION),
    )
}

/// The statement that records an event of an open session, when it is one of those that a single statement can record.
pub(super) fn script(row: &EventRow, change: Option<&Change>, loaded: &Loaded, now_us: i64) -> Option<Script> {
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
    let event = &row.parcel;
    let mut script = Script::default();
    script.add("INSERT INTO single VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
    script.bind(row.position).bind(event.event_id().as_bytes().as_slice());
    script.bind(row.stream).bind(i64::try_from(event.seq()).ok()).bind(event.kind().as_str());
    script.bind(event.timestamp().as_microsecond()).bind(now_us).bind(event.hash().as_bytes().as_slice());
    script.bind(row.link.as_bytes().as_slice()).bind(event.text());
    let counters = picture.counters.since(before);
    script.bind(counters.commands).bind(counters.outcomes).bind(counters.failed);
    script.bind(counters.writes).bind(counters.destroys);
    script.bind(picture.running.map(|(command, _)| command)).bind(picture.running.map(|(_, position)| position));
    script.bind(started.map(|(command, _)| command)).bind(started.and_then(|(_, input)| input));
    script.bind(finished.map(|(at, ..)| at)).bind(finished.map(|(_, status, ..)| status));
    script.bind(finished.and_then(|(_, _, duration_us, _)| duration_us)).bind(finished.and_then(|(.., error)| error));
    Some(script)
}
