//! Requests as a client of the protocol sends them, one by one and by hand.

use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::service::fixture::{Service, client};

/// A message to `/mcp`.
pub(crate) fn message(service: &Service, message: &Value) -> RequestBuilder {
    text(service, message.to_string())
}

/// Whatever text, sent as a message.
pub(crate) fn text(service: &Service, text: impl Into<reqwest::Body>) -> RequestBuilder {
    client()
        .post(format!("{}/mcp", service.url))
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(text)
}

/// A request of the era that has a handshake.
pub(crate) fn request(service: &Service, method: &str, params: &Value) -> RequestBuilder {
    message(service, &json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}))
        .header("mcp-protocol-version", "2025-11-25")
}

/// A call of a tool.
pub(crate) fn calling(service: &Service, tool: &str, arguments: &Value) -> RequestBuilder {
    request(service, "tools/call", &json!({"name": tool, "arguments": arguments}))
}

/// What a request is answered, which has to be a message of the protocol under 200.
pub(crate) async fn answered(request: RequestBuilder) -> Value {
    let answer = request.send().await.expect("the tracker answers");
    let (status, text) = (answer.status(), answer.text().await.expect("the whole answer"));
    assert_eq!(status, StatusCode::OK, "{text}");
    let message: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"));
    assert_eq!((&message["jsonrpc"], &message["id"]), (&json!("2.0"), &json!(7)), "{text}");
    message
}

/// What a tool answers; its content says the same as its text.
pub(crate) async fn call(service: &Service, tool: &str, arguments: &Value) -> Value {
    let result = result(calling(service, tool, arguments)).await;
    assert_eq!(result["isError"], false, "{tool}: {result}");
    let said: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(said, result["structuredContent"]);
    said
}

/// The result of a call, whatever it is.
pub(crate) async fn result(request: RequestBuilder) -> Value {
    let answer = answered(request).await;
    assert!(answer["result"].is_object(), "{answer}");
    answer["result"].clone()
}

/// What is wrong with a call, as the tool says it.
pub(crate) async fn wrong(service: &Service, tool: &str, arguments: &Value) -> String {
    let result = result(calling(service, tool, arguments)).await;
    assert_eq!(result["isError"], true, "{tool} {arguments}: {result}");
    result["content"][0]["text"].as_str().unwrap().to_owned()
}
