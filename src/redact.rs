//! Masks secrets. Pure: text in, redacted text out. The only maker of [`Draft`]s, so that nothing unredacted is sealed.
//!
//! A mask is always the same word: it shows neither the length of what it hides nor a hash of it.
//!
//! How it works: every rule reports the byte ranges it takes for secret, the ranges are merged, and each is replaced by
//! the mask. Four sources of ranges: the shapes of well-known tokens (`shape`), what is assigned to a name that means a
//! secret (`name`, `assign`, `value`), places where secrets live (`place`: URLs, PEM blocks, headers), and the values
//! that this session knows to be secret (`known`). A component's own [`Rule`]s come last.
//!
//! Invariants:
//! - Redacting twice changes nothing more: passes repeat until one finds nothing, and text that does not settle is
//!   masked whole.
//! - Time is linear in the text: every rule looks back and ahead by a bounded number of bytes, or moves past what it read.
//! - Nothing is compiled or built at start-up. The built-in rules are tables and plain code, not regular expressions: a
//!   shell has 6 ms to its prompt, and dozens of expressions take longer to compile than that.
//!
//! Decisions: identifiers of keys are masked like keys; `changeme` is masked, because it opens too many doors;
//! placeholders (`<password>`, `${VAR}`, `***`) are kept; card numbers are masked by name only, because one in ten
//! timestamps passes their checksum; TypeIDs, UUIDs and hexadecimal digests are no secrets unless a name says so.

mod argument;
mod assign;
mod known;
mod name;
mod place;
mod shape;
mod span;
mod value;

use std::{fmt, ops::Range};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use self::{known::Known, span::Spans};
use crate::event::{Draft, EventKind};

/// What stands where a secret stood.
pub const MASK: &str = "[redacted]";

/// Passes before a text that does not settle is masked whole. Two are the rule: one that masks, one that finds nothing.
const MAX_PASSES: usize = 8;

/// Fields of bodies that programs compare: ids, digests and words of ours, which hold no text of anyone else's.
const STRUCTURAL: &[&str] = &[
    "about",
    "boot_id",
    "effect",
    "helper",
    "input_digest",
    "kind",
    "machine_id",
    "mode",
    "output_digest",
    "process_start",
    "status",
    "verdict",
    "what",
];

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

    fn find(&self, text: &str, spans: &mut Spans) {
        for found in self.pattern.captures_iter(text) {
            if let Some(secret) = found.name("secret").or_else(|| found.get(0)) {
                spans.add(secret.range());
            }
        }
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

impl fmt::Display for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The built-in rules, a component's own, and the secrets that a session has seen.
///
/// Clones share what they [remember](Redactor::remember).
///
/// ```
/// use admin_shell::redact::Redactor;
///
/// let redactor = Redactor::default();
/// assert_eq!(redactor.text(r#"login("ada", #{password: "s3cret"})"#).as_str(), r#"login("ada", #{password: "[redacted]"})"#);
/// assert_eq!(redactor.text("token_count = 5").as_str(), "token_count = 5");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    rules: Vec<Rule>,
    known: Known,
}

impl Redactor {
    /// The built-in rules and these.
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> Self {
        Self { rules, known: Known::default() }
    }

    /// Masks a value wherever it appears from now on, in this redactor and its clones: the argument of a secret
    /// parameter, the answer to a question without echo. Values of fewer than four characters are not remembered: they
    /// would mask ordinary words.
    pub fn remember(&self, value: &str) {
        self.known.remember(value);
    }

    /// Masks every secret in a text.
    #[must_use]
    pub fn text(&self, text: &str) -> Redacted {
        self.text_with_spans(text, &[])
    }

    /// Masks these byte ranges, which the caller knows to be secret, and every secret in the rest. A range that ends
    /// inside a character covers that character; one beyond the end is cut.
    #[must_use]
    pub fn text_with_spans(&self, text: &str, secrets: &[Range<usize>]) -> Redacted {
        let mut spans = Spans::default();
        for secret in secrets {
            spans.add(span::widen(text, secret));
        }
        self.find(text, &mut spans);
        let Some(mut masked) = spans.mask(text) else { return Redacted(text.to_owned()) };
        for _ in 1..MAX_PASSES {
            let mut spans = Spans::default();
            self.find(&masked, &mut spans);
            match spans.mask(&masked) {
                Some(again) => masked = again,
                None => return Redacted(masked),
            }
        }
        Redacted(MASK.to_owned())
    }

