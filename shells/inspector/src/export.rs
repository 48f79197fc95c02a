//! Findings in the formats that other programs read: SARIF 2.1.0, JUnit XML, JSON. Written page by page.

use std::io::Write;

use admin_shell::Result;
use quick_xml::{
    Writer,
    events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event},
};
use serde_json::{Value, json};

use crate::{
    finding::Severity,
    report::{Kept, RunRow},
    store::{Query, Store},
};

/// Findings that are in memory together.
const PAGE: u64 = 1_000;

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// SARIF 2.1.0.
    Sarif,
    /// JUnit XML: a test case a finding.
    Junit,
    /// A list of findings.
    Json,
}

/// Writes the findings of a run, and answers how many there were.
///
/// # Errors
/// When the store can not be read, or `to` not be written.
pub async fn write(kind: Kind, store: &Store, run: &RunRow, to: &mut (dyn Write + Send)) -> Result<u64> {
    match kind {
        Kind::Sarif => sarif(store, run, to).await,
        Kind::Junit => junit(store, run, to).await,
        Kind::Json => {
            to.write_all(b"[")?;
            let count = each(store, run, to, |finding| Ok(serde_json::to_string(finding)?)).await?;
            to.write_all(b"\n]\n")?;
            Ok(count)
        }
    }
}

async fn sarif(store: &Store, run: &RunRow, to: &mut (dyn Write + Send)) -> Result<u64> {
    let driver = json!({"name": "inspector-shell", "version": env!("CARGO_PKG_VERSION")});
    write!(
        to,
        r#"{{"$schema":"https://json.schemastore.org/sarif-2.1.0.json","version":"2.1.0","runs":[{{"tool":{{"driver":{driver}}},"columnKind":"unicodeCodePoints","results":["#
    )?;
    let count = each(store, run, to, |finding| Ok(result(finding).to_string())).await?;
    to.write_all(b"\n]}]}\n")?;
    Ok(count)
}

fn result(finding: &Kept) -> Value {
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let rule = finding.rule.as_ref().map_or_else(|| finding.tool.clone(), |rule| format!("{}/{rule}", finding.tool));
    let mut result = json!({
        "ruleId": rule,
        "level": level,
        "message": {"text": finding.message},
        "partialFingerprints": {"inspector/v1": finding.fingerprint},
        "baselineState": if finding.added { "new" } else { "unchanged" },
        "properties": {"tool": finding.tool, "kind": finding.kind},
    });
    if let Some(file) = &finding.file {
        let mut place = json!({"artifactLocation": {"uri": uri(file)}});
        if let Some(line) = finding.line {
            let mut region = json!({"startLine": line});
            for (key, number) in
                [("startColumn", finding.column), ("endLine", finding.end_line), ("endColumn", finding.end_column)]
            {
                if let Some(number) = number {
                    region[key] = number.into();
                }
            }
            place["region"] = region;
        }
        result["locations"] = json!([{"physicalLocation": place}]);
    }
    result
}

fn uri(file: &str) -> String {
    use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
    const PATH: &AsciiSet =
        &CONTROLS.add(b' ').add(b'%').add(b'?').add(b'#').add(b'"').add(b'<').add(b'>').add(b'[').add(b']').add(b'`');
    utf8_percent_encode(file, PATH).to_string()
}

async fn junit(store: &Store, run: &RunRow, to: &mut (dyn Write + Send)) -> Result<u64> {
    let mut xml = Writer::new(Vec::new());
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let total = store.count(run.run).await?;
    let mut suites = BytesStart::new("testsuites");
    suites.push_attribute(("tests", total.to_string().as_str()));
    suites.push_attribute(("failures", total.to_string().as_str()));
    xml.write_event(Event::Start(suites))?;
    let mut suite = BytesStart::new("testsuite");
    suite.push_attribute(("name", format!("inspector run {}", run.run).as_str()));
    suite.push_attribute(("tests", total.to_string().as_str()));
    suite.push_attribute(("failures", total.to_string().as_str()));
    xml.write_event(Event::Start(suite))?;
    let mut count = 0;
    loop {
        let page = store.findings(run.run, &Query { offset: count, limit: PAGE, ..Query::default() }).await?;
        for finding in &page {
            case(&mut xml, finding)?;
        }
        to.write_all(xml.get_ref())?;
        xml.get_mut().clear();
        count += page.len() as u64;
        if (page.len() as u64) < PAGE {
            break;
        }
    }
    xml.write_event(Event::End(BytesEnd::new("testsuite")))?;
    xml.write_event(Event::End(BytesEnd::new("testsuites")))?;
    xml.get_mut().push(b'\n');
    to.write_all(xml.get_ref())?;
    Ok(count)
}

fn case(xml: &mut Writer<Vec<u8>>, finding: &Kept) -> Result<()> {
    let place = match (&finding.file, finding.line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (file, _) => file.clone().unwrap_or_default(),
    };
    let rule = finding.rule.as_deref().unwrap_or("finding");
    let mut case = BytesStart::new("testcase");
    case.push_attribute(("classname", clean(&finding.tool).as_str()));
    case.push_attribute(("name", clean(&format!("{rule} {place}")).as_str()));
    if let Some(file) = &finding.file {
        case.push_attribute(("file", clean(file).as_str()));
    }
    xml.write_event(Event::Start(case))?;
    let mut failure = BytesStart::new("failure");
    failure.push_attribute(("type", finding.severity.as_str()));
    failure.push_attribute(("message", clean(&finding.message).as_str()));
    xml.write_event(Event::Start(failure))?;
    xml.write_event(Event::Text(BytesText::new(&clean(finding.help.as_deref().unwrap_or(&finding.message)))))?;
    xml.write_event(Event::End(BytesEnd::new("failure")))?;
    xml.write_event(Event::End(BytesEnd::new("testcase")))?;
    Ok(())
}

/// XML can not say control characters, not even escaped.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && !matches!(c, '\n' | '\t') { '\u{fffd}' } else { c }).collect()
}

async fn each(
    store: &Store,
    run: &RunRow,
    to: &mut (dyn Write + Send),
    say: impl Fn(&Kept) -> Result<String>,
) -> Result<u64> {
    let mut count = 0;
    loop {
        let page = store.findings(run.run, &Query { offset: count, limit: PAGE, ..Query::default() }).await?;
        for (at, finding) in page.iter().enumerate() {
            let comma = if count == 0 && at == 0 { "\n" } else { ",\n" };
            to.write_all(comma.as_bytes())?;
            to.write_all(say(finding)?.as_bytes())?;
        }
        count += page.len() as u64;
        if (page.len() as u64) < PAGE {
            return Ok(count);
        }
    }
}
