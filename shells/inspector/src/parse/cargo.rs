//! Cargo's JSON messages (through `cargo_metadata`), and what libtest and nextest say of tests.

use std::io::Read;

use cargo_metadata::{
    Message,
    diagnostic::{Diagnostic, DiagnosticLevel},
};
use serde::Deserialize;

use super::{
    Complaint, Sink,
    lines::{self, quoted},
};
use crate::finding::{Finding, Kind, Severity};

/// How much of a failing test's output is kept.
const MOST_OUTPUT: usize = 16 * 1024;

/// Reads messages; a line that is none is complained about.
///
/// # Errors
/// The first line that is no message.
pub fn messages(from: &mut dyn Read, sink: Sink<'_>) -> Result<(), Complaint> {
    lines::each(from, |line, number| match line.trim_start().starts_with('{') {
        true => message(line, number, sink),
        false if line.trim().is_empty() => Ok(true),
        false => Err(Complaint(format!("line {number} is no JSON: {}", quoted(line)))),
    })
}

fn message(line: &str, number: usize, sink: Sink<'_>) -> Result<bool, Complaint> {
    match serde_json::from_str(line) {
        Ok(Message::CompilerMessage(message)) => Ok(compiled(message.message).is_none_or(sink)),
        Ok(_) => Ok(true),
        Err(error) => Err(Complaint(format!("line {number}: {error}: {}", quoted(line)))),
    }
}

fn compiled(diagnostic: Diagnostic) -> Option<Finding> {
    let severity = match diagnostic.level {
        DiagnosticLevel::Error | DiagnosticLevel::Ice => Severity::Error,
        DiagnosticLevel::Warning => Severity::Warning,
        _ => Severity::Note,
    };
    // Sums that repeat what was said: `3 warnings emitted`, `aborting due to 2 previous errors`.
    let is_sum = diagnostic.spans.is_empty()
        && diagnostic.code.is_none()
        && (diagnostic.message.ends_with(" emitted")
            || diagnostic.message.starts_with("aborting due to")
            || diagnostic.message.starts_with("Some errors have detailed explanations")
            || diagnostic.message.starts_with("For more information about"));
    if is_sum || matches!(diagnostic.level, DiagnosticLevel::FailureNote) {
        return None;
    }
    let mut finding = Finding::new(severity, diagnostic.message);
    finding.rule = diagnostic.code.map(|code| code.code);
    if severity == Severity::Error && finding.rule.as_deref().is_none_or(is_compiler_code) {
        finding.kind = Some(Kind::Type);
    }
    let help = diagnostic.children.iter().filter(|child| matches!(child.level, DiagnosticLevel::Help));
    let texts = |child: &Diagnostic| {
        let instead = child.spans.iter().find_map(|span| span.suggested_replacement.clone());
        match instead.filter(|text| !text.trim().is_empty()) {
            Some(text) => format!("{}: `{}`", child.message, text.trim()),
            None => child.message.clone(),
        }
    };
    let help: Vec<String> = help.map(texts).collect();
    finding.url = help
        .iter()
        .find_map(|text| text.split_whitespace().find(|word| word.starts_with("https://")).map(str::to_owned));
    finding.help = (!help.is_empty()).then(|| help.join("\n"));
    if let Some(mut span) = diagnostic.spans.into_iter().find(|span| span.is_primary) {
        // Inside a macro of another crate nobody can mend anything: the place of its use counts.
        while let Some(expansion) = span.expansion.take() {
            span = expansion.span;
        }
        let number = |number: usize| u32::try_from(number).ok();
        finding.file = Some(span.file_name);
        finding.line = number(span.line_start);
        finding.column = number(span.column_start);
        finding.end_line = number(span.line_end);
        finding.end_column = number(span.column_end);
    }
    Some(finding)
}

