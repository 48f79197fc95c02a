//! The vocabulary: what a tool complains about, how grave it is, and of which kind.
//!
//! What a tool says is somebody else's text: every field is bounded here, whatever the tool wrote.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longer messages are cut: a page of text is enough to know what is wrong.
const MESSAGE_CHARS: usize = 4_000;
/// Longer names are no names.
const NAME_CHARS: usize = 200;
/// The longest path that a file system takes.
const PATH_CHARS: usize = 4_096;

/// How grave a finding is. The order is the one in which people mend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It is wrong.
    Error,
    /// It is doubtful.
    Warning,
    /// It is worth knowing.
    Note,
}

impl Severity {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }

    /// What the words of many tools mean; a word that nobody knows is a warning.
    #[must_use]
    pub fn of_word(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "error" | "fatal" | "critical" | "high" | "failure" | "2" | "bug" | "blocker" => Self::Error,
            "note" | "info" | "information" | "informational" | "help" | "hint" | "style" | "none" | "low" => {
                Self::Note
            }
            _ => Self::Warning,
        }
    }
}

/// What kind of check it is. The order is the one in which people mend: what does not compile can not be tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Types, and whether it compiles.
    Type,
    /// Tests.
    Test,
    /// Security.
    Security,
    /// Lints.
    Lint,
    /// How the source is laid out.
    Format,
}

impl Kind {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Test => "test",
            Self::Security => "security",
            Self::Lint => "lint",
            Self::Format => "format",
        }
    }
}

/// What a tool complains about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How grave it is.
    pub severity: Severity,
    /// The kind, where it differs from that of the tool: a test that does not compile.
    pub kind: Option<Kind>,
    /// The file as the tool named it; later relative to the tree.
    pub file: Option<String>,
    /// Line, from 1.
    pub line: Option<u32>,
    /// Column, from 1.
    pub column: Option<u32>,
    /// The last line of it.
    pub end_line: Option<u32>,
    /// The column behind its end.
    pub end_column: Option<u32>,
    /// The tool's name for the rule.
    pub rule: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What the tool suggests.
    pub help: Option<String>,
    /// Where the rule is explained.
    pub url: Option<String>,
}

impl Finding {
    /// A finding without a place.
    #[must_use]
    pub fn new(severity: Severity, message: impl Into<String>) -> Self {
        Self {
            severity,
            kind: None,
            file: None,
            line: None,
            column: None,
            end_line: None,
            end_column: None,
            rule: None,
            message: message.into(),
            help: None,
            url: None,
        }
    }

    /// The same with every text within bounds. Numbers of 0 are none: editors count from 1.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        shorten(&mut self.message, MESSAGE_CHARS);
        for (text, most) in [
            (&mut self.file, PATH_CHARS),
            (&mut self.rule, NAME_CHARS),
            (&mut self.help, MESSAGE_CHARS),
            (&mut self.url, PATH_CHARS),
        ] {
            if let Some(some) = text {
                shorten(some, most);
                if some.is_empty() {
                    *text = None;
                }
            }
        }
        for number in [&mut self.line, &mut self.column, &mut self.end_line, &mut self.end_column] {
            *number = number.filter(|number| *number > 0);
        }
        self
    }
}

fn shorten(text: &mut String, most: usize) {
    let trimmed = text.trim_end();
    if trimmed.len() < text.len() {
        text.truncate(trimmed.len());
    }
    if let Some((at, _)) = text.char_indices().nth(most) {
        text.truncate(at);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_bounded() {
        let mut finding = Finding::new(Severity::Error, "x".repeat(10_000));
        finding.file = Some(String::new());
        finding.line = Some(0);
        let bounded = finding.bounded();
        assert_eq!(bounded.message.chars().count(), MESSAGE_CHARS + 1);
        assert_eq!((bounded.file, bounded.line), (None, None));
    }
}
