//! What a person asks for when they submit a run, and the rules it must meet before anything is stored.

use std::{path::PathBuf, time::Duration};

use crate::engine::EngineError;

/// How many times a program is started before its run fails, when nobody says otherwise.
const ATTEMPTS: u32 = 3;

/// A run that somebody asks for.
///
/// ```
/// use std::time::Duration;
/// use orchestrator::Submission;
///
/// let backup = Submission::new("backup", "tar").args(["-cf", "home.tar", "/home"]).timeout(Duration::from_secs(600));
/// assert!(backup.check().is_ok());
/// assert!(Submission::new("", "tar").check().is_err());
/// ```
#[derive(Clone, Debug)]
pub struct Submission {
    pub(crate) name: String,
    pub(crate) program: String,
    pub(crate) args: Vec<String>,
    pub(crate) cwd: Option<PathBuf>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) attempts: u32,
}

impl Submission {
    /// A run of `program` under a name for people; at most three attempts, as long as each takes, in the directory of
    /// whoever submits it.
    #[must_use]
    pub fn new(name: impl Into<String>, program: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            program: program.into(),
            args: Vec::new(),
            cwd: None,
            timeout: None,
            attempts: ATTEMPTS,
        }
    }

    /// The program's arguments, as they are: no shell reads them.
    #[must_use]
    pub fn args<A: Into<String>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args = args.into_iter().map(Into::into).collect();
        self
    }

    /// The directory that the program runs in.
    #[must_use]
    pub fn cwd(mut self, directory: impl Into<PathBuf>) -> Self {
        self.cwd = Some(directory.into());
        self
    }

    /// How long one attempt may take before it is stopped.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// How often the program may be started. With 1 the engine never starts it a second time by itself, not even after
    /// a shell was left or killed in the middle of it.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Checks every rule.
    ///
    /// # Errors
    ///
    /// [`EngineError::Invalid`] names the field and the rule: a name of 1 to 255 characters without control characters,
    /// a program, no NUL anywhere (no operating system takes one), 1 to 100 attempts, a timeout of a millisecond to a year.
    pub fn check(&self) -> Result<(), EngineError> {
        let wrong = |field: &'static str, rule: &str| Err(EngineError::Invalid { field, rule: rule.to_owned() });
        if !(1..=255).contains(&self.name.chars().count()) || self.name.trim().is_empty() {
            return wrong("name", "must have 1 to 255 characters, not all blank");
        }
        if self.name.chars().any(char::is_control) {
            return wrong("name", "must not hold control characters");
        }
        if self.program.is_empty() {
            return wrong("program", "must name a program, such as \"tar\" or \"/usr/bin/make\"");
        }
        if self.program.contains('\0') {
            return wrong("program", "must not hold NUL");
        }
        if let Some(place) = self.args.iter().position(|arg| arg.contains('\0')) {
            return wrong("args", &format!("must not hold NUL, and number {} does", place + 1));
        }
        if !(1..=100).contains(&self.attempts) {
            return wrong("attempts", "must be 1 to 100");
        }
        let year = Duration::from_secs(366 * 24 * 60 * 60);
        if self.timeout.is_some_and(|limit| limit < Duration::from_millis(1) || limit > year) {
            return wrong("timeout", "must be between a millisecond and a year");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_names_its_field() {
        let good = || Submission::new("nightly backup", "tar").args(["-c", ""]);
        assert!(good().check().is_ok());
        let table = [
            (Submission::new("", "tar"), "name"),
            (Submission::new("  ", "tar"), "name"),
            (Submission::new("x".repeat(256), "tar"), "name"),
            (Submission::new("a\nb", "tar"), "name"),
            (Submission::new("a\u{1b}[31m", "tar"), "name"),
            (Submission::new("a", ""), "program"),
            (Submission::new("a", "t\0r"), "program"),
            (good().args(["a", "b\0"]), "args"),
            (good().attempts(0), "attempts"),
            (good().attempts(101), "attempts"),
            (good().timeout(Duration::ZERO), "timeout"),
            (good().timeout(Duration::MAX), "timeout"),
        ];
        for (submission, expected) in table {
            match submission.check() {
                Err(EngineError::Invalid { field, .. }) => assert_eq!(field, expected),
                other => panic!("{expected}: {other:?}"),
            }
        }
    }

    #[test]
    fn length_counts_characters_not_bytes() {
        assert!(Submission::new("ü".repeat(255), "tar").check().is_ok());
    }
}
