//! The two tools of the older generation: every rule, nothing stored when one is broken, and the same call twice.

use admin_shell::{event::SessionId, token::Scope};
use serde_json::{Value, json};

use super::client::{call, calling, result};
use crate::{
    cli::process::Home,
    service::fixture::{SECRET, Service, elsewhere, session, token},
};

pub(crate) fn start() -> Value {
    json!({
        "event_version": "1.0", "event_id": uuid::Uuid::now_v7(), "event_type": "session_start",
        "component_name": "orchestrator", "shell_type": "OrchestratorShell",
        "timestamp": "2026-02-06T10:30:00.123456+00:00", "pid": 12345,
        "user": {"username": "les", "home": "/home/les"}, "hostname": "mbp-local",
        "environment": {"python_version": "3.13.0", "platform": "macOS-15.2-arm64", "cwd": "/home/les/project"},
        "metadata": {"component_version": "1.0.0", "component_type": "workflows", "cli_enabled": true, "adapters": ["prefect"]},
    })
}

/// The start with something else at a place, or with nothing there.
fn with(place: &str, value: Value) -> Value {
    let mut start = start();
    let (outer, name) = place.rsplit_once('/').unwrap_or(("", place));
    let outer = if outer.is_empty() { &mut start } else { start.pointer_mut(&format!("/{outer}")).unwrap() };
    outer[name] = value;
    start
}

fn without(place: &str) -> Value {
    let mut start = with(place, Value::Null);
    let (outer, name) = place.rsplit_once('/').unwrap_or(("", place));
    let outer = if outer.is_empty() { &mut start } else { start.pointer_mut(&format!("/{outer}")).unwrap() };
    outer.as_object_mut().unwrap().remove(name);
    start
}

async fn tracked(service: &Service, start: &Value) -> String {
    let answer = call(service, "track_session_start", start).await;
    assert_eq!((&answer["status"], &answer["error"]), (&json!("tracked"), &Value::Null), "{start}");
    answer["session_id"].as_str().unwrap().to_owned()
}

async fn refused(service: &Service, start: &Value) -> String {
    let answer = call(service, "track_session_start", start).await;
    assert_eq!((&answer["status"], &answer["session_id"]), (&json!("error"), &Value::Null), "{start}: {answer}");
    answer["error"].as_str().unwrap().to_owned()
}

async fn end(service: &Service, arguments: Value) -> Value {
    call(service, "track_session_end", &arguments).await
}

async fn record(service: &Service, id: &str) -> Value {
    call(service, "show_session", &json!({"session_id": id, "events": 10})).await
}

#[tokio::test]
async fn every_example_of_the_contract() {
    let service = Service::open();
    let mut count = 0;
    for line in include_str!("../../vectors/track_session.jsonl").lines() {
        let example: Value = serde_json::from_str(line).unwrap();
        let before = service.stored().await;
        let answer = call(&service, example["tool"].as_str().unwrap(), &example["arguments"]).await;
        assert_eq!(answer["status"], example["expect"]["status"], "{line}: {answer}");
        match example["expect"]["error_mentions"].as_str() {
            Some(word) => assert!(answer["error"].as_str().unwrap().contains(word), "{line}: {answer}"),
            None => assert_eq!(answer["error"], Value::Null, "{line}"),
        }
        let stored = service.stored().await - before;
        assert_eq!(stored, u64::from(answer["status"] == "tracked"), "{line}");
        count += 1;
    }
    assert_eq!(count, 11);
}