    /// Makes a draft of an event from its body. Every string in it is redacted; a value whose name means a secret
    /// (`password` in metadata or arguments) is masked whole; ids, digests and words of ours stay.
    #[must_use]
    pub fn draft(&self, kind: EventKind, timestamp: Timestamp, body: &impl Serialize) -> Draft {
        let body = serde_json::to_value(body).expect("bodies are plain data");
        let Value::Object(body) = body else { unreachable!("bodies are objects") };
        Draft::new(kind, timestamp, self.body(body))
    }

    fn body(&self, body: Map<String, Value>) -> Map<String, Value> {
        let structured = |(key, value): (String, Value)| {
            let value = match (key.as_str(), value) {
                (key, value) if STRUCTURAL.contains(&key) => value,
                // Keyed by helpers' names, with totals below: a helper called `token` is not a token.
                ("reads", value) => value,
                ("decision" | "actor" | "error", Value::Object(fields)) => Value::Object(self.body(fields)),
                (_, value) => self.value(value),
            };
            (key, value)
        };
        body.into_iter().map(structured).collect()
    }

    fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(&text).into_string()),
            Value::Array(items) => Value::Array(self.items(items)),
            Value::Object(fields) => Value::Object(self.fields(fields)),
            other => other,
        }
    }

    /// A list may be a command line: what follows `--password` is the password.
    fn items(&self, items: Vec<Value>) -> Vec<Value> {
        let mut after: Option<String> = None;
        let mut before = String::new();
        let mut item = |item: Value| {
            let Value::String(text) = item else {
                after = None;
                return self.value(item);
            };
            let is_option = text.starts_with('-');
            let secret = after.take().filter(|_| !is_option).and_then(|option| {
                if name::is_secret(&option) {
                    return Some(0..text.len()).filter(|_| !value::is_placeholder(&text));
                }
                argument::in_argument(&before, Some(&option), &text)
            });
            let secret = secret.or_else(|| argument::in_argument(&before, None, &text));
            before.push(' ');
            before.push_str(&text);
            let masked = self.text_with_spans(&text, secret.as_slice()).into_string();
            after = is_option.then_some(text);
            Value::String(masked)
        };
        items.into_iter().map(&mut item).collect()
    }

    /// An object in which secrets are masked.
    pub(crate) fn fields(&self, fields: Map<String, Value>) -> Map<String, Value> {
        // `{"name": "DB_PASSWORD", "value": "…"}`: how containers and forms spell an assignment.
        let named = ["name", "key", "field", "header"]
            .iter()
            .any(|key| fields.get(*key).and_then(Value::as_str).is_some_and(name::is_secret));
        let program =
            fields.values().filter_map(Value::as_str).find(|text| argument::is_program(text)).map(ToOwned::to_owned);
        let mut redacted = Map::new();
        for (key, value) in fields {
            let value = match (value, &program) {
                (value, _) if name::is_secret(&key) => mask_whole(&key, value),
                (value, _) if named && key == "value" => mask_whole("", value),
                // `{"program": "mysql", "args": "[\"-p1234\"]"}`: the arguments are read as those of the program.
                (Value::String(text), Some(program)) => {
                    let command = format!("\"{program}\" {text}");
                    let start = command.len() - text.len();
                    let mut spans = Spans::default();
                    argument::find(&command, &mut spans);
                    Value::String(self.text_with_spans(&text, &spans.behind(start)).into_string())
                }
                (value, _) => self.value(value),
            };
            let mut key = self.text(&key).into_string();
            // Two keys that were secrets may not become one: a field would vanish from the record.
            while redacted.contains_key(&key) {
                key.push('+');
            }
            redacted.insert(key, value);
        }
        redacted
    }

    fn find(&self, text: &str, spans: &mut Spans) {
        find_built_in(text, spans);
        self.known.find(text, spans);
        for rule in &self.rules {
            rule.find(text, spans);
        }
        // Invisible characters inside a name or a token must not hide it, so the text is read without them as well.
        if let Some(visible) = span::Visible::of(text) {
            let mut found = Spans::default();
            find_built_in(&visible.text, &mut found);
            self.known.find(&visible.text, &mut found);
            spans.add_mapped(found, &visible);
        }
    }
}

fn find_built_in(text: &str, spans: &mut Spans) {
    shape::find(text, spans);
    place::find(text, spans);
    argument::find(text, spans);
    assign::find(text, spans);
}

