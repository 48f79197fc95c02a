//! Whether the tracker is well. Needs no token.

use axum::{
    Json,
    extract::{RawQuery, State},
};

use super::{Tracker, TrackerError, ask::Parameters};
use crate::tracker::Health;

/// That it runs.
#[utoipa::path(get, path = "/health", tag = "service",
    responses((status = 200, description = "It runs", body = ref("#/components/schemas/Health"))))]
pub(super) async fn health(
    State(tracker): State<Tracker>,
    RawQuery(query): RawQuery,
) -> Result<Json<Health>, TrackerError> {
    Parameters::read(query.as_deref(), &[])?;
    Ok(Json(tracker.health()))
}

/// That it runs, and its journal answers.
#[utoipa::path(get, path = "/ready", tag = "service",
    responses((status = 200, description = "It is ready", body = ref("#/components/schemas/Health"))))]
pub(super) async fn ready(
    State(tracker): State<Tracker>,
    RawQuery(query): RawQuery,
) -> Result<Json<Health>, TrackerError> {
    Parameters::read(query.as_deref(), &[])?;
    tracker.ready().await.map(Json)
}
