//! One record as a block: keys on the left, values in one column, what is nested indented below its key.

use serde_json::{Map, Value};

use super::{
    EMPTY_LIST, EMPTY_RECORD, Width, json, table,
    text::{columns, line, visible, wrap},
};

/// Spaces between the keys and the values.
const GAP: usize = 2;
/// Spaces before what is nested.
const INDENT: usize = 2;
/// What is nested deeper than this is JSON on one line.
const DEEPEST: usize = 6;
/// Below this width prose is not broken at spaces: a column of single words is worse than the terminal's own wrapping.
const NARROWEST: usize = 20;

/// The record's fields, one a line.
pub(super) fn record(record: &Map<String, Value>, width: Width) -> String {
    let mut out = String::new();
    block(record, width, 0, &mut out);
    out.truncate(out.trim_end_matches('\n').len());
    out
}

fn block(record: &Map<String, Value>, width: Width, depth: usize, out: &mut String) {
    let indent = " ".repeat(INDENT * depth);
    // A key with something below it does not push the values of the others away.
    let beside = record.iter().filter(|(_, value)| !is_nested(value, depth)).map(|(key, _)| columns(&line(key)));
    let keys = beside.max().unwrap_or(0);
    for (key, value) in record {
        let key = line(key);
        if is_nested(value, depth) {
            out.push_str(&format!("{indent}{key}\n"));
            nested(value, width, depth + 1, out);
            continue;
        }
        let left = indent.len() + keys + GAP;
        let padding = keys + GAP - columns(&key);
        let mut lines = lines(value, width, left).into_iter();
        let first = format!("{indent}{key}{}{}", " ".repeat(padding), lines.next().unwrap_or_default());
        out.push_str(first.trim_end_matches(' '));
        out.push('\n');
        for line in lines {
            out.push_str(format!("{}{line}", " ".repeat(left)).trim_end_matches(' '));
            out.push('\n');
        }
    }
}

/// Whether the value goes below its key.
fn is_nested(value: &Value, depth: usize) -> bool {
    depth < DEEPEST
        && match value {
            Value::Object(record) => !record.is_empty(),
            Value::Array(list) => !list.is_empty() && list.iter().all(is_record),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        }
}

fn nested(value: &Value, width: Width, depth: usize, out: &mut String) {
    match value {
        Value::Object(record) => block(record, width, depth, out),
        Value::Array(list) => {
            let indent = " ".repeat(INDENT * depth);
            let rows = table::records(list.iter().filter_map(Value::as_object), width.less(indent.len()));
            for row in rows.lines() {
                out.push_str(&format!("{indent}{row}\n"));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The lines of a value that stands beside its key; `left` columns are taken already.
fn lines(value: &Value, width: Width, left: usize) -> Vec<String> {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => visible(text),
        Value::Array(list) if list.is_empty() => EMPTY_LIST.to_owned(),
        Value::Object(record) if record.is_empty() => EMPTY_RECORD.to_owned(),
        other => return vec![json(other)],
    };
    match width.less(left) {
        Width::Columns(room) if usize::from(room) >= NARROWEST => {
            text.lines().flat_map(|line| wrap(line, usize::from(room))).map(str::to_owned).collect()
        }
        _ => text.lines().map(str::to_owned).collect(),
    }
}

/// A record with fields: a list of these is a table.
pub(super) fn is_record(value: &Value) -> bool {
    value.as_object().is_some_and(|record| !record.is_empty())
}
