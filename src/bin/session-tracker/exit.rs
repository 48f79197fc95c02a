//! Why a command stopped, and the exit code that says so.

use std::{io::Write, process::ExitCode};

use admin_shell::{journal::JournalError, render::visible};

/// Why a command did not end well.
#[derive(Debug)]
pub(crate) enum Stop {
    /// What was asked can not be meant: exit code 2.
    Usage(String),
    /// There is no such thing: exit code 3, and a sentence that says what to do.
    NotFound(String),
    /// It was tried and failed: exit code 1.
    Failed(anyhow::Error),
    /// The answer itself says what is wrong: exit code 1.
    Said,
    /// Whoever read the answer has enough: no failure of ours.
    Closed,
}

impl Stop {
    /// A failure in one sentence.
    pub(crate) fn failed(sentence: impl Into<String>) -> Self {
        Self::Failed(anyhow::Error::msg(sentence.into()))
    }
}

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<JournalError> for Stop {
    fn from(error: JournalError) -> Self {
        Self::Failed(error.into())
    }
}

/// Says why, and gives the exit code.
pub(crate) fn report(stop: &Stop) -> ExitCode {
    let (code, sentence) = match stop {
        Stop::Closed => return ExitCode::SUCCESS,
        Stop::Said => return ExitCode::from(1),
        Stop::Failed(error) => (1, format!("{error:#}")),
        Stop::Usage(sentence) => (2, sentence.clone()),
        Stop::NotFound(sentence) => (3, sentence.clone()),
    };
    say(&format!("error: {sentence}"));
    ExitCode::from(code)
}

/// Says something on standard error. A closed one is nothing to stop for.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", visible(text));
}
