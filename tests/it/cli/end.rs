//! `end`: the living are asked, the dead are recorded, and a mistyped id ends nobody.

use super::process::{Home, eventually};
use crate::journal::fixture::{at, start};

#[test]
fn a_live_session_is_asked_and_obeys() {
    let home = Home::new();
    let shell = home.greeter(&[]).start();
    eventually("the session is there", || home.tracker(&["show", "sess_"]).run().code == Some(0));
    let id = home.tracker(&["list", "--format", "json"]).run().json()[0]["session_id"].as_str().unwrap().to_owned();
    let text = home.tracker(&["end", &id, "--reason", "maintenance"]).run().succeeds();
    assert_eq!(text, format!("{id} (greeter): asked to end, and ended\n"));
    let ended = shell.ended();
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("maintenance"), "{}", ended.stderr);
    let record = home.tracker(&["show", &id, "--format", "json"]).run().json();
    assert_eq!((record["status"].as_str(), record["end_reason"].as_str()), (Some("ended"), Some("operator")));
    assert_eq!(record["inferred"], false);
    let again = home.tracker(&["end-session", &id]).run().succeeds();
    assert_eq!(again, format!("{id} (greeter): it had ended before, nothing changed\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_dead_one_an_operators_end_is_recorded() {
    let home = Home::new();
    // It left no lock here, so nobody can know that it crashed.
    let one = home.session("orchestrator", &[start(at(0), "ada", "host-a")]).await;
    let other = home.session("orchestrator", &[start(at(1), "ada", "host-a")]).await;
    let stderr = home.tracker(&["end", one.as_str(), "zz"]).run().fails(3);
    assert!(stderr.contains("`zz`"), "{stderr}");
    let active = || home.tracker(&["list", "--active", "--format", "json"]).run().json().as_array().unwrap().len();
    assert_eq!(active(), 2, "a mistyped id must not end the others");

    let ended =
        home.tracker(&["end", one.as_str(), other.as_str(), "--reason", "gone", "--format", "json"]).run().json();
    assert_eq!(ended[0]["outcome"], "it was dead, an operator's end is recorded");
    assert_eq!(ended[1]["session_id"], other.as_str());
    assert_eq!(active(), 0);
    let record = home.tracker(&["show", one.as_str(), "--format", "json"]).run().json();
    assert_eq!((record["end_reason"].as_str(), record["inferred"].as_bool()), (Some("operator"), Some(true)));
    let shown = home.tracker(&["show", one.as_str()]).run().succeeds();
    let said = shown.lines().last().unwrap();
    assert!(said.starts_with("ended_by_operator") && said.ends_with("gone"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn reasons_keep_their_rule() {
    let home = Home::new();
    let id = home.session("orchestrator", &[start(at(0), "ada", "host-a")]).await;
    for reason in ["", "  ", &"x".repeat(501)] {
        let stderr = home.tracker(&["end", id.as_str(), "--reason", reason]).run().fails(2);
        assert!(stderr.contains("'--reason <TEXT>': must be 1 to 500 characters, not all blank"), "{stderr}");
    }
    home.tracker(&["end"]).run().fails(2);
}
