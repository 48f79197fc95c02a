//! Who calls, and what they may do.

use super::TrackerError;
use crate::token::Scope;

/// Somebody whom the gate has let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    subject: String,
    component: Option<String>,
    scopes: Vec<Scope>,
    standing: Standing,
}

/// How a caller was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// The tracker is open: nobody is asked who they are.
    Open,
    /// By a token.
    Token,
    /// By a token of the older generation: good for the two tools of that generation only.
    Older,
}

impl Caller {
    /// Anybody, where no token is asked for.
    pub(super) fn anybody() -> Self {
        let scopes = Scope::ALL.to_vec();
        Self { subject: "anonymous".to_owned(), component: None, scopes, standing: Standing::Open }
    }

    pub(super) fn with_token(subject: String, component: Option<String>, scopes: Vec<Scope>) -> Self {
        Self { subject, component, scopes, standing: Standing::Token }
    }

    pub(super) fn older(subject: String, component: String) -> Self {
        Self { subject, component: Some(component), scopes: Vec::new(), standing: Standing::Older }
    }

    /// The name in the token; `anonymous` without one.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The only component whose events the caller may write.
    #[must_use]
    pub fn component(&self) -> Option<&str> {
        self.component.as_deref()
    }

    /// Whether the caller may do something.
    #[must_use]
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// That the caller may do something.
    ///
    /// # Errors
    /// When not: names the scope that is missing.
    pub fn require(&self, scope: Scope) -> Result<(), TrackerError> {
        if self.has(scope) { Ok(()) } else { Err(TrackerError::MissingScope(scope)) }
    }

    /// That the caller may use `track_session_start` and `track_session_end`: with `events:write`, or with a token of
    /// the older generation.
    ///
    /// # Errors
    /// When not.
    pub fn require_older_tools(&self) -> Result<(), TrackerError> {
        if self.standing == Standing::Older { Ok(()) } else { self.require(Scope::EventsWrite) }
    }

    /// That the caller may write a component's events.
    ///
    /// # Errors
    /// When the token is for another component.
    pub fn require_component(&self, component: &str) -> Result<(), TrackerError> {
        match &self.component {
            Some(own) if own != component => Err(TrackerError::OtherComponent),
            _ => Ok(()),
        }
    }

    /// Who is bound to the sessions that the caller writes; nobody where nobody is known.
    #[must_use]
    pub fn writer(&self) -> Option<&str> {
        (self.standing != Standing::Open).then_some(self.subject.as_str())
    }
}
