//! Jest's JSON (`jest --json`): a list of files, each with its tests. One file is in memory at a time.

use std::io::Read;

use serde::Deserialize;

use super::{Complaint, Sink, junit::line_in, walk};
use crate::finding::{Finding, Severity};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    name: String,
    status: String,
    #[serde(default)]
    message: String,
    assertion_results: Vec<Test>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Test {
    full_name: String,
    status: String,
    #[serde(default)]
    failure_messages: Vec<String>,
}

/// Reads a report.
///
/// # Errors
/// When it is none, with the place.
pub fn parse(from: &mut dyn Read, sink: Sink<'_>) -> Result<(), Complaint> {
    const COUNT: usize = 0;
    let (mut is_report, mut wrong) = (false, None);
    walk::each(from, &["numTotalTests", "testResults.*"], &mut |path, part| match path {
        COUNT => is_report = true,
        _ => match serde_json::from_value::<File>(part) {
            Ok(file) => {
                for finding in findings(&file) {
                    sink(finding);
                }
            }
            Err(error) => {
                wrong.get_or_insert_with(|| Complaint(error.to_string()));
            }
        },
    })?;
    match wrong {
        Some(wrong) => Err(wrong),
        None if is_report => Ok(()),
        None => Err(Complaint("this is JSON, but no report of Jest: it names no `numTotalTests`".to_owned())),
    }
}

fn findings(file: &File) -> Vec<Finding> {
    let failed = file.assertion_results.iter().filter(|test| test.status == "failed");
    let mut found: Vec<Finding> =
        failed.map(|test| finding(file, Some(&test.full_name), &test.failure_messages.join("\n"))).collect();
    if found.is_empty() && file.status == "failed" {
        // It can not even be loaded.
        found.push(finding(file, None, &file.message));
    }
    found
}

fn finding(file: &File, name: Option<&str>, text: &str) -> Finding {
    // A file that is no JavaScript: much advice, and somewhere in it `SyntaxError: /tree/a.js: Unexpected token (1:10)`.
    let syntax = text.lines().map(str::trim).find(|line| line.starts_with("SyntaxError: "));
    let said = syntax.or_else(|| text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('●')));
    let said = said.unwrap_or("it failed");
    let message = name.map_or_else(|| said.to_owned(), |name| format!("{name}: {said}"));
    let mut finding = Finding::new(Severity::Error, message);
    finding.rule = name.map(str::to_owned);
    finding.line = line_in(text, &file.name).or_else(|| {
        let (_, place) = syntax?.rsplit_once('(')?;
        place.split(':').next()?.parse().ok()
    });
    finding.file = Some(file.name.clone());
    finding.help = (!text.trim().is_empty()).then(|| text.trim().to_owned());
    finding
}
