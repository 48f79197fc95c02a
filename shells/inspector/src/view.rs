//! How reports and findings look to people: the adapters, then what is wrong, the first thing to mend first.

use admin_shell::{
    Width,
    render::{Color, Place, Report, failure, render, table},
};
use serde_json::{Value, json};

/// Rows of a table that a person reads at once; the rest is a question away.
const MOST_ROWS: usize = 200;

/// Reports, lists of findings, comparisons; `None` for everything else, which looks as usual.
#[must_use]
pub fn show(value: &Value, width: Width) -> Option<String> {
    if let Some(list) = value.as_array() {
        return is_findings(list).then(|| findings(list, list.len() as u64, width, &after_these(list)));
    }
    if value.get("adapters").is_some() && value.get("findings").is_some() {
        return report(value, width);
    }
    if value.get("source").is_some() && value.get("finding").is_some() {
        return one(value, width);
    }
    if value.get("not_compared").is_some() && value.get("same").is_some() {
        return comparison(value, width);
    }
    None
}

fn is_findings(list: &[Value]) -> bool {
    let is_one = |item: &Value| item.get("fingerprint").is_some() && item.get("tool").is_some();
    !list.is_empty() && is_one(&list[0]) && list.iter().all(is_one)
}

fn report(report: &Value, width: Width) -> Option<String> {
    let mut parts = Vec::new();
    let adapters = report["adapters"].as_array()?;
    let rows: Vec<Vec<Value>> = adapters
        .iter()
        .map(|adapter| {
            let name = match adapter["at"].as_str() {
                Some(".") | None => text(adapter, "adapter"),
                Some(at) => format!("{} ({at})", text(adapter, "adapter")),
            };
            let seconds = adapter["duration_seconds"].as_f64().unwrap_or_default();
            let note =
                ["note", "complaint"].iter().filter_map(|key| adapter[*key].as_str()).collect::<Vec<_>>().join("; ");
            vec![
                json!(name),
                adapter["kind"].clone(),
                adapter["verdict"].clone(),
                adapter["errors"].clone(),
                adapter["warnings"].clone(),
                json!(format!("{seconds:.1}s")),
                json!(note),
            ]
        })
        .collect();
    parts.push(table(&["adapter", "kind", "verdict", "errors", "warnings", "time", "note"], &rows, width));
    for adapter in adapters.iter().filter(|adapter| adapter["output"].as_str().is_some_and(|text| !text.is_empty())) {
        parts.push(format!("{} says:\n{}", text(adapter, "adapter"), indented(&text(adapter, "output"))));
    }
    let list = report["findings"].as_array()?;
    let more = report["more"].as_u64().unwrap_or_default();
    if !list.is_empty() {
        parts.push(findings(list, list.len() as u64 + more, width, &after_these(list)));
    }
    let mut sum = format!(
        "{}: {}, {}, {} in {:.1}s",
        text(report, "verdict"),
        plural(&report["errors"], "error"),
        plural(&report["warnings"], "warning"),
        plural(&report["notes"], "note"),
        report["duration_seconds"].as_f64().unwrap_or_default()
    );
    if let Some(since) = report["since"].as_i64() {
        sum.push_str(&format!("; since run {since}: {} new, {} fixed", report["added"], report["fixed"]));
    }
    sum.push_str(&format!(" (run {})", report["run"]));
    parts.push(sum);
    Some(parts.join("\n\n"))
}

/// Where a list that is too long for the screen goes on: numbers that have no gaps are those of all findings of a run.
fn after_these(list: &[Value]) -> String {
    let number = |at: usize| list.get(at).and_then(|finding| finding["n"].as_u64());
    match (number(0), number(MOST_ROWS - 1)) {
        (Some(first), Some(last)) if last - first == MOST_ROWS as u64 - 1 => {
            format!("findings(#{{offset: {last}}}) goes on")
        }
        _ => format!("further down with `offset: {MOST_ROWS}` in the filter"),
    }
}