#[tokio::test]
async fn a_session_from_its_start_to_its_end() {
    let service = Service::open();
    let mut given = start();
    given["user"]["shell"] = json!("/bin/zsh");
    given["environment"]["terminal"] = json!({"columns": 80});
    let id = tracked(&service, &given).await;
    assert!(id.parse::<SessionId>().is_ok());
    let begun = record(&service, &id).await;
    for (field, value) in [
        ("component_name", json!("orchestrator")),
        ("component_type", json!("workflows")),
        ("component_version", json!("1.0.0")),
        ("shell_type", json!("OrchestratorShell")),
        ("status", json!("active")),
        ("start_time", json!("2026-02-06T10:30:00.123456Z")),
        ("pid", json!(12345)),
        ("username", json!("les")),
        ("home", json!("/home/les")),
        ("hostname", json!("mbp-local")),
        ("platform", json!("macOS-15.2-arm64")),
        ("python_version", json!("3.13.0")),
        ("working_directory", json!("/home/les/project")),
        ("verified", json!(false)),
        ("metadata", given["metadata"].clone()),
    ] {
        assert_eq!(begun[field], value, "{field}");
    }
    let sealed = &begun["events"][0]["body"];
    assert_eq!(sealed["user"]["shell"], "/bin/zsh");
    assert_eq!(sealed["environment"]["terminal"], json!({"columns": 80}));
    let ended = end(&service, json!({"session_id": id, "timestamp": "2026-02-06T11:30:01.623456+01:00"})).await;
    assert_eq!(ended, json!({"session_id": id, "status": "ended", "error": null}));
    let over = record(&service, &id).await;
    assert_eq!(
        (&over["status"], &over["end_reason"], &over["inferred"]),
        (&json!("ended"), &json!("legacy"), &json!(false))
    );
    assert_eq!(over["duration_seconds"], json!(1.5));
    // Once more, with whatever: it is ended, and nothing changes.
    let stored = service.stored().await;
    for again in ["2026-02-06T12:30:00Z", "1999-01-01T00:00:00Z"] {
        let again = json!({"session_id": id, "timestamp": again, "event_type": "session_end", "metadata": {"a": 1}});
        assert_eq!(end(&service, again).await, json!({"session_id": id, "status": "ended", "error": null}));
    }
    assert_eq!(service.stored().await, stored);
    service.home().tracker(&["verify"]).run().succeeds();
}

