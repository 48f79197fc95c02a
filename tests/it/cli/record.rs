//! `verify` and `journal`: what keeps the record sound.

use admin_shell::event::{EndReason, SessionId, Status};
use sqlx::{Connection, Executor, SqliteConnection};

use super::process::Home;
use crate::journal::fixture::{at, command_end, command_start, end, start};

async fn recorded(home: &Home) -> SessionId {
    let drafts = [
        start(at(0), "ada", "host-a"),
        command_start(at(1), 1, "login(\"hunter2\")"),
        command_end(at(2), 1, Status::Ok),
        end(at(3), EndReason::Exit, 3_000_000),
    ];
    home.session("orchestrator", &drafts).await
}

async fn tamper(home: &Home, sql: &'static str) {
    let url = format!("sqlite:{}", home.database().display());
    let mut connection = SqliteConnection::connect(&url).await.expect("the file opens");
    connection.execute(sql).await.expect("the change works");
    connection.close().await.expect("it closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_says_what_it_knows_and_what_it_can_not() {
    let home = Home::new();
    let id = recorded(&home).await;
    let text = home.tracker(&["verify"]).run().succeeds();
    assert!(text.starts_with("Consistent: 4 events in 1 stream.\nHead: position 4, link sha256:"), "{text}");
    assert!(text.contains("\nAnchored: nowhere outside this file.\nWhat this can not know:\n  "), "{text}");
    let report = home.tracker(&["verify", id.as_str(), "--format", "json"]).run().json();
    assert_eq!((report["events"].as_u64(), report["faults"].as_array().map(Vec::len)), (Some(4), Some(0)));
    assert_eq!(report["skipped"].as_array().map(Vec::len), Some(2), "{report}");
    let one = home.tracker(&["verify", id.as_str()]).run().succeeds();
    assert!(one.contains("\nWhat was not looked at:\n  Everything but this session: "), "{one}");
    assert!(!text.contains("not looked at"), "{text}");

    tamper(&home, "UPDATE events SET text = replace(text, 'hunter2', 'nothing') WHERE seq = 1").await;
    let ran = home.tracker(&["verify"]).run();
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), ""));
    assert!(ran.stdout.starts_with("NOT CONSISTENT: "), "{}", ran.stdout);
    let line = format!("  edited: {id}, event 1, position 2: ");
    assert!(ran.stdout.lines().any(|shown| shown.starts_with(&line)), "{}", ran.stdout);
    let ran = home.tracker(&["verify", id.as_str(), "--format", "csv"]).run();
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.starts_with("what,stream,seq,position,message\nedited,sess_"), "{}", ran.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn pruned_sessions_live_on_in_the_archive() {
    let home = Home::new();
    let id = recorded(&home).await;
    // Old is what was not heard of since: nothing is yet.
    let nothing = home.tracker(&["journal", "prune"]).run().succeeds();
    assert!(nothing.starts_with("Nothing to prune: "), "{nothing}");
    let stderr = home.tracker(&["journal", "prune", "--archive", "old.db"]).run().fails(2);
    assert!(stderr.contains("its name must end in .jsonl"), "{stderr}");

    let before = home.tracker(&["show", id.as_str(), "--format", "json"]).run().json();
    let args = ["journal", "prune", "--before", "2100-01-01", "--archive", "old.jsonl", "--format", "json"];
    let pruned = home.tracker(&args).run().json();
    assert_eq!((pruned["sessions"].as_u64(), pruned["events"].as_u64()), (Some(1), Some(4)));
    assert_eq!(home.tracker(&["list", "--format", "json"]).run().json(), serde_json::json!([]));
    let gone = home.tracker(&["show", id.as_str()]).run().fails(3);
    assert!(gone.starts_with(&format!("error: {id} (orchestrator) was pruned on ")), "{gone}");
    assert!(gone.contains(": retention: ended and not heard of since 2100-01-01 00:00:00 +00:00; "), "{gone}");
    assert!(gone.contains("they were written to an archive"), "{gone}");
    home.tracker(&["verify"]).run().succeeds();

    // Pruned again, with a reason: both prunings stay known, though the first one's observation is folded away.
    let second = recorded(&home).await;
    recorded(&home).await;
    let why = ["journal", "prune", "--before", "2100-01-01", "--yes", "--reason", "the disk is full, password=hunter2"];
    let said = home.tracker(&why).run().succeeds();
    assert!(said.starts_with("Pruned 2 sessions "), "{said}");
    let verified = home.tracker(&["verify"]).run().succeeds();
    assert!(verified.contains("\nPruned: 2 times, 3 sessions.\n"), "{verified}");
    assert!(verified.contains(": the disk is full, password=") && !verified.contains("hunter2"), "{verified}");
    assert!(verified.contains(": retention: ended and not heard of since 2100-01-01"), "{verified}");
    let status = home.tracker(&["journal", "status", "--format", "json"]).run().json();
    assert_eq!(status["pruned_sessions"].as_u64(), Some(3));
    let gone = home.tracker(&["show", id.as_str()]).run().fails(3);
    assert!(gone.contains(": retention: ended and not heard of since 2100-01-01"), "{gone}");
    assert!(home.tracker(&["show", second.as_str()]).run().fails(3).contains("the disk is full"));
    home.tracker(&["journal", "rebuild"]).run().succeeds();
    home.tracker(&["verify"]).run().succeeds();

    let mut after = home.tracker(&["--database", "old.jsonl", "show", id.as_str(), "--format", "json"]).run().json();
    // When we heard of it is a fact of the journal that heard.
    after["last_seen"] = before["last_seen"].clone();
    assert_eq!(after, before);
    home.tracker(&["--database", "old.jsonl", "verify"]).run().succeeds();
    home.tracker(&["schema", "validate", "old.jsonl"]).run().succeeds();
}

