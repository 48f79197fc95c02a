//! Values as text for people. Pure: a JSON value and a width in, text out; imports nothing of ours.
//!
//! | value | text |
//! |---|---|
//! | list of records | an aligned table, columns in the order of the records' fields ([`table()`]) |
//! | one record | a block of keys and values, what is nested indented below its key |
//! | list of anything else | one line each |
//! | string | itself |
//! | null | nothing |
//! | everything else | JSON |
//!
//! Invariant: no control character (Cc but LF and TAB) and no bidirectional override (U+202A..2E, U+2066..69) leaves here
//! unescaped, whichever function made the text.

mod failure;
#[cfg(test)]
mod golden;
mod json;
mod record;
mod table;
mod text;
mod usage;

use serde_json::Value;

pub(crate) use self::text::{columns, cut, line, wrap};
pub use self::{
    failure::{Place, Report, failure},
    json::json,
    table::table,
    text::visible,
    usage::usage,
};

const EMPTY_LIST: &str = "(none)";
const EMPTY_RECORD: &str = "(empty)";

/// How wide the output may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// This many columns; longer cells are wrapped or cut.
    Columns(u16),
    /// As wide as it needs to be: a pipe or a file.
    Unlimited,
}

impl Width {
    /// What is left beside `taken` columns.
    pub(crate) fn less(self, taken: usize) -> Self {
        match self {
            Self::Columns(columns) => Self::Columns(columns.saturating_sub(u16::try_from(taken).unwrap_or(u16::MAX))),
            Self::Unlimited => Self::Unlimited,
        }
    }
}

/// Whether text may hold escape sequences for colours, of ours: those of others never reach a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// A terminal that shows colours.
    On,
    /// A pipe, a file, or somebody who wants none.
    Off,
}

/// A value as a person wants to see it, without a newline at the end. Empty for null.
///
/// ```
/// use admin_shell::render::{Width, render};
/// use serde_json::json;
///
/// let text = render(&json!({"id": "run_1", "attempts": 2}), Width::Columns(80));
/// assert_eq!(text, "id        run_1\nattempts  2");
/// ```
#[must_use]
pub fn render(value: &Value, width: Width) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => visible(text),
        Value::Array(list) if list.is_empty() => EMPTY_LIST.to_owned(),
        Value::Array(list) if list.iter().all(record::is_record) => {
            table::records(list.iter().filter_map(Value::as_object), width)
        }
        Value::Array(list) => list.iter().map(item).collect::<Vec<_>>().join("\n"),
        Value::Object(record) if record.is_empty() => EMPTY_RECORD.to_owned(),
        Value::Object(record) => record::record(record, width),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// One item of a list, on one line whatever it holds: the number of lines is the number of items.
fn item(value: &Value) -> String {
    match value {
        Value::String(text) => text::line(text).into_owned(),
        other => json(other),
    }
}
