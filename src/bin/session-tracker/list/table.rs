//! The table of sessions.

use admin_shell::{Width, journal::SessionRecord, render::table};
use serde_json::{Value, json};

use crate::clock;

/// How much of a session a line shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// Short ids and times, what fits 100 columns: a terminal.
    Short,
    /// Everything in full: a pipe, a file.
    Full,
}

/// The table, one line a session.
pub(super) fn sessions(records: &[SessionRecord], detail: Detail, width: Width) -> String {
    let is_short = detail == Detail::Short;
    let ids = if is_short { short_ids(records) } else { records.iter().map(|r| r.session_id.to_string()).collect() };
    // A column that says the same in every line is given up first.
    let hosts = !is_short || records.iter().any(|record| record.hostname != records[0].hostname);
    let mut names = vec!["id", "component", "user", "status", "end", "started", "lasted", "cmds", "failed", "mode"];
    if hosts {
        names.push("host");
    }
    let rows: Vec<Vec<Value>> = records
        .iter()
        .zip(ids)
        .map(|(record, id)| {
            let started = record.start_time.map(|at| if is_short { clock::short(at) } else { clock::full(at) });
            let mut row = vec![
                json!(id),
                json!(record.component_name),
                json!(record.username),
                json!(record.status),
                json!(record.end_reason),
                json!(started),
                json!(record.duration_seconds.map(clock::length)),
                json!(record.commands),
                json!(record.failed_commands),
                json!(record.mode),
            ];
            if hosts {
                row.push(json!(record.hostname));
            }
            row
        })
        .collect();
    table(&names, &rows, width)
}

/// Ids without `sess_` and as short as can be told apart: the ten characters of the millisecond and three that are random,
/// more only where two sessions of this list begin alike.
fn short_ids(records: &[SessionRecord]) -> Vec<String> {
    const SHORT: usize = 13;
    let ids: Vec<&str> = records.iter().map(|record| record.session_id.as_str().trim_start_matches("sess_")).collect();
    let is_ambiguous = |length: usize| {
        let mut cut: Vec<&str> = ids.iter().map(|id| &id[..length.min(id.len())]).collect();
        cut.sort_unstable();
        cut.windows(2).any(|pair| pair[0] == pair[1])
    };
    let length = (SHORT..26).find(|length| !is_ambiguous(*length)).unwrap_or(26);
    ids.iter().map(|id| id[..length.min(id.len())].to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use admin_shell::event::SessionId;

    use super::*;

    fn record(id: &SessionId, host: &str) -> SessionRecord {
        let json = json!({
            "session_id": id, "session_type": "admin_shell", "component_name": "orchestrator", "status": "crashed",
            "end_reason": "crashed", "inferred": true, "start_time": jiff::Timestamp::now(), "duration_seconds": 7_500.0,
            "mode": "interactive", "username": "ada", "hostname": host, "commands": 1234, "failed_commands": 12,
            "write_calls": 0, "destroy_calls": 0, "forked": false,
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_terminal_of_100_columns_has_room_for_every_column() {
        // People do not open a hundred sessions within a millisecond, in which ids begin alike.
        let later = |_| {
            std::thread::sleep(std::time::Duration::from_millis(2));
            SessionId::new()
        };
        let ids: Vec<SessionId> = (0..20).map(later).collect();
        let records: Vec<SessionRecord> = ids.iter().map(|id| record(id, "host-a")).collect();
        let shown = sessions(&records, Detail::Short, Width::Columns(100));
        for line in shown.lines() {
            assert!(line.chars().count() <= 100 && !line.contains('…'), "{line}");
        }
        assert!(shown.lines().next().unwrap().ends_with("FAILED  MODE"), "one machine needs no column: {shown}");
        let shown: Vec<&str> = shown.lines().skip(1).map(|line| line.split(' ').next().unwrap()).collect();
        for (id, shown) in ids.iter().zip(&shown) {
            let meant = ids.iter().filter(|id| id.as_str().starts_with(&SessionId::prefix(shown)));
            assert_eq!(meant.collect::<Vec<_>>(), [id]);
        }
    }

    #[test]
    fn several_machines_are_told_apart() {
        let records = [record(&SessionId::new(), "host-a"), record(&SessionId::new(), "host-b")];
        let shown = sessions(&records, Detail::Short, Width::Unlimited);
        assert!(shown.lines().last().unwrap().ends_with("interactive  host-b"), "{shown}");
    }
}
