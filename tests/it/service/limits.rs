//! What is too much is refused, and nothing of it is stored.

use reqwest::StatusCode;
use serde_json::json;

use super::fixture::{SECRET, Service, answer, reader, token};
use crate::cli::process::{Home, eventually};
use admin_shell::token::Scope;

#[tokio::test]
async fn a_batch_has_its_limits() {
    let service = Service::open();
    let (status, problem) = answer(service.post("/api/v1/events", &json!({ "events": vec!["{}"; 1_001] }))).await;
    assert_eq!((status, &problem["field"]), (StatusCode::BAD_REQUEST, &json!("events")), "{problem}");
    let (status, _) = answer(service.post("/api/v1/events", &json!({ "events": ["x".repeat(21 << 20)] }))).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(service.stored().await, 0);
}

#[tokio::test]
async fn bodies_that_are_wrong_are_named() {
    let service = Service::open();
    let deep = format!("{{\"events\":{}", "[".repeat(100_000));
    for (body, field) in [
        ("", "body"),
        ("{", "body"),
        ("[]", "body"),
        ("{}", "body"),
        (deep.as_str(), "events"),
        ("{\"events\":[1]}", "events[0]"),
        ("{\"events\":[\"x\"]}", "events[0]"),
        ("{\"events\":{}}", "events"),
        ("{\"events\":[],\"more\":1}", "more"),
        ("{\"events\":[]} x", "body"),
        ("{\"events\":[\"\u{0}\"]}", "events[0]"),
    ] {
        let request = super::fixture::client().post(format!("{}/api/v1/events", service.url));
        let request = request.header("content-type", "application/json").body(body.to_owned());
        let (status, problem) = answer(request).await;
        let named = problem["field"].as_str().unwrap_or_default();
        let body: String = body.chars().take(40).collect();
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}: {problem}");
        assert!(named.starts_with(field), "{body}: {problem}");
    }
    let request = super::fixture::client().post(format!("{}/api/v1/events", service.url));
    let invalid_utf8 = request.header("content-type", "application/json").body(b"{\"events\":[\"\xff\"]}".to_vec());
    assert_eq!(answer(invalid_utf8).await.0, StatusCode::BAD_REQUEST);
    let request = super::fixture::client().post(format!("{}/api/v1/events", service.url)).body("{\"events\":[]}");
    assert_eq!(answer(request).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(service.stored().await, 0);
}

#[tokio::test]
async fn who_comes_too_often_hears_when_to_come_again() {
    let service = Service::start(Home::new(), &["--rate", "1"], &[("SESSION_TRACKER_SECRET", SECRET)]);
    let often = token("often", &[Scope::SessionsRead], None);
    let asked = (0..20).map(|_| service.get("/api/v1/sessions?limit=1").bearer_auth(&often).send());
    let answers = futures_util::future::join_all(asked).await.into_iter().map(Result::unwrap);
    let refused = answers.into_iter().find(|answer| answer.status() == StatusCode::TOO_MANY_REQUESTS);
    let refused = refused.expect("twenty in a moment are more than one a second");
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    // Others are let in, and so is everybody who asks whether it lives.
    let other = token("other", &[Scope::SessionsRead], None);
    assert_eq!(answer(service.get("/api/v1/sessions").bearer_auth(other)).await.0, StatusCode::OK);
    for _ in 0..20 {
        assert_eq!(answer(service.get("/health")).await.0, StatusCode::OK);
    }
    // Wrong tokens are counted by where they come from.
    let asked = (0..20).map(|_| answer(service.get("/api/v1/sessions").bearer_auth("wrong")));
    let statuses: Vec<StatusCode> =
        futures_util::future::join_all(asked).await.into_iter().map(|(status, _)| status).collect();
    assert!(statuses.contains(&StatusCode::UNAUTHORIZED) && statuses.contains(&StatusCode::TOO_MANY_REQUESTS));
}

#[tokio::test]
async fn every_answer_carries_its_id_and_headers_that_protect() {
    let service = Service::open();
    for path in ["/health", "/nothing", "/api/v1/sessions"] {
        let answer = service.get(path).send().await.unwrap();
        let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.headers()[name], value, "{path}");
        }
        assert!(answer.headers()["content-security-policy"].to_str().unwrap().contains("frame-ancestors 'none'"));
        eventually("its id is in the log", || service.said().contains(&id));
    }
    let kept = service.get("/health").header("x-request-id", "proxy-4711").send().await.unwrap();
    assert_eq!(kept.headers()["x-request-id"], "proxy-4711");
    let strange = service.get("/health").header("x-request-id", "a b\tc").send().await.unwrap();
    assert_ne!(strange.headers()["x-request-id"], "a b\tc");
}

#[tokio::test]
async fn an_open_tracker_answers_to_this_machine_only() {
    let service = Service::open();
    let status = |request: reqwest::RequestBuilder| async { answer(request).await.0 };
    for host in ["localhost:8678", "127.0.0.1", "[::1]:8678"] {
        assert_eq!(status(service.get("/api/v1/sessions").header("host", host)).await, StatusCode::OK, "{host}");
    }
    for host in ["rebound.example.org", "127.0.0.1.example.org", "example.org:8678", "localhost.example.org"] {
        assert_eq!(status(service.get("/api/v1/sessions").header("host", host)).await, StatusCode::FORBIDDEN, "{host}");
    }
    let from_a_page = service.get("/api/v1/sessions").header("origin", "https://example.org");
    assert_eq!(status(from_a_page).await, StatusCode::FORBIDDEN);
    // With tokens a name is as good as another: they are what counts.
    let service = Service::with_secret();
    let named = service.get("/api/v1/sessions").header("host", "tracker.example.org").bearer_auth(reader());
    assert_eq!(status(named).await, StatusCode::OK);
}

#[tokio::test]
async fn the_texts_of_a_batch_have_8_mib() {
    let service = Service::open();
    let (status, problem) = answer(service.post("/api/v1/events", &json!({ "events": ["x".repeat(9 << 20)] }))).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{problem}");
}
