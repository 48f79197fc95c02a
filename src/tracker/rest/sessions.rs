//! Sessions: the list, one of them, its events, and its end.

use axum::{
    Json,
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Tracker, TrackerError,
    ask::{Body, Parameters, Part},
};
use crate::{
    Timespan,
    event::Event,
    journal::{Cursor, Entry, Filter, Page, SessionRecord, SessionStatus},
    tracker::{Caller, End},
};

const FILTERS: [&str; 14] = [
    "component",
    "user",
    "host",
    "type",
    "status",
    "after",
    "before",
    "longer_than",
    "shorter_than",
    "active",
    "incomplete",
    "text",
    "limit",
    "cursor",
];

/// Sessions, newest first. Also at `/api/sessions`.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "sessions",
    params(
        ("component" = Option<String>, Query, description = "Of this component"),
        ("user" = Option<String>, Query, description = "Of this user"),
        ("host" = Option<String>, Query, description = "On this machine"),
        ("type" = Option<String>, Query, description = "Of components of this type"),
        ("status" = Option<String>, Query, description = "active, stale, ended, crashed or lost"),
        ("after" = Option<String>, Query, description = "Started at this time (RFC 3339) or later"),
        ("before" = Option<String>, Query, description = "Started before this time (RFC 3339)"),
        ("longer_than" = Option<String>, Query, description = "Open for longer than this: seconds, or 1h30m"),
        ("shorter_than" = Option<String>, Query, description = "Open for less than this"),
        ("active" = Option<bool>, Query, description = "That are open"),
        ("incomplete" = Option<bool>, Query, description = "That never said an end of their own"),
        ("text" = Option<String>, Query, description = "With a command that contains this"),
        ("limit" = Option<u64>, Query, description = "At most so many; 50 by default", minimum = 1, maximum = 1000),
        ("cursor" = Option<String>, Query, description = "Where a page begins: out of the `Link` header of the one before"),
    ),
    responses((status = 200, description = "The sessions; the next page is in the `Link` header",
        body = ref("#/components/schemas/Sessions"))))]
pub(super) async fn list(
    State(tracker): State<Tracker>,
    caller: Caller,
    RawQuery(query): RawQuery,
    uri: axum::http::Uri,
) -> Result<Response, TrackerError> {
    let parameters = Parameters::read(query.as_deref(), &FILTERS)?;
    let (filter, page) = wanted(&parameters)?;
    let found = tracker.sessions(&caller, &filter, &page).await?;
    let mut headers = HeaderMap::new();
    if let Some(next) = &found.next {
        let query = query.unwrap_or_default();
        let kept = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "cursor");
        let mut link = url::form_urlencoded::Serializer::new(String::new());
        link.extend_pairs(kept).append_pair("cursor", &cursor_text(next));
        let link = format!("<{}?{}>; rel=\"next\"", uri.path(), link.finish());
        if let Ok(link) = HeaderValue::from_str(&link) {
            headers.insert(header::LINK, link);
        }
    }
    Ok((headers, Json(found.records)).into_response())
}

/// One session.
#[utoipa::path(get, path = "/api/v1/sessions/{id}", tag = "sessions", params(("id" = String, Path, description = "An id, or an unambiguous beginning of one")),
    responses(
        (status = 200, description = "The session", body = ref("#/components/schemas/SessionRecord")),
        (status = 404, description = "No session has such an id"),
        (status = 409, description = "More than one session has an id that begins so: `candidates` names them"),
    ))]
pub(super) async fn show(
    State(tracker): State<Tracker>,
    caller: Caller,
    Part(id): Part,
    RawQuery(query): RawQuery,
) -> Result<Json<SessionRecord>, TrackerError> {
    Parameters::read(query.as_deref(), &[])?;
    tracker.show(&caller, &id).await.map(Json)
}

/// The sealed events of one session, or of a journal's own stream, by `seq`.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/events", tag = "sessions",
    params(("id" = String, Path, description = "An id, or an unambiguous beginning of one"),
        ("from" = Option<u64>, Query, description = "The first `seq`; 0 by default", minimum = 0, maximum = 4294967295_i64),
        ("limit" = Option<u64>, Query, description = "At most so many; 1000 by default", minimum = 1, maximum = 1000)),
    responses(
        (status = 200, description = "The events; more are in the `Link` header", body = ref("#/components/schemas/Events")),
        (status = 404, description = "No session has such an id"),
        (status = 409, description = "More than one session has an id that begins so: `candidates` names them"),
    ))]
pub(super) async fn events(
    State(tracker): State<Tracker>,
    caller: Caller,
    Part(id): Part,
    RawQuery(query): RawQuery,
) -> Result<Response, TrackerError> {
    let parameters = Parameters::read(query.as_deref(), &["from", "limit"])?;
    let from = parameters.number("from", 0..=u64::from(u32::MAX))?.unwrap_or(0);
    let limit = limit(&parameters, 1_000)?;
    let entries = tracker.events(&caller, &id, from, limit).await?;
    let mut headers = HeaderMap::new();
    if entries.len() as u64 == u64::from(limit) {
        let next = from + u64::from(limit);
        let link = format!("</api/v1/sessions/{id}/events?from={next}&limit={limit}>; rel=\"next\"");
        if let Ok(link) = HeaderValue::from_str(&link) {
            headers.insert(header::LINK, link);
        }
    }
    let texts: Vec<String> = entries.iter().map(text).collect();
    Ok((headers, verbatim(texts.join(","))).into_response())
}

