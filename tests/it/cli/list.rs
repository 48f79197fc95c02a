//! `list`: filters, limits, and the truth about who is alive.

use admin_shell::{
    event::{EndReason, SessionId, Status},
    journal::{Filter, Journal, Page},
};

use super::process::{Home, eventually};
use crate::journal::fixture::{at, command_end, command_start, end, start};

/// Ids in the order of the list.
fn ids(home: &Home, args: &[&str]) -> Vec<SessionId> {
    let records = home.tracker(&[&["list", "--format", "json"], args].concat()).run().json();
    let id = |record: &serde_json::Value| record["session_id"].as_str()?.parse().ok();
    records.as_array().into_iter().flatten().map(|record| id(record).expect("a session's id")).collect()
}

#[test]
fn without_a_journal_it_is_empty_and_stays_so() {
    let home = Home::new();
    let sentence = format!("No sessions yet: there is no journal at {}.\n", home.database().display());
    for (args, stdout) in
        [(&["list"][..], ""), (&["list", "--format", "json"], "[]\n"), (&["list", "--format", "ndjson"], "")]
    {
        let ran = home.tracker(args).run();
        assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), stdout, sentence.as_str()));
    }
    assert!(std::fs::read_dir(home.path("data")).unwrap().next().is_none(), "something was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_filter_narrows() {
    let home = Home::new();
    let whole = |from: i64, user: &str, host: &str, input: &str, seconds: i64| {
        [
            start(at(from), user, host),
            command_start(at(from), 1, input),
            command_end(at(from), 1, Status::Ok),
            end(at(from + seconds), EndReason::Exit, seconds.unsigned_abs() * 1_000_000),
        ]
    };
    let first = home.session("orchestrator", &whole(0, "ada", "host-a", "ps()", 5)).await;
    let second = home.session("orchestrator", &whole(86_400, "bob", "host-a", "cancel(\"run_7\")", 7_200)).await;
    let third = home.session("manager", &whole(2 * 86_400, "ada", "host-b", "quality()", 60)).await;
    let open = home.session("manager", &[start(at(3 * 86_400), "ada", "host-b")]).await;
    let (first, second, third, open) = (&first, &second, &third, &open);
    for (args, expected) in [
        (&[][..], &[open, third, second, first][..]),
        (&["--component", "manager"], &[open, third]),
        (&["--user", "bob"], &[second]),
        (&["--host", "host-b"], &[open, third]),
        (&["--type", "orchestrator"], &[open, third, second, first]),
        (&["--status", "active"], &[open]),
        (&["--status", "ended"], &[third, second, first]),
        (&["--status", "crashed"], &[]),
        (&["--active"], &[open]),
        (&["--incomplete"], &[open]),
        (&["--longer-than", "1h"], &[open, second]),
        (&["--duration-greater", "3600"], &[open, second]),
        (&["--shorter-than", "10s"], &[first]),
        (&["--text", "run_7"], &[second]),
        (&["--after", "2023-11-16"], &[open, third]),
        (&["--before", "2023-11-15T22:13:20Z"], &[first]),
        (&["--after", "1d"], &[]),
        (&["--component", "manager", "--user", "ada", "--status", "ended"], &[third]),
        (&["--limit", "4"], &[open, third, second, first]),
    ] {
        let expected: Vec<SessionId> = expected.iter().map(|id| (*id).clone()).collect();
        assert_eq!(ids(&home, args), expected, "{args:?}");
    }
    assert_eq!(
        home.tracker(&["list-sessions", "--user", "bob", "--format", "json"]).run().json()[0]["username"],
        "bob"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn json_is_the_record_and_csv_has_its_fields() {
    let home = Home::new();
    home.session("orchestrator", &[start(at(0), "ada", "host-a"), end(at(9), EndReason::Eof, 8_500_000)]).await;
    let journal = home.journal().await;
    let sessions = journal.sessions(&Filter::default(), &Page::default()).await.unwrap();
    let records = serde_json::to_value(&sessions.records).unwrap();
    let listed = home.tracker(&["list", "--format", "json"]).run().json();
    assert_eq!(listed, records);
    // The names and the order of the contract, and then what grew since.
    let contract = "session_id session_type component_name component_type component_version shell_type mode status \
        end_reason inferred start_time end_time duration_seconds last_seen pid username home uid actor_kind verified \
        hostname platform runtime python_version working_directory reason commands failed_commands write_calls \
        destroy_calls quality_score chain_head metadata";
    let names: Vec<&str> =
        listed[0].as_object().unwrap().keys().map(String::as_str).filter(|name| *name != "forked").collect();
    assert_eq!(names, contract.split_whitespace().collect::<Vec<_>>());
    let csv = home.tracker(&["list", "--format", "csv"]).run().succeeds();
    let header: Vec<&str> = listed[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(csv.lines().next().unwrap(), header.join(","));
    assert_eq!(csv.lines().count(), 2);
    let nothing = home.tracker(&["list", "--user", "nobody", "--format", "csv"]).run().succeeds();
    assert_eq!(nothing, header.join(",") + "\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_of_a_pipe_is_whole() {
    let home = Home::new();
    let id = home
        .session(
            "orchestrator",
            &[start(at(0), "a\u{1b}[31mda", "host-a"), end(at(9_000), EndReason::Eof, 9_000_000_000)],
        )
        .await;
    let expected = format!(
        "ID                               COMPONENT     USER           STATUS  END  STARTED                     LASTED  CMDS  FAILED  MODE         HOST\n\
         {id}  orchestrator  a\\u{{1b}}[31mda  ended   eof  2023-11-14 22:13:20 +00:00  2h30m      0       0  interactive  host-a\n"
    );
    assert_eq!(home.tracker(&["list"]).run().succeeds(), expected);
    let none = home.tracker(&["list", "--user", "bob"]).run();
    assert_eq!((none.code, none.stdout.as_str(), none.stderr.as_str()), (Some(0), "", "No sessions match.\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn when_there_are_more_it_says_so_beside_the_answer() {
    let home = Home::new();
    for second in 0..3 {
        home.session("orchestrator", &[start(at(second), "ada", "host-a")]).await;
    }
    let ran = home.tracker(&["list", "--limit", "2", "--format", "ndjson"]).run();
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(0), 2));
    assert_eq!(ran.stderr, "There are more than these 2: narrow the list, or raise --limit (at most 1000).\n");
    assert_eq!(ids(&home, &["--limit", "3"]).len(), 3);
}

#[test]
fn wrong_values_name_the_option_and_the_rule() {
    let home = Home::new();
    for (args, said) in [
        (["--limit", "0"], "'--limit <COUNT>': 0 is not in 1..=1000"),
        (["--limit", "1001"], "'--limit <COUNT>': 1001 is not in 1..=1000"),
        (["--after", "tomorrow"], "'--after <TIME>': must be RFC 3339"),
        (["--before", "2026-02-30"], "'--before <TIME>': must be RFC 3339"),
        (["--longer-than", "long"], "'--longer-than <LENGTH>': must be seconds"),
        (["--status", "dead"], "'--status <STATUS>'\n  [possible values: active, stale, ended, crashed, lost]"),
        (["--format", "xml"], "'--format <FORMAT>'\n  [possible values: table, json, ndjson, csv]"),
    ] {
        let stderr = home.tracker(&["list", args[0], args[1]]).run().fails(2);
        assert!(stderr.contains(said), "{stderr}");
    }
    let stderr = home.tracker(&["list", "--database", "postgres:somewhere"]).run().fails(2);
    assert!(stderr.contains("postgres://USER@HOST/DATABASE is wanted"), "{stderr}");
    home.tracker(&["list", "--colour"]).run().fails(2);
    home.tracker(&[]).run().fails(2);
}

#[test]
fn a_shell_that_was_killed_is_shown_as_crashed() {
    let home = Home::new();
    let mut shell = home.greeter(&[]).start();
    let status = || {
        let ran = home.tracker(&["list", "--format", "json"]).run();
        let records: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        records[0]["status"].as_str().map(str::to_owned)
    };
    eventually("the session is there", || status().is_some());
    assert_eq!(status().as_deref(), Some("active"));
    shell.kill();
    assert_eq!(status().as_deref(), Some("crashed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_journal_is_said_to_be_none() {
    use sqlx::{Connection, Executor, SqliteConnection};
    let home = Home::new();
    std::fs::write(home.path("empty.db"), "").unwrap();
    std::fs::write(home.path("text.db"), "this is no database\n".repeat(300)).unwrap();
    std::fs::create_dir(home.path("directory.db")).unwrap();
    for (name, version) in [("other.db", 0), ("newer.db", 7)] {
        let url = format!("sqlite:{}?mode=rwc", home.path(name).display());
        let mut other = SqliteConnection::connect(&url).await.unwrap();
        let sql = format!("CREATE TABLE notes (text TEXT); PRAGMA user_version = {version}");
        other.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
        other.close().await.unwrap();
    }
    for (path, why) in [
        ("empty.db", "it is an empty file: a shell that is opened with it makes it a journal"),
        ("/dev/null", "it is not a file but a device or a pipe"),
        ("directory.db", "it is not a file but a directory"),
        ("text.db", "it is not a journal: its first bytes are not those of a database"),
        ("other.db", "it is a database of another program, and not a journal"),
        ("newer.db", "it is a database of another program, and not a journal"),
    ] {
        let before = std::fs::read(home.path(path)).ok();
        for command in [&["list"][..], &["verify"], &["journal", "status"], &["list", "--format", "csv"]] {
            let stderr = home.tracker(&[&["--database", path], command].concat()).run().fails(1);
            assert!(stderr.starts_with("error: the journal ") && stderr.contains(why), "{path}: {stderr}");
        }
        assert_eq!(std::fs::read(home.path(path)).ok(), before, "{path} is as it was");
    }
    // Nor does a shell make itself at home there.
    let before = std::fs::read(home.path("other.db")).unwrap();
    let ran = home.greeter(&["--database", "other.db", "-c", "1"]).run();
    assert!(ran.stderr.contains("it is a database of another program"), "{ran:?}");
    assert_eq!(std::fs::read(home.path("other.db")).unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_others_can_write_is_warned_about() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    home.session("orchestrator", &[start(at(0), "ada", "host-a")]).await;
    let mode = |mode| std::fs::set_permissions(home.database(), std::fs::Permissions::from_mode(mode)).unwrap();
    assert!(!home.tracker(&["verify"]).run().succeeds().contains("Warning"));
    for (bits, who) in [(0o666, "everybody on this machine"), (0o660, "the file's group")] {
        mode(bits);
        let warning = format!("Its mode is {bits:04o}: {who} can write to it");
        assert!(home.tracker(&["verify"]).run().succeeds().contains(&format!("\nWarning: {warning}")));
        assert!(home.tracker(&["journal", "status"]).run().succeeds().contains(&warning));
    }
}
