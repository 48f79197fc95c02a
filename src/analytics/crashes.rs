//! Sessions that crashed, by component and machine. One is enough: a shell is not supposed to.

use std::collections::BTreeMap;

use super::{Insight, Kind};
use crate::journal::{SessionRecord, SessionStatus};

pub(super) fn find(sessions: &[SessionRecord]) -> Vec<Insight> {
    let mut groups: BTreeMap<(&str, &str), Vec<&SessionRecord>> = BTreeMap::new();
    for session in sessions {
        let host = session.hostname.as_deref().unwrap_or("an unknown machine");
        groups.entry((&session.component_name, host)).or_default().push(session);
    }
    groups.into_iter().filter_map(|((component, host), group)| of_group(component, host, &group)).collect()
}

fn of_group(component: &str, host: &str, group: &[&SessionRecord]) -> Option<Insight> {
    let mut crashed: Vec<&SessionRecord> =
        group.iter().copied().filter(|session| session.status == SessionStatus::Crashed).collect();
    crashed.sort_by_key(|session| session.start_time);
    let (first, last) = (crashed.first()?, crashed.last()?);
    let (count, of) = (crashed.len() as u64, group.len() as u64);
    let sessions = if of == 1 { "session" } else { "sessions" };
    Some(Insight {
        kind: Kind::Crashes,
        component: component.to_owned(),
        what: format!("{count} of {of} {sessions} on {host} crashed"),
        count,
        of,
        since: first.start_time?,
        last: last.start_time?,
        session_id: last.session_id.clone(),
    })
}
