//! Sums over starts and ends of sessions. Pure: an event comes in, sums grow.
//!
//! - A session's end is counted once, whoever says it: when somebody observed that it crashed and it says an end of its
//!   own after all, the observer's word stays counted.
//! - Durations are those of sessions that said their end themselves.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::names::{DURATION_BOUNDS, OTHER};
use crate::{
    event::{Event, EventKind, Observation, SessionEnd, SessionId, SessionStart, StreamId},
    journal::{SessionRecord, SessionStatus},
};

/// Components with a label of their own, and types of shells of each.
const MOST_COMPONENTS: usize = 1_000;
const MOST_SHELL_TYPES: usize = 20;
/// Sessions that others saw ending and that are remembered, so that their own end is not counted again.
const MOST_REMEMBERED: usize = 50_000;

/// The sums.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Tally {
    pub(super) components: BTreeMap<String, Component>,
    /// Sessions whose end was said by others only.
    ended_by_others: BTreeSet<SessionId>,
}

/// The sums of one component.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Component {
    /// By type of shell.
    pub(super) starts: BTreeMap<String, u64>,
    /// By status.
    pub(super) ends: BTreeMap<String, u64>,
    /// Sessions in each range of durations, and one more for longer ones.
    pub(super) durations: [u64; DURATION_BOUNDS.len() + 1],
    /// All durations together.
    pub(super) duration_us: u64,
}

/// The status that an observation ends a session with.
fn ending(observation: &Observation) -> Option<&'static str> {
    match observation.what.as_str() {
        "crashed" => Some("crashed"),
        "ended_by_operator" | "ended_legacy" => Some("ended"),
        _ => None,
    }
}

impl Tally {
    /// The session whose record has to be known before this is added.
    pub(super) fn asks(&self, event: &Event) -> Option<SessionId> {
        let observation: Observation = event.decode().filter(|_| *event.kind() == EventKind::Observation)?;
        ending(&observation)?;
        observation.about.filter(|about| !self.ended_by_others.contains(about))
    }

    /// Adds one event; `about` is the record of the session that it asks for.
    pub(super) fn take(&mut self, event: &Event, about: Option<&SessionRecord>) {
        match (event.kind(), event.stream()) {
            (EventKind::SessionStart, _) => {
                let Some(start) = event.decode::<SessionStart>() else { return };
                let starts = &mut self.component(event.component()).starts;
                let is_full = starts.len() >= MOST_SHELL_TYPES && !starts.contains_key(&start.shell_type);
                let label = if is_full { OTHER.to_owned() } else { start.shell_type };
                *starts.entry(label).or_default() += 1;
            }
            (EventKind::SessionEnd, StreamId::Session(session)) => {
                let Some(end) = event.decode::<SessionEnd>() else { return };
                let was_counted = self.ended_by_others.remove(session);
                let component = self.component(event.component());
                if !was_counted {
                    *component.ends.entry("ended".to_owned()).or_default() += 1;
                }
                let range = DURATION_BOUNDS.iter().position(|bound| end.duration_us <= bound * 1_000_000);
                component.durations[range.unwrap_or(DURATION_BOUNDS.len())] += 1;
                component.duration_us = component.duration_us.saturating_add(end.duration_us);
            }
            (EventKind::Observation, _) => {
                let Some(observation) = event.decode::<Observation>() else { return };
                let (Some(status), Some(session)) = (ending(&observation), about) else { return };
                let ended_by_itself = session.status == SessionStatus::Ended && !session.inferred;
                if ended_by_itself || !self.ended_by_others.insert(session.session_id.clone()) {
                    return;
                }
                if self.ended_by_others.len() > MOST_REMEMBERED {
                    // Ids begin with the time: the first is the oldest.
                    self.ended_by_others.pop_first();
                }
                *self.component(&session.component_name).ends.entry(status.to_owned()).or_default() += 1;
            }
            _ => {}
        }
    }

    /// The label of a component.
    pub(super) fn label<'t>(&self, component: &'t str) -> &'t str {
        let is_full = self.components.len() >= MOST_COMPONENTS && !self.components.contains_key(component);
        if is_full { OTHER } else { component }
    }

    fn component(&mut self, name: &str) -> &mut Component {
        let label = self.label(name).to_owned();
        self.components.entry(label).or_default()
    }
}
