//! Statistics over a time: how many sessions, how long, how many failed, what is open.
//!
//! Sums come from the journal's own sums per day, so that they cost the same however many sessions there are, and hold for
//! pruned sessions too; a time is therefore made of whole days (UTC). Medians and percentiles are those of the newest
//! 10,000 sessions that ended; `sampled` says of how many.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::journal::{CommandFilter, Journal, JournalError, Rollup, SessionRecord, SessionStatus};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Query {
    /// Count, duration, failures, active: per component and together.
    Sessions,
    /// How long sessions are open.
    Duration,
    /// Which components, how much each.
    Components,
    /// Failed commands: how many, and the most common errors.
    Errors,
    /// What is open now.
    Active,
}

impl Query {
    /// Every query.
    pub const ALL: [Self; 5] = [Self::Sessions, Self::Duration, Self::Components, Self::Errors, Self::Active];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Duration => "duration",
            Self::Components => "components",
            Self::Errors => "errors",
            Self::Active => "active",
        }
    }
}

impl std::str::FromStr for Query {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = || Self::ALL.map(Self::as_str).join(", ");
        let found = Self::ALL.into_iter().find(|query| query.as_str() == text);
        found.ok_or_else(|| format!("there is no query `{text}`: there are {}", names()))
    }
}

/// Into what lengths a time is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// A day, UTC.
    Daily,
    /// Seven days, beginning on Monday.
    Weekly,
}

/// Of when, and of what.
#[derive(Clone, Debug)]
pub struct Span {
    /// From the day of this time on.
    pub after: Timestamp,
    /// Up to this time.
    pub before: Timestamp,
    /// One component only.
    pub component: Option<String>,
    /// Rows of a list, at most.
    pub limit: u32,
    /// Rows by time instead of by component.
    pub period: Option<Period>,
}

impl Span {
    /// The last so many days up to now.
    #[must_use]
    pub fn days(days: u32, now: Timestamp) -> Self {
        let after = now.checked_sub(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(Timestamp::UNIX_EPOCH);
        Self { after, before: now, component: None, limit: 10, period: None }
    }
}

/// The statistics of some sessions: of a component, of a period, or of all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// The component; absent for all together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component_name: Option<String>,
    /// The first day of the period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<String>,
    /// Sessions that began.
    pub sessions: u64,
    /// Those that have ended.
    pub ended: u64,
    /// Those whose end was said by others: crashes, mostly.
    pub inferred: u64,
    /// Those that are open now.
    pub active: u64,
    /// How long the ended ones were open on average, in seconds.
    pub mean_duration_seconds: Option<f64>,
    /// Half of them were open for less than this.
    pub p50_duration_seconds: Option<f64>,
    /// Nine of ten were open for less than this.
    pub p90_duration_seconds: Option<f64>,
    /// Ninety-nine of a hundred were open for less than this.
    pub p99_duration_seconds: Option<f64>,
    /// How many sessions the percentiles are of.
    pub sampled: u64,
    /// Commands of the ended ones.
    pub commands: u64,
    /// Those of them that did not end `ok`.
    pub failed_commands: u64,
    /// Failed commands in those that have an outcome, 0 to 1; null without one.
    pub error_rate: Option<f64>,
}

/// An error, and how often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Common {
    /// What went wrong.
    pub error: String,
    /// The component.
    pub component_name: String,
    /// How often.
    pub count: u64,
}

/// The answer to a query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Statistics")]
pub struct Answer {
    /// What was asked.
    pub query: Query,
    /// From when.
    pub after: Timestamp,
    /// Until when.
    pub before: Timestamp,
    /// All together.
    pub total: Row,
    /// By component, the one with the most sessions first; by period where one was asked for, oldest first.
    pub rows: Vec<Row>,
    /// The most common errors, for `errors`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub most_common: Vec<Common>,
    /// The open sessions, newest first, for `active`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<SessionRecord>,
}

const DAY_US: i64 = 86_400_000_000;
/// Durations that percentiles are taken of, at most.
const SAMPLE: u32 = 10_000;

/// Asks a journal.
///
/// # Errors
/// When it can not be read.
pub async fn ask(journal: &dyn Journal, query: Query, span: &Span) -> Result<Answer, JournalError> {
    let component = span.component.as_deref();
    let first = span.after.as_microsecond().div_euclid(DAY_US);
    let last = (span.before.as_microsecond() - 1).div_euclid(DAY_US);
    let rollups = journal.rollups(first..=last, component).await?;
    let begin = Timestamp::from_microsecond(first * DAY_US).unwrap_or(span.after);
    let durations = match query {
        Query::Errors | Query::Active => Vec::new(),
        _ => journal.durations(begin, span.before, component, SAMPLE).await?,
    };
    let mut open = journal.open_sessions().await?;
    open.retain(|session| {
        matches!(session.status, SessionStatus::Active | SessionStatus::Stale)
            && component.is_none_or(|component| session.component_name == component)
    });
    let most_common = match query {
        Query::Errors => most_common(journal, span).await?,
        _ => Vec::new(),
    };
    let mut answer = draw(query, span, &rollups, &durations, &open);
    answer.most_common = most_common;
    if query == Query::Active {
        open.truncate(span.limit as usize);
        answer.open = open;
    }
    Ok(answer)
}

