//! Values that a session knows to be secret because it saw them: arguments of secret parameters, answers without echo.
//!
//! They live in memory only, are shared by the clones of a redactor, never shown by `Debug`, and overwritten when the
//! last clone goes. A value is also looked for as JSON and as a URL would write it, because that is how output and
//! error messages quote it, and line by line, because that is how a terminal shows it.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use super::{MASK, span::Spans};

/// Shorter values would mask ordinary words.
const MIN_CHARACTERS: usize = 4;

#[derive(Clone, Default)]
pub(super) struct Known(Arc<RwLock<Vec<Secret>>>);

/// One spelling of a secret. Bytes rather than a `String`, so that they can be overwritten without `unsafe`.
struct Secret(Vec<u8>);

impl Known {
    pub(super) fn remember(&self, value: &str) {
        let mut spellings = vec![value.to_owned(), json_spelling(value), url_spelling(value)];
        spellings.extend(value.lines().map(|line| line.trim().to_owned()));
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for spelling in spellings {
            let secret = Secret(spelling.into_bytes());
            if secret.is_worth_it() && !known.iter().any(|old| old.0 == secret.0) {
                known.push(secret);
            }
        }
    }

    pub(super) fn find(&self, text: &str, spans: &mut Spans) {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        for secret in known.iter().filter_map(Secret::text) {
            for (start, found) in text.match_indices(secret) {
                spans.add(start..start + found.len());
            }
        }
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Known(…)")
    }
}

impl Secret {
    fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    fn is_worth_it(&self) -> bool {
        self.text().is_some_and(|text| text.trim().chars().count() >= MIN_CHARACTERS && !MASK.contains(text))
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.fill(0);
        std::hint::black_box(&self.0);
    }
}

fn json_spelling(value: &str) -> String {
    let quoted = serde_json::to_string(value).unwrap_or_default();
    quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default().to_owned()
}

fn url_spelling(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}
