//! What is too much is refused, and nothing of it is stored.

use reqwest::StatusCode;
use serde_json::json;

use super::fixture::{Service, answer};

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
