//! The command line over a tracker: the same answers as over the journal.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{
    fixture::{SECRET, Service, answer, elsewhere, reader, session, token},
    metrics::load,
};
use crate::cli::process::Home;
use admin_shell::token::Scope;

/// `session-tracker` on another machine, with a token that reads.
fn ask(service: &Service, args: &[&str]) -> crate::cli::process::Ran {
    let args = [args, &["--tracker", &service.url]].concat();
    Home::new().tracker(&args).env("ADMIN_SHELL_TOKEN", &reader()).run()
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_commands_answer_as_they_do_over_the_journal() {
    let service = Service::with_secret();
    let forwarder = token("all", &[Scope::EventsForward], None);
    let shell = elsewhere().await;
    for component in ["orchestrator", "manager"] {
        let events = session(&shell, component, 2).await;
        assert_eq!(answer(service.batch(&events).bearer_auth(&forwarder)).await.0, StatusCode::OK);
    }
    let local = |args: &[&str]| service.home().tracker(args).run().succeeds();
    let id: String = serde_json::from_str::<Value>(&local(&["list", "--format", "json"])).unwrap()[0]["session_id"]
        .as_str()
        .unwrap()
        .to_owned();
    for args in [
        &["list", "--format", "json"][..],
        &["list", "--component", "manager", "--format", "csv"],
        &["list", "--active", "--format", "json"],
        &["list", "--longer-than", "1s", "--format", "ndjson"],
        &["list"],
        &["list-sessions", "--limit", "1", "--format", "json"],
        &["show", &id, "--format", "json"],
        &["show", &id[..28]],
        &["events", &id, "--format", "json"],
        &["events", &id, "--format", "csv"],
        &["events", &id],
        &["analytics", "sessions", "--days", "365", "--component", "manager", "--format", "csv"],
    ] {
        let ran = ask(&service, args);
        // What is said about an answer is not part of it.
        assert_eq!(
            (ran.code, ran.stdout),
            (Some(0), service.home().tracker(args).run().stdout),
            "{args:?}: {}",
            ran.stderr
        );
    }
    assert_eq!(ask(&service, &["show", "sess_7zzz"]).code, Some(3));
    assert_eq!(ask(&service, &["show", "../../metrics"]).code, Some(3));
    assert_eq!(ask(&service, &["show", "sess_0"]).code, Some(1));
    let said = ask(&service, &["verify"]).fails(2);
    assert!(said.contains("works on a journal itself"), "{said}");
    // By the variable, and with a token that the secret mints for this one command.
    let home = Home::new();
    let list = home.tracker(&["list", "--format", "json"]).env("SESSION_TRACKER_URL", &service.url);
    let list = list.env("ADMIN_SHELL_SECRET", SECRET).run().json();
    assert_eq!(list.as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_is_said_with_what_to_do() {
    let service = Service::with_secret();
    let home = Home::new();
    let said = home.tracker(&["list", "--tracker", &service.url]).run().fails(1);
    assert!(said.contains("401") && said.contains("ADMIN_SHELL_TOKEN"), "{said}");
    let said = home.tracker(&["list", "--tracker", "http://127.0.0.1:1"]).run().fails(1);
    assert!(said.contains("can not be reached") && said.contains("doctor"), "{said}");
    home.tracker(&["list", "--tracker", "nonsense"]).run().fails(2);
    home.tracker(&["list", "--tracker", &service.url, "--database", "x.db"]).run().fails(2);
    let narrow = token("ada", &[Scope::MetricsRead], None);
    let said = home.tracker(&["list", "--tracker", &service.url]).env("ADMIN_SHELL_TOKEN", &narrow).run().fails(1);
    assert!(said.contains("sessions:read") && !said.contains(&narrow), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ending_goes_through_the_tracker() {
    let service = Service::with_secret();
    let forwarder = token("all", &[Scope::EventsForward], None);
    let events = load(&elsewhere().await, "orchestrator", None, false).await;
    answer(service.batch(&events).bearer_auth(&forwarder)).await;
    let id = events[0].stream().as_str();
    let said = ask(&service, &["end", id]).fails(1);
    assert!(said.contains("sessions:admin"), "{said}");
    let end = |args: &[&str]| {
        let args = [args, &["--tracker", &service.url]].concat();
        Home::new().tracker(&args).env("ADMIN_SHELL_SECRET", SECRET).run()
    };
    let ended = end(&["end-session", id, "--reason", "it is over", "--format", "json"]).json();
    assert_eq!(ended[0]["outcome"], "it was dead, an operator's end is recorded");
    let again = end(&["end", id, "--format", "json"]).json();
    assert_eq!(again[0]["outcome"], "it had ended before, nothing changed");
    let shown = ask(&service, &["show", id, "--format", "json"]).json();
    assert_eq!(json!([shown["status"], shown["end_reason"]]), json!(["ended", "operator"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn health_metrics_and_doctor() {
    let service = Service::with_secret();
    let healthy = ask(&service, &["health", "--format", "json"]).json();
    assert_eq!((&healthy["status"], &healthy["tracker"]), (&json!("healthy"), &json!(service.url)));
    let metrics = ask(&service, &["get-prometheus-metrics"]).succeeds();
    assert!(metrics.contains("# TYPE session_start_total counter\n"), "{metrics}");
    Home::new().tracker(&["health", "--tracker", "http://127.0.0.1:1"]).run().fails(1);
    let home = Home::new();
    let doctor = |sink: &str| {
        let args = ["doctor", "--format", "json"];
        home.tracker(&args).env("ADMIN_SHELL_SINK", sink).env("ADMIN_SHELL_SECRET", SECRET).run()
    };
    let well = doctor(&service.url).json();
    assert_eq!(well["healthy"], true, "{well}");
    let names: Vec<&str> =
        well["steps"].as_array().unwrap().iter().map(|step| step["what"].as_str().unwrap()).collect();
    let usual = ["configuration", "data directory", "journal", "a throw-away session", "token", "sink"];
    assert_eq!(names, [&usual[..], &["not tried"]].concat());
    assert!(well["steps"][5]["said"].as_str().unwrap().ends_with("it takes events with this token"), "{well}");
    assert_eq!(service.stored().await, 0);
    let ill = doctor("http://127.0.0.1:1");
    assert_eq!(ill.code, Some(1), "{}", ill.stdout);
    assert!(ill.stdout.contains("session-tracker serve"), "{}", ill.stdout);
    assert!(!home.database().exists(), "trying leaves no journal");
    // A token that may read and not write, and one that may write and not read.
    let with = |scope| {
        let args = ["doctor", "--format", "json"];
        let token = super::fixture::token("ada", &[scope], None);
        let ran = home.tracker(&args).env("ADMIN_SHELL_SINK", &service.url).env("ADMIN_SHELL_TOKEN", &token).run();
        serde_json::from_str::<serde_json::Value>(&ran.stdout).unwrap()["steps"][5].clone()
    };
    let reads = with(Scope::SessionsRead);
    assert_eq!(reads["state"], "bad", "{reads}");
    assert!(reads["said"].as_str().unwrap().contains("takes no events: the token does not allow this"), "{reads}");
    assert_eq!(with(Scope::EventsWrite)["state"], "note");
    // The whole way, through two sinks.
    let file = home.path("events.jsonl");
    let sinks = format!("{},mcp+{}/mcp,jsonl:{}", service.url, service.url, file.display());
    let whole = home.tracker(&["doctor", "--deliver", "--format", "json"]);
    let whole = whole.env("ADMIN_SHELL_SINK", &sinks).env("ADMIN_SHELL_SECRET", SECRET).run().json();
    assert_eq!(whole["healthy"], true, "{whole}");
    let last =
        |from: usize| whole["steps"].as_array().unwrap().iter().rev().nth(from).unwrap()["said"].as_str().unwrap();
    assert!(last(0).starts_with("jsonl:") && last(3).contains(" of component doctor was recorded, found"), "{whole}");
    assert!(last(1).ends_with(", and shows it") && last(2).ends_with(", and shows it"), "{whole}");
    let lines = std::fs::read_to_string(file).unwrap();
    assert_eq!((lines.lines().count() as u64, service.stored().await), (2, 2), "{lines}");
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_looks_into_a_database_too() {
    let server = crate::postgres::Server::shared();
    let url = server.url(&server.database().await);
    let home = Home::new();
    let doctor = |more: &[&str]| {
        let ran = home.tracker(&[&["doctor", "--database", &url, "--format", "json"], more].concat()).run();
        let steps = serde_json::from_str::<Value>(&ran.stdout).unwrap()["steps"].as_array().unwrap().clone();
        steps.into_iter().map(|step| format!("{} {} {}", step["what"], step["state"], step["said"])).collect::<Vec<_>>()
    };
    let none = doctor(&[]);
    assert!(none[2].starts_with(r#""journal" "note" "there is none yet"#), "{none:?}");
    let whole = doctor(&["--deliver"]);
    let recorded = whole.last().unwrap();
    assert!(
        recorded.starts_with(r#""recording" "good" "sess_"#) && recorded.contains("found and verified"),
        "{whole:?}"
    );
    let again = doctor(&[]);
    assert!(again[2].contains("holds 2 events of 1 sessions, and can be written"), "{again:?}");
    assert!(again.last().unwrap().starts_with(r#""not tried" "note""#), "{again:?}");
}

/// Every filter of `list`, and what follows from a limit.
#[tokio::test(flavor = "multi_thread")]
async fn every_filter_finds_the_same_there_as_here() {
    let service = Service::start(Home::new(), &["--rate", "0"], &[("SESSION_TRACKER_SECRET", SECRET)]);
    let forwarder = token("all", &[Scope::EventsForward], None);
    let shell = elsewhere().await;
    let mut open = String::new();
    for number in 0..24 {
        let component = if number % 3 == 0 { "manager" } else { "orchestrator" };
        let seconds = (number % 4 != 0).then_some(number * 500);
        let events = load(&shell, component, seconds, number % 5 == 0).await;
        assert_eq!(answer(service.batch(&events).bearer_auth(&forwarder)).await.0, StatusCode::OK);
        if seconds.is_none() {
            open = events[0].stream().to_string();
        }
    }
    let older = session(&shell, "builder", 2).await;
    answer(service.batch(&older).bearer_auth(&forwarder)).await;
    // One that was heard of for a second only.
    let alive = json!({ "session_id": open, "component_name": "manager", "lease_seconds": 1 });
    let beat = service.post("/api/v1/beats", &json!({ "presence": [alive] })).bearer_auth(&forwarder);
    assert_eq!(answer(beat).await.0, StatusCode::OK);
    tokio::time::sleep(std::time::Duration::from_millis(3_200)).await;
    let ids = |text: &str| -> Vec<Value> {
        serde_json::from_str::<Value>(text)
            .unwrap()
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["session_id"].clone())
            .collect()
    };
    let mut found = 0;
    for filter in [
        &[][..],
        &["--component", "manager"],
        &["--component", "nobody"],
        &["--user", "ada"],
        &["--user", "eve"],
        &["--host", "host-a"],
        &["--type", "orchestrator"],
        &["--status", "active"],
        &["--status", "stale"],
        &["--status", "ended"],
        &["--status", "crashed"],
        &["--status", "lost"],
        &["--after", "1h"],
        &["--after", "2026-03-01"],
        &["--before", "2026-03-02T00:00:00Z"],
        &["--longer-than", "1h"],
        &["--longer-than", "1500"],
        &["--duration-greater", "1500"],
        &["--shorter-than", "30m"],
        &["--longer-than", "10m", "--shorter-than", "2h"],
        &["--active"],
        &["--incomplete"],
        &["--text", "show(1)"],
        &["--text", "%_'\""],
        &["--limit", "1"],
        &["--limit", "7", "--component", "orchestrator"],
        &["--limit", "1000"],
        &["--component", "manager", "--status", "ended", "--user", "ada", "--after", "1d"],
    ] {
        for format in ["json", "ndjson", "csv", "table"] {
            let args = [&["list", "--format", format][..], filter].concat();
            let (here, there) = (service.home().tracker(&args).run(), ask(&service, &args));
            assert_eq!((here.code, there.code), (Some(0), Some(0)), "{args:?}: {} {}", here.stderr, there.stderr);
            if format == "json" {
                // How long a running one has been open so far is another number a moment later.
                assert_eq!(ids(&here.stdout), ids(&there.stdout), "{args:?}");
                found += ids(&here.stdout).len();
            } else {
                assert_eq!(here.stdout.lines().count(), there.stdout.lines().count(), "{args:?}");
            }
            let more = |said: &str| said.contains("There are more");
            assert_eq!(more(&here.stderr), more(&there.stderr), "{args:?}: {} {}", here.stderr, there.stderr);
        }
    }
    assert!(found > 200, "{found}");
    for wrong in
        [["--status", "dead"], ["--limit", "0"], ["--limit", "1001"], ["--after", "soon"], ["--longer-than", "x"]]
    {
        let args = [&["list"][..], &wrong].concat();
        assert_eq!(
            (service.home().tracker(&args).run().code, ask(&service, &args).code),
            (Some(2), Some(2)),
            "{wrong:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_said_is_shown_there_as_here() {
    let service = Service::with_secret();
    let forwarder = token("all", &[Scope::EventsForward], None);
    let events = load(&elsewhere().await, "orchestrator", None, true).await;
    answer(service.batch(&events).bearer_auth(&forwarder)).await;
    let id = events[0].stream().as_str();
    let args = ["end", id, "--reason", "nobody is there", "--tracker", &service.url];
    Home::new().tracker(&args).env("ADMIN_SHELL_SECRET", SECRET).run().succeeds();
    let there = ask(&service, &["show", id]).succeeds();
    assert!(there.contains("Said by others") && there.contains("nobody is there"), "{there}");
    assert_eq!(there, service.home().tracker(&["show", id]).run().succeeds());
    let path = format!("/api/v1/sessions/{id}/observations");
    let (status, said) = answer(service.get(&path).bearer_auth(reader())).await;
    assert_eq!((status, &said[0]["body"]["what"]), (StatusCode::OK, &json!("ended_by_operator")), "{said}");
    assert_eq!(answer(service.get(&path).bearer_auth(&forwarder)).await.0, StatusCode::FORBIDDEN);
}

/// The four commands of the README, as they stand there; only the port is another, and the shell is one of ours.
#[test]
fn the_four_commands_of_the_readme() {
    let readme = include_str!("../../../README.md");
    let (_, rest) =
        readme.split_once("Four commands, from nothing to a list:\n\n```console\n").expect("they are there");
    let commands: Vec<&str> = rest.lines().map_while(|line| line.strip_prefix("$ ")).collect();
    assert_eq!(commands.len(), 4, "{commands:?}");
    let home = Home::new();
    let programs = home.path("programs");
    std::fs::create_dir(&programs).unwrap();
    let shell = crate::fixture::program("victim");
    for (from, name) in [
        (std::path::Path::new(env!("CARGO_BIN_EXE_session-tracker")), "session-tracker"),
        (&shell, "orchestrator-shell"),
    ] {
        std::os::unix::fs::symlink(from, programs.join(name)).unwrap();
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = commands.join("\n").replace("8678", &port.to_string()).replace("ps()", "1 + 1");
    // A reader is slower than this script: the tracker runs before the next command is typed.
    let ready = "until session-tracker health --tracker $T >/dev/null 2>&1; do sleep 0.05; done";
    let text = text.replace("serve &", &format!("serve 2>log & T=http://127.0.0.1:{port}\n{ready}"));
    let mut bash = std::process::Command::new("bash");
    bash.args(["-ec", &format!("{text}\nkill %1; wait")]).current_dir(home.path("")).env_clear();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    bash.env("PATH", path).env("SESSION_TRACKER_LISTEN", format!("127.0.0.1:{port}"));
    for kind in ["data", "state", "config"] {
        bash.env(format!("XDG_{}_HOME", kind.to_uppercase()), home.path(kind));
    }
    let ran = bash.output().expect("bash runs");
    let (said, complained) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(said.contains("sess_") && said.contains("ended"), "{said}{complained}");
    // Both read one journal: only the log says that the events went through the tracker's door.
    let log = std::fs::read_to_string(home.path("log")).unwrap();
    let delivered = log.lines().any(|line| line.contains("path=\"/api/v1/events\"") && line.contains("status=200"));
    assert!(delivered, "{log}");
}