/// Puts an answer together. Pure.
fn draw(query: Query, span: &Span, rollups: &[Rollup], durations: &[(String, u64)], open: &[SessionRecord]) -> Answer {
    let mut names: Vec<&str> = rollups.iter().map(|rollup| rollup.component.as_str()).collect();
    names.extend(open.iter().map(|session| session.component_name.as_str()));
    names.sort_unstable();
    names.dedup();
    let mut rows: Vec<Row> = match span.period {
        None => names
            .iter()
            .map(|name| {
                let of = |rollup: &&Rollup| rollup.component == *name;
                let mut row = sum(rollups.iter().filter(of));
                row.component_name = Some((*name).to_owned());
                row.active = open.iter().filter(|session| session.component_name == *name).count() as u64;
                percentiles(&mut row, durations.iter().filter(|(component, _)| component == name).map(|(_, us)| *us));
                row
            })
            .collect(),
        Some(period) => {
            let mut days: Vec<i64> = rollups.iter().map(|rollup| period.first_day(rollup.day)).collect();
            days.sort_unstable();
            days.dedup();
            let row = |day: i64| {
                let mut row = sum(rollups.iter().filter(|rollup| period.first_day(rollup.day) == day));
                row.period = date(day);
                row
            };
            days.into_iter().map(row).collect()
        }
    };
    if span.period.is_none() {
        rows.sort_by(|a, b| b.sessions.cmp(&a.sessions).then_with(|| a.component_name.cmp(&b.component_name)));
        rows.truncate(span.limit as usize);
    }
    let mut total = sum(rollups.iter());
    total.active = open.len() as u64;
    percentiles(&mut total, durations.iter().map(|(_, us)| *us));
    Answer { query, after: span.after, before: span.before, total, rows, most_common: Vec::new(), open: Vec::new() }
}

impl Period {
    /// The first day of the period that holds a day. 1970 began on a Thursday.
    fn first_day(self, day: i64) -> i64 {
        match self {
            Self::Daily => day,
            Self::Weekly => day - (day + 3).rem_euclid(7),
        }
    }
}

fn date(day: i64) -> Option<String> {
    let at = Timestamp::from_microsecond(day.checked_mul(DAY_US)?).ok()?;
    Some(at.strftime("%Y-%m-%d").to_string())
}

fn sum<'r>(rollups: impl Iterator<Item = &'r Rollup>) -> Row {
    let (mut row, mut duration_us, mut outcomes) = (Row::default(), 0_u64, 0_u64);
    for rollup in rollups {
        row.sessions += rollup.sessions;
        row.ended += rollup.ended;
        row.inferred += rollup.inferred;
        row.commands += rollup.commands;
        row.failed_commands += rollup.failed;
        duration_us = duration_us.saturating_add(rollup.duration_us);
        outcomes += rollup.outcomes;
    }
    row.mean_duration_seconds = (row.ended > 0).then(|| rounded(duration_us as f64 / row.ended as f64 / 1e6));
    row.error_rate = (outcomes > 0).then(|| rounded(row.failed_commands as f64 / outcomes as f64));
    row
}

/// To six digits: what follows is noise of the division.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

fn percentiles(row: &mut Row, durations: impl Iterator<Item = u64>) {
    let mut sorted: Vec<u64> = durations.collect();
    sorted.sort_unstable();
    // The nearest rank: a duration that some session had.
    let at = |part: f64| {
        let rank = (part * sorted.len() as f64).ceil().max(1.0) as usize;
        sorted.get(rank - 1).map(|us| rounded(*us as f64 / 1e6))
    };
    row.p50_duration_seconds = at(0.5);
    row.p90_duration_seconds = at(0.9);
    row.p99_duration_seconds = at(0.99);
    row.sampled = sorted.len() as u64;
}

async fn most_common(journal: &dyn Journal, span: &Span) -> Result<Vec<Common>, JournalError> {
    let filter = CommandFilter {
        component: span.component.clone(),
        after: Some(span.after),
        failed: true,
        limit: super::MOST_COMMANDS,
        ..CommandFilter::default()
    };
    let mut counts: std::collections::HashMap<(String, String), u64> = std::collections::HashMap::new();
    for command in journal.commands(&filter).await? {
        if command.start_time < span.before {
            let error = command.error.unwrap_or(command.status);
            *counts.entry((error, command.component_name)).or_default() += 1;
        }
    }
    let mut common: Vec<Common> =
        counts.into_iter().map(|((error, component_name), count)| Common { error, component_name, count }).collect();
    common.sort_by(|a, b| (b.count, &a.error, &a.component_name).cmp(&(a.count, &b.error, &b.component_name)));
    common.truncate(span.limit as usize);
    Ok(common)
}
