//! `show`, and how ids are found.

use admin_shell::event::{EndReason, SessionId, Status};

use super::process::Home;
use crate::journal::fixture::{at, call_start, command_end, command_start, end, start};

async fn recorded(home: &Home) -> SessionId {
    let drafts = [
        start(at(0), "ada", "host-a"),
        command_start(at(1), 1, "ps()"),
        command_end(at(2), 1, Status::Ok),
        command_start(at(3), 2, "let x = 1;\nretry(x)"),
        command_end(at(4), 2, Status::Error),
        end(at(65), EndReason::Exit, 65_250_000),
    ];
    home.session("orchestrator", &drafts).await
}

#[tokio::test(flavor = "multi_thread")]
async fn people_see_every_field_and_every_command() {
    let home = Home::new();
    let id = recorded(&home).await;
    let text = home.tracker(&["show", id.as_str()]).run().succeeds();
    for line in [
        format!("session_id         {id}").as_str(),
        "component_version  1.2.3",
        "status             ended",
        "start_time         2023-11-14 22:13:20 +00:00",
        "duration_seconds   1m05s (65.25 s)",
        "quality_score      50 of 100",
        "Commands",
        "#  TIME          STATUS  TOOK  INPUT                 ERROR",
        "1  22:13:21.000  ok      1ms   ps()",
        "2  22:13:23.000  error   1ms   let x = 1;\\nretry(x)  it did not work",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line} is not in\n{text}");
    }
    let listed = home.tracker(&["list", "--format", "json"]).run().json();
    assert_eq!(home.tracker(&["show", id.as_str(), "--format", "json"]).run().json(), listed[0]);
    assert_eq!(home.tracker(&["show-session", id.as_str(), "--format", "ndjson"]).run().json(), listed[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_beginning_of_an_id_is_enough() {
    let home = Home::new();
    let (one, other) = (recorded(&home).await, recorded(&home).await);
    let suffix = one.as_str().trim_start_matches("sess_");
    let length = (1..26).find(|length| !other.as_str()[5..].starts_with(&suffix[..*length])).unwrap();
    for typed in [one.as_str(), suffix, &suffix[..length], &one.as_str()[..5 + length], &suffix.to_uppercase()] {
        assert_eq!(home.tracker(&["show", typed, "--format", "json"]).run().json()["session_id"], one.as_str());
    }
    let mut both = [one.as_str(), other.as_str()];
    both.sort_unstable();
    let shared = &suffix[..length - 1];
    let stderr = home.tracker(&["show", &format!("sess_{shared}")]).run().fails(1);
    let candidates = format!("names more than one session, give more of the id:\n  {}\n  {}\n", both[0], both[1]);
    assert!(stderr.ends_with(&candidates), "{stderr}");
    for unknown in ["zz", "sess_7zzz", "%", "jrnl_"] {
        let stderr = home.tracker(&["show", unknown]).run().fails(3);
        assert_eq!(
            stderr,
            format!(
                "error: no session has an id that begins with `{unknown}`: `session-tracker list` shows those that there are\n"
            )
        );
    }
    for command in ["show", "events", "verify", "end"] {
        home.tracker(&[command, "zz"]).run().fails(3);
        home.tracker(&[command, ""]).run().fails(2);
    }
}

#[test]
fn without_a_journal_nothing_is_found() {
    let home = Home::new();
    for args in [
        &["show", "01"][..],
        &["events", "01"],
        &["end", "01"],
        &["verify"],
        &["journal", "status"],
        &["journal", "prune"],
    ] {
        let stderr = home.tracker(args).run().fails(3);
        assert!(stderr.starts_with("error: there is no journal at "), "{stderr}");
    }
    assert!(!home.database().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_and_what_failed_is_shown() {
    let home = Home::new();
    let drafts = [
        start(at(0), "ada", "host-a"),
        command_start(at(1), 1, "cancel(\"run_1\")"),
        call_start(at(1), 1, 1, "destroy", "confirmed"),
        command_end(at(2), 1, Status::Error),
        command_start(at(3), 2, "cancel(\"run_1\")"),
        call_start(at(3), 2, 1, "destroy", "refused"),
        command_end(at(4), 2, Status::Refused),
    ];
    let id = home.session("orchestrator", &drafts).await;
    let text = home.tracker(&["show", id.as_str()]).run().succeeds();
    let failed = "Failed\n  #1 error\n    it did not work\n  #2 refused\n    it did not work\n\nChanges\n";
    assert!(text.contains(failed), "{text}");
    for line in [
        "#    EFFECT   CALL               DECISION   OUTCOME",
        "1.1  destroy  cancel(id: run_1)  confirmed  unknown",
        "2.1  destroy  cancel(id: run_1)  refused    did not run",
    ] {
        assert!(text.lines().any(|shown| shown.trim_end().starts_with(line)), "{line} is not in\n{text}");
    }
}
