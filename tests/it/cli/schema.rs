//! `schema` and `completions`: they need no journal.

use admin_shell::event::schema_names;
use serde_json::Value;

use super::process::Home;
use crate::journal::fixture::{at, command_start, start};

const VALID: &str = include_str!("../../vectors/events.jsonl");
const INVALID: &str = include_str!("../../vectors/invalid.jsonl");

#[test]
fn schemas_are_listed_shown_and_exported() {
    let home = Home::new();
    let listed = home.tracker(&["schema", "list", "--format", "json"]).run().json();
    let names: Vec<&str> = listed.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect();
    assert_eq!(names, schema_names());
    let shown = home.tracker(&["schema", "show", "command_end"]).run().json();
    assert_eq!(shown["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let stderr = home.tracker(&["schema", "show", "nothing"]).run().fails(3);
    assert!(stderr.contains("session_start, command_start"), "{stderr}");
    let said = home.tracker(&["schema", "export", "--output", "a/b"]).run().succeeds();
    assert_eq!(said.lines().count(), names.len());
    for path in said.lines() {
        let schema: Value = serde_json::from_str(&std::fs::read_to_string(home.path(path)).unwrap()).unwrap();
        assert!(names.contains(&schema["title"].as_str().unwrap()), "{path}");
    }
    // Its own files it writes again; a stranger's it leaves alone, and then writes nothing.
    assert_eq!(home.tracker(&["schema", "export", "a/b"]).run().succeeds(), said);
    std::fs::create_dir(home.path("mine")).unwrap();
    std::fs::write(home.path("mine/gap.schema.json"), "{}").unwrap();
    let stderr = home.tracker(&["schema", "export", "mine"]).run().fails(1);
    assert!(stderr.starts_with("error: mine/gap.schema.json is there and is no schema of `gap`: nothing"), "{stderr}");
    assert_eq!(std::fs::read_dir(home.path("mine")).unwrap().count(), 1);
}

#[test]
fn the_vectors_are_valid_and_their_refusals_are_not() {
    let home = Home::new();
    let count = VALID.lines().count();
    let text = home.tracker(&["schema", "validate", "-"]).input(VALID).run().succeeds();
    assert_eq!(text, format!("Valid: {count} events.\n"));
    // One that is several lines is no line.
    let refused: Vec<Value> = INVALID.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let refused: Vec<&Value> = refused.iter().filter(|one| !one["event"].as_str().unwrap().contains('\n')).collect();
    let input: String = refused.iter().map(|one| format!("{}\n", one["event"].as_str().unwrap())).collect();
    std::fs::write(home.path("invalid.jsonl"), input).unwrap();
    let ran = home.tracker(&["schema", "validate", "invalid.jsonl", "--format", "json"]).run();
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), ""));
    let faults: Value = serde_json::from_str(&ran.stdout).unwrap();
    let faulty: std::collections::BTreeSet<u64> =
        faults.as_array().unwrap().iter().map(|fault| fault["line"].as_u64().unwrap()).collect();
    for (number, one) in (1..).zip(&refused) {
        let blank = one["event"].as_str().unwrap().trim().is_empty();
        assert!(blank || faulty.contains(&number), "line {number} passes: {}", one["why"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_events_shows_validates_and_a_change_does_not() {
    let home = Home::new();
    let drafts = [start(at(0), "ada", "host-a"), command_start(at(1), 1, "say(\"\u{202e}\\u202e\u{7f}\")")];
    let id = home.session("orchestrator", &drafts).await;
    for format in ["json", "ndjson"] {
        let shown = home.tracker(&["events", id.as_str(), "--format", format]).run().succeeds();
        assert_eq!(home.tracker(&["schema", "validate", "-"]).input(shown).run().succeeds(), "Valid: 2 events.\n");
    }
    let shown = home.tracker(&["events", id.as_str(), "--format", "ndjson"]).run().succeeds();
    for (from, to, said) in [
        ("\"pid\":4711", "\"pid\":0", "line 1: body.pid: is less than the minimum of 1\n"),
        ("\"pid\":4711,", "", "line 1: body.pid: is missing\n"),
        ("host-a", "host-b", "line 1: hash: does not match the event's bytes\n"),
        ("\"say(", "\"shout(", "line 2: hash: does not match the event's bytes\n"),
        ("{\"body\"", "{ \"body\"", "line 1: event: must be in RFC 8785 canonical form\n"),
    ] {
        let ran = home.tracker(&["schema", "validate", "-"]).input(shown.replacen(from, to, 1)).run();
        assert_eq!(ran.code, Some(1));
        assert!(ran.stdout.contains(said), "{from} → {to}: {}", ran.stdout);
    }
    let ran = home.tracker(&["schema", "validate", "-"]).input("\nnot json\n").run();
    assert_eq!(ran.stdout, "line 2: event: is not JSON\nNOT VALID: 1 fault in 1 event.\n");
    assert_eq!(home.tracker(&["schema", "validate", "-"]).input("").run().succeeds(), "Valid: 0 events.\n");
    home.tracker(&["schema", "validate", "nowhere.jsonl"]).run().fails(3);
}

#[test]
fn completions_for_every_shell() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = home.tracker(&["completions", shell]).run().succeeds();
        assert!(script.contains("session-tracker") && script.contains("longer-than"), "{shell}");
    }
    home.tracker(&["completions", "cmd"]).run().fails(2);
}
