//! What came of one command, as a test wants to look at it.

use std::sync::{Arc, Mutex};

use serde::de::DeserializeOwned;

use super::console::{Heard, locked};
use crate::{
    event::Status,
    render::{Color, Place, Report, Width, failure},
    session::Outcome,
};

/// A command that ran in a [`TestShell`](super::TestShell).
#[derive(Clone, Debug)]
pub struct Ran {
    /// How it ended.
    pub status: Status,
    /// Everything that is known about it.
    pub outcome: Outcome,
    heard: Heard,
}

impl Ran {
    pub(super) fn new(outcome: Outcome, heard: &Arc<Mutex<Heard>>) -> Self {
        Self { status: outcome.status, outcome, heard: locked(heard).clone() }
    }

    /// Its value.
    ///
    /// # Panics
    /// When it failed, or its value is no `T`.
    #[track_caller]
    pub fn value<T: DeserializeOwned>(self) -> T {
        if let Some(failure) = self.failure() {
            panic!("the command failed:\n{failure}");
        }
        let shown = self.outcome.value.to_string();
        serde_json::from_value(self.outcome.value).unwrap_or_else(|error| panic!("{error}: {shown}"))
    }

    /// What a person sees of its failure: the sentence, the line with a caret, the hint.
    ///
    /// # Panics
    /// When it succeeded.
    #[track_caller]
    pub fn fails(self) -> String {
        self.failure().unwrap_or_else(|| panic!("the command did not fail, its value is {}", self.outcome.value))
    }

    /// The same, `None` when it succeeded.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        let what = self.outcome.failure.as_ref()?;
        let at = what.at.as_ref();
        let at = at.map(|at| Place {
            source: &at.source,
            text: &at.text,
            line: at.line,
            column: at.column,
            end_column: None,
        });
        let report = Report { message: &what.message, hint: what.hint.as_deref(), at };
        Some(failure(&report, Width::Columns(120), Color::Off))
    }

    /// Everything that it printed.
    #[must_use]
    pub fn printed(&self) -> &str {
        &self.heard.printed
    }

    /// Every step of progress that it showed.
    #[must_use]
    pub fn progress(&self) -> &[(String, Option<f64>)] {
        &self.heard.progress
    }
}