/// What others said about one session: that it crashed, that an operator asked it to end. Sealed events of the streams of
/// the journals that said so.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/observations", tag = "sessions",
    params(("id" = String, Path, description = "An id, or an unambiguous beginning of one")),
    responses(
        (status = 200, description = "The observations", body = ref("#/components/schemas/Events")),
        (status = 404, description = "No session has such an id"),
        (status = 409, description = "More than one session has an id that begins so: `candidates` names them"),
    ))]
pub(super) async fn observations(
    State(tracker): State<Tracker>,
    caller: Caller,
    Part(id): Part,
    RawQuery(query): RawQuery,
) -> Result<Response, TrackerError> {
    Parameters::read(query.as_deref(), &[])?;
    let said = tracker.observations(&caller, &id).await?;
    Ok(verbatim(said.iter().map(Event::text).collect::<Vec<_>>().join(",")))
}

/// An array of sealed texts as they are: parsing and writing them again is what they must never go through.
fn verbatim(texts: String) -> Response {
    let kind = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, kind)], format!("[{texts}]")).into_response()
}

/// The envelope of an event; of a pruned one what is left of it.
fn text(entry: &Entry) -> String {
    match entry {
        Entry::Whole(event) => event.text().to_owned(),
        Entry::Pruned { seq, event_id, event_type, timestamp, hash } => {
            let left: Value = json!({
                "event_id": event_id, "event_type": event_type, "seq": seq, "timestamp": timestamp.to_string(),
                "hash": hash.to_string(), "pruned": true,
            });
            left.to_string()
        }
    }
}

/// Why a session is to end.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reason {
    reason: String,
}

/// Asks a live session to end; records an operator's end of a dead one.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/end", tag = "sessions", params(("id" = String, Path, description = "An id, or an unambiguous beginning of one")),
    request_body(content = ref("#/components/schemas/Reason"), content_type = "application/json"),
    responses(
        (status = 200, description = "What it came to", body = ref("#/components/schemas/End")),
        (status = 404, description = "No session has such an id"),
        (status = 409, description = "More than one session has an id that begins so: `candidates` names them"),
        (status = 413, description = "The body is too large"),
        (status = 415, description = "The body is not application/json"),
    ))]
pub(super) async fn end(
    State(tracker): State<Tracker>,
    caller: Caller,
    Part(id): Part,
    Body(Reason { reason }): Body<Reason>,
) -> Result<Json<End>, TrackerError> {
    tracker.end(&caller, &id, &reason).await.map(Json)
}

/// Which sessions are asked for, and where the list goes on, by a tool.
pub(in crate::tracker) fn asked(parameters: Vec<(String, String)>) -> Result<(Filter, Page), TrackerError> {
    wanted(&Parameters::of(parameters))
}

/// A place in the list as it is given to callers.
pub(in crate::tracker) fn cursor_text(cursor: &Cursor) -> String {
    format!("{}-{}", cursor.start_us, cursor.session_id)
}

/// An event as a value, for tools that answer one document.
pub(in crate::tracker) fn entry(entry: &Entry) -> Value {
    serde_json::from_str(&text(entry)).unwrap_or_default()
}

fn wanted(parameters: &Parameters) -> Result<(Filter, Page), TrackerError> {
    let read = |text: &str| cursor(text).ok_or_else(|| "must be `next` of an earlier answer".to_owned());
    let after = parameters.value("cursor", read)?;
    Ok((filter(parameters)?, Page { limit: limit(parameters, 50)?, after }))
}

pub(super) fn limit(parameters: &Parameters, default: u32) -> Result<u32, TrackerError> {
    Ok(parameters.number("limit", 1..=1_000)?.map_or(default, |limit| u32::try_from(limit).unwrap_or(default)))
}

fn filter(parameters: &Parameters) -> Result<Filter, TrackerError> {
    let text = |name| parameters.text(name).map(str::to_owned);
    let time = |name| parameters.value(name, |text| text.parse::<Timestamp>().map_err(|_| TIME.to_owned()));
    let span = |name| {
        parameters.value(name, |text| Timespan::parse(text).map(|Timespan(span)| span).map_err(|_| SPAN.to_owned()))
    };
    Ok(Filter {
        component: text("component"),
        user: text("user"),
        host: text("host"),
        component_type: text("type"),
        status: parameters.value("status", status)?,
        after: time("after")?,
        before: time("before")?,
        longer_than: span("longer_than")?,
        shorter_than: span("shorter_than")?,
        active: parameters.flag("active")?,
        incomplete: parameters.flag("incomplete")?,
        text: text("text"),
    })
}

pub(super) const TIME: &str = "must be a time such as 2026-03-01T12:00:00Z";
const SPAN: &str = "must be seconds, or text such as 7d or 1h30m";

fn status(text: &str) -> Result<SessionStatus, String> {
    let named = SessionStatus::ALL.into_iter().find(|status| status.as_str() == text);
    named.ok_or_else(|| "must be active, stale, ended, crashed or lost".to_owned())
}

fn cursor(text: &str) -> Option<Cursor> {
    let (at, session_id) = text.rsplit_once('-')?;
    let is_id = session_id.parse::<crate::event::SessionId>().is_ok();
    is_id.then_some(Cursor { start_us: at.parse().ok()?, session_id: session_id.to_owned() })
}
