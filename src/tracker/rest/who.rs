//! Who calls: the bearer token of a request (RFC 6750), shown to the room.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};

use super::{Tracker, TrackerError};
use crate::tracker::Caller;

impl FromRequestParts<Tracker> for Caller {
    type Rejection = TrackerError;

    async fn from_request_parts(parts: &mut Parts, tracker: &Tracker) -> Result<Self, TrackerError> {
        let token = bearer(&parts.headers)?.map(str::to_owned);
        tracker.authorise(token.as_deref()).await
    }
}

/// The token of the `Authorization` header; `None` when there is no such header.
///
/// # Errors
/// When the header holds something else than one bearer token.
pub(in crate::tracker) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, TrackerError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let wrong = TrackerError::Unauthenticated("the Authorization header must be `Bearer` and one token");
    let text = value.to_str().ok().filter(|_| values.next().is_none()).ok_or_else(|| wrong.clone())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(|| wrong.clone())?;
    let token = token.trim();
    let is_bearer = scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && !token.contains(' ');
    if is_bearer { Ok(Some(token)) } else { Err(wrong) }
}
