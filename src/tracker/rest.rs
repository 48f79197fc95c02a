//! The REST door: requests in, JSON or problem documents (RFC 9457) out. Translates, and decides nothing.

mod analytics;
mod ask;
mod batch;
mod health;
mod live;
pub(super) mod metrics;
mod openapi;
mod page;
mod problem;
mod sessions;

use axum::{Router, extract::DefaultBodyLimit, http::header, routing::get};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Tracker, TrackerError};

pub use problem::Problem;
pub(super) use {
    analytics::asked_span,
    ask::unread,
    sessions::{asked, cursor_text, entry},
};

/// What a request's body holds at most: a batch of 8 MiB, and what JSON puts around it.
pub const LARGEST_BODY_BYTES: usize = 20 * 1024 * 1024;

/// Metrics alone, for a listener of their own.
pub fn metrics_router(tracker: Tracker) -> Router {
    Router::new()
        .route("/metrics", get(metrics::metrics))
        .route("/health", get(health::health))
        .fallback(async || Problem::new(404, "not-found", "there is nothing here but /metrics"))
        .with_state(tracker)
}

/// Every route of the door, each with its description.
pub fn router(tracker: Tracker) -> Router {
    let (router, description) = OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(health::health))
        .routes(routes!(health::ready))
        .routes(routes!(batch::post))
        .routes(routes!(batch::beats))
        .routes(routes!(sessions::list))
        .routes(routes!(sessions::show))
        .routes(routes!(sessions::events))
        .routes(routes!(sessions::observations))
        .routes(routes!(sessions::end))
        .routes(routes!(analytics::query))
        .routes(routes!(live::live))
        .routes(routes!(metrics::metrics))
        .split_for_parts();
    let description = openapi::describe(&description).to_string();
    router
        .route("/", get(page::page))
        .route("/api/sessions", get(sessions::list))
        .route(
            "/openapi.json",
            get(async || ([(header::CONTENT_TYPE, "application/vnd.oai.openapi+json;version=3.1")], description)),
        )
        .fallback(async || Problem::new(404, "not-found", "there is nothing here"))
        .method_not_allowed_fallback(async || {
            Problem::new(405, "method-not-allowed", "this method is not for this route")
        })
        .layer(DefaultBodyLimit::max(LARGEST_BODY_BYTES))
        .with_state(tracker)
}
