//! Statistics.

use axum::{
    Json,
    extract::{RawQuery, State},
};
use jiff::Timestamp;

use super::{
    Tracker, TrackerError,
    ask::{Parameters, Part},
};
use crate::{
    analytics::{Answer, Period, Query, Span},
    tracker::Caller,
};

/// Statistics of the last days.
#[utoipa::path(
    get, path = "/api/v1/analytics/{query}", tag = "sessions",
    params(
        ("query" = String, Path, description = "sessions, duration, components, errors or active"),
        ("days" = Option<u64>, Query, description = "The last so many days; 7 by default", minimum = 1, maximum = 365),
        ("after" = Option<String>, Query, description = "Instead: from this time on (RFC 3339)"),
        ("before" = Option<String>, Query, description = "Until this time (RFC 3339)"),
        ("component" = Option<String>, Query, description = "One component only"),
        ("limit" = Option<u64>, Query, description = "Rows at most; 10 by default", minimum = 1, maximum = 1000),
        ("period" = Option<String>, Query, description = "daily or weekly: rows by time instead of by component"),
    ),
    responses(
        (status = 200, description = "The statistics", body = ref("#/components/schemas/Statistics")),
        (status = 404, description = "There is no such query"),
    )
)]
pub(super) async fn query(
    State(tracker): State<Tracker>,
    caller: Caller,
    Part(query): Part,
    RawQuery(parameters): RawQuery,
) -> Result<Json<Answer>, TrackerError> {
    let query: Query = query.parse().map_err(|_| TrackerError::NoQuery)?;
    let parameters =
        Parameters::read(parameters.as_deref(), &["days", "after", "before", "component", "limit", "period"])?;
    let span = span(&parameters)?;
    tracker.analytics(&caller, query, &span).await.map(Json)
}

/// Over what is asked, by a tool.
pub(in crate::tracker) fn asked_span(parameters: Vec<(String, String)>) -> Result<Span, TrackerError> {
    span(&Parameters::of(parameters))
}

fn span(parameters: &Parameters) -> Result<Span, TrackerError> {
    let time =
        |name| parameters.value(name, |text| text.parse::<Timestamp>().map_err(|_| super::sessions::TIME.to_owned()));
    let days = parameters.number("days", 1..=365)?;
    let mut span = Span::days(days.and_then(|days| u32::try_from(days).ok()).unwrap_or(7), Timestamp::now());
    if let Some(after) = time("after")? {
        if days.is_some() {
            let rule = "is the other way to say `after`: give one of them".to_owned();
            return Err(TrackerError::Invalid { field: "days".to_owned(), rule });
        }
        span.after = after;
    }
    if let Some(before) = time("before")? {
        span.before = before;
    }
    if span.after >= span.before {
        let rule = "must be earlier than `before`".to_owned();
        return Err(TrackerError::Invalid { field: "after".to_owned(), rule });
    }
    span.component = parameters.text("component").map(str::to_owned);
    span.period = parameters.value("period", |text| match text {
        "daily" => Ok(Period::Daily),
        "weekly" => Ok(Period::Weekly),
        _ => Err("must be daily or weekly".to_owned()),
    })?;
    span.limit = super::sessions::limit(parameters, 10)?;
    Ok(span)
}
