//! Problem documents (RFC 9457): the one place where an error of the tracker becomes a status.

use std::time::Duration;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Serialize;

use super::TrackerError;
use crate::event::SessionId;

/// What went wrong, for programs and for people.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Problem {
    /// What kind of problem, as a URI.
    #[serde(rename = "type")]
    kind: String,
    /// The kind in words: always the same for one kind.
    title: String,
    /// The HTTP status.
    status: u16,
    /// This problem in a sentence.
    detail: String,
    /// The field or parameter that is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// The sessions that may be meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    candidates: Vec<SessionId>,
    #[serde(skip)]
    retry_after: Option<Duration>,
}

impl Problem {
    pub(in crate::tracker) fn new(status: u16, kind: &str, detail: impl Into<String>) -> Self {
        let title = kind.replace('-', " ");
        let kind = format!("urn:admin-shell:problem:{kind}");
        Self { kind, title, status, detail: detail.into(), ..Self::default() }
    }
}

impl From<TrackerError> for Problem {
    fn from(error: TrackerError) -> Self {
        let detail = error.to_string();
        match error {
            TrackerError::Unauthenticated(_) => Self::new(401, "unauthenticated", detail),
            TrackerError::MissingScope(_) => Self::new(403, "missing-scope", detail),
            TrackerError::OtherComponent => Self::new(403, "other-component", detail),
            TrackerError::OtherWriter => Self::new(403, "other-writer", detail),
            TrackerError::Invalid { field, .. } => Self { field: Some(field), ..Self::new(400, "invalid", detail) },
            TrackerError::TooLarge { .. } => Self::new(413, "too-large", detail),
            TrackerError::NotFound(_) | TrackerError::NoQuery => Self::new(404, "not-found", detail),
            TrackerError::Ambiguous(candidates) => Self { candidates, ..Self::new(409, "ambiguous", detail) },
            TrackerError::UnknownReceipt => Self::new(409, "unknown-receipt", detail),
            TrackerError::Defect => Self::new(500, "defect", detail),
            TrackerError::TooMany { retry_after } => {
                Self { retry_after: Some(retry_after), ..Self::new(429, "too-many-requests", detail) }
            }
            TrackerError::Unavailable { retry_after, .. } => {
                Self { retry_after: Some(retry_after), ..Self::new(503, "unavailable", detail) }
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let text = serde_json::to_string(&self).unwrap_or_default();
        let mut response = (status, text).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"session-tracker\""));
        }
        if let Some(after) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs_f64().ceil().max(1.0) as u64));
        }
        response
    }
}

impl IntoResponse for TrackerError {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}