#[tokio::test]
async fn every_rule_names_its_field_and_stores_nothing() {
    let service = Service::open();
    let deep = |levels: usize| (1..levels).fold(json!({"a": 1}), |value, _| json!({ "a": value }));
    let cases = [
        ("event_version", with("event_version", json!("2.0"))),
        ("event_version", with("event_version", json!(1.0))),
        ("event_id", with("event_id", json!(7))),
        ("event_id", with("event_id", json!("0b6f3c0e6f0a4d579a8e0d4f5d5d6a11x"))),
        ("event_type", with("event_type", json!("session_end"))),
        ("event_type", without("event_type")),
        ("component_name", without("component_name")),
        ("component_name", with("component_name", json!("a\n"))),
        ("component_name", with("component_name", json!(""))),
        ("component_name", with("component_name", json!("x".repeat(65)))),
        ("component_name", with("component_name", json!(["orchestrator"]))),
        ("shell_type", with("shell_type", json!(""))),
        ("shell_type", with("shell_type", json!("x".repeat(256)))),
        ("shell_type", with("shell_type", json!("a\u{7}"))),
        ("timestamp", without("timestamp")),
        ("timestamp", with("timestamp", json!(1_770_000_000))),
        ("timestamp", with("timestamp", json!("2026-02-30T00:00:00Z"))),
        ("timestamp", with("timestamp", json!("2026-02-06T10:30:00"))),
        ("timestamp", with("timestamp", json!("2026-02-06t10:30:00Z"))),
        ("timestamp", with("timestamp", json!("2026-02-06T10:30:60Z"))),
        ("pid", without("pid")),
        ("pid", with("pid", json!(4_194_305))),
        ("pid", with("pid", json!(-1))),
        ("pid", with("pid", json!("12345"))),
        ("pid", with("pid", json!(1.5))),
        ("pid", with("pid", json!(true))),
        ("user", without("user")),
        ("user", with("user", json!("les"))),
        ("user.username", without("user/username")),
        ("user.username", with("user/username", json!("x".repeat(101)))),
        ("user.username", with("user/username", json!("a\u{0}"))),
        ("user.home", with("user/home", json!("x".repeat(501)))),
        ("user.home", with("user/home", Value::Null)),
        ("hostname", with("hostname", json!("a\u{85}b"))),
        ("hostname", with("hostname", json!(""))),
        ("environment", with("environment", json!([]))),
        ("environment.platform", without("environment/platform")),
        ("environment.platform", with("environment/platform", json!(""))),
        ("environment.cwd", without("environment/cwd")),
        ("environment.cwd", with("environment/cwd", json!("x".repeat(501)))),
        ("environment.runtime", with("environment/runtime", json!("\u{1b}[0m"))),
        ("environment.python_version", with("environment/python_version", json!(3.13))),
        ("metadata", with("metadata", json!([]))),
        ("metadata", with("metadata", json!("x"))),
        ("metadata", with("metadata", deep(9))),
        ("metadata", with("metadata", json!({"a": "x".repeat(65_536)}))),
        ("session_id", with("session_id", json!("sess_nobody"))),
        ("session_id", with("session_id", json!(1))),
        ("session_id", with("session_id", json!("jrnl_01k9h0tqz5fyqakfcbyd2yzqvs"))),
        ("token", with("token", json!(1))),
        ("surprise", with("surprise", json!(1))),
        ("event", with("environment/terminal", json!("x".repeat(300_000)))),
    ];
    for (field, arguments) in cases {
        let error = refused(&service, &arguments).await;
        assert!(error.starts_with(&format!("{field}: ")), "{field}: {error}");
        assert!(error.len() < 600 && !error.contains(char::is_control), "{error:?}");
    }
    for (field, arguments) in [
        ("session_id", json!({"timestamp": "2026-02-06T10:30:00Z"})),
        ("session_id", json!({"session_id": 1, "timestamp": "2026-02-06T10:30:00Z"})),
        ("timestamp", json!({"session_id": "sess_x"})),
        ("timestamp", json!({"session_id": "sess_x", "timestamp": "now"})),
        (
            "event_type",
            json!({"session_id": "sess_x", "timestamp": "2026-02-06T10:30:00Z", "event_type": "session_start"}),
        ),
        ("metadata", json!({"session_id": "sess_x", "timestamp": "2026-02-06T10:30:00Z", "metadata": []})),
        (
            "event_id",
            json!({"session_id": "sess_x", "timestamp": "2026-02-06T10:30:00Z", "event_id": uuid::Uuid::now_v7()}),
        ),
    ] {
        let answer = end(&service, arguments.clone()).await;
        assert_eq!(answer["status"], "error", "{arguments}: {answer}");
        assert!(answer["error"].as_str().unwrap().starts_with(&format!("{field}: ")), "{field}: {answer}");
        assert!(answer["session_id"].is_string());
    }
    for tool in ["track_session_start", "track_session_end"] {
        for arguments in [json!([]), json!("x"), json!(7)] {
            let answer = call(&service, tool, &arguments).await;
            assert_eq!(
                (&answer["status"], &answer["error"]),
                (&json!("error"), &json!("arguments: must be an object"))
            );
        }
    }
    assert_eq!(service.stored().await, 0);
}

#[tokio::test]
async fn what_keeps_the_rules_is_taken() {
    let service = Service::open();
    let deep = (1..8).fold(json!({"a": 1}), |value, _| json!({ "a": value }));
    for arguments in [
        without("event_version"),
        with("event_version", Value::Null),
        without("event_id"),
        with("event_id", json!("00000000-0000-0000-0000-000000000000")),
        with("component_name", json!("x".repeat(64))),
        with("shell_type", json!("é".repeat(255))),
        with("timestamp", json!("0001-01-01T00:00:00Z")),
        with("timestamp", json!("9999-12-31T23:59:59.123456789-23:59")),
        with("pid", json!(1)),
        with("pid", json!(4_194_304)),
        with("pid", json!(12345.0)),
        with("user", json!({"username": "", "home": ""})),
        with("user/username", json!("🗝".repeat(100))),
        with("environment/cwd", json!("")),
        with("environment/python_version", Value::Null),
        with("environment/runtime", json!("CPython 3.13")),
        without("metadata"),
        with("metadata", Value::Null),
        with("metadata", json!({})),
        with("metadata", deep),
        with("metadata", json!({"a": "x".repeat(65_536 - 8)})),
        with("metadata", json!({"adapters": "prefect", "cli_enabled": "yes", "component_version": 1})),
        with("session_id", Value::Null),
        with("session_id", json!(SessionId::new())),
        with("token", json!("whatever: nobody asks")),
        with("surprise", Value::Null),
    ] {
        tracked(&service, &arguments).await;
    }
    service.home().tracker(&["verify"]).run().succeeds();
}

