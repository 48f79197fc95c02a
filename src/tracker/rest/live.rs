//! Server-sent events: what is appended, as it is appended. `id` is the position, so that a client that comes back goes
//! on where it was (`Last-Event-ID`); `event` is the event's type; `data` is its sealed text.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::{RawQuery, State},
    http::HeaderMap,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::StreamExt;

use super::{Tracker, TrackerError, ask::Parameters};
use crate::{journal::Placed, tracker::Caller};

/// The last position that a journal can have.
const POSITIONS: u64 = i64::MAX as u64;

/// What is appended, as it is appended: server-sent events.
#[utoipa::path(get, path = "/api/v1/live", tag = "sessions",
    params(
        ("component" = Option<String>, Query, description = "Of this component"),
        ("after" = Option<u64>, Query, description = "After this position instead of from now on", minimum = 0, maximum = 9223372036854775807_i64)),
    responses((status = 200, description = "`id` is the position, `event` the type, `data` the sealed text",
        content_type = "text/event-stream", body = String)))]
pub(super) async fn live(
    State(tracker): State<Tracker>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, TrackerError> {
    let parameters = Parameters::read(query.as_deref(), &["component", "after"])?;
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    // A browser that comes back asks with the URL that it began with, and says beside it how far it got.
    let after = last.or(parameters.number("after", 0..=POSITIONS)?);
    let component = parameters.text("component").map(str::to_owned);
    let events = tracker.live(&caller, component, after).await?.map(|placed| Ok::<_, Infallible>(event(&placed)));
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response())
}

fn event(placed: &Placed) -> Event {
    let event = Event::default().id(placed.position.to_string()).event(placed.parcel.kind().as_str());
    match placed.parcel.text() {
        Some(text) => event.data(text),
        None => event.data(r#"{"pruned":true}"#),
    }
}
