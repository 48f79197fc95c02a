//! Clients of the older generation: `track_session_start` and `track_session_end`.
//!
//! These clients keep no journal and seal nothing. They call once when a shell opens and once when it is left, and the
//! tracker writes the session's stream for them, in its own journal.
//!
//! Invariants:
//! - Every refusal is an answer with `status: "error"` that names the field and the rule; then nothing is stored.
//! - null means absent, everywhere.
//! - The `event_id` of a start is the id of its event: sent again with the same arguments it answers the same session,
//!   with others it is refused.
//! - Only a stream that this journal began for such a client is ended in it. The end of any other session is an
//!   observation, which its owner's own end overrules.
//! - What a client started under a token, only that client ends.

mod arguments;
mod end;
mod start;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Caller, Tracker, TrackerError};
use crate::{
    event::{Event, SessionId},
    journal::Entry,
    token::Scope,
};

use self::{arguments::without_nulls, end::End, start::Start};

/// What the body of a start holds that no shell's has: who began the session, and the id that was chosen for it.
const MARK: &str = "legacy";

/// What `track_session_start` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StartAnswer {
    /// The session; null when there is none.
    pub session_id: Option<String>,
    /// `tracked` or `error`.
    pub status: &'static str,
    /// What is wrong, and with which field.
    pub error: Option<String>,
}

/// What `track_session_end` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EndAnswer {
    /// The session, as it was given.
    pub session_id: String,
    /// `ended`, `not_found` or `error`.
    pub status: &'static str,
    /// What is wrong, and with which field.
    pub error: Option<String>,
}

impl Tracker {
    /// Begins a session for a client of the older generation. `shown` is whom the request's header shows; without one the
    /// `token` among the arguments counts.
    pub async fn track_start(&self, shown: Option<&Caller>, arguments: Map<String, Value>) -> StartAnswer {
        match self.start(shown, without_nulls(arguments)).await {
            Ok(session) => StartAnswer { session_id: Some(session.into()), status: "tracked", error: None },
            Err(error) => StartAnswer { session_id: None, status: "error", error: Some(said(&error)) },
        }
    }

    /// Ends a session for a client of the older generation.
    pub async fn track_end(&self, shown: Option<&Caller>, arguments: Map<String, Value>) -> EndAnswer {
        let arguments = without_nulls(arguments);
        let given = arguments.get("session_id").and_then(Value::as_str).unwrap_or_default();
        let session_id = given.chars().take(LONGEST_ID).collect();
        match self.end_older(shown, &arguments).await {
            Ok(Outcome::Ended) => EndAnswer { session_id, status: "ended", error: None },
            Ok(Outcome::NotFound) => EndAnswer { session_id, status: "not_found", error: None },
            Err(error) => EndAnswer { session_id, status: "error", error: Some(said(&error)) },
        }
    }

    async fn start(&self, shown: Option<&Caller>, arguments: Map<String, Value>) -> Result<SessionId, TrackerError> {
        let caller = self.caller_of_older(shown, &arguments).await?;
        let start = Start::read(&arguments)?;
        caller.require_component(start.component())?;
        let (stream, draft) = start.drafted(caller.writer());
        let stored = self.journal().record(&stream, std::slice::from_ref(&draft)).await?;
        let event = stored.first().ok_or_else(|| impossible("event_id", "was not stored"))?;
        // Stored before: by this very call, sent again, or by somebody else.
        let is_this =
            event.is_of(&draft) && event.component() == stream.component && event.journal() == self.journal().id();
        match (is_this, event.stream().as_str().parse::<SessionId>()) {
            (true, Ok(session)) => Ok(session),
            _ => Err(impossible("event_id", "is stored already, with other arguments: give each start its own")),
        }
    }

    async fn end_older(&self, shown: Option<&Caller>, arguments: &Map<String, Value>) -> Result<Outcome, TrackerError> {
        let caller = self.caller_of_older(shown, arguments).await?;
        let end = End::read(arguments)?;
        let Ok(id) = end.session_id.parse::<SessionId>() else { return Ok(Outcome::NotFound) };
        let Some(record) = self.exactly(&id).await? else { return Ok(Outcome::NotFound) };
        caller.require_component(&record.component_name)?;
        let began = self.began_here(&id).await?;
        match &began {
            Some(began) => is_writer(&caller, began)?,
            None if caller.has(Scope::SessionsAdmin) => {}
            None => self.require_writer(&caller, &[id.clone().into()]).await?,
        }
        if record.status.is_over() {
            return Ok(Outcome::Ended);
        }
        let journal = self.journal();
        let Some(began) = began else {
            self.observe_deaths().await;
            if self.exactly(&id).await?.is_some_and(|record| record.status.is_over()) {
                return Ok(Outcome::Ended);
            }
            journal.record(&journal.own_stream(), &[end.observed(&id, caller.subject())]).await?;
            return Ok(Outcome::Ended);
        };
        let stream = start::stream(id.clone(), &record.component_name);
        match journal.record(&stream, &[end.drafted(began.timestamp())]).await {
            Ok(_) => Ok(Outcome::Ended),
            // Somebody else was faster.
            Err(error) => match self.exactly(&id).await? {
                Some(record) if record.status.is_over() => Ok(Outcome::Ended),
                _ => Err(error.into()),
            },
        }
    }

    /// Who calls: as the header says, else as the `token` among the arguments says.
    async fn caller_of_older(
        &self,
        shown: Option<&Caller>,
        arguments: &Map<String, Value>,
    ) -> Result<Caller, TrackerError> {
        let token = match arguments.get("token") {
            None => None,
            Some(Value::String(token)) => Some(token.as_str()),
            Some(_) => return Err(impossible("token", "must be a string")),
        };
        let caller = match shown {
            Some(caller) => caller.clone(),
            None => self.authorise(token).await?,
        };
        caller.require_older_tools()?;
        Ok(caller)
    }

    /// The start of a session that this journal began for a client of the older generation.
    async fn began_here(&self, id: &SessionId) -> Result<Option<Event>, TrackerError> {
        let first = self.journal().events(&id.clone().into(), 0, 1).await?.into_iter().next();
        Ok(match first {
            Some(Entry::Whole(event)) if event.journal() == self.journal().id() && event.body().get(MARK).is_some() => {
                Some(event)
            }
            _ => None,
        })
    }
}

/// What ending came to.
enum Outcome {
    Ended,
    NotFound,
}

/// Longer than any id: what is given back of something that is none.
const LONGEST_ID: usize = 128;

/// Whether a caller is the one who began a session, or may act for others.
fn is_writer(caller: &Caller, began: &Event) -> Result<(), TrackerError> {
    let bound = began.body().get(MARK).and_then(|mark| mark.get("writer")).and_then(Value::as_str);
    match (bound, caller.writer()) {
        (Some(bound), Some(writer)) if bound != start::recorded(writer) && !caller.has(Scope::SessionsAdmin) => {
            Err(TrackerError::OtherWriter)
        }
        _ => Ok(()),
    }
}

fn impossible(field: &str, rule: &str) -> TrackerError {
    TrackerError::Invalid { field: field.to_owned(), rule: rule.to_owned() }
}

/// An error as these clients hear it: the field, then what is wrong with it.
fn said(error: &TrackerError) -> String {
    match error {
        TrackerError::Unauthenticated(_) | TrackerError::MissingScope(_) | TrackerError::OtherComponent => {
            format!("token: {error}")
        }
        TrackerError::OtherWriter => format!("session_id: {error}"),
        _ => error.to_string(),
    }
}
