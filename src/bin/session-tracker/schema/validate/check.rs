//! One event's text against the schema of its type and against its own hash.

use std::{borrow::Cow, collections::HashMap};

use admin_shell::event::{Event, schema};
use jsonschema::{ValidationError, Validator, error::ValidationErrorKind};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// A rule that an event breaks.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Fault {
    /// Number of the line, or of the event in an array, from 1.
    pub(super) line: u64,
    /// The field, with dots: `body.pid`.
    pub(super) field: String,
    /// The rule.
    pub(super) rule: String,
}

/// Checks events, and remembers what is wrong with them.
#[derive(Default)]
pub(super) struct Checker {
    validators: HashMap<String, Option<Validator>>,
    events: u64,
    faults: Vec<Fault>,
}

impl Checker {
    pub(super) fn line(&mut self, line: u64, shown: &str) {
        let text = as_stored(shown);
        let Ok(event) = serde_json::from_str::<Value>(&text) else {
            return self.fault(line, "event", "is not JSON");
        };
        let before = self.faults.len();
        self.events += 1;
        if let Some(validator) = self.validator(&event) {
            let found: Vec<(String, String)> = validator.iter_errors(&event).map(|error| in_words(&error)).collect();
            for (field, rule) in found {
                self.faults.push(Fault { line, field, rule });
            }
        }
        if let Err(invalid) = Event::parse(&text) {
            // The schema may have said the same of the field already, in its own words.
            let said = |fault: &Fault| {
                fault.field == invalid.field() || fault.field.ends_with(&format!(".{}", invalid.field()))
            };
            if !self.faults[before..].iter().any(said) {
                self.faults.push(Fault { line, field: invalid.field().to_owned(), rule: invalid.rule().to_owned() });
            }
        }
    }

    /// Says that a line is no event at all.
    pub(super) fn fault(&mut self, line: u64, field: &str, rule: &str) {
        self.events += 1;
        self.faults.push(Fault { line, field: field.to_owned(), rule: rule.to_owned() });
    }

    /// How many events there were, and what is wrong with them.
    pub(super) fn finish(self) -> (u64, Vec<Fault>) {
        (self.events, self.faults)
    }

    fn validator(&mut self, event: &Value) -> Option<&Validator> {
        let name = event.get("event_type")?.as_str()?;
        if !self.validators.contains_key(name) {
            let validator = schema(name)
                .map(|schema| jsonschema::validator_for(&schema).expect("the schemas of this program are schemas"));
            self.validators.insert(name.to_owned(), validator);
        }
        self.validators.get(name)?.as_ref()
    }
}

/// The field and the rule. Values are not repeated: they may be long, and nobody's business.
fn in_words(error: &ValidationError<'_>) -> (String, String) {
    let place = error.instance_path().to_string();
    let mut field = place.trim_start_matches('/').replace('/', ".");
    let rule = match error.kind() {
        ValidationErrorKind::Required { property } => {
            let missing = property.as_str().unwrap_or_default();
            field = if field.is_empty() { missing.to_owned() } else { format!("{field}.{missing}") };
            "is missing".to_owned()
        }
        _ => error.masked_with("it").to_string().trim_start_matches("it ").to_owned(),
    };
    (if field.is_empty() { "event".to_owned() } else { field }, rule)
}

/// The text as it is stored: without the escapes that stand for characters which a terminal would obey. Canonical JSON
/// holds none of these, so nothing else is changed.
fn as_stored(shown: &str) -> Cow<'_, str> {
    if !shown.contains("\\u") {
        return Cow::Borrowed(shown);
    }
    let mut out = String::with_capacity(shown.len());
    let mut rest = shown;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        // An escape is two characters or six; what follows a backslash is never read as another escape.
        match shown_only(rest) {
            Some(c) => {
                out.push(c);
                rest = &rest[6..];
            }
            None => {
                let escape = rest.chars().take(2).map(char::len_utf8).sum();
                out.push_str(&rest[..escape]);
                rest = &rest[escape..];
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The character of an escape that only showing an event puts into it.
fn shown_only(rest: &str) -> Option<char> {
    let digits = rest.strip_prefix("\\u")?.get(..4)?;
    let code = u32::from_str_radix(digits, 16).ok()?;
    let c = char::from_u32(code)?;
    let is_shown = matches!(c, '\u{7f}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (is_shown && digits == format!("{code:04x}")).then_some(c)
}

#[cfg(test)]
mod tests {
    use super::as_stored;

    #[test]
    fn only_the_escapes_of_showing_are_undone() {
        for (shown, stored) in [
            ("plain", "plain"),
            (r"a\u202eb\u007f", "a\u{202e}b\u{7f}"),
            (r"a\\u202eb", r"a\\u202eb"),
            (r"a\\\u202eb", "a\\\\\u{202e}b"),
            (r"\u0000\u001b\n", r"\u0000\u001b\n"),
            (r"\u202E", r"\u202E"),
            (r"\u20", r"\u20"),
            ("\\", "\\"),
        ] {
            assert_eq!(as_stored(shown), stored, "{shown}");
        }
    }
}
