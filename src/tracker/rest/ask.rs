//! What is asked: query parameters and JSON bodies, read strictly. Whatever is wrong is answered with its name.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Request, rejection::BytesRejection},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;

use super::{LARGEST_BODY_BYTES, Problem, TrackerError};
use crate::tracker::error::shown;

/// The parameters of a query: each known, each once.
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Parameters that did not come in a query.
    pub(super) fn of(parameters: Vec<(String, String)>) -> Self {
        Self(parameters)
    }

    /// Reads a query that may hold these parameters.
    ///
    /// # Errors
    /// Names a parameter that is unknown, given twice, or not UTF-8.
    pub(super) fn read(query: Option<&str>, known: &[&str]) -> Result<Self, TrackerError> {
        let query = query.unwrap_or_default();
        let mut parameters: Vec<(String, String)> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            // Wrong bytes are read as U+FFFD, which nobody sends in earnest.
            if value.contains(char::REPLACEMENT_CHARACTER) {
                return Err(wrong(&name, "must be UTF-8"));
            }
            if !known.contains(&&*name) {
                let rule = if known.is_empty() {
                    "is no parameter of this route, which has none".to_owned()
                } else {
                    format!("is no parameter of this route: there are {}", known.join(", "))
                };
                return Err(wrong(&name, &rule));
            }
            if parameters.iter().any(|(other, _)| *other == name) {
                return Err(wrong(&name, "is given more than once"));
            }
            parameters.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(parameters))
    }

    /// The text of a parameter.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter.
    ///
    /// # Errors
    /// Names it when it can not be read.
    pub(super) fn value<T>(
        &self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, TrackerError> {
        self.text(name).map(|text| read(text).map_err(|rule| wrong(name, &rule))).transpose()
    }

    /// Whether a flag is set: `true`, `1`, or nothing but its name.
    ///
    /// # Errors
    /// Names it when it is something else than yes or no.
    pub(super) fn flag(&self, name: &str) -> Result<bool, TrackerError> {
        let read = |text: &str| match text {
            "" | "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err("must be true or false".to_owned()),
        };
        Ok(self.value(name, read)?.unwrap_or(false))
    }

    /// A whole number in a range.
    ///
    /// # Errors
    /// Names it when it is none.
    pub(super) fn number(&self, name: &str, range: std::ops::RangeInclusive<u64>) -> Result<Option<u64>, TrackerError> {
        self.value(name, |text| {
            let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let number = text.parse().ok().filter(|number| is_plain && range.contains(number));
            number.ok_or_else(|| format!("must be a whole number from {} to {}", range.start(), range.end()))
        })
    }
}

fn wrong(name: &str, rule: &str) -> TrackerError {
    TrackerError::Invalid { field: shown(name), rule: rule.to_owned() }
}

/// The one part of a route's path that varies.
pub(super) struct Part(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Part {
    type Rejection = TrackerError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, TrackerError> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(part)) => Ok(Self(part)),
            Err(_) => Err(wrong("path", "must be UTF-8")),
        }
    }
}

/// A body of JSON.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = content_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(
                Problem::new(415, "unsupported-media-type", "the body must be application/json").into_response()
            );
        }
        let bytes = Bytes::from_request(request, state).await.map_err(unread)?;
        let mut reader = serde_json::Deserializer::from_slice(&bytes);
        let body: T = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let field = error.path().to_string();
            // `?` is a place whose name was not read any more.
            let field = field.trim_end_matches('?').trim_end_matches('.');
            let field = if field.is_empty() { "body" } else { field }.to_owned();
            TrackerError::Invalid { field, rule: error.into_inner().to_string() }.into_response()
        })?;
        reader.end().map_err(|error| {
            TrackerError::Invalid { field: "body".to_owned(), rule: error.to_string() }.into_response()
        })?;
        Ok(Self(body))
    }
}

pub(in crate::tracker) fn unread(rejection: BytesRejection) -> Response {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return TrackerError::TooLarge { limit_bytes: LARGEST_BODY_BYTES }.into_response();
    }
    Problem::new(400, "unreadable", "the body ended before all of it was sent").into_response()
}
