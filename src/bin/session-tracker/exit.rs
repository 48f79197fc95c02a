//! Why a command stopped, and the exit code that says so.

use std::{io::Write, process::ExitCode};

use admin_shell::{
    journal::JournalError,
    render::{self, visible},
};
use clap::error::ErrorKind;
use serde_json::json;

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

/// Says what is wrong about the arguments, or the help that was asked for, and gives the exit code.
pub(crate) fn wrong_usage(error: &clap::Error) -> ExitCode {
    let is_error = !matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    );
    if !is_error || !wants_json() {
        error.exit();
    }
    let (message, hint) = render::usage(&error.to_string());
    complain("usage", &message, Some(&hint));
    ExitCode::from(2)
}

/// Whether a program reads the answer. Looked for by hand: the arguments may be what is wrong.
fn wants_json() -> bool {
    let mut args = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).take_while(|arg| arg != "--");
    let is_json = |format: &str| matches!(format, "json" | "ndjson");
    while let Some(arg) = args.next() {
        let format = if arg == "--format" { args.next() } else { arg.strip_prefix("--format=").map(str::to_owned) };
        if format.is_some_and(|format| is_json(&format)) {
            return true;
        }
    }
    false
}

fn complain(kind: &str, message: &str, hint: Option<&str>) {
    if wants_json() {
        let document = json!({"error": {"kind": kind, "message": message, "hint": hint}});
        // A closed one is nothing to stop for.
        let _ = writeln!(std::io::stderr(), "{}", render::json(&document));
    } else {
        say(&format!("error: {message}"));
    }
}

/// Says why, and gives the exit code.
pub(crate) fn report(stop: &Stop) -> ExitCode {
    let (code, kind, sentence) = match stop {
        Stop::Closed => return ExitCode::SUCCESS,
        Stop::Said => return ExitCode::from(1),
        Stop::Failed(error) => (1, "failed", format!("{error:#}")),
        Stop::Usage(sentence) => (2, "usage", sentence.clone()),
        Stop::NotFound(sentence) => (3, "not_found", sentence.clone()),
    };
    complain(kind, &sentence, None);
    ExitCode::from(code)
}

/// Says something on standard error. A closed one is nothing to stop for.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", visible(text));
}
