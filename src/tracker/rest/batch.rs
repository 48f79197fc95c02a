//! Batches of sealed events, and beats.

use axum::{Json, extract::State};

use super::{Tracker, TrackerError, ask::Body};
use crate::{
    delivery::wire::{Answer, Batch, Beaten, Beats},
    tracker::Caller,
};

/// Takes a batch of sealed events. Each gets a verdict; only `accepted` and `duplicate` mean that it is stored.
#[utoipa::path(post, path = "/api/v1/events", tag = "delivery",
    request_body(content = ref("#/components/schemas/Batch"), content_type = "application/json"),
    responses(
        (status = 200, description = "A verdict for each event", body = ref("#/components/schemas/Answer")),
        (status = 409, description = "The receipt is not known here: this tracker was set back"),
        (status = 413, description = "The batch is too large"),
        (status = 415, description = "The body is not application/json"),
    ))]
pub(super) async fn post(
    State(tracker): State<Tracker>,
    caller: Caller,
    Body(batch): Body<Batch>,
) -> Result<Json<Answer>, TrackerError> {
    tracker.append(&caller, batch).await.map(Json)
}

/// Takes note of living sessions; answers which of them were asked to end.
#[utoipa::path(post, path = "/api/v1/beats", tag = "delivery",
    request_body(content = ref("#/components/schemas/Beats"), content_type = "application/json"),
    responses(
        (status = 200, description = "Who was asked to end", body = ref("#/components/schemas/Beaten")),
        (status = 413, description = "The body is too large"),
        (status = 415, description = "The body is not application/json"),
    ))]
pub(super) async fn beats(
    State(tracker): State<Tracker>,
    caller: Caller,
    Body(beats): Body<Beats>,
) -> Result<Json<Beaten>, TrackerError> {
    tracker.beat(&caller, beats).await.map(Json)
}