/// Masks the value of a name that means a secret, unless it says that there is none.
fn mask_whole(key: &str, value: Value) -> Value {
    let secret = match &value {
        Value::Null | Value::Bool(_) => false,
        Value::Number(number) => name::classify(key).is_some_and(|class| value::is_pin(class, &number.to_string())),
        Value::String(text) => !value::is_placeholder(text),
        Value::Array(items) => items.iter().any(|item| !item.is_number()),
        Value::Object(fields) => !fields.is_empty(),
    };
    if secret { Value::String(MASK.to_owned()) } else { value }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that fails says where")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::event::{Event, JournalId, Place, SessionId, StreamId};

    fn body(redactor: &Redactor, body: Value) -> Value {
        let (stream, journal) = (StreamId::from(SessionId::new()), JournalId::new());
        let draft = redactor.draft(EventKind::Other("note".to_owned()), Timestamp::UNIX_EPOCH, &body);
        let place = Place { stream: &stream, journal: &journal, component: "demo", seq: 0, prev: None };
        Event::seal(&draft, &place).unwrap().body().clone()
    }

    #[test]
    fn every_string_of_a_body_is_redacted() {
        let given = json!({
            "input": "let password = \"hunter2\"",
            "error": {"kind": "helper", "message": "password=hunter2"},
            "notes": ["token=abc", "fine"],
            "user": {"username": "ada", "home": "/home/ada", "uid": 7},
            "environment": {"cwd": "/srv/https://u:pw@host"},
        });
        let wants = json!({
            "input": "let password = \"[redacted]\"",
            "error": {"kind": "helper", "message": "password=[redacted]"},
            "notes": ["token=[redacted]", "fine"],
            "user": {"username": "ada", "home": "/home/ada", "uid": 7},
            "environment": {"cwd": "/srv/https://u:[redacted]@host"},
        });
        assert_eq!(body(&Redactor::default(), given), wants);
    }

    #[test]
    fn values_of_secret_names_are_masked_whole() {
        let given = json!({
            "args": {"password": "correct horse", "id": "\"run_7\"", "token": "${TOKEN}"},
            "metadata": {
                "password": "x y", "pin": 1234, "tokens": 12, "secret": null, "has_token": true, "api_keys": ["a"],
                "credentials": {"user": "ada"}, "token_count": 5,
                "env": [{"name": "DB_PASSWORD", "value": "x y"}, {"name": "DB_HOST", "value": "db"}],
                "argv": ["login", "--password", "x y", "--user", "ada"],
            },
        });
        let wants = json!({
            "args": {"password": "[redacted]", "id": "\"run_7\"", "token": "${TOKEN}"},
            "metadata": {
                "password": "[redacted]", "pin": "[redacted]", "tokens": 12, "secret": null, "has_token": true,
                "api_keys": "[redacted]", "credentials": "[redacted]", "token_count": 5,
                "env": [{"name": "DB_PASSWORD", "value": "[redacted]"}, {"name": "DB_HOST", "value": "db"}],
                "argv": ["login", "--password", "[redacted]", "--user", "ada"],
            },
        });
        assert_eq!(body(&Redactor::default(), given), wants);
    }

    #[test]
    fn what_programs_compare_stays() {
        let redactor = Redactor::new(vec![Rule::new("[0-9a-f]{16,}").unwrap()]);
        redactor.remember("rotate_token");
        let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let given = json!({
            "helper": "rotate_token", "output_digest": digest, "machine_id": "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
            "reads": {"token": {"calls": 1, "errors": 0, "total_us": 5}}, "about": SessionId::new(), "status": "ok",
        });
        assert_eq!(body(&redactor, given.clone()), given);
    }

    #[test]
    fn keys_that_are_secrets_are_masked_and_none_is_lost() {
        let redactor = Redactor::default();
        redactor.remember("hunter2");
        redactor.remember("hunter3");
        let given = json!({"metadata": {"hunter2": 1, "hunter3": 2}});
        assert_eq!(body(&redactor, given), json!({"metadata": {"[redacted]": 1, "[redacted]+": 2}}));
    }

    #[test]
    fn a_mask_does_not_make_a_directory_too_long() {
        let cwd = format!("/{}/token=a", "x".repeat(491));
        let start = json!({
            "shell_type": "S", "component_type": "demo", "mode": "stdin", "pid": 1, "user": {"username": "u", "home": ""},
            "actor": {"kind": "human", "verified": true}, "hostname": "h", "environment": {"platform": "p", "cwd": cwd},
        });
        let (stream, journal) = (StreamId::from(SessionId::new()), JournalId::new());
        let draft = Redactor::default().draft(EventKind::SessionStart, Timestamp::UNIX_EPOCH, &start);
        let place = Place { stream: &stream, journal: &journal, component: "demo", seq: 0, prev: None };
        let event = Event::seal(&draft, &place).unwrap();
        assert_eq!(event.body()["environment"]["cwd"].as_str().unwrap().chars().count(), 500);
        assert!(Event::parse(event.text()).is_ok());
    }
}
