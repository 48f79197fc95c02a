//! The other tools: what they answer, and what is wrong with their arguments.

use serde_json::{Value, json};

use super::client::{call, wrong};
use crate::service::fixture::{Service, elsewhere, session};

#[tokio::test]
async fn sessions_are_listed_shown_and_ended() {
    let service = Service::open();
    let shell = elsewhere().await;
    let mut ids = Vec::new();
    for component in ["orchestrator", "manager", "orchestrator"] {
        let events = session(&shell, component, 2).await;
        let texts: Vec<&str> = events.iter().map(|event| event.text()).collect();
        let taken = call(&service, "track_events", &json!({ "events": texts })).await;
        assert!(taken["results"].as_array().unwrap().iter().all(|result| result["verdict"] == "accepted"), "{taken}");
        assert!(taken["tracker_id"].as_str().unwrap().starts_with("jrnl_"));
        ids.push(events[0].stream().as_str().to_owned());
        let again = call(&service, "track_events", &json!({ "events": texts })).await;
        assert!(again["results"].as_array().unwrap().iter().all(|result| result["verdict"] == "duplicate"), "{again}");
    }
    let listed = |found: &Value| -> Vec<String> {
        found["sessions"].as_array().unwrap().iter().map(|one| one["session_id"].as_str().unwrap().to_owned()).collect()
    };
    let all = call(&service, "list_sessions", &json!({"component": null})).await;
    assert_eq!((listed(&all).len(), &all["next"]), (3, &Value::Null));
    let some = call(&service, "list_sessions", &json!({"component": "orchestrator", "limit": 1})).await;
    assert_eq!(listed(&some).len(), 1);
    let rest = json!({"component": "orchestrator", "limit": 1, "cursor": some["next"]});
    let rest = call(&service, "list_sessions", &rest).await;
    let both = [listed(&some), listed(&rest)].concat();
    assert!(both.contains(&ids[0]) && both.contains(&ids[2]), "{both:?}");
    assert_eq!(listed(&call(&service, "list_sessions", &json!({"active": true})).await).len(), 0);
    let shown = call(&service, "show_session", &json!({"session_id": ids[1]})).await;
    assert_eq!((&shown["component_name"], shown.get("events")), (&json!("manager"), None));
    let shown = call(&service, "show_session", &json!({"session_id": ids[1], "events": 2, "from": 1})).await;
    let seqs: Vec<&Value> = shown["events"].as_array().unwrap().iter().map(|event| &event["seq"]).collect();
    assert_eq!(seqs, [1, 2]);
    let ended = call(&service, "end_session", &json!({"session_id": ids[1], "reason": "over"})).await;
    assert_eq!(ended, json!({"session_id": ids[1], "outcome": "already_ended"}));
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let service = Service::open();
    let many = vec![json!("{}"); 10_001];
    let deep = (0..100).fold(json!(1), |value, _| json!([value]));
    for (tool, field, arguments) in [
        ("health_check", "x", json!({"x": 1})),
        ("list_sessions", "colour", json!({"colour": "red"})),
        ("list_sessions", "limit", json!({"limit": 0})),
        ("list_sessions", "limit", json!({"limit": 1001})),
        ("list_sessions", "limit", json!({"limit": 1.5})),
        ("list_sessions", "limit", json!({"limit": -1})),
        ("list_sessions", "component", json!({"component": ["a"]})),
        ("list_sessions", "component", json!({"component": deep})),
        ("list_sessions", "status", json!({"status": "dead"})),
        ("list_sessions", "after", json!({"after": "yesterday"})),
        ("list_sessions", "longer_than", json!({"longer_than": "long"})),
        ("list_sessions", "active", json!({"active": "perhaps"})),
        ("list_sessions", "cursor", json!({"cursor": "x"})),
        ("list_sessions", "cursor", json!({"cursor": "1-sess_x' OR 1=1 --"})),
        ("show_session", "session_id", json!({})),
        ("show_session", "session_id", json!({"session_id": 1})),
        ("show_session", "events", json!({"session_id": "sess_x", "events": 1001})),
        ("show_session", "events", json!({"session_id": "sess_x", "events": "all"})),
        ("show_session", "from", json!({"session_id": "sess_x", "from": -1})),
        ("end_session", "session_id", json!({"reason": "x"})),
        ("end_session", "reason", json!({"session_id": "sess_x"})),
        ("track_events", "events", json!({})),
        ("track_events", "events", json!({"events": "x"})),
        ("track_events", "events", json!({ "events": many })),
        ("track_events", "events[0]", json!({"events": [7]})),
        ("track_events", "events[0]", json!({"events": ["nonsense"]})),
        ("track_events", "more", json!({"events": [], "more": 1})),
    ] {
        let said = wrong(&service, tool, &arguments).await;
        assert!(said.starts_with(&format!("{field}: ")), "{tool} {field}: {said}");
        assert!(said.len() < 700 && !said.contains(char::is_control), "{said:?}");
    }
    for (tool, arguments) in [
        ("show_session", json!({"session_id": "sess_x"})),
        ("show_session", json!({"session_id": "x".repeat(100_000)})),
        ("show_session", json!({"session_id": ""})),
        ("end_session", json!({"session_id": "sess_", "reason": "x"})),
        ("end_session", json!({"session_id": "", "reason": "x"})),
    ] {
        let said = wrong(&service, tool, &arguments).await;
        assert!(said.starts_with("no session has an id"), "{said:.100}");
    }
    assert_eq!(service.stored().await, 0);
}

#[tokio::test]
async fn a_seal_that_does_not_hold_is_a_verdict() {
    let service = Service::open();
    let events = session(&elsewhere().await, "orchestrator", 1).await;
    let broken = events[0].text().replace("orchestrator", "orchestrators");
    let taken = call(&service, "track_events", &json!({"events": [broken]})).await;
    let result = &taken["results"][0];
    assert_eq!((&result["verdict"], &result["event_id"]), (&json!("rejected"), &json!(events[0].event_id())));
    assert!(!result["reason"].as_str().unwrap().is_empty());
    assert_eq!(service.stored().await, 0);
}
