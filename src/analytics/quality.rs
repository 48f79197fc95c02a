//! How well work goes, by component.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::journal::{SessionRecord, SessionStatus};

/// One component's sessions, summed up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Quality {
    /// The component.
    pub component: String,
    /// Its sessions.
    pub sessions: u64,
    /// Of these, how many are open.
    pub active: u64,
    /// Of these, how many crashed.
    pub crashed: u64,
    /// Commands started in them.
    pub commands: u64,
    /// Commands that did not end `ok`.
    pub failed: u64,
    /// Mean of the sessions' scores, 0..=100, to one digit; null when none has a score.
    pub quality_score: Option<f64>,
}

/// Sums sessions up by component, in the order of the components' names.
#[must_use]
pub fn quality(sessions: &[SessionRecord]) -> Vec<Quality> {
    let mut groups: BTreeMap<&str, Vec<&SessionRecord>> = BTreeMap::new();
    for session in sessions {
        groups.entry(&session.component_name).or_default().push(session);
    }
    groups.into_iter().map(|(component, group)| of_group(component, &group)).collect()
}

fn of_group(component: &str, group: &[&SessionRecord]) -> Quality {
    let count = |is: fn(SessionStatus) -> bool| group.iter().filter(|session| is(session.status)).count() as u64;
    let scores: Vec<f64> = group.iter().filter_map(|session| session.quality_score).collect();
    let mean = scores.iter().sum::<f64>() / scores.len().max(1) as f64;
    Quality {
        component: component.to_owned(),
        sessions: group.len() as u64,
        active: count(|status| matches!(status, SessionStatus::Active | SessionStatus::Stale)),
        crashed: count(|status| status == SessionStatus::Crashed),
        commands: group.iter().map(|session| session.commands).sum(),
        failed: group.iter().map(|session| session.failed_commands).sum(),
        quality_score: (!scores.is_empty()).then_some((mean * 10.0).round() / 10.0),
    }
}
