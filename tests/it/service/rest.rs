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
        assert_eq!(taken["tracker_id"], json!(service.home().journal().await.id()));
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

#[tokio::test]
async fn statistics_are_those_of_a_known_load() {
    use super::metrics::load;
    let service = Service::open();
    let shell = elsewhere().await;
    for (component, seconds, failed) in [
        ("orchestrator", Some(10), false),
        ("orchestrator", Some(20), false),
        ("orchestrator", Some(60), true),
        ("orchestrator", None, false),
        ("manager", Some(100), false),
    ] {
        answer(service.batch(&load(&shell, component, seconds, failed).await)).await;
    }
    let ask = |query: &str| {
        let request = service.get(&format!("/api/v1/analytics/{query}"));
        async move {
            let (status, answer) = answer(request).await;
            assert_eq!(status, StatusCode::OK, "{answer}");
            answer
        }
    };
    let sessions = ask("sessions").await;
    let total = &sessions["total"];
    assert_eq!(json!([total["sessions"], total["ended"], total["active"]]), json!([5, 4, 1]));
    assert_eq!(json!([total["mean_duration_seconds"], total["p50_duration_seconds"]]), json!([47.5, 20.0]));
    assert_eq!(json!([total["p90_duration_seconds"], total["sampled"]]), json!([100.0, 4]));
    assert_eq!(json!([total["commands"], total["failed_commands"], total["error_rate"]]), json!([4, 1, 0.25]));
    let names: Vec<&Value> = sessions["rows"].as_array().unwrap().iter().map(|row| &row["component_name"]).collect();
    assert_eq!(names, [&json!("orchestrator"), &json!("manager")]);
    assert_eq!(sessions["rows"][0]["mean_duration_seconds"], 30.0);
    let manager = ask("duration?component=manager&days=1").await;
    assert_eq!(json!([manager["total"]["sessions"], manager["total"]["p99_duration_seconds"]]), json!([1, 100.0]));
    let errors = ask("errors").await;
    let wanted = json!([{ "error": "it did not work", "component_name": "orchestrator", "count": 1 }]);
    assert_eq!(errors["most_common"], wanted);
    let active = ask("active").await;
    assert_eq!((active["open"].as_array().unwrap().len(), &active["open"][0]["status"]), (1, &json!("active")));
    let daily = ask("sessions?period=daily").await;
    assert_eq!((daily["rows"].as_array().unwrap().len(), &daily["rows"][0]["sessions"]), (1, &json!(5)));
    for (query, field) in [
        ("sessions?days=0", "days"),
        ("sessions?days=366", "days"),
        ("sessions?days=1&after=2026-01-01T00:00:00Z", "days"),
        ("sessions?after=2099-01-01T00:00:00Z", "after"),
        ("sessions?period=hourlyish", "period"),
    ] {
        let (status, problem) = answer(service.get(&format!("/api/v1/analytics/{query}"))).await;
        assert_eq!((status, &problem["field"]), (StatusCode::BAD_REQUEST, &json!(field)), "{problem}");
    }
    assert_eq!(answer(service.get("/api/v1/analytics/nonsense")).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_appended_is_seen_as_it_is_appended() {
    let service = Service::open();
    let shell = elsewhere().await;
    answer(service.batch(&session(&shell, "orchestrator", 0).await)).await;
    let mut live = service.get("/api/v1/live?component=orchestrator").send().await.unwrap();
    assert_eq!(live.headers()["content-type"], "text/event-stream");
    let (own, other) = (session(&shell, "orchestrator", 1).await, session(&shell, "manager", 1).await);
    answer(service.batch(&other)).await;
    answer(service.batch(&own)).await;
    let mut text = String::new();
    while text.matches("\n\n").count() < own.len() {
        text.push_str(std::str::from_utf8(&live.chunk().await.unwrap().expect("it goes on")).unwrap());
    }
    let data: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    let wanted: Vec<&str> = own.iter().map(Event::text).collect();
    assert_eq!(data, wanted);
    let ids: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("id: ")).collect();
    // A client that comes back goes on where it was.
    let again = service.get("/api/v1/live?component=orchestrator").header("last-event-id", ids[1]);
    let mut again = again.send().await.unwrap();
    let first = again.chunk().await.unwrap().unwrap();
    assert!(std::str::from_utf8(&first).unwrap().contains(own[2].text()), "{first:?}");
    // Also where its URL says where it began; positions are as large as they get.
    let again = service.get("/api/v1/live?component=orchestrator&after=0").header("last-event-id", ids[1]);
    let first = again.send().await.unwrap().chunk().await.unwrap().unwrap();
    assert!(std::str::from_utf8(&first).unwrap().contains(own[2].text()), "{first:?}");
    for far in ["4294967296", "9223372036854775807"] {
        let far = service.get(&format!("/api/v1/live?after={far}")).send().await.unwrap();
        assert_eq!(far.status(), StatusCode::OK);
    }
    for wrong in ["9223372036854775808", "99999999999999999999", "-1", "1e3", ""] {
        let (status, problem) = answer(service.get(&format!("/api/v1/live?after={wrong}"))).await;
        assert_eq!((status, &problem["field"]), (StatusCode::BAD_REQUEST, &json!("after")), "{wrong}: {problem}");
    }
    // Whoever looks on does not keep the tracker from stopping.
    service.signal(rustix::process::Signal::TERM);
    let begun = std::time::Instant::now();
    while live.chunk().await.unwrap().is_some() {}
    assert!(begun.elapsed() < std::time::Duration::from_secs(5));
}

#[tokio::test]
async fn the_page_and_the_description_need_no_token() {
    let service = Service::with_secret();
    let page = service.get("/").send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    assert!(page.text().await.unwrap().contains("session-tracker"));
    let (_, description) = answer(service.get("/openapi.json")).await;
    assert_eq!(description["openapi"], "3.1.0");
    for path in ["/health", "/api/v1/events", "/api/v1/sessions/{id}/end", "/api/v1/analytics/{query}", "/metrics"] {
        assert!(description["paths"][path].is_object(), "{path}");
    }
    let text = description.to_string();
    for (at, _) in text.match_indices("\"#/components/schemas/") {
        let name = text[at + "\"#/components/schemas/".len()..].split('"').next().unwrap();
        assert!(description["components"]["schemas"][name].is_object(), "{name} is not described");
    }
}
