//! The rules that values from outside must keep. One function a rule; shells use them before sealing, trackers on arrival.
//!
//! Characters are Unicode scalar values. Every error names the field and the rule. What no rule names (unknown fields,
//! unknown event types) is kept as it is.

mod body;
mod time;

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::body::MAX_SAFE_INTEGER;

pub(crate) use self::{
    body::{check_body, shorten_long_fields},
    time::{check_sealed_timestamp, check_timestamp},
};

/// Largest event, in bytes of its canonical form.
pub(crate) const MAX_EVENT_BYTES: usize = 256 * 1024;
const MAX_METADATA_BYTES: usize = 64 * 1024;
const MAX_METADATA_LEVELS: usize = 8;

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

/// 1..=255 characters without control characters: hostname, shell_type, platform, runtime.
pub(crate) fn check_label(field: &'static str, text: &str) -> Result<(), Invalid> {
    if (1..=255).contains(&text.chars().count()) && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(Invalid::new(field, "must be 1 to 255 characters without control characters"))
}

/// At most so many characters, no NUL; may be empty: username, home, cwd.
pub(crate) fn check_text(field: &'static str, text: &str, most: usize) -> Result<(), Invalid> {
    if text.chars().count() > most {
        return Err(Invalid::new(field, format!("must be at most {most} characters")));
    }
    if text.contains('\0') {
        return Err(Invalid::new(field, "must not hold NUL"));
    }
    Ok(())
}

/// 1..=4194304, the most that Linux gives out.
pub(crate) fn check_pid(pid: u64) -> Result<(), Invalid> {
    if (1..=4_194_304).contains(&pid) {
        return Ok(());
    }
    Err(Invalid::new("pid", "must be an integer from 1 to 4194304"))
}

/// At most 64 KiB of canonical form and 8 levels. The object itself is level 1; lists count.
pub(crate) fn check_metadata(metadata: &Map<String, Value>) -> Result<(), Invalid> {
    // Depth first: the canonical form of something bottomless would overflow the stack.
    if metadata.values().any(|value| is_deeper(value, MAX_METADATA_LEVELS - 1)) {
        return Err(Invalid::new("metadata", "must have at most 8 levels"));
    }
    let canonical = serde_json_canonicalizer::to_vec(metadata)
        .map_err(|error| Invalid::new("metadata", format!("has no canonical form: {error}")))?;
    if canonical.len() > MAX_METADATA_BYTES {
        return Err(Invalid::new("metadata", format!("must be at most 64 KiB, this is {} bytes", canonical.len())));
    }
    Ok(())
}

/// Whether a value has more levels than these.
fn is_deeper(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(|item| is_deeper(item, levels - 1)),
        Value::Object(fields) => levels == 0 || fields.values().any(|value| is_deeper(value, levels - 1)),
        _ => false,
    }
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

/// The field that holds a number which events do not allow, at any depth.
pub(crate) fn find_unsafe_number(fields: &Map<String, Value>) -> Option<&str> {
    fn safe(value: &Value) -> bool {
        match value {
            Value::Number(number) => is_safe(number),
            Value::Array(items) => items.iter().all(safe),
            Value::Object(fields) => fields.values().all(safe),
            _ => true,
        }
    }
    fields.iter().find(|(_, value)| !safe(value)).map(|(name, _)| name.as_str())
}

/// Whether a number is an integer that every reader of JSON holds exactly.
pub(super) fn is_safe(number: &serde_json::Number) -> bool {
    number.as_i64().map(i64::unsigned_abs).or(number.as_u64()).is_some_and(|n| n <= MAX_SAFE_INTEGER)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that fails says where")]
mod tests {
    use serde_json::json;

    use super::*;

    fn nested(levels: usize) -> Map<String, Value> {
        let mut value = json!(1);
        for level in 1..levels {
            value = if level % 2 == 0 { json!([value]) } else { json!({"a": value}) };
        }
        Map::from_iter([("a".to_owned(), value)])
    }

    #[test]
    fn component_names() {
        for name in ["a", "A-b_9", &"x".repeat(64)] {
            assert!(check_component_name(name).is_ok(), "{name}");
        }
        for name in ["", "a\n", "a b", "é", "a.b", &"x".repeat(65)] {
            assert!(check_component_name(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn texts() {
        assert!(check_label("hostname", &"é".repeat(255)).is_ok());
        for text in ["", "a\u{7f}", "a\u{85}", "a\nb", &"x".repeat(256)] {
            assert!(check_label("hostname", text).is_err(), "{text:?}");
        }
        assert!(check_text("home", "", 500).is_ok());
        assert!(check_text("home", &"🗝".repeat(500), 500).is_ok());
        assert!(check_text("home", &"x".repeat(501), 500).is_err());
        assert!(check_text("home", "a\0", 500).is_err());
        assert_eq!(shorten("grüße", 3), "grü");
        assert!(check_reason(" ").is_err() && check_reason("").is_err() && check_reason(&"x".repeat(501)).is_err());
        assert!(check_reason("why").is_ok());
        assert!(
            check_pid(0).is_err()
                && check_pid(1).is_ok()
                && check_pid(4_194_304).is_ok()
                && check_pid(4_194_305).is_err()
        );
    }

    #[test]
    fn metadata() {
        assert!(check_metadata(&nested(8)).is_ok());
        assert_eq!(check_metadata(&nested(9)).unwrap_err().rule(), "must have at most 8 levels");
        let sized = |bytes: usize| Map::from_iter([("a".to_owned(), json!("x".repeat(bytes - 8)))]);
        assert!(check_metadata(&sized(65536)).is_ok());
        assert!(check_metadata(&sized(65537)).is_err());
    }
}
