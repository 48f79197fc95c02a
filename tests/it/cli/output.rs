//! Where answers go: files that are whole or not there, pipes that close early, journals that can only be read.

use std::{
    os::unix::fs::{MetadataExt, PermissionsExt},
    process::Stdio,
};

use admin_shell::event::{EndReason, Status};
use serde_json::json;

use super::process::Home;
use crate::journal::fixture::{at, command_end, command_start, end, start};

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_private_and_its_extension_is_the_format() {
    let home = Home::new();
    home.session("orchestrator", &[start(at(0), "ada", "host-a"), end(at(1), EndReason::Exit, 1_000_000)]).await;
    for (name, beginning) in [
        ("a.json", "[\n{\"session_id\""),
        ("a.ndjson", "{\"session_id\""),
        ("a.jsonl", "{"),
        ("a.csv", "session_id,"),
        ("a.txt", "ID "),
    ] {
        let path = home.path(name);
        std::fs::write(&path, "what was there before").unwrap();
        let shown = home.tracker(&["list", "--output", path.to_str().unwrap()]).run().succeeds();
        assert_eq!(shown, "");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with(beginning), "{name}: {text}");
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }
    let path = home.path("b.json");
    home.tracker(&["list", "--format", "csv", "--output", path.to_str().unwrap()]).run().succeeds();
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("session_id,"), "--format wins");
    let left: Vec<_> = std::fs::read_dir(home.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".part")), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_written_fails_and_leaves_nothing() {
    let home = Home::new();
    home.session("orchestrator", &[start(at(0), "ada", "host-a")]).await;
    let stderr = home.tracker(&["list", "--output", "missing/a.json"]).run().fails(1);
    assert!(stderr.starts_with("error: writing missing/a.json: "), "{stderr}");
    let stderr = home.tracker(&["list", "--output", "data"]).run().fails(1);
    assert_eq!(stderr, "error: writing data: it is a directory\n");
    // A question that fails leaves the file as it was.
    std::fs::write(home.path("a.json"), "before").unwrap();
    home.tracker(&["show", "zz", "--output", "a.json"]).run().fails(3);
    assert_eq!(std::fs::read_to_string(home.path("a.json")).unwrap(), "before");
    // What is no file is written to, never replaced.
    home.tracker(&["list", "--output", "/dev/null"]).run().succeeds();
    assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_that_closes_early_is_no_failure() {
    let home = Home::new();
    let mut drafts = vec![start(at(0), "ada", "host-a")];
    for command in 1..=500 {
        drafts.push(command_start(at(1), command, &"x".repeat(200)));
        drafts.push(command_end(at(2), command, Status::Ok));
    }
    let id = home.session("orchestrator", &drafts).await;
    for format in ["table", "json", "ndjson", "csv"] {
        let mut running = home.tracker(&["events", id.as_str(), "--format", format]).start();
        drop(running.0.stdout.take());
        let ran = running.ended();
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{format}");
    }
    // A closed standard error is none either.
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_session-tracker"));
    let status =
        command.args(["show", "zz", "--database"]).arg(home.database()).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_can_only_be_read_is_read() {
    let home = Home::new();
    let id = home.session("orchestrator", &[start(at(0), "ada", "host-a"), command_start(at(1), 1, "ps()")]).await;
    let mode = |mode: u32| std::fs::set_permissions(home.database(), std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o400);
    assert_eq!(home.tracker(&["list", "--format", "json"]).run().json()[0]["session_id"], id.as_str());
    home.tracker(&["show", id.as_str()]).run().succeeds();
    home.tracker(&["verify"]).run().succeeds();
    let status = home.tracker(&["event-buffer", "status"]).run().succeeds();
    assert!(status.contains("It is open for reading only"), "{status}");
    for args in [&["end", id.as_str()][..], &["journal", "prune"], &["journal", "rebuild"]] {
        let stderr = home.tracker(args).run().fails(1);
        assert!(stderr.contains("can not be written: the file is read-only"), "{stderr}");
    }
    mode(0o600);
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_come_before_the_environment_and_that_before_the_file() {
    let home = Home::new();
    let id = home.session("orchestrator", &[start(at(0), "ada", "host-a")]).await;
    let here = home.database().display().to_string();
    let sees = |ran: super::process::Ran| ran.stdout.contains(id.as_str());
    assert!(sees(home.tracker(&["list"]).run()));
    assert!(!sees(home.tracker(&["list"]).env("ADMIN_SHELL_DATABASE", "elsewhere.db").run()));
    assert!(sees(home.tracker(&["list", "--database", &here]).env("ADMIN_SHELL_DATABASE", "elsewhere.db").run()));
    assert!(sees(home.tracker(&["--database", &format!("sqlite:{here}"), "list"]).run()));
    std::fs::create_dir_all(home.path("config/admin-shell")).unwrap();
    std::fs::write(home.path("config/admin-shell/config.toml"), "database = \"elsewhere.db\"\n").unwrap();
    assert!(!sees(home.tracker(&["list"]).run()));
    assert!(sees(home.tracker(&["list"]).env("ADMIN_SHELL_DATABASE", &here).run()));
    std::fs::write(home.path("config/admin-shell/config.toml"), "database = 5\n").unwrap();
    let stderr = home.tracker(&["list"]).run().fails(2);
    assert!(stderr.contains("config.toml") && stderr.contains("database"), "{stderr}");
}

/// A program that asks for JSON reads what is wrong as JSON too.
#[test]
fn errors_are_documents_for_programs() {
    let home = Home::new();
    let error = |args: &[&str], code: i32| -> serde_json::Value {
        let ran = home.tracker(args).run();
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(code), ""), "{args:?}");
        serde_json::from_str(&ran.stderr).unwrap_or_else(|_| panic!("{args:?}: {}", ran.stderr))
    };
    assert_eq!(
        error(&["list", "--format", "json", "--status", "nope"], 2),
        json!({"error": {
            "kind": "usage",
            "message": "invalid value 'nope' for '--status <STATUS>'",
            "hint": "possible values: active, stale, ended, crashed, lost",
        }})
    );
    let wrong = error(&["list", "--format=json", "--incomplte"], 2);
    assert_eq!(wrong["error"]["hint"], "a similar argument exists: '--incomplete'");
    let missing = error(&["end", "--format", "json"], 2);
    assert_eq!(missing["error"]["message"], "the following required arguments were not provided: <ID>...");
    let unknown = error(&["show", "--format", "ndjson", "sess_nope"], 3);
    assert_eq!((&unknown["error"]["kind"], &unknown["error"]["hint"]), (&json!("not_found"), &json!(null)));
    assert!(home.tracker(&["list", "--status", "nope"]).run().stderr.starts_with("error: invalid value 'nope'"));
}
