//! What stands between a request and the tools: both eras, names, tokens, and bodies that are none.

use jsonwebtoken::{EncodingKey, Header};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::client::{answered, call, calling, message, request, text};
use crate::{
    cli::process::Home,
    service::fixture::{SECRET, Service, answer, client},
};

/// A token as clients of the older generation have it.
pub(crate) fn older_token(user: &str, component: &str) -> String {
    let exp = jiff::Timestamp::now().as_second() + 600;
    let claims = json!({"user_id": user, "component": component, "exp": exp});
    jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}

fn modern(version: &str) -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

const TOOLS: [&str; 10] = [
    "track_session_start",
    "track_session_end",
    "health_check",
    "track_events",
    "heartbeat",
    "list_sessions",
    "show_session",
    "end_session",
    "session_stats",
    "get_prometheus_metrics",
];

#[tokio::test]
async fn the_era_with_a_handshake() {
    let service = Service::open();
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let hello =
            json!({"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        let hello = json!({"jsonrpc": "2.0", "id": 7, "method": "initialize", "params": hello});
        let answer = answered(message(&service, &hello)).await;
        assert_eq!(answer["result"]["protocolVersion"], version);
        assert_eq!(answer["result"]["capabilities"], json!({"tools": {}}));
    }
    let initialized = message(&service, &json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    let answer = initialized.send().await.unwrap();
    assert_eq!((answer.status(), answer.headers().contains_key("mcp-session-id")), (StatusCode::ACCEPTED, false));
    // A session's header means nothing, whatever it says: there are none.
    let listed = answered(request(&service, "tools/list", &json!({})).header("mcp-session-id", "made-up")).await;
    let names: Vec<&str> =
        listed["result"]["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, TOOLS);
    for tool in listed["result"]["tools"].as_array().unwrap() {
        for schema in ["inputSchema", "outputSchema"] {
            assert_eq!(tool[schema]["type"], "object", "{tool}");
            jsonschema::draft202012::new(&tool[schema]).unwrap_or_else(|error| panic!("{tool}: {error}"));
        }
    }
}

#[tokio::test]
async fn the_era_without() {
    let service = Service::open();
    let ask = |method: &str, name: Option<&str>, mut params: Value| {
        params["_meta"] = modern("2026-07-28");
        let request = message(&service, &json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}))
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", method);
        match name {
            Some(name) => request.header("mcp-name", name),
            None => request,
        }
    };
    let found = answered(ask("server/discover", None, json!({}))).await;
    let versions = found["result"]["supportedVersions"].as_array().unwrap();
    assert!(versions.contains(&json!("2026-07-28")) && versions.contains(&json!("2025-11-25")), "{found}");
    let listed = answered(ask("tools/list", None, json!({}))).await;
    assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), TOOLS.len());
    let called = ask(
        "tools/call",
        Some("track_session_start"),
        json!({"name": "track_session_start", "arguments": super::older::start()}),
    );
    assert_eq!(answered(called).await["result"]["structuredContent"]["status"], "tracked");
    // What the server does not offer it does not have.
    for method in ["prompts/list", "resources/list", "ping"] {
        let answer = ask(method, None, json!({})).send().await.unwrap();
        let error: Value = answer.json().await.unwrap();
        assert_eq!(error["error"]["code"], -32601, "{method}: {error}");
    }
}

