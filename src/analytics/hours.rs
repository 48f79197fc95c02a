//! Sessions at an unusual time of day.
//!
//! A session is compared with the others of its user, or, where these are fewer than 30, with the others of its component.
//! It is unusual when fewer than 2 in 100 of them began within two hours of its time of day, whatever the date (23:00 and
//! 01:00 are two hours apart). Were sessions spread evenly over the day, one in six would; that none of 30 does then
//! happens by chance 4 times in 1,000. Fewer than 30 others say nothing.

use std::collections::{BTreeMap, HashMap};

use jiff::tz::TimeZone;

use super::{Insight, Kind};
use crate::journal::SessionRecord;

const LEAST: usize = 30;
const NEAR_MINUTES: u16 = 120;
const ONE_IN: usize = 50;
const DAY_MINUTES: u16 = 24 * 60;

/// How many sessions began in each minute of the day.
struct Day {
    minutes: Vec<usize>,
    total: usize,
}

impl Default for Day {
    fn default() -> Self {
        Self { minutes: vec![0; usize::from(DAY_MINUTES)], total: 0 }
    }
}

impl Day {
    fn add(&mut self, minute: u16) {
        self.minutes[usize::from(minute)] += 1;
        self.total += 1;
    }

    /// How many of the others began near a session's minute; it is one of them itself.
    fn near(&self, minute: u16) -> usize {
        let offsets = 0..=2 * NEAR_MINUTES;
        let minute_at = |offset| (minute + DAY_MINUTES - NEAR_MINUTES + offset) % DAY_MINUTES;
        offsets.map(|offset| self.minutes[usize::from(minute_at(offset))]).sum::<usize>() - 1
    }
}

struct Unusual<'s> {
    session: &'s SessionRecord,
    clock: String,
    near: usize,
    others: usize,
}

pub(super) fn find(sessions: &[SessionRecord], zone: &TimeZone) -> Vec<Insight> {
    let mut users: HashMap<&str, Day> = HashMap::new();
    let mut components: HashMap<&str, Day> = HashMap::new();
    let timed: Vec<(&SessionRecord, jiff::Zoned)> =
        sessions.iter().filter_map(|session| Some((session, session.start_time?.to_zoned(zone.clone())))).collect();
    for (session, start) in &timed {
        components.entry(&session.component_name).or_default().add(minute(start));
        if let Some(user) = session.username.as_deref() {
            users.entry(user).or_default().add(minute(start));
        }
    }
    let mut groups: BTreeMap<(&str, &str), Vec<Unusual<'_>>> = BTreeMap::new();
    for (session, start) in &timed {
        let user = session.username.as_deref().unwrap_or("somebody");
        let own = users.get(user).filter(|day| day.total > LEAST);
        let Some(day) = own.or_else(|| components.get(session.component_name.as_str())) else { continue };
        let (near, others) = (day.near(minute(start)), day.total - 1);
        if others >= LEAST && near * ONE_IN < others {
            let clock = start.strftime("%H:%M").to_string();
            groups.entry((&session.component_name, user)).or_default().push(Unusual { session, clock, near, others });
        }
    }
    groups.into_iter().filter_map(|((component, user), group)| of_group(component, user, &group)).collect()
}

fn of_group(component: &str, user: &str, group: &[Unusual<'_>]) -> Option<Insight> {
    let last = group.iter().max_by_key(|unusual| unusual.session.start_time)?;
    let since = group.iter().filter_map(|unusual| unusual.session.start_time).min()?;
    let opened = match group.len() {
        1 => format!("{user} opened a session at {}", last.clock),
        count => format!("{user} opened {count} sessions at unusual hours, the last at {}", last.clock),
    };
    Some(Insight {
        kind: Kind::Hours,
        component: component.to_owned(),
        what: format!("{opened}; {} of {} others began within two hours of that", last.near, last.others),
        count: group.len() as u64,
        of: last.others as u64 + 1,
        since,
        last: last.session.start_time?,
        session_id: last.session.session_id.clone(),
    })
}

fn minute(at: &jiff::Zoned) -> u16 {
    u16::from(at.hour().unsigned_abs()) * 60 + u16::from(at.minute().unsigned_abs())
}
