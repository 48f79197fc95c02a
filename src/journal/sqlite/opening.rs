//! The start of a session in one statement: how a tracker records what clients without a journal tell it.
//!
//! The same way as [`single`](super::single), for the same reason, under the same guards: a view, and a trigger that
//! does the rest. It refuses to run when the journal is not where the caller left it, or when somebody has said
//! something about the session before it came; the caller then begins anew, and looks first.

use super::{
    migrate::{SCHEMA_VERSION, marker},
    rows::{self, EventRow, Loaded, SESSION_COLUMNS},
    script::Script,
};

/// The event's columns, and the day of its sums. The session's columns follow.
const COLUMNS: [&str; 8] = ["position", "event_id", "time_us", "recorded_us", "hash", "link", "text", "day"];

/// Makes the view and the trigger, on a connection that has seen the file at this version.
pub(super) fn prepare() -> String {
    let list = |prefix: &str| SESSION_COLUMNS.map(|column| format!("{prefix}{column}")).join(", ");
    let columns = COLUMNS.into_iter().chain(SESSION_COLUMNS).map(|column| format!("0 AS {column}"));
    let columns: Vec<String> = columns.collect();
    let sums = "SELECT NEW.day, NEW.component, 1, 0, 0, 0, 0, 0, 0, 0, 0 WHERE true";
    format!(
        "CREATE TEMP VIEW IF NOT EXISTS opening AS SELECT {columns};
        CREATE TEMP TRIGGER IF NOT EXISTS record_opening INSTEAD OF INSERT ON opening BEGIN
            UPDATE journal SET streams = NEW.stream WHERE streams = NEW.stream - 1;
            SELECT RAISE(ABORT, 'stale') WHERE changes() <> 1;
            SELECT RAISE(ABORT, 'stale') FROM observations WHERE about = NEW.session_id;
            SELECT 1 FROM {marker} WHERE 0;
            INSERT INTO streams (id, name, component, own, next_seq, head_hash, head_position, heard_us, last_us)
                VALUES (NEW.stream, NEW.session_id, NEW.component, 1, 1, NEW.hash, NEW.position, NEW.recorded_us,
                NEW.time_us);
            INSERT INTO events (position, event_id, stream, seq, type, time_us, recorded_us, hash, link, text)
                VALUES (NEW.position, NEW.event_id, NEW.stream, 0, 'session_start', NEW.time_us, NEW.recorded_us,
                NEW.hash, NEW.link, NEW.text);
            INSERT INTO sessions ({session}) VALUES ({values});
            {sum_up};
        END;",
        columns = columns.join(", "),
        marker = marker(SCHEMA_VERSION),
        session = list(""),
        values = list("NEW."),
        sum_up = rows::sum_up("rollups", sums),
    )
}

/// The statement that records the start of a session of this journal's own; `None` for anything else.
pub(super) fn script(row: &EventRow, name: &str, loaded: &Loaded, now_us: i64) -> Option<Script> {
    let (picture, facts) = (loaded.picture.as_ref()?, loaded.facts.as_deref()?);
    let event = &row.parcel;
    if !loaded.is_new || !loaded.own || event.seq() != 0 {
        return None;
    }
    let mut script = Script::default();
    script.add(&format!("INSERT INTO opening VALUES ({})", rows::marks(COLUMNS.len() + SESSION_COLUMNS.len())));
    script.bind(row.position).bind(event.event_id().as_bytes().as_slice());
    script.bind(event.timestamp().as_microsecond()).bind(now_us).bind(event.hash().as_bytes().as_slice());
    script.bind(row.link.as_bytes().as_slice()).bind(event.text()).bind(picture.day());
    rows::bind_session(&mut script, loaded.id, name, picture, facts);
    Some(script)
}
