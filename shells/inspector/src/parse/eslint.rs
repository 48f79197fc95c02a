//! eslint's own JSON: a list of files, each with its messages. One file is in memory at a time.

use std::io::Read;

use serde::Deserialize;

use super::{Complaint, Sink, walk};
use crate::finding::{Finding, Severity};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    file_path: String,
    messages: Vec<Message>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    rule_id: Option<String>,
    severity: u8,
    message: String,
    line: Option<u32>,
    column: Option<u32>,
    end_line: Option<u32>,
    end_column: Option<u32>,
}

/// Reads a report.
///
/// # Errors
/// When it is no list of files, with the place.
pub fn parse(from: &mut dyn Read, sink: Sink<'_>) -> Result<(), Complaint> {
    let mut wrong = None;
    walk::each(from, &["*"], &mut |_, file| match serde_json::from_value::<File>(file) {
        Ok(file) => {
            for message in file.messages {
                let severity = if message.severity >= 2 { Severity::Error } else { Severity::Warning };
                let mut finding = Finding::new(severity, message.message);
                finding.file = Some(file.file_path.clone());
                finding.line = message.line;
                finding.column = message.column;
                finding.end_line = message.end_line;
                finding.end_column = message.end_column;
                finding.url = message
                    .rule_id
                    .as_ref()
                    .filter(|rule| !rule.contains('/'))
                    .map(|rule| format!("https://eslint.org/docs/latest/rules/{rule}"));
                finding.rule = message.rule_id;
                sink(finding);
            }
        }
        Err(error) => {
            wrong.get_or_insert_with(|| Complaint(error.to_string()));
        }
    })?;
    wrong.map_or(Ok(()), Err)
}
