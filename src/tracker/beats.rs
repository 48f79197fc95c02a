//! Beats: who is alive, and who was asked to end.

use jiff::{SignedDuration, Timestamp};

use super::{Caller, Tracker, TrackerError};
use crate::{
    delivery::{
        LEASE,
        wire::{Beaten, Beats, MOST_EVENTS},
    },
    event::{StreamId, check_component_name, check_label},
    journal::{EMIT_BOUNDS_US, EndRequest, Found, Heard, Presence},
    recorder,
    token::Scope,
};

/// The longest lease that a beat may ask for.
const LONGEST_LEASE: SignedDuration = SignedDuration::from_hours(1);

/// Types of events that one beat reports on, at most, and kinds of errors of each.
const MOST_TYPES: usize = 32;
const MOST_KINDS: usize = 32;

impl Tracker {
    /// Who lives, as far as is known here: sessions that were heard within their lease, and those of this machine that write
    /// the same journal.
    ///
    /// # Errors
    /// When the journal can not be read.
    pub async fn living(&self) -> Result<Vec<Presence>, TrackerError> {
        self.observe_deaths().await;
        let now = Timestamp::now();
        let since = now.checked_sub(LONGEST_LEASE).unwrap_or(Timestamp::UNIX_EPOCH);
        let mut living = self.journal().presences(since).await?;
        let lease = |heard: &Heard| SignedDuration::from_secs(heard.presence.lease_seconds.into());
        living.retain(|heard| now.duration_since(heard.at) <= lease(heard));
        let mut living: Vec<Presence> = living.into_iter().map(|heard| heard.presence).collect();
        for session in self.0.database.as_deref().map(recorder::living).unwrap_or_default() {
            if living.iter().any(|presence| presence.session_id == session) {
                continue;
            }
            if let Found::One(record) = self.journal().find(session.as_str()).await? {
                let lease_seconds = u32::try_from(LEASE.as_secs()).unwrap_or(30);
                let component_name = record.component_name;
                living.push(Presence { session_id: session, component_name, lease_seconds, emits: Vec::new() });
            }
        }
        Ok(living)
    }

    /// Records that another tracker asks a session to end, once: it asks with every beat until the session has ended.
    ///
    /// # Errors
    /// When the journal can not be written.
    pub async fn ask_to_end(&self, request: &EndRequest) -> Result<(), TrackerError> {
        let journal = self.journal();
        if journal.end_requests(std::slice::from_ref(&request.session_id)).await?.is_empty() {
            recorder::request_end(&**journal, &request.session_id, &request.by, &request.why).await?;
        }
        Ok(())
    }

    /// Takes note of living sessions; answers which of them were asked to end.
    ///
    /// # Errors
    /// When a session is not the caller's, a value breaks a rule, or the journal can not be written.
    pub async fn beat(&self, caller: &Caller, beats: Beats) -> Result<Beaten, TrackerError> {
        if !caller.has(Scope::EventsForward) {
            caller.require(Scope::EventsWrite)?;
        }
        let invalid = |field: String, rule: &str| TrackerError::Invalid { field, rule: rule.to_owned() };
        if beats.presence.len() > MOST_EVENTS {
            return Err(invalid("presence".to_owned(), "must hold 1000 sessions at most"));
        }
        for (place, presence) in beats.presence.iter().enumerate() {
            caller.require_component(&presence.component_name)?;
            check(presence).map_err(|(field, rule)| invalid(format!("presence[{place}].{field}"), &rule))?;
        }
        if beats.presence.is_empty() {
            return Ok(Beaten::default());
        }
        let sessions: Vec<_> = beats.presence.iter().map(|presence| presence.session_id.clone()).collect();
        let streams: Vec<StreamId> = sessions.iter().cloned().map(StreamId::from).collect();
        self.require_writer(caller, &streams).await?;
        self.journal().beat(&beats.presence).await?;
        Ok(Beaten { end_requested: self.journal().end_requests(&sessions).await? })
    }
}

fn check(presence: &Presence) -> Result<(), (String, String)> {
    check_component_name(&presence.component_name)
        .map_err(|error| (error.field().to_owned(), error.rule().to_owned()))?;
    let wrong = |field: &str, rule: &str| Err((field.to_owned(), rule.to_owned()));
    if !(1..=3_600).contains(&presence.lease_seconds) {
        return wrong("lease_seconds", "must be from 1 to 3600");
    }
    if presence.emits.len() > MOST_TYPES {
        return wrong("emits", "must be of 32 types of events at most");
    }
    for emits in &presence.emits {
        let kinds = emits.failure.keys().map(String::as_str);
        for label in kinds.chain([emits.event_type.as_str()]) {
            if check_label("emits", label).is_err() {
                return wrong("emits", "must name types and errors with 1 to 255 characters");
            }
        }
        if emits.failure.len() > MOST_KINDS {
            return wrong("emits", "must have 32 kinds of errors at most");
        }
        if emits.durations.len() > EMIT_BOUNDS_US.len() + 1 {
            return wrong("emits", "must count durations in 13 ranges at most");
        }
    }
    Ok(())
}
