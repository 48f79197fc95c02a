//! Records of JSON whose parts are found by a map of fields, one a line or in one document.
//!
//! A field is a path of keys and positions: `fields.labels.0.line`.

use std::{collections::BTreeMap, io::Read};

use serde::Deserialize;
use serde_json::Value;

use super::{
    Complaint, Sink,
    lines::{self, quoted},
    walk,
};
use crate::finding::{Finding, Severity};

/// Where in a record the parts of a finding are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fields {
    /// The file.
    pub file: Option<String>,
    /// The line, from 1.
    pub line: Option<String>,
    /// The column, from 1.
    pub column: Option<String>,
    /// The last line.
    pub end_line: Option<String>,
    /// The column behind its end.
    pub end_column: Option<String>,
    /// The rule.
    pub rule: Option<String>,
    /// What is wrong.
    pub message: String,
    /// How grave it is.
    pub severity: Option<String>,
    /// What the tool suggests.
    pub help: Option<String>,
    /// Where the rule is explained.
    pub url: Option<String>,
    /// Columns are counted from 0.
    pub column_from_zero: bool,
    /// What the tool's own words for severities mean.
    pub severities: BTreeMap<String, Severity>,
}

/// Reads records, one a line.
///
/// # Errors
/// The first line that is no record, or has no message.
pub fn lines(fields: &Fields, from: &mut dyn Read, sink: Sink<'_>) -> Result<(), Complaint> {
    lines::each(from, |line, number| {
        if line.trim().is_empty() {
            return Ok(true);
        }
        let record: Value = serde_json::from_str(line)
            .map_err(|error| Complaint(format!("line {number}: {error}: {}", quoted(line))))?;
        match fields.finding(&record) {
            Ok(finding) => Ok(sink(finding)),
            Err(why) => Err(Complaint(format!("line {number}: {why}: {}", quoted(line)))),
        }
    })
}

/// Reads one document.
///
/// # Errors
/// When it is no JSON; when an item has no message.
pub fn document(fields: &Fields, items: &[String], from: &mut dyn Read, sink: Sink<'_>) -> Result<(), Complaint> {
    let paths: Vec<&str> = items.iter().map(String::as_str).collect();
    let (mut number, mut wrong) = (0_usize, None);
    walk::each(from, &paths, &mut |_, item| {
        number += 1;
        match fields.finding(&item) {
            Ok(finding) => {
                sink(finding);
            }
            Err(why) => {
                wrong.get_or_insert_with(|| Complaint(format!("item {number}: {why}: {}", quoted(&item.to_string()))));
            }
        }
    })?;
    wrong.map_or(Ok(()), Err)
}

impl Fields {
    fn finding(&self, record: &Value) -> Result<Finding, String> {
        let message = text(record, &self.message).ok_or_else(|| format!("there is no `{}`", self.message))?;
        let at = |field: &Option<String>| field.as_ref().and_then(|field| text(record, field));
        let number = |field: &Option<String>| at(field).and_then(|text| text.parse::<f64>().ok()).map(whole);
        let severity = match at(&self.severity) {
            Some(word) => self.severities.get(&word).copied().unwrap_or_else(|| Severity::of_word(&word)),
            None => Severity::Warning,
        };
        let mut finding = Finding::new(severity, message);
        finding.file = at(&self.file);
        finding.line = number(&self.line);
        let shift = u32::from(self.column_from_zero);
        finding.column = number(&self.column).map(|column| column.saturating_add(shift));
        finding.end_line = number(&self.end_line);
        finding.end_column = number(&self.end_column).map(|column| column.saturating_add(shift));
        finding.rule = at(&self.rule);
        finding.help = at(&self.help);
        finding.url = at(&self.url);
        Ok(finding)
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "such a cast saturates")]
fn whole(number: f64) -> u32 {
    number as u32
}

fn text(record: &Value, field: &str) -> Option<String> {
    let mut value = record;
    for step in field.split('.') {
        value = match value {
            Value::Array(items) => items.get(step.parse::<usize>().ok()?)?,
            other => other.get(step)?,
        };
    }
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
