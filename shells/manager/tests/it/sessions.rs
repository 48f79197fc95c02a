//! Looking at sessions and ending them, through the door.

use admin_shell::testing::TestShell;
use manager::Manager;
use serde_json::{Value, json};

use crate::{
    plant::{Plot, Seed, at},
    program::answer,
};

#[tokio::test(flavor = "multi_thread")]
async fn every_example_runs() {
    // The last one ends the newest session that is open, and that is this one.
    TestShell::new(Manager::default()).await.examples().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_newest_first_and_stand_for_their_sessions() {
    let plot = Plot::new().await;
    let mut seed = Seed::new(at(0, 10, 0));
    seed.commands = vec![("ps()".into(), None), ("retry(1)".into(), Some("no such run"))];
    let older = plot.plant(seed).await;
    let newer = plot.plant(Seed { component: "builder", user: "bob", ..Seed::new(at(1, 10, 0)) }).await;
    let listed = answer(&plot, "ps()");
    let ids: Vec<&str> = listed.as_array().unwrap().iter().map(|row| row["session_id"].as_str().unwrap()).collect();
    assert_eq!(ids[1..], [newer.as_str(), older.as_str()]);
    assert_eq!(
        listed[2],
        json!({
            "session_id": older, "component": "orchestrator", "user": "ada", "status": "ended", "commands": 2, "failed": 1,
            "start_time": "2026-01-05T10:00:00Z", "seconds": 600.0, "host": "host-a", "mode": "interactive", "end_reason": "exit",
        })
    );
    assert_eq!(answer(&plot, "ps(#{component: \"builder\"}).len()"), 1);
    assert_eq!(answer(&plot, "ps(1).len()"), 1);
    assert_eq!(
        answer(&plot, "ps(#{since: \"1h\"}).map(|s| s.component)")
            .as_array()
            .unwrap()
            .iter()
            .filter(|c| *c != "manager")
            .count(),
        0
    );
    assert_eq!(answer(&plot, "active().len()"), 1, "the manager's own session");
    // A record of a list, an id and the beginning of one name the same session.
    let begin = &older.as_str()["sess_".len()..older.as_str().len() - 1];
    for code in [
        "show(ps(#{component: \"orchestrator\"})[0])",
        &format!("show({:?})", older.as_str()),
        &format!("show({begin:?})"),
    ] {
        let shown = answer(&plot, code);
        assert_eq!((&shown["session_id"], &shown["working_directory"]), (&json!(older), &json!("/srv")), "{code}");
    }
    let commands = answer(&plot, &format!("commands({begin:?})"));
    assert_eq!(commands[1]["input"], "retry(1)");
    assert_eq!((&commands[1]["status"], &commands[1]["error"]), (&json!("error"), &json!("no such run")));
    let events = answer(&plot, &format!("events({begin:?})"));
    let types: Vec<&Value> = events.as_array().unwrap().iter().map(|event| &event["event_type"]).collect();
    assert_eq!(types, ["session_start", "command_start", "command_end", "command_start", "command_end", "session_end"]);
    assert_eq!(answer(&plot, &format!("events({begin:?}, 5)[0].body.reason")), "exit");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_said() {
    let shell = TestShell::new(Manager::default()).await;
    for (code, said) in [
        ("show(\"zz\")", "no session has an id that begins with `zz`"),
        ("events(\"sess_zz\")", "no session has an id that begins with `sess_zz`"),
        ("commands(\"zz\")", "no session has an id that begins with `zz`"),
        ("ps(0)", "`limit` must be 1 to 1000, got 0"),
        ("ps(1001)", "`limit` must be 1 to 1000, got 1001"),
        ("quality(\"soon\")", "`since` of `quality` wants seconds, or text such as \"7d\" or \"1h30m\""),
        ("end(\"zz\")", "no session has an id that begins with `zz`"),
    ] {
        let failure = shell.confirms("a test").run(code).await.fails();
        assert!(failure.contains(said), "{code}: {failure}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ending_asks_and_records_who_and_why() {
    let shell = TestShell::new(Manager::default()).await;
    let other = shell.beside(&admin_shell::Shell::new(Manager::default())).await;
    // Its first command waits for its start to be recorded, before which nobody sees it.
    other.run("0").await;
    let id: String = shell.run("active()[0].session_id").await.value();
    assert!(shell.run(&format!("end({id:?})")).await.failure().is_some(), "nobody confirmed");
    let outcome: Value = shell.confirms("maintenance").run(&format!("end({id:?})")).await.value();
    assert_eq!(outcome, json!({"session_id": id, "outcome": "its shell was asked to end it"}));
    let asked = shell.asked();
    let preview = asked[0].preview.as_deref().unwrap_or_default();
    assert!(preview.starts_with(&format!("manager session {id} by tester on ")), "{preview}");
    assert!(preview.ends_with(": active, 1 command"), "{preview}");
    // Two sessions begin alike, and nothing is guessed.
    for code in ["show(\"sess_\")", "events(\"sess_\")", "end(\"sess_\")"] {
        let failure = shell.run(code).await.fails();
        assert!(
            failure.contains("`sess_` names more than one session: sess_") && failure.contains(&id),
            "{code}: {failure}"
        );
    }
    other.close().await;
    let asked = shell.asked().len();
    let failure = shell.run(&format!("end({id:?})")).await.fails();
    assert!(failure.contains("is ended already: there is nothing to end"), "{failure}");
    assert_eq!(shell.asked().len(), asked, "nobody has to confirm what changes nothing");
}
