//! The lines of tools that know no format: `cargo fmt --check`, `ruff format --check`, `prettier`, `tsc`.

use std::io::Read;

use super::{Complaint, Sink, TextKind, lines};
use crate::finding::{Finding, Severity};

/// Reads lines; those that say nothing of a file are passed over: these tools print sums and hints between them.
///
/// # Errors
/// When lines are too long.
pub fn parse(kind: TextKind, from: &mut dyn Read, sink: Sink<'_>) -> Result<(), Complaint> {
    // tsc continues a message on indented lines.
    let mut open: Option<Finding> = None;
    let read = lines::each(from, |line, _| {
        if kind == TextKind::Tsc
            && line.starts_with(' ')
            && let Some(finding) = &mut open
        {
            finding.message.push('\n');
            finding.message.push_str(line.trim());
            return Ok(true);
        }
        let found = match kind {
            TextKind::Rustfmt => rustfmt(line),
            TextKind::RuffFormat => ruff_format(line),
            TextKind::Prettier => {
                Some(line.trim()).filter(|line| !line.is_empty()).map(|file| unformatted("prettier", file, None))
            }
            TextKind::Tsc => tsc(line),
        };
        Ok(match (found, open.take()) {
            (found, Some(before)) => {
                open = found;
                sink(before)
            }
            (found, None) => {
                open = found;
                true
            }
        })
    });
    if let Some(last) = open {
        sink(last);
    }
    read
}

fn unformatted(tool: &str, file: &str, line: Option<u32>) -> Finding {
    let mut finding = Finding::new(Severity::Error, format!("{tool} would lay this out differently"));
    finding.file = Some(file.to_owned());
    finding.line = line;
    finding.rule = Some("format".to_owned());
    finding.help = Some("format_code() does".to_owned());
    finding
}

/// `Diff in /path/file.rs:12:` and, of older versions, `Diff in /path/file.rs at line 12:`.
fn rustfmt(line: &str) -> Option<Finding> {
    let place = line.strip_prefix("Diff in ")?.trim_end_matches(':');
    let (file, number) = place.rsplit_once(" at line ").or_else(|| place.rsplit_once(':'))?;
    Some(unformatted("rustfmt", file, number.parse().ok()))
}

/// ` --> app/a.py:2:1` and, of older versions, `Would reformat: app/a.py`.
fn ruff_format(line: &str) -> Option<Finding> {
    if let Some(file) = line.strip_prefix("Would reformat: ") {
        return Some(unformatted("ruff format", file, None));
    }
    let mut place = line.trim_start().strip_prefix("--> ")?.rsplitn(3, ':');
    let (_, line, file) = (place.next()?, place.next()?, place.next()?);
    Some(unformatted("ruff format", file, line.parse().ok()))
}

/// `src/a.ts(3,7): error TS2322: Type …`, or `error TS18003: No inputs …`.
fn tsc(line: &str) -> Option<Finding> {
    let (place, rest) = match line.find("): ") {
        Some(at) if !line.starts_with("error ") => (Some(&line[..at]), &line[at + 3..]),
        _ => (None, line),
    };
    let (head, message) = rest.split_once(": ")?;
    let (word, code) = head.split_once(' ')?;
    if !matches!(word, "error" | "warning" | "message") || !code.starts_with("TS") {
        return None;
    }
    let mut finding = Finding::new(Severity::of_word(word), message);
    finding.rule = Some(code.to_owned());
    if let Some((file, position)) = place.and_then(|place| place.rsplit_once('(')) {
        let (line, column) = position.split_once(',')?;
        finding.file = Some(file.to_owned());
        finding.line = line.parse().ok();
        finding.column = column.parse().ok();
    }
    Some(finding)
}
