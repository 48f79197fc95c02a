//! SARIF 2.1.0 (OASIS): results of runs; levels and addresses from the rules, which may stand behind the results that name
//! them. So a log is read twice: its rules, then its results.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Complaint, Input, Sink, walk};
use crate::finding::{Finding, Severity};

/// More rules than any tool has.
const MOST_RULES: usize = 20_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Rule {
    id: String,
    help_uri: Option<String>,
    default_configuration: Configuration,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Configuration {
    level: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct SarifResult {
    rule_id: Option<String>,
    rule: RuleReference,
    level: Option<String>,
    kind: Option<String>,
    message: Message,
    locations: Vec<Location>,
    suppressions: Vec<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RuleReference {
    id: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Message {
    text: Option<String>,
    markdown: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Location {
    physical_location: PhysicalLocation,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    region: Region,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ArtifactLocation {
    uri: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Region {
    start_line: Option<u32>,
    start_column: Option<u32>,
    end_line: Option<u32>,
    end_column: Option<u32>,
}

/// Reads a log.
///
/// # Errors
/// When it is no SARIF, with the place; when single results are not what the standard says, with the first of them.
pub fn parse(from: &mut dyn Input, sink: Sink<'_>) -> Result<(), Complaint> {
    const VERSION: usize = 0;
    let rules = rules(from);
    from.rewind().map_err(|error| Complaint(error.to_string()))?;
    let (mut wrong, mut version, mut number) = (None, None, 0_usize);
    walk::each(from, &["version", "runs.*.results.*"], &mut |path, part| match path {
        VERSION => version = part.as_str().map(str::to_owned),
        _ => {
            number += 1;
            match serde_json::from_value::<SarifResult>(part) {
                Ok(result) if result.suppressions.is_empty() => {
                    if let Some(finding) = finding(result, &rules) {
                        sink(finding);
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    wrong.get_or_insert_with(|| Complaint(format!("result {number}: {error}")));
                }
            }
        }
    })?;
    match (version, wrong) {
        (_, Some(wrong)) => Err(wrong),
        (Some(version), None) if version.starts_with("2.") => Ok(()),
        (Some(version), None) => Err(Complaint(format!("SARIF of version {version} is not known, 2.1.0 is"))),
        (None, None) => Err(Complaint("this is JSON, but no SARIF: it names no `version`".to_owned())),
    }
}

/// The rules that the log names. Where it can not be read it has none; reading the results says why.
fn rules(from: &mut dyn Input) -> HashMap<String, Rule> {
    let mut rules = HashMap::new();
    let paths = ["runs.*.tool.driver.rules.*", "runs.*.tool.extensions.*.rules.*"];
    let _ = walk::each(from, &paths, &mut |_, part| {
        if let Ok(rule) = serde_json::from_value::<Rule>(part)
            && rules.len() < MOST_RULES
        {
            rules.insert(rule.id.clone(), rule);
        }
    });
    rules
}

fn finding(result: SarifResult, rules: &HashMap<String, Rule>) -> Option<Finding> {
    // A result that is not `fail` says that something is right.
    if result.kind.as_deref().is_some_and(|kind| !matches!(kind, "fail" | "open" | "review")) {
        return None;
    }
    let id = result.rule_id.or(result.rule.id);
    let rule = id.as_ref().and_then(|id| rules.get(id));
    // The standard's own default is "warning".
    let level = result.level.as_deref().or_else(|| rule?.default_configuration.level.as_deref()).unwrap_or("warning");
    let text = result.message.text.or(result.message.markdown).unwrap_or_else(|| "(no message)".to_owned());
    let mut finding = Finding::new(Severity::of_word(level), text);
    finding.url = rule.and_then(|rule| rule.help_uri.clone());
    finding.rule = id;
    if let Some(Location { physical_location: place }) = result.locations.into_iter().next() {
        finding.file = place.artifact_location.uri.map(|uri| {
            if uri.starts_with("file://") {
                uri
            } else {
                percent_encoding::percent_decode_str(&uri).decode_utf8_lossy().into_owned()
            }
        });
        finding.line = place.region.start_line;
        finding.column = place.region.start_column;
        finding.end_line = place.region.end_line;
        finding.end_column = place.region.end_column;
    }
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_may_stand_behind_results() {
        let rules = r#""tool": {"driver": {"rules": [{"id": "a", "helpUri": "https://a", "defaultConfiguration": {"level": "error"}}]}}"#;
        let results = r#""results": [{"ruleId": "a", "message": {"text": "x"}}]"#;
        for run in [format!("{results}, {rules}"), format!("{rules}, {results}")] {
            let log = format!(r#"{{"runs": [{{{run}}}], "version": "2.1.0"}}"#);
            let mut found = Vec::new();
            parse(&mut std::io::Cursor::new(log), &mut |finding| {
                found.push(finding);
                true
            })
            .unwrap();
            assert_eq!((found[0].severity, found[0].url.as_deref()), (Severity::Error, Some("https://a")));
        }
    }
}
