//! The REST door: requests in, JSON or problem documents (RFC 9457) out. Translates, and decides nothing.

mod ask;
mod batch;
mod health;
mod problem;
mod sessions;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};

use super::{Tracker, TrackerError};

pub use problem::Problem;

/// What a request's body holds at most: a batch of 8 MiB, and what JSON puts around it.
pub const LARGEST_BODY_BYTES: usize = 20 * 1024 * 1024;

/// Every route of the door.
pub fn router(tracker: Tracker) -> Router {
    Router::new()
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
        .route("/api/v1/events", post(batch::post))
        .route("/api/v1/sessions", get(sessions::list))
        .route("/api/sessions", get(sessions::list))
        .route("/api/v1/sessions/{id}", get(sessions::show))
        .route("/api/v1/sessions/{id}/events", get(sessions::events))
        .route("/api/v1/sessions/{id}/end", post(sessions::end))
        .fallback(async || Problem::new(404, "not-found", "there is nothing here"))
        .method_not_allowed_fallback(async || {
            Problem::new(405, "method-not-allowed", "this method is not for this route")
        })
        .layer(DefaultBodyLimit::max(LARGEST_BODY_BYTES))
        .with_state(tracker)
}
