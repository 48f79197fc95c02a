//! The same thing asked through both doors, REST and MCP: what one refuses, the other refuses as well.

use admin_shell::event::Event;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::fixture::{Service, answer};
use crate::mcp::client::calling;

/// Everything that can be asked through both.
pub(crate) enum Ask<'a> {
    Deliver(&'a [Event]),
    /// Says that the session of an event lives.
    Beat(&'a Event),
    List,
    Show(&'a str),
    End(&'a str),
    Statistics,
    Metrics,
}

impl Ask<'_> {
    /// The request to REST, and the call of the tool. Neither carries a token.
    pub(crate) fn by_each_door(&self, service: &Service) -> [RequestBuilder; 2] {
        let tool = |name: &str, arguments: Value| calling(service, name, &arguments);
        match self {
            Self::Deliver(events) => {
                let texts: Vec<&str> = events.iter().map(Event::text).collect();
                [service.batch(events), tool("track_events", json!({ "events": texts }))]
            }
            Self::Beat(event) => {
                let alive = json!({
                    "session_id": event.stream(), "component_name": event.component(), "lease_seconds": 30,
                });
                let beats = json!({ "presence": [alive] });
                [service.post("/api/v1/beats", &beats), tool("heartbeat", beats)]
            }
            Self::List => [service.get("/api/v1/sessions"), tool("list_sessions", json!({}))],
            Self::Show(id) => [
                service.get(&format!("/api/v1/sessions/{id}/events")),
                tool("show_session", json!({ "session_id": id, "events": 10 })),
            ],
            Self::End(id) => {
                let reason = "it is enough";
                let end = service.post(&format!("/api/v1/sessions/{id}/end"), &json!({ "reason": reason }));
                [end, tool("end_session", json!({ "session_id": id, "reason": reason }))]
            }
            Self::Statistics => [service.get("/api/v1/analytics/sessions"), tool("session_stats", json!({}))],
            Self::Metrics => [service.get("/metrics"), tool("get_prometheus_metrics", json!({}))],
        }
    }
}

/// Both doors refuse a token alike. Answers the problem document, which is the same for both.
pub(crate) async fn refused(service: &Service, ask: &Ask<'_>, token: &str, what: &str) -> (StatusCode, Value) {
    let [rest, mcp] = ask.by_each_door(service).map(|request| answer(request.bearer_auth(token)));
    let (rest, mcp) = (rest.await, mcp.await);
    assert!(matches!(rest.0, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN), "{what}: {rest:?}");
    assert_eq!(rest, mcp, "{what}: the doors differ");
    // Type, title, status and detail, and nothing else; no detail is longer than a sentence of ours.
    let problem = &rest.1;
    assert_eq!(problem.as_object().map(serde_json::Map::len), Some(4), "{what}: {problem}");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.len() < 100), "{what}: {problem}");
    rest
}

/// Both doors let a token in.
pub(crate) async fn let_in(service: &Service, ask: &Ask<'_>, token: &str) {
    for request in ask.by_each_door(service) {
        let answered = request.bearer_auth(token).send().await.expect("the tracker answers");
        let (status, text) = (answered.status(), answered.text().await.expect("the whole answer"));
        assert_eq!(status, StatusCode::OK, "{text}");
        assert!(!text.contains("\"isError\":true"), "{text}");
    }
}
