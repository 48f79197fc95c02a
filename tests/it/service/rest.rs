//! What the routes answer.

use admin_shell::event::Event;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::fixture::{Service, answer, elsewhere, session};

#[tokio::test]
async fn events_that_arrive_are_stored_once_and_shown_verbatim() {
    let service = Service::open();
    let events = session(&elsewhere().await, "orchestrator", 3).await;
    for verdict in ["accepted", "duplicate"] {
        let (status, taken) = answer(service.batch(&events)).await;
        assert_eq!(status, StatusCode::OK, "{taken}");
        let results: Vec<Value> =
            events.iter().map(|event| json!({ "event_id": event.event_id(), "verdict": verdict })).collect();
        assert_eq!(taken["results"], json!(results));
        assert_eq!(taken["position"], events.len());
        assert_eq!(taken["tracker_id"], json!(service.home.journal().await.id()));
    }
    let id = events[0].stream().as_str().to_owned();
    let (_, list) = answer(service.get("/api/v1/sessions")).await;
    assert_eq!(list[0]["session_id"], json!(id));
    assert_eq!(answer(service.get("/api/sessions")).await.1, list);
    let (_, shown) = answer(service.get(&format!("/api/v1/sessions/{}", &id[..20]))).await;
    assert_eq!((&shown["status"], &shown["commands"]), (&json!("ended"), &json!(3)));
    let text = service.get(&format!("/api/v1/sessions/{id}/events")).send().await.unwrap().text().await.unwrap();
    let wanted: Vec<&str> = events.iter().map(Event::text).collect();
    assert_eq!(text, format!("[{}]", wanted.join(",")));
}

#[tokio::test]
async fn an_event_that_is_not_what_it_says_gets_a_verdict() {
    let service = Service::open();
    let events = session(&elsewhere().await, "orchestrator", 1).await;
    let mut texts: Vec<String> = events.iter().map(|event| event.text().to_owned()).collect();
    texts[1] = texts[1].replace("show(1)", "show(2)");
    let (status, taken) = answer(service.post("/api/v1/events", &json!({ "events": texts }))).await;
    assert_eq!(status, StatusCode::OK, "{taken}");
    let verdicts: Vec<&str> =
        taken["results"].as_array().unwrap().iter().map(|result| result["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["accepted", "rejected", "rejected", "rejected"]);
    let reason = taken["results"][1]["reason"].as_str().unwrap();
    assert!(reason.contains("hash"), "{reason}");
    assert_eq!(service.stored().await, 1);
}

#[tokio::test]
async fn pages_follow_one_another() {
    let service = Service::open();
    let shell = elsewhere().await;
    let mut sent = Vec::new();
    for _ in 0..5 {
        let events = session(&shell, "orchestrator", 0).await;
        sent.push(events[0].stream().as_str().to_owned());
        answer(service.batch(&events)).await;
    }
    let mut seen = Vec::new();
    let mut path = "/api/v1/sessions?limit=2&component=orchestrator".to_owned();
    loop {
        let page = service.get(&path).send().await.unwrap();
        let link = page.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
        let records: Vec<Value> = page.json().await.unwrap();
        seen.extend(records.iter().map(|record| record["session_id"].as_str().unwrap().to_owned()));
        let Some(link) = link else { break };
        path = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).unwrap().to_owned();
    }
    sent.sort();
    seen.sort();
    assert_eq!(seen, sent);
}

#[tokio::test]
async fn parameters_are_known_single_and_right() {
    let service = Service::open();
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("limit=%2B5", "limit"),
        ("limit=1&limit=1", "limit"),
        ("status=dead", "status"),
        ("after=yesterday", "after"),
        ("before=2026-02-30T00:00:00Z", "before"),
        ("longer_than=soon", "longer_than"),
        ("active=perhaps", "active"),
        ("cursor=1", "cursor"),
        ("component=%ff", "component"),
        ("nonsense=1", "nonsense"),
    ] {
        let (status, problem) = answer(service.get(&format!("/api/v1/sessions?{query}"))).await;
        assert_eq!((status, &problem["field"]), (StatusCode::BAD_REQUEST, &json!(field)), "{query}: {problem}");
    }
    for query in ["", "limit=1000", "status=ended&active=false", "longer_than=1h30m", "text=a%20b"] {
        let (status, list) = answer(service.get(&format!("/api/v1/sessions?{query}"))).await;
        assert_eq!((status, list), (StatusCode::OK, json!([])), "{query}");
    }
}

#[tokio::test]
async fn ids_name_one_session_or_an_error() {
    let service = Service::open();
    let shell = elsewhere().await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let events = session(&shell, "orchestrator", 0).await;
        answer(service.batch(&events)).await;
        ids.push(events[0].stream().as_str().to_owned());
    }
    for route in ["", "/events"] {
        let (status, problem) = answer(service.get(&format!("/api/v1/sessions/sess_0{route}"))).await;
        let mut candidates: Vec<&str> =
            problem["candidates"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
        candidates.sort_unstable();
        ids.sort();
        assert_eq!((status, candidates), (StatusCode::CONFLICT, ids.iter().map(String::as_str).collect()));
        for unknown in ["sess_7zzzzzzzzz", "%00", "%2e%2e%2fx", "'%20or%201=1", "sess_", "jrnl_x"] {
            let (status, problem) = answer(service.get(&format!("/api/v1/sessions/{unknown}{route}"))).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{unknown}: {problem}");
        }
    }
    let (status, problem) = answer(service.post("/api/v1/sessions/sess_0/end", &json!({ "reason": "why" }))).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    let whole = format!("/api/v1/sessions/{}/end", ids[0]);
    for reason in [json!(""), json!("  "), json!("x".repeat(501)), json!(1), Value::Null] {
        let (status, problem) = answer(service.post(&whole, &json!({ "reason": reason }))).await;
        assert_eq!((status, &problem["field"]), (StatusCode::BAD_REQUEST, &json!("reason")), "{problem}");
    }
    let (status, ended) = answer(service.post(&whole, &json!({ "reason": "over" }))).await;
    assert_eq!((status, &ended["outcome"]), (StatusCode::OK, &json!("already_ended")));
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_too() {
    let service = Service::open();
    assert_eq!(answer(service.get("/nothing")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(answer(service.get("/api/v1/events")).await.0, StatusCode::METHOD_NOT_ALLOWED);
}
