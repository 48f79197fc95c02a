//! Very long sessions, running ones too.
//!
//! Lengths of sessions differ by orders of magnitude, so they are compared by their logarithms, and with the median and
//! the median deviation, which the long ones themselves do not move (mean and standard deviation they would). A session
//! is very long when its modified z-score, 0.6745 × (ln length − median) / MAD, is over 3.5 (Iglewicz and Hoaglin, 1993).
//!
//! Compared are sessions of one component in one mode: a script and a prompt have nothing in common. At least 20 others
//! must have ended by themselves; nothing under 10 minutes is called long. Crashed sessions are left out: how long one
//! lived is not known.

use std::collections::HashMap;

use super::{Insight, Kind, median};
use crate::journal::{SessionRecord, SessionStatus};

const LEAST: usize = 20;
const LEAST_SECONDS: f64 = 600.0;
const OUTLIER: f64 = 3.5;
/// Sessions that all last the same must not make an outlier of one that lasts a little longer.
const LEAST_DEVIATION: f64 = 0.2;

pub(super) fn find(sessions: &[SessionRecord]) -> Vec<Insight> {
    let mut groups: HashMap<(&str, Option<&str>), Vec<&SessionRecord>> = HashMap::new();
    for session in sessions.iter().filter(|session| session.status != SessionStatus::Crashed) {
        groups.entry((&session.component_name, session.mode.as_deref())).or_default().push(session);
    }
    groups.values().flat_map(|group| of_group(group)).collect()
}

fn of_group(group: &[&SessionRecord]) -> Vec<Insight> {
    let ended: Vec<f64> =
        group.iter().filter(|session| is_own_end(session)).filter_map(|session| logarithm(session)).collect();
    let Some(typical) = median(&mut ended.clone()) else { return Vec::new() };
    let mut deviations: Vec<f64> = ended.iter().map(|length| (length - typical).abs()).collect();
    let deviation = median(&mut deviations).unwrap_or(0.0).max(LEAST_DEVIATION);
    let is_outlier = |session: &SessionRecord| {
        let others = ended.len() - usize::from(is_own_end(session));
        let score = logarithm(session).map_or(0.0, |length| 0.6745 * (length - typical) / deviation);
        others >= LEAST && score > OUTLIER && session.duration_seconds.is_some_and(|length| length >= LEAST_SECONDS)
    };
    group.iter().filter(|session| is_outlier(session)).filter_map(|session| insight(session, group)).collect()
}

fn insight(session: &SessionRecord, group: &[&SessionRecord]) -> Option<Insight> {
    let is_other = |other: &&&SessionRecord| is_own_end(other) && other.session_id != session.session_id;
    let mut others: Vec<f64> = group.iter().filter(is_other).filter_map(|other| other.duration_seconds).collect();
    others.sort_by(f64::total_cmp);
    let half = *others.get(others.len().checked_sub(1)? / 2)?;
    let others = others.len();
    let by = session.username.as_deref().unwrap_or("somebody");
    let host = session.hostname.as_deref().unwrap_or("an unknown machine");
    let length = length(session.duration_seconds?);
    let open = match session.status {
        SessionStatus::Ended => format!("was open for {length}"),
        _ => format!("is open for {length} and still running"),
    };
    let start = session.start_time?;
    Some(Insight {
        kind: Kind::Long,
        component: session.component_name.clone(),
        what: format!(
            "a session by {by} on {host} {open}; half of {others} others took at most {}",
            self::length(half)
        ),
        count: 1,
        of: others as u64 + 1,
        since: start,
        last: start,
        session_id: session.session_id.clone(),
    })
}

fn is_own_end(session: &SessionRecord) -> bool {
    session.status == SessionStatus::Ended && !session.inferred
}

/// Of the length; a millisecond is the least, for a clock that ran backwards says zero.
fn logarithm(session: &SessionRecord) -> Option<f64> {
    session.duration_seconds.map(|seconds| seconds.max(0.001).ln())
}

/// `4s`, `12m05s`, `9h05m`, `3d4h`.
fn length(seconds: f64) -> String {
    let whole = std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs();
    match whole {
        0 => "1s".to_owned(),
        1..60 => format!("{whole}s"),
        60..3_600 => format!("{}m{:02}s", whole / 60, whole % 60),
        3_600..86_400 => format!("{}h{:02}m", whole / 3_600, whole % 3_600 / 60),
        _ => format!("{}d{}h", whole / 86_400, whole % 86_400 / 3_600),
    }
}
