//! Each rule at its edges: what is said, and what is just not.

use jiff::{Timestamp, ToSpan, civil::date, tz::TimeZone};

use super::*;
use crate::{event::EndReason, journal::SessionStatus};

/// Noon, so many days after a Sunday in March.
fn noon(day: i64) -> Timestamp {
    date(2026, 3, 1).at(12, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap().timestamp() + (24 * day).hours()
}

fn session(start: Timestamp, seconds: f64) -> SessionRecord {
    let json = serde_json::json!({
        "session_id": SessionId::new(), "session_type": "admin_shell", "component_name": "orchestrator",
        "status": "ended", "end_reason": "exit", "inferred": false, "start_time": start, "duration_seconds": seconds,
        "mode": "interactive", "username": "ada", "hostname": "host-a", "commands": 2, "failed_commands": 1,
        "write_calls": 0, "destroy_calls": 0, "quality_score": 50.0, "forked": false,
    });
    serde_json::from_value(json).unwrap()
}

fn command(minute: i64, input: &str, status: &str, error: Option<&str>) -> CommandRecord {
    CommandRecord {
        session_id: SessionId::new(),
        component_name: "orchestrator".to_owned(),
        command: 1,
        start_time: noon(0) + minute.minutes(),
        input: Some(input.to_owned()),
        status: status.to_owned(),
        duration_us: Some(10),
        error: error.map(str::to_owned),
    }
}

fn said(sessions: Vec<SessionRecord>, commands: Vec<CommandRecord>) -> Vec<String> {
    let found = insights(&Recent { sessions, commands }, &TimeZone::UTC);
    found.into_iter().map(|insight| insight.what).collect()
}

#[test]
fn nothing_stands_out_of_nothing() {
    assert!(said(Vec::new(), Vec::new()).is_empty());
    assert!(said((0..100).map(|day| session(noon(day), 60.0)).collect(), Vec::new()).is_empty());
}

#[test]
fn crashes_by_machine() {
    let mut sessions: Vec<_> = (0..4).map(|day| session(noon(day), 60.0)).collect();
    sessions[1].status = SessionStatus::Crashed;
    sessions[1].end_reason = Some(EndReason::Crashed);
    sessions[3].hostname = Some("host-b".to_owned());
    sessions[3].status = SessionStatus::Crashed;
    assert_eq!(said(sessions, Vec::new()), ["1 of 1 session on host-b crashed", "1 of 3 sessions on host-a crashed"]);
}

#[test]
fn failures_from_three_in_one_way_and_one_in_ten() {
    let failing =
        |count: i64| (0..count).map(|n| command(n, &format!("retry(\"run_{n}\")"), "error", Some("no such run")));
    assert!(said(Vec::new(), failing(2).collect()).is_empty());
    assert_eq!(said(Vec::new(), failing(3).collect()), ["retry(\"…\") failed 3 of 3 times: no such run"]);
    let good = |count: i64| (0..count).map(|n| command(n, "retry(\"x\")", "ok", None));
    assert_eq!(
        said(Vec::new(), failing(3).chain(good(27)).collect()),
        ["retry(\"…\") failed 3 of 30 times: no such run"]
    );
    assert!(said(Vec::new(), failing(3).chain(good(28)).collect()).is_empty());
    // Another way to fail, a refusal, and a run without an outcome.
    let other = [("error", Some("no room")), ("refused", Some("no such run")), ("unknown", None)];
    let other = other.map(|(status, error)| command(50, "retry(\"y\")", status, error));
    assert!(said(Vec::new(), failing(2).chain(other).collect()).is_empty());
}

#[test]
fn long_sessions_running_ones_too() {
    let usual = |count: i64| (0..count).map(|n| session(noon(n), 60.0 + n as f64)).collect::<Vec<_>>();
    let mut running = session(noon(40), 40_000.0);
    running.status = SessionStatus::Active;
    running.end_reason = None;
    let mut sessions = usual(19);
    sessions.push(running.clone());
    assert!(said(sessions, Vec::new()).is_empty(), "19 others say nothing");
    let mut sessions = usual(20);
    sessions.extend([running, session(noon(41), 599.0)]);
    assert_eq!(
        said(sessions, Vec::new()),
        ["a session by ada on host-a is open for 11h06m and still running; half of 21 others took at most 1m10s"]
    );
}

#[test]
fn unusual_hours() {
    let mut sessions: Vec<_> = (0..30).map(|day| session(noon(day) + (day % 90).minutes(), 60.0)).collect();
    let night = session(noon(30) + 15.hours() + 14.minutes(), 60.0);
    assert!(said(sessions[1..].iter().cloned().chain([night.clone()]).collect(), Vec::new()).is_empty(), "29 others");
    sessions.push(night);
    assert_eq!(
        said(sessions.clone(), Vec::new()),
        ["ada opened a session at 03:14; 0 of 30 others began within two hours of that"]
    );
    // Somebody with too few sessions of her own is compared with everybody's.
    let mut bea = session(noon(31) + 13.hours(), 60.0);
    bea.username = Some("bea".to_owned());
    let sessions: Vec<_> = sessions.into_iter().take(30).chain([bea]).collect();
    assert_eq!(
        said(sessions, Vec::new()),
        ["bea opened a session at 01:00; 0 of 30 others began within two hours of that"]
    );
}

#[test]
fn midnight_is_no_border() {
    let sessions = (0..40).map(|day| session(noon(day) + 11.hours() + (day * 3).minutes(), 60.0)).collect();
    assert!(said(sessions, Vec::new()).is_empty());
}

#[test]
fn the_gravest_of_each_kind_comes_first() {
    let mut sessions: Vec<_> = (0..3).map(|day| session(noon(day), 60.0)).collect();
    for (session, host) in sessions.iter_mut().zip(["host-a", "host-b", "host-b"]) {
        session.status = SessionStatus::Crashed;
        session.hostname = Some(host.to_owned());
    }
    let commands = (0..3).map(|n| command(n, "sync()", "timeout", None)).collect();
    assert_eq!(
        said(sessions, commands),
        [
            "2 of 2 sessions on host-b crashed",
            "sync() failed 3 of 3 times: timeout",
            "1 of 1 session on host-a crashed"
        ]
    );
}

#[test]
fn quality_by_component() {
    let mut sessions: Vec<_> = (0..3).map(|day| session(noon(day), 60.0)).collect();
    sessions[0].status = SessionStatus::Crashed;
    sessions[0].quality_score = Some(33.333);
    sessions[1].quality_score = None;
    sessions[2].component_name = "manager".to_owned();
    sessions[2].quality_score = None;
    let quality = quality(&sessions);
    let row = |q: &Quality| (q.component.clone(), q.sessions, q.crashed, q.commands, q.failed, q.quality_score);
    assert_eq!(row(&quality[0]), ("manager".to_owned(), 1, 0, 2, 1, None));
    assert_eq!(row(&quality[1]), ("orchestrator".to_owned(), 2, 1, 4, 2, Some(33.3)));
}
