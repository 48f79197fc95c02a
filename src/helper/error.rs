//! What a wrong call is told, in words for people.

use std::fmt;

/// A call that can not be made, or that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct HelperError {
    /// A word for programs, for example `wrong_type`.
    pub kind: &'static str,
    /// One sentence.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// The argument that is to blame, when it is one.
    pub(crate) argument: Option<Blame>,
}

/// Which argument of a call is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Blame {
    /// The value of a parameter, by its place and its name.
    Value(usize, String),
    /// A name that no parameter has, or that is given twice.
    Name(String),
}

impl HelperError {
    /// An error with a word for programs and a sentence for people. A helper that answers with one is shown as it is.
    #[must_use]
    pub fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, argument: None }
    }

    /// What to do next, in a few words.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn blame(mut self, argument: Blame) -> Self {
        self.argument = Some(argument);
        self
    }
}

/// "`a`, `b` or `c`".
pub(crate) fn one_of(words: impl IntoIterator<Item = impl fmt::Display>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}
