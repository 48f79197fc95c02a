//! What the record says when it is looked at as a whole. Pure: statistics over the answers of the journal's queries; the
//! time zone comes in as an argument. Only [`Recent::read`] asks the journal.
//!
//! [`insights`] says what a person would want to know, in sentences with their numbers. Each kind has one rule, stated in
//! its file, with the least number of sessions or runs below which it says nothing:
//!
//! | kind | rule |
//! |---|---|
//! | `crashes` | a component's sessions on one machine crashed, at least once |
//! | `failures` | the same command failed in the same way at least 3 times, and in 1 of 10 runs or more |
//! | `long` | a session is open for 10 minutes or more, and its length is an outlier (robust z-score on the logarithm over 3.5) among at least 20 of its kind |
//! | `hours` | fewer than 2 in 100 of at least 30 other sessions began within two hours of that time of day |

mod crashes;
mod failures;
mod hours;
mod lengths;
mod pattern;
mod quality;
mod statistics;

use jiff::{Timestamp, Unit, tz::TimeZone};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::{
    quality::{Quality, quality},
    statistics::{Answer, Common, Period, Query, Row, Span, ask},
};
use crate::{
    event::SessionId,
    journal::{CommandFilter, CommandRecord, Filter, Journal, JournalError, Page, SessionRecord},
};

/// Sessions and commands that [`Recent::read`] looks at, at most: what fits into memory and a second.
const MOST_SESSIONS: usize = 10_000;
const MOST_COMMANDS: u32 = 100_000;

/// The newest part of a journal: what statistics look at.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    /// Sessions, newest first.
    pub sessions: Vec<SessionRecord>,
    /// Commands started since the first of these sessions, newest first.
    pub commands: Vec<CommandRecord>,
}

impl Recent {
    /// Reads the newest 10,000 sessions that match, and the newest 100,000 commands since the first of them.
    ///
    /// # Errors
    /// When the journal can not be read.
    pub async fn read(journal: &dyn Journal, filter: &Filter) -> Result<Self, JournalError> {
        let mut page = Page { limit: 1_000, after: None };
        let mut sessions = Vec::new();
        loop {
            let mut read = journal.sessions(filter, &page).await?;
            sessions.append(&mut read.records);
            page.after = read.next;
            if page.after.is_none() || sessions.len() >= MOST_SESSIONS {
                break;
            }
        }
        let after = sessions.iter().filter_map(|session| session.start_time).min();
        let filter =
            CommandFilter { component: filter.component.clone(), after, limit: MOST_COMMANDS, ..Default::default() };
        let commands = if sessions.is_empty() { Vec::new() } else { journal.commands(&filter).await? };
        Ok(Self { sessions, commands })
    }
}

/// What an insight is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Kind {
    /// Sessions that crashed.
    Crashes,
    /// A command that keeps failing.
    Failures,
    /// A session that is open for very long, or was.
    Long,
    /// Sessions at an unusual time of day.
    Hours,
}

/// One thing that a person would want to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Insight {
    /// What it is about.
    pub kind: Kind,
    /// The component.
    pub component: String,
    /// A sentence with its numbers.
    pub what: String,
    /// How often it was so.
    pub count: u64,
    /// Out of how many.
    pub of: u64,
    /// When it was so first, to the second.
    pub since: Timestamp,
    /// When it was so last, to the second.
    pub last: Timestamp,
    /// The session in which it was so last.
    pub session_id: SessionId,
}

/// What stands out, the gravest of each kind first, then the second of each kind, and so on.
///
/// `zone` is where the people are whose hours are judged.
#[must_use]
pub fn insights(recent: &Recent, zone: &TimeZone) -> Vec<Insight> {
    let mut kinds = [
        crashes::find(&recent.sessions),
        failures::find(&recent.commands),
        lengths::find(&recent.sessions),
        hours::find(&recent.sessions, zone),
    ];
    for found in &mut kinds {
        found.sort_by(|a, b| (b.count, b.last, &a.component, &a.what).cmp(&(a.count, a.last, &b.component, &b.what)));
    }
    let mut found: Vec<(usize, Insight)> = kinds.into_iter().flat_map(|kind| kind.into_iter().enumerate()).collect();
    // Stable: within one rank the kinds keep their order.
    found.sort_by_key(|(rank, _)| *rank);
    let to_the_second = |at: Timestamp| at.round(Unit::Second).unwrap_or(at);
    let rounded = |(_, insight): (usize, Insight)| Insight {
        since: to_the_second(insight.since),
        last: to_the_second(insight.last),
        ..insight
    };
    found.into_iter().map(rounded).collect()
}

/// The middle of some values, which are sorted for it; `None` of none.
fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        even if even % 2 == 0 => Some(f64::midpoint(values[middle - 1], values[middle])),
        _ => Some(values[middle]),
    }
}

#[cfg(test)]
mod tests;
