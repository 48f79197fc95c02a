//! Whether the tracker is well. Needs no token.

use axum::{Json, extract::State};

use super::{Tracker, TrackerError};
use crate::tracker::Health;

pub(super) async fn health(State(tracker): State<Tracker>) -> Json<Health> {
    Json(tracker.health())
}

pub(super) async fn ready(State(tracker): State<Tracker>) -> Result<Json<Health>, TrackerError> {
    tracker.ready().await.map(Json)
}
