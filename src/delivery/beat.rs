//! What a beat says: who lives, and what was emitted.

use std::{collections::BTreeMap, time::Duration};

use super::{LEASE, wire::MOST_EVENTS};
use crate::{
    event::SessionId,
    journal::{EMIT_BOUNDS_US, Emits, Presence},
};

/// Most bytes of emits in one request, of the 8 MiB that a tracker takes.
const MOST_BYTES: usize = 4 << 20;

/// What was emitted since the session began, by type of event.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally(BTreeMap<String, Emits>);

impl Tally {
    fn of(&mut self, kind: &str) -> &mut Emits {
        self.0.entry(kind.to_owned()).or_insert_with(|| Emits { event_type: kind.to_owned(), ..Emits::default() })
    }

    /// An event was delivered in a call that took so long.
    pub(super) fn taken(&mut self, kind: &str, took: Duration) {
        let emits = self.of(kind);
        emits.success += 1;
        emits.durations.resize(EMIT_BOUNDS_US.len() + 1, 0);
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let range = EMIT_BOUNDS_US.iter().position(|bound| us <= *bound).unwrap_or(EMIT_BOUNDS_US.len());
        emits.durations[range] += 1;
        emits.duration_us = emits.duration_us.saturating_add(us);
    }

    /// Events of these types were refused, or did not arrive with any attempt of their batch.
    pub(super) fn failed(&mut self, kinds: &[String], why: &str) {
        for kind in kinds {
            *self.of(kind).failure.entry(why.to_owned()).or_default() += 1;
        }
    }
}

/// The beat of the session that delivers.
pub(super) fn own(session: &SessionId, component: &str, emits: &Tally) -> Presence {
    Presence {
        session_id: session.clone(),
        component_name: component.to_owned(),
        lease_seconds: u32::try_from(LEASE.as_secs()).unwrap_or(30),
        emits: emits.0.values().cloned().collect(),
    }
}

/// As many as go into one request each. Without any, one that is empty: it asks whether somebody listens.
pub(super) fn cut(mut presence: &[Presence]) -> Vec<&[Presence]> {
    let mut requests = Vec::new();
    loop {
        let mut bytes = 0;
        let fits = presence.iter().take(MOST_EVENTS).take_while(|one| {
            bytes += serde_json::to_string(&one.emits).map_or(0, |text| text.len());
            bytes <= MOST_BYTES
        });
        let fits = fits.count().max(1).min(presence.len());
        let (now, rest) = presence.split_at(fits);
        requests.push(now);
        presence = rest;
        if presence.is_empty() {
            return requests;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beats_go_in_requests_that_a_tracker_takes() {
        let small = own(&SessionId::new(), "a", &Tally::default());
        let sizes = |presence: &[Presence]| cut(presence).iter().map(|some| some.len()).collect::<Vec<_>>();
        assert_eq!(sizes(&[]), [0]);
        assert_eq!(sizes(&vec![small.clone(); 2_500]), [1_000, 1_000, 500]);
        let mut tally = Tally::default();
        tally.failed(&["x".repeat(3 << 20)], "timeout");
        assert_eq!(sizes(&vec![own(&SessionId::new(), "a", &tally); 3]), [1, 1, 1]);
    }
}