#[tokio::test]
async fn bodies_that_are_none_are_refused() {
    let service = Service::open();
    let nested = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    for (body, code) in [
        ("", -32700),
        ("{", -32700),
        ("\u{feff}{}", -32700),
        ("nonsense", -32700),
        (nested.as_str(), -32700),
        (r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"health_check""#, -32700),
        ("[]", -32600),
        ("{}", -32600),
        ("7", -32600),
        (r#"{"jsonrpc":"1.0","id":7,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":7}"#, -32600),
    ] {
        let answer = text(&service, body.to_owned()).send().await.unwrap();
        let status = answer.status();
        let error: Value = answer.json().await.unwrap();
        assert_eq!((status, &error["error"]["code"]), (StatusCode::BAD_REQUEST, &json!(code)), "{body:.60}: {error}");
    }
    let invalid = text(&service, vec![b'{', b'"', 0xff, b'"', b'}']).send().await.unwrap();
    assert_eq!(invalid.status(), StatusCode::BAD_REQUEST);
    // The tracker stops reading where it is enough; whether its answer is read depends on who is faster.
    if let Ok(large) = text(&service, " ".repeat(21 * 1024 * 1024)).send().await {
        assert_eq!(large.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
    let ping = json!({"jsonrpc": "2.0", "id": 7, "method": "ping"});
    let wrong = message(&service, &ping);
    let bare = || client().post(format!("{}/mcp", service.url)).body(ping.to_string());
    let kind = bare().header("content-type", "text/plain").header("accept", "application/json, text/event-stream");
    assert_eq!(answer(kind).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let accept = bare().header("content-type", "application/json").header("accept", "text/html");
    assert_eq!(answer(accept).await.0, StatusCode::NOT_ACCEPTABLE);
    assert_eq!(answer(service.get("/mcp")).await.0, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answered(wrong).await["result"], json!({}));
    let unknown = answered(request(&service, "tools/call", &json!({"name": "drop_everything"}))).await;
    assert_eq!(unknown["error"]["code"], -32602);
    let version = message(&service, &ping).header("mcp-protocol-version", "1999-01-01").send().await.unwrap();
    assert!(version.status().is_client_error());
    assert_eq!(service.stored().await, 0);
}

#[tokio::test]
async fn names_and_origins() {
    let open = Service::open();
    let closed =
        Service::start(Home::new(), &["--allow-host", "tracker.example"], &[("SESSION_TRACKER_SECRET", SECRET)]);
    let ping =
        |service: &Service, name: &'static str, value: &str| request(service, "ping", &json!({})).header(name, value);
    for service in [&open, &closed] {
        for (name, value) in [("host", "evil.example"), ("origin", "http://evil.example"), ("origin", "null")] {
            let (status, problem) = answer(ping(service, name, value)).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{name}: {value}: {problem}");
        }
        for (name, value) in [("host", "localhost:8678"), ("origin", "http://localhost:3000"), ("host", "[::1]:1")] {
            assert_eq!(answered(ping(service, name, value)).await["result"], json!({}), "{name}: {value}");
        }
    }
    assert_eq!(answered(ping(&closed, "host", "tracker.example")).await["result"], json!({}));
    let (_, problem) = answer(ping(&closed, "host", "other.example")).await;
    assert!(problem["detail"].as_str().unwrap().contains("--allow-host"), "{problem}");
}

#[tokio::test]
async fn without_a_token_there_is_only_what_there_is() {
    let service = Service::with_secret();
    assert_eq!(
        answered(request(&service, "tools/list", &json!({}))).await["result"]["tools"].as_array().unwrap().len(),
        TOOLS.len()
    );
    assert_eq!(call(&service, "health_check", &json!({})).await["status"], "healthy");
    for (tool, arguments) in [
        ("list_sessions", json!({})),
        ("show_session", json!({"session_id": "sess_x"})),
        ("end_session", json!({"session_id": "sess_x", "reason": "x"})),
        ("track_events", json!({"events": []})),
        ("heartbeat", json!({"presence": []})),
        ("session_stats", json!({})),
        ("get_prometheus_metrics", json!({})),
    ] {
        let asked = calling(&service, tool, &arguments).send().await.unwrap();
        assert!(asked.headers()["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
        let (status, problem) = answer(calling(&service, tool, &arguments)).await;
        assert_eq!(
            (status, &problem["detail"]),
            (StatusCode::UNAUTHORIZED, &json!("a bearer token is needed")),
            "{tool}"
        );
    }
    // A header that is worth nothing is worth less than none.
    for method in ["initialize", "tools/list", "ping"] {
        let (status, _) = answer(request(&service, method, &json!({})).bearer_auth("worthless")).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{method}");
    }
}

#[tokio::test]
async fn too_many_calls_hear_when_to_come_again() {
    let service = Service::start(Home::new(), &["--rate", "1"], &[]);
    let asked = (0..20).map(|_| request(&service, "ping", &json!({})).send());
    let answers = futures_util::future::join_all(asked).await.into_iter().map(Result::unwrap);
    let slowed: Vec<_> = answers.filter(|answer| answer.status() == StatusCode::TOO_MANY_REQUESTS).collect();
    assert!(!slowed.is_empty() && slowed.iter().all(|answer| answer.headers().contains_key("retry-after")));
}
