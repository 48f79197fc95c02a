//! Records as comma-separated values (RFC 4180), one row each, with a header.
//!
//! What is nested is JSON in one cell, null is an empty one. A text that a spreadsheet would take for a formula (it begins
//! with `=`, `+`, `-`, `@`, a tab or a carriage return) gets an apostrophe in front: sessions hold text that others chose,
//! and whoever opens an export must not run it. Numbers are written as they are. Programs that want the exact text read
//! JSON.

use std::borrow::Cow;

use admin_shell::render::json;
use serde_json::Value;

use crate::exit::Stop;

/// One row with its line end.
pub(crate) fn row(cells: impl IntoIterator<Item = impl AsRef<str>>) -> Result<String, Stop> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let cells: Vec<_> = cells.into_iter().collect();
    writer.write_record(cells.iter().map(AsRef::as_ref)).map_err(anyhow::Error::from)?;
    let bytes = writer.into_inner().map_err(|error| Stop::failed(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| Stop::Failed(error.into()))
}

/// A record's fields in the order of the header; what it lacks is empty.
pub(crate) fn record(record: &Value, columns: &[String]) -> Result<String, Stop> {
    row(columns.iter().map(|column| cell(record.get(column).unwrap_or(&Value::Null))))
}

fn cell(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => Cow::Borrowed(""),
        Value::String(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => Cow::Owned(format!("'{text}")),
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(json(other)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json as value;

    use super::*;

    #[test]
    fn cells_are_quoted_and_never_formulas() {
        let columns: Vec<String> = ["a", "b", "c", "d", "e"].map(str::to_owned).into();
        let given = value!({"a": "=1+1", "b": "say \"hi\", you", "c": -5, "d": {"x": [1]}, "z": 1});
        assert_eq!(record(&given, &columns).unwrap(), "'=1+1,\"say \"\"hi\"\", you\",-5,\"{\"\"x\"\":[1]}\",\n");
    }
}