#[tokio::test(flavor = "multi_thread")]
async fn rebuild_says_what_differed() {
    let home = Home::new();
    let id = recorded(&home).await;
    assert_eq!(home.tracker(&["journal", "rebuild"]).run().succeeds(), "Rebuilt 1 session; nothing differed.\n");
    tamper(&home, "UPDATE sessions SET username = 'mallory'").await;
    let text = home.tracker(&["journal", "rebuild"]).run().succeeds();
    let told = "Rebuilt 1 session; 1 row not what the events give, now made anew:\n";
    assert_eq!(text, format!("{told}  sessions: {id}\n"));
    assert_eq!(home.tracker(&["show", id.as_str(), "--format", "json"]).run().json()["username"], "ada");
    tamper(&home, "UPDATE rollups SET failed = 9; UPDATE streams SET writes = 7; UPDATE commands SET input = 'x'")
        .await;
    let text = home.tracker(&["journal", "rebuild"]).run().succeeds();
    let rows = format!("  streams: {id}\n  commands: position 2 of {id}\n  rollups: 2023-11-14 orchestrator\n");
    assert!(text.starts_with("Rebuilt 1 session; 3 rows not what") && text.ends_with(&rows), "{text}");
    tamper(&home, "UPDATE rollups SET failed = 9").await;
    let rebuilt = home.tracker(&["journal", "rebuild", "--format", "json"]).run().json();
    assert_eq!(rebuilt["differences"][0]["table"], "rollups");
    assert_eq!(rebuilt["differences"][0]["key"], "2023-11-14 orchestrator");
    home.tracker(&["verify"]).run().succeeds();
}

#[tokio::test(flavor = "multi_thread")]
async fn scrub_removes_one_body() {
    let home = Home::new();
    let id = recorded(&home).await;
    let events = home.tracker(&["events", id.as_str(), "--format", "json"]).run().json();
    let leaked = events[1]["event_id"].as_str().unwrap();
    home.tracker(&["journal", "scrub", leaked]).run().fails(2);
    let text = home.tracker(&["journal", "scrub", leaked, "--reason", "a password"]).run().succeeds();
    assert!(text.starts_with(&format!("The body of event {leaked} is removed.")), "{text}");
    let events = home.tracker(&["events", id.as_str(), "--format", "json"]).run().json();
    assert_eq!((events[1]["pruned"].as_bool(), events[1]["body"].is_null()), (Some(true), true));
    assert!(!home.tracker(&["show", id.as_str()]).run().succeeds().contains("hunter2"));
    home.tracker(&["verify"]).run().succeeds();
    let unknown = "0197f0aa-3333-7000-8000-000000000001";
    let stderr = home.tracker(&["journal", "scrub", unknown, "--reason", "x"]).run().fails(3);
    assert_eq!(stderr, format!("error: {unknown} names no event of this journal\n"));
    home.tracker(&["journal", "scrub", "zz", "--reason", "x"]).run().fails(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn status_counts() {
    let home = Home::new();
    recorded(&home).await;
    let status = home.tracker(&["journal", "status", "--format", "json"]).run().json();
    assert_eq!(
        (status["events"].as_u64(), status["sessions"].as_u64(), status["active"].as_u64()),
        (Some(4), Some(1), Some(0))
    );
    let text = home.tracker(&["event-buffer", "status"]).run().succeeds();
    assert!(text.lines().any(|line| line == "warnings         none"), "{text}");
}
