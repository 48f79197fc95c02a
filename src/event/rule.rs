//! The rules that values from outside must keep. One function a rule; shells use them before sealing, trackers on arrival.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::{Map, Value};

/// Largest event, in bytes of its canonical form.
pub(crate) const MAX_EVENT_BYTES: usize = 256 * 1024;
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// A value from outside broke a rule: which field, and which rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {rule}")]
pub struct Invalid {
    field: Cow<'static, str>,
    rule: Cow<'static, str>,
}

impl Invalid {
    pub(crate) fn new(field: impl Into<Cow<'static, str>>, rule: impl Into<Cow<'static, str>>) -> Self {
        Self { field: field.into(), rule: rule.into() }
    }

    /// The field's name.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// The rule it breaks, as the end of a sentence that begins with the field.
    #[must_use]
    pub fn rule(&self) -> &str {
        &self.rule
    }
}

/// `^[a-zA-Z0-9_-]+$` to the very end, 1..=64.
pub(crate) fn check_component_name(name: &str) -> Result<(), Invalid> {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if (1..=64).contains(&name.len()) && name.bytes().all(valid) {
        return Ok(());
    }
    Err(Invalid::new("component_name", "must be 1 to 64 letters, digits, `_` or `-`"))
}

/// Checks a reason that somebody gives: 1..=500 characters, not all blank.
///
/// # Errors
/// Says the rule.
pub fn check_reason(reason: &str) -> Result<(), Invalid> {
    if reason.chars().count() <= 500 && !reason.trim().is_empty() {
        return Ok(());
    }
    Err(Invalid::new("reason", "must be 1 to 500 characters, not all blank"))
}

/// RFC 3339 with an upper-case `T` and a zone; digits after the sixth are cut.
pub(crate) fn check_timestamp(field: &'static str, text: &str) -> Result<Timestamp, Invalid> {
    let wrong = || {
        Invalid::new(
            field,
            "must be RFC 3339 with an upper-case `T`, seconds and a zone, for example 2026-02-06T12:34:56Z",
        )
    };
    if text.len() > 64 || text.as_bytes().get(10) != Some(&b'T') {
        return Err(wrong());
    }
    let time: Timestamp = text.parse().map_err(|_| wrong())?;
    Timestamp::from_microsecond(time.as_microsecond()).map_err(|_| wrong())
}

/// Cuts text to a number of characters.
pub(crate) fn shorten(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

/// Brings numbers into the form that events allow: fractions and integers beyond ±(2^53−1) become text.
pub(crate) fn normalise(value: Value) -> Value {
    match value {
        Value::Number(number) if !is_safe(&number) => Value::String(number.to_string()),
        Value::Array(items) => Value::Array(items.into_iter().map(normalise).collect()),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(key, value)| (key, normalise(value))).collect())
        }
        other => other,
    }
}

/// Whether every number below is one that events allow.
pub(crate) fn has_only_safe_numbers(fields: &Map<String, Value>) -> bool {
    fn safe(value: &Value) -> bool {
        match value {
            Value::Number(number) => is_safe(number),
            Value::Array(items) => items.iter().all(safe),
            Value::Object(fields) => fields.values().all(safe),
            _ => true,
        }
    }
    fields.values().all(safe)
}

fn is_safe(number: &serde_json::Number) -> bool {
    number.as_i64().map(i64::unsigned_abs).or(number.as_u64()).is_some_and(|n| n <= MAX_SAFE_INTEGER)
}
