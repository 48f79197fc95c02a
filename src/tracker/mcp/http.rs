//! Streamable HTTP: what stands between a request and the tools.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{FromRequest, Request, State},
    http::{HeaderValue, StatusCode, header, request::Parts},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use rmcp::transport::{
    StreamableHttpServerConfig, StreamableHttpService, streamable_http_server::session::never::NeverSessionManager,
};
use serde_json::{Value, json};

use super::{Door, Names, Refusal};
use crate::tracker::{
    Caller, Tracker, TrackerError,
    rest::{self, LARGEST_BODY_BYTES, Problem},
};

/// The door on `/mcp`.
pub(in crate::tracker) fn router(tracker: Tracker, names: Names) -> Router {
    // `Host` and `Origin` are checked by us, with words about what to do.
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(LARGEST_BODY_BYTES)
        .disable_allowed_hosts();
    let door = Door { tracker };
    let service =
        StreamableHttpService::new(move || Ok(door.clone()), Arc::new(NeverSessionManager::default()), config);
    Router::new().route_service("/mcp", service).layer(from_fn_with_state(Arc::new(names), guard))
}

/// Who sent a request.
pub(super) fn caller(parts: &Parts) -> Result<Caller, TrackerError> {
    crate::tracker::frame::caller_of(parts)
}

async fn guard(State(names): State<Arc<Names>>, request: Request, next: Next) -> Result<Response, Response> {
    if let Some(why) = names.refuse(request.uri(), request.headers()) {
        return Err(Problem::new(403, "other-host", why).into_response());
    }
    let (mut parts, body) = request.into_parts();
    // A header that is worth nothing is not made up for by anything else.
    if parts.headers.contains_key(header::AUTHORIZATION) {
        caller(&parts).map_err(IntoResponse::into_response)?;
    }
    let refusal = Refusal::default();
    parts.extensions.insert(refusal.clone());
    let bytes = Bytes::from_request(Request::from_parts(parts.clone(), body), &()).await.map_err(rest::unread)?;
    let request = Request::from_parts(parts, Body::from(bytes.clone()));
    let response = next.run(request).await;
    Ok(match refusal.0.get() {
        Some(error) => error.clone().into_response(),
        None => worded(response, &bytes).await.unwrap_or_else(|never| match never {}),
    })
}

/// What the protocol's library refuses comes as plain text: people get a problem document, clients of the protocol an
/// error of its own.
async fn worded(response: Response, body: &[u8]) -> Result<Response, Infallible> {
    let status = response.status();
    let content =
        response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if status.is_success() || content.contains("json") {
        return Ok(response);
    }
    let allow = response.headers().get(header::ALLOW).cloned();
    let text = axum::body::to_bytes(response.into_body(), 4096).await.unwrap_or_default();
    let text: String = String::from_utf8_lossy(&text).chars().filter(|c| !c.is_control()).collect();
    Ok(match status {
        StatusCode::UNSUPPORTED_MEDIA_TYPE if text.starts_with("fail to deserialize") => unread(body),
        StatusCode::METHOD_NOT_ALLOWED => {
            let detail = "this method is not for this route: there are no streams and no sessions here, only POST";
            let mut response = Problem::new(405, "method-not-allowed", detail).into_response();
            response.headers_mut().insert(header::ALLOW, allow.unwrap_or(HeaderValue::from_static("POST")));
            response
        }
        StatusCode::NOT_ACCEPTABLE => Problem::new(406, "not-acceptable", text).into_response(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            Problem::new(415, "unsupported-media-type", "the body must be application/json").into_response()
        }
        status if status.is_client_error() => Problem::new(status.as_u16(), "invalid", text).into_response(),
        status => {
            tracing::error!(%status, text, "a request over MCP failed");
            Problem::new(status.as_u16(), "defect", "the tracker could not answer: its log says why").into_response()
        }
    })
}

/// The answer to a body that is no message of the protocol.
fn unread(body: &[u8]) -> Response {
    let read = serde_json::from_slice::<Value>(body);
    let (code, message) = match &read {
        Err(error) => (-32700, format!("the body is no JSON: {error}")),
        Ok(_) => (-32600, "the body is no request or notification of JSON-RPC 2.0".to_owned()),
    };
    let id = read.ok().and_then(|mut message| message.get_mut("id").map(Value::take));
    let id = id.filter(|id| id.is_string() || id.is_number());
    let answer = json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}});
    (StatusCode::BAD_REQUEST, [(header::CONTENT_TYPE, "application/json")], answer.to_string()).into_response()
}