fn is_compiler_code(code: &str) -> bool {
    code.strip_prefix('E').is_some_and(|digits| digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Reads messages and between them libtest's own text: `test name ... FAILED`, and what each failing test printed.
///
/// # Errors
/// The first message that can not be read.
pub fn libtest(from: &mut dyn Read, sink: Sink<'_>) -> Result<(), Complaint> {
    let mut printed: Option<(String, String)> = None;
    let mut wanted = true;
    let read = lines::each(from, |line, number| {
        if line.starts_with("{\"reason\":") {
            // Warnings are what the lints are for; here they would be said twice.
            return message(line, number, &mut |finding| finding.severity != Severity::Error || sink(finding));
        }
        let begins = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" ----"));
        let begins = begins.map(|rest| rest.trim_end_matches(" stdout").trim_end_matches(" stderr"));
        let ends = matches!(line, "failures:" | "successes:") || line.starts_with("test result:");
        if (begins.is_some() || ends)
            && let Some((name, output)) = printed.take()
        {
            wanted = sink(failed(&name, &output));
        }
        match (begins, &mut printed) {
            (Some(name), _) => printed = Some((name.to_owned(), String::new())),
            (None, Some((_, output))) if output.len() + line.len() < MOST_OUTPUT => {
                output.push_str(line);
                output.push('\n');
            }
            _ => {}
        }
        Ok(wanted)
    });
    if let Some((name, output)) = printed.take() {
        sink(failed(&name, &output));
    }
    read
}

/// A record of nextest's `libtest-json`.
#[derive(Deserialize)]
struct Record {
    #[serde(rename = "type")]
    what: String,
    event: Option<String>,
    name: Option<String>,
    stdout: Option<String>,
    message: Option<String>,
}

/// Reads nextest's JSON.
///
/// # Errors
/// The first line that is none of its records.
pub fn nextest(from: &mut dyn Read, sink: Sink<'_>) -> Result<(), Complaint> {
    lines::each(from, |line, number| {
        if !line.starts_with('{') {
            return Ok(true);
        }
        let record: Record = serde_json::from_str(line)
            .map_err(|error| Complaint(format!("line {number}: {error}: {}", quoted(line))))?;
        if record.what != "test" || !matches!(record.event.as_deref(), Some("failed" | "timeout")) {
            return Ok(true);
        }
        // `package::binary$module::test`: the test is what people look for.
        let name = record.name.unwrap_or_default();
        let name = name.split_once('$').map_or(name.as_str(), |(_, test)| test).to_owned();
        let output: String =
            [record.stdout, record.message].into_iter().flatten().flat_map(|text| [text, "\n".to_owned()]).collect();
        Ok(sink(failed(&name, &output)))
    })
}

/// A failing test, with the place and the words of its panic.
fn failed(name: &str, output: &str) -> Finding {
    let mut said = output.lines().skip_while(|line| !line.contains(" panicked at "));
    let place =
        said.next().and_then(|line| line.split_once(" panicked at ")).map(|(_, rest)| rest.trim_end_matches(':'));
    let words: Vec<&str> = said
        .take_while(|line| {
            !line.starts_with("note: ") && !line.starts_with("stack backtrace:") && !line.trim().is_empty()
        })
        .take(8)
        .collect();
    let told = if words.is_empty() {
        output.lines().map(str::trim).find(|line| line.starts_with("Error: ")).unwrap_or("it failed").to_owned()
    } else {
        words.join("\n")
    };
    let mut finding = Finding::new(Severity::Error, format!("{name}: {told}"));
    finding.kind = Some(Kind::Test);
    finding.rule = Some(name.to_owned());
    // A test of the documentation, `src/lib.rs - item (line 5)`, panics in a file that was made for it.
    let documented = name.split_once(" - ").and_then(|(file, rest)| {
        let line = rest.rsplit_once("(line ")?.1.trim_end_matches(')').parse().ok()?;
        Some((file.to_owned(), line))
    });
    let mut parts = place.unwrap_or_default().rsplitn(3, ':');
    if let Some((file, line)) = documented {
        (finding.file, finding.line) = (Some(file), Some(line));
    } else if let (Some(column), Some(line), Some(file)) = (parts.next(), parts.next(), parts.next()) {
        finding.file = Some(file.to_owned());
        finding.line = line.parse().ok();
        finding.column = column.parse().ok();
    }
    let output = output.trim();
    finding.help = (!output.is_empty()).then(|| output.to_owned());
    finding
}