#[tokio::test]
async fn the_same_call_again_is_the_same_session() {
    let service = Service::open();
    let given = start();
    let id = tracked(&service, &given).await;
    let mut same = vec![given.clone(); 6];
    same[1]["event_id"] = json!(given["event_id"].as_str().unwrap().to_uppercase());
    same[2]["metadata"]["nothing"] = Value::Null;
    same[3]["token"] = json!("another");
    same[4]["pid"] = json!(12345.0);
    // The same instant, spelled otherwise.
    same[5]["timestamp"] = json!("2026-02-06T10:30:00.123456Z");
    for again in same {
        assert_eq!(tracked(&service, &again).await, id, "{again}");
    }
    let mut others = vec![given.clone(); 6];
    others[0]["pid"] = json!(12346);
    others[1]["metadata"]["adapters"] = json!(["prefect", "x"]);
    others[2]["timestamp"] = json!("2026-02-06T10:30:00.123457Z");
    others[3]["component_name"] = json!("manager");
    others[4]["user"]["more"] = json!(1);
    others[5]["session_id"] = json!(SessionId::new());
    for other in others {
        assert!(refused(&service, &other).await.starts_with("event_id: "), "{other}");
    }
    assert_eq!(service.stored().await, 1);
    // Its end does not change what it was.
    end(&service, json!({"session_id": id, "timestamp": "2026-02-06T10:31:00Z"})).await;
    assert_eq!(tracked(&service, &given).await, id);
    assert_eq!(service.stored().await, 2);
}

#[tokio::test]
async fn of_many_at_once_one_begins_and_one_ends() {
    let service = Service::start(Home::new(), &["--rate", "0"], &[]);
    let (one, id) = (start(), SessionId::new());
    let same = futures_util::future::join_all((0..20).map(|_| tracked(&service, &one))).await;
    assert!(same.iter().all(|id| *id == same[0]), "{same:?}");
    // Many who want one id: one gets it.
    let wanting = (0..20).map(|_| {
        let mut start = start();
        start["session_id"] = json!(id);
        let service = &service;
        async move { call(service, "track_session_start", &start).await }
    });
    let answers = futures_util::future::join_all(wanting).await;
    assert_eq!(answers.iter().filter(|answer| answer["status"] == "tracked").count(), 1, "{answers:?}");
    let refused = answers.iter().filter(|answer| answer["status"] == "error");
    assert!(refused.clone().all(|answer| answer["error"].as_str().unwrap().starts_with("session_id: ")), "{answers:?}");
    assert_eq!(service.stored().await, 2);
    let ending = (0..20).map(|_| end(&service, json!({"session_id": id, "timestamp": "2026-02-06T10:31:00Z"})));
    let ended = futures_util::future::join_all(ending).await;
    assert!(ended.iter().all(|answer| answer["status"] == "ended"), "{ended:?}");
    assert_eq!(service.stored().await, 3);
    service.home().tracker(&["verify"]).run().succeeds();
}

#[tokio::test]
async fn a_clock_that_ran_backwards_makes_no_negative_duration() {
    let service = Service::open();
    let id = tracked(&service, &start()).await;
    end(&service, json!({"session_id": id, "timestamp": "2026-02-06T10:29:59.123456Z"})).await;
    let over = record(&service, &id).await;
    assert_eq!((&over["status"], &over["duration_seconds"]), (&json!("ended"), &json!(0.0)));
    assert_eq!(over["events"][1]["body"]["legacy"], json!({"clock_went_back_us": 1_000_000}));
}

#[tokio::test]
async fn only_exact_ids_end_and_unknown_ones_are_not_found() {
    let service = Service::open();
    let id = tracked(&service, &start()).await;
    for unknown in [
        &id[..20],
        &id[5..],
        &id.to_uppercase(),
        "",
        "sess_",
        " ",
        SessionId::new().as_str(),
        "jrnl_01k9h0tqz5fyqakfcbyd2yzqvs",
    ] {
        let answer = end(&service, json!({"session_id": unknown, "timestamp": "2026-02-06T10:31:00Z"})).await;
        assert_eq!(answer, json!({"session_id": unknown, "status": "not_found", "error": null}));
    }
    assert_eq!(record(&service, &id).await["status"], "active");
}

