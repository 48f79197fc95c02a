//! Metrics for Prometheus.

use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};

use super::{Tracker, TrackerError, ask::Parameters};
use crate::tracker::{Caller, Exposition};

/// Metrics for Prometheus, or as OpenMetrics when `Accept` asks for that.
#[utoipa::path(get, path = "/metrics", tag = "service",
    responses((status = 200, description = "The metrics", content_type = "text/plain", body = String)))]
pub(in crate::tracker) async fn metrics(
    State(tracker): State<Tracker>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, TrackerError> {
    Parameters::read(query.as_deref(), &[])?;
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let exposition = Exposition::accepted(accept);
    let text = tracker.metrics(&caller, exposition).await?;
    Ok(([(header::CONTENT_TYPE, exposition.media_type())], text).into_response())
}
