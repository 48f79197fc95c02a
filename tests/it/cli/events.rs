//! `events`: envelopes for programs, sentences for people, and following a session that lives.

use admin_shell::{
    event::{EndReason, SessionId, Status},
    journal::{Entry, Journal},
};
use serde_json::Value;

use super::process::{Home, eventually};
use crate::journal::fixture::{Writing, at, call_start, command_end, command_start, end, observation, start};

async fn recorded(home: &Home) -> SessionId {
    let drafts = [
        start(at(0), "ada", "host-a"),
        command_start(at(1), 1, "cancel(\"run_1\") // \u{202e}\u{7f}"),
        call_start(at(1), 1, 1, "destroy", "confirmed"),
        command_end(at(2), 1, Status::Error),
        end(at(65), EndReason::Exit, 65_000_000),
    ];
    home.session("orchestrator", &drafts).await
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_get_the_envelopes() {
    let home = Home::new();
    let id = recorded(&home).await;
    let stored: Vec<Value> = home
        .journal()
        .await
        .events(&id.clone().into(), 0, 100)
        .await
        .unwrap()
        .iter()
        .map(|entry| match entry {
            Entry::Whole(event) => serde_json::from_str(event.text()).unwrap(),
            Entry::Pruned { .. } => panic!("nothing was pruned"),
        })
        .collect();
    let array = home.tracker(&["events", id.as_str(), "--format", "json"]).run().json();
    assert_eq!(array, Value::Array(stored.clone()));
    let lines = home.tracker(&["events", id.as_str(), "--format", "ndjson"]).run().succeeds();
    assert!(!lines.contains(['\u{202e}', '\u{7f}']), "a terminal would obey");
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, stored);
    let csv = home.tracker(&["events", id.as_str(), "--format", "csv"]).run().succeeds();
    assert!(csv.starts_with(
        "event_version,event_id,event_type,session_id,journal_id,component_name,seq,prev,timestamp,body,hash\n"
    ));
    assert_eq!(csv.lines().count(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_get_sentences() {
    let home = Home::new();
    let id = recorded(&home).await;
    let expected = "\
SEQ  TIME                 TYPE           WHAT
  0  Nov 14 22:13:20.000  session_start  ada on host-a, interactive, pid 4711 in /srv
  1  Nov 14 22:13:21.000  command_start  #1 cancel(\"run_1\") // \\u{202e}\\u{7f}
  2  Nov 14 22:13:21.000  call_start     #1.1 confirmed: destroy cancel(id: run_1), by default
  3  Nov 14 22:13:22.000  command_end    #1 error in 1ms, 12 bytes shown, helper: it did not work
  4  Nov 14 22:14:25.000  session_end    exit, exit code 0, open for 1m05s, 0 commands, 0 failed
";
    assert_eq!(home.tracker(&["events", id.as_str()]).run().succeeds(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_s_own_stream_is_one_too() {
    let home = Home::new();
    let id = recorded(&home).await;
    let journal = home.journal().await;
    journal.record(&journal.own_stream(), &[observation(at(70), Some(&id), "end_requested")]).await.unwrap();
    let text = home.tracker(&["events", "jrnl_"]).run().succeeds();
    let line = format!("  0  Nov 14 22:14:30.000  observation    end_requested {id}, by a test: to see what happens");
    assert_eq!(text.lines().nth(1), Some(line.as_str()));
    home.tracker(&["events", "jrnl_zz"]).run().fails(3);
}

#[tokio::test(flavor = "multi_thread")]
async fn following_shows_what_comes_and_ends_with_the_session() {
    let home = Home::new();
    let journal = home.journal().await;
    let session = Writing::new("orchestrator");
    session.record(&journal, &[start(at(0), "ada", "host-a")]).await.unwrap();
    let out = home.path("followed");
    let following = home
        .tracker(&["events", session.id.as_str(), "--follow", "--format", "ndjson", "--output", "/dev/stdout"])
        .start();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    session.record(&journal, &[command_start(at(1), 1, "ps()"), command_end(at(2), 1, Status::Ok)]).await.unwrap();
    session.record(&journal, &[end(at(3), EndReason::Exit, 3_000_000)]).await.unwrap();
    let followed = following.ended().succeeds();
    let types: Vec<String> = followed
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["event_type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(types, ["session_start", "command_start", "command_end", "session_end"]);
    assert!(!out.exists());
    let stderr = home.tracker(&["events", session.id.as_str(), "--follow", "--format", "json"]).run().fails(2);
    assert_eq!(
        stderr,
        r#"{"error":{"kind":"usage","message":"--follow: must go with --format table or ndjson","hint":null}}"#
            .to_owned()
            + "\n"
    );
}

#[test]
fn following_ends_when_the_shell_is_killed() {
    let home = Home::new();
    let mut shell = home.greeter(&[]).start();
    eventually("the session is there", || home.tracker(&["show", "sess_"]).run().code == Some(0));
    let following = home.tracker(&["events", "sess_", "--follow"]).start();
    shell.kill();
    assert_eq!(following.ended().succeeds().lines().count(), 2);
}
