//! A plain page for people who open the address in a browser.

use axum::{
    extract::State,
    http::header,
    response::{Html, IntoResponse, Response},
};

use super::Tracker;

pub(super) async fn page(State(tracker): State<Tracker>) -> Response {
    let health = tracker.health();
    let ready = if tracker.ready().await.is_ok() { "ready" } else { "its journal does not answer" };
    let tokens = if tracker.is_open() { "not asked for: it listens on this machine only" } else { "asked for" };
    let text = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>session-tracker</title>\
         <h1>session-tracker {}</h1><p>{}, {ready}. Tokens: {tokens}.</p><ul>\
         <li><a href=\"/api/v1/sessions\">Sessions</a></li><li><a href=\"/metrics\">Metrics</a></li>\
         <li><a href=\"/openapi.json\">The API</a></li><li><a href=\"/health\">Health</a></li></ul></html>\n",
        health.version, health.status
    );
    ([(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'")], Html(text)).into_response()
}