#[tokio::test]
async fn the_end_of_a_shells_own_session_is_an_observation() {
    let service = Service::open();
    let shell = elsewhere().await;
    let events = session(&shell, "orchestrator", 1).await;
    let (last, before) = events.split_last().unwrap();
    service.batch(before).send().await.unwrap();
    let id = before[0].stream().as_str().to_owned();
    let ended = end(&service, json!({"session_id": id, "timestamp": "2099-01-01T00:00:00Z"})).await;
    assert_eq!(ended["status"], "ended");
    let seen = record(&service, &id).await;
    assert_eq!(
        (&seen["status"], &seen["end_reason"], &seen["inferred"]),
        (&json!("ended"), &json!("legacy"), &json!(true))
    );
    assert_eq!(seen["events"].as_array().unwrap().len(), before.len());
    // The owner's own end wins.
    service.batch(std::slice::from_ref(last)).send().await.unwrap();
    let seen = record(&service, &id).await;
    assert_eq!((&seen["end_reason"], &seen["inferred"]), (&json!("exit"), &json!(false)));
}

#[tokio::test]
async fn secrets_are_masked_and_their_digest_tells_nothing() {
    let service = Service::open();
    let secret = "hunter2-and-more";
    let id = tracked(&service, &with("metadata", json!({"password": secret, "note": format!("token={secret}")}))).await;
    let events = record(&service, &id).await["events"].to_string();
    assert!(!events.contains(secret) && events.contains("[redacted]"), "{events}");
    assert!(!service.said().contains(secret));
}

#[tokio::test]
async fn tokens_by_header_or_by_argument() {
    let service = Service::with_secret();
    let good = token("ci", &[Scope::EventsWrite], Some("orchestrator"));
    let older = super::wire::older_token("ada", "orchestrator");
    for token in [&good, &older] {
        let mut given = start();
        given["token"] = json!(token);
        let id = tracked(&service, &given).await;
        let mut ending = json!({"session_id": id, "timestamp": "2026-02-06T10:31:00Z"});
        for (token, status) in [(None, "error"), (Some("x"), "error"), (Some(token.as_str()), "ended")] {
            ending["token"] = json!(token);
            let answer = end(&service, ending.clone()).await;
            assert_eq!(answer["status"], status, "{answer}");
        }
        // The header wins, and is as good.
        let by_header = calling(&service, "track_session_start", &with("token", json!("worthless"))).bearer_auth(token);
        assert_eq!(result(by_header).await["structuredContent"]["status"], "tracked");
    }
    let stored = service.stored().await;
    let mut none = start();
    none["token"] = Value::Null;
    assert!(refused(&service, &none).await.starts_with("token: "));
    for (what, worthless) in [
        ("no token", "x".to_owned()),
        ("another component", super::wire::older_token("ada", "manager")),
        ("no scope", token("ada", &[Scope::SessionsRead], None)),
        ("another component's scope", token("ci", &[Scope::EventsWrite], Some("manager"))),
        ("nothing", String::new()),
    ] {
        let mut given = start();
        given["token"] = json!(worthless);
        let error = refused(&service, &given).await;
        assert!(
            error.starts_with("token: ") && !error.contains(&worthless[..worthless.len().min(9)])
                || worthless.len() < 2,
            "{what}: {error}"
        );
    }
    assert_eq!(service.stored().await, stored);
    // Somebody else's session is theirs.
    let id = tracked(&service, &{
        let mut given = start();
        given["token"] = json!(good);
        given
    })
    .await;
    let stranger = token("stranger", &[Scope::EventsWrite], Some("orchestrator"));
    let ending = json!({"session_id": id, "timestamp": "2026-02-06T10:31:00Z", "token": stranger});
    let answer = end(&service, ending).await;
    assert_eq!(
        (&answer["status"], &answer["error"]),
        (&json!("error"), &json!("session_id: the session belongs to another writer"))
    );
    assert!(!service.said().contains(SECRET) && !service.said().contains(&good[..30]));
}
