//! A value as JSON that is safe to show.
//!
//! RFC 8259 lets DEL, the C1 controls and the bidirectional overrides stand in a string as they are; a terminal would obey
//! them. So they are written as `\u` escapes, which every JSON parser reads back as the same value.

use std::io;

use serde::Serialize;
use serde_json::{
    Value,
    ser::{CompactFormatter, Formatter, Serializer},
};

use super::text::is_hostile;

/// The value as compact JSON on one line, control characters and bidirectional overrides as `\u` escapes.
#[must_use]
pub fn json(value: &Value) -> String {
    let mut out = Vec::new();
    let written = value.serialize(&mut Serializer::with_formatter(&mut out, Safe(CompactFormatter)));
    debug_assert!(written.is_ok(), "a JSON value writes to memory");
    // Only whole characters are ever written, so nothing is lost here.
    String::from_utf8(out).unwrap_or_default()
}

/// Escapes what serde_json leaves as it is; serde_json itself escapes everything below a space.
struct Safe(CompactFormatter);

impl Formatter for Safe {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(is_hostile) {
            let (clean, hostile) = rest.split_at(at);
            self.0.write_string_fragment(out, clean)?;
            let Some(c) = hostile.chars().next() else { break };
            // All of them lie in the basic plane: one escape, no surrogates.
            write!(out, "\\u{:04x}", u32::from(c))?;
            rest = &hostile[c.len_utf8()..];
        }
        self.0.write_string_fragment(out, rest)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json as value;

    use super::*;

    #[test]
    fn writes_hostile_characters_as_escapes_that_read_back() {
        let hostile = value!({"a\u{202e}": "\u{1b}[2J\u{7f}\u{9b}\n\"\\ \u{2066}日本", "b": [1, 2.5, null, true]});
        let text = json(&hostile);
        assert_eq!(text, r#"{"a\u202e":"\u001b[2J\u007f\u009b\n\"\\ \u2066日本","b":[1,2.5,null,true]}"#);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), hostile);
    }
}