fn findings(list: &[Value], total: u64, width: Width, goes_on: &str) -> String {
    let rows: Vec<Vec<Value>> = list
        .iter()
        .take(MOST_ROWS)
        .map(|finding| {
            let place = match (finding["file"].as_str(), finding["line"].as_u64()) {
                (Some(file), Some(line)) => format!("{file}:{line}"),
                (file, _) => file.unwrap_or_default().to_owned(),
            };
            let mark = if finding["added"].as_bool() == Some(true) { "new" } else { "" };
            vec![
                finding["n"].clone(),
                finding["tool"].clone(),
                finding["severity"].clone(),
                json!(place),
                finding["rule"].clone(),
                json!(mark),
                json!(text(finding, "message")),
            ]
        })
        .collect();
    let has_new = rows.iter().any(|row| row[5] == "new");
    let shown = rows.len() as u64;
    let mut text = if has_new {
        table(&["n", "tool", "severity", "place", "rule", "new", "message"], &rows, width)
    } else {
        let rows: Vec<Vec<Value>> = rows
            .into_iter()
            .map(|mut row| {
                row.remove(5);
                row
            })
            .collect();
        table(&["n", "tool", "severity", "place", "rule", "message"], &rows, width)
    };
    if total > shown {
        text.push_str(&format!("\n… and {} more: {goes_on}", total - shown));
    }
    text
}

fn one(value: &Value, width: Width) -> Option<String> {
    let finding = value.get("finding")?;
    let by = [text(finding, "tool"), text(finding, "rule")].join(" ");
    let message = format!("{}: {} [{}]", text(finding, "severity"), text(finding, "message"), by.trim_end());
    let source = value["source"].as_str();
    let number = |key: &str| finding[key].as_u64().and_then(|number| usize::try_from(number).ok());
    let file = text(finding, "file");
    let at = source.zip(number("line")).map(|(source, line)| Place {
        source: &file,
        text: source,
        line,
        column: number("column").unwrap_or(1),
        // Of what goes over several lines the first is shown, to its end.
        end_column: match number("end_line") {
            Some(end) if Some(end) != number("line") => Some(usize::MAX),
            _ => number("end_column"),
        },
    });
    let has_place = at.is_some();
    let shown = failure(&Report { message: &message, hint: None, at }, width, Color::Off);
    let shown = shown.strip_prefix("error: ").unwrap_or(&shown).to_owned();
    let mut parts = vec![shown];
    if !has_place && !file.is_empty() {
        parts.push(format!(" --> {file}:{}", finding["line"].as_u64().unwrap_or(1)));
    }
    for (key, word) in [("help", "help"), ("url", "see")] {
        if let Some(text) = finding[key].as_str() {
            parts.push(format!("{word}: {text}"));
        }
    }
    Some(parts.join("\n"))
}

fn comparison(value: &Value, width: Width) -> Option<String> {
    let mut parts = Vec::new();
    for (key, count, word) in [("added", "added_count", "New"), ("fixed", "fixed_count", "Fixed")] {
        let list = value[key].as_array()?;
        if !list.is_empty() {
            let offset = value["offset"].as_u64().unwrap_or_default();
            let next = offset + MOST_ROWS as u64;
            let goes_on = format!("compare({}, {}, {next}) goes on", value["before"], value["after"]);
            let total = value[count].as_u64().unwrap_or_default().saturating_sub(offset);
            parts.push(format!("{word}:\n{}", findings(list, total, width, &goes_on)));
        }
    }
    let mut sum = format!(
        "{} new, {} fixed, {} the same (run {} and run {})",
        value["added_count"], value["fixed_count"], value["same"], value["before"], value["after"]
    );
    let left: Vec<&str> = value["not_compared"].as_array()?.iter().filter_map(Value::as_str).collect();
    if !left.is_empty() {
        sum.push_str(&format!("\nnot compared, since they did not end in both: {}", left.join(", ")));
    }
    parts.push(sum);
    Some(parts.join("\n\n"))
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  | {line}")).collect::<Vec<_>>().join("\n")
}

fn plural(count: &Value, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{} {word}s", render(count, Width::Unlimited)) }
}
