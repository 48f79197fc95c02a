//! What cargo-audit and cargo-deny say of the crates that a lock file names. Each complaint names its crate: many crates
//! have the same one, and they are not the same finding.

use std::io::Read;

use serde::Deserialize;

use super::{
    Complaint, Sink,
    lines::{self, quoted},
    walk,
};
use crate::finding::{Finding, Severity};

const LOCK: &str = "Cargo.lock";

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
}

#[derive(Deserialize)]
struct Vulnerable {
    package: Package,
    /// Absent for what was yanked.
    advisory: Option<Advisory>,
    /// `unmaintained`, `unsound`, `yanked`; absent for vulnerabilities.
    kind: Option<String>,
    versions: Option<Versions>,
}

#[derive(Deserialize)]
struct Advisory {
    id: String,
    title: Option<String>,
    url: Option<String>,
}

#[derive(Deserialize)]
struct Versions {
    patched: Vec<String>,
}

/// Reads a report of `cargo audit --json`.
///
/// # Errors
/// When it is none, with the place.
pub fn audit(from: &mut dyn Read, sink: Sink<'_>) -> Result<(), Complaint> {
    const COUNT: usize = 0;
    let (mut is_report, mut wrong) = (false, None);
    walk::each(from, &["vulnerabilities.count", "vulnerabilities.list.*", "warnings.*.*"], &mut |path, part| {
        if path == COUNT {
            is_report = true;
            return;
        }
        match serde_json::from_value::<Vulnerable>(part) {
            Ok(vulnerable) => {
                sink(vulnerable.finding());
            }
            Err(error) => {
                wrong.get_or_insert_with(|| Complaint(error.to_string()));
            }
        }
    })?;
    match wrong {
        Some(wrong) => Err(wrong),
        None if is_report => Ok(()),
        None => Err(Complaint("this is JSON, but no report of cargo-audit: it counts no `vulnerabilities`".to_owned())),
    }
}

impl Vulnerable {
    fn finding(self) -> Finding {
        let Package { name, version } = self.package;
        let severity = if self.kind.is_some() { Severity::Warning } else { Severity::Error };
        let kind = self.kind.unwrap_or_else(|| "vulnerable".to_owned());
        let title = self.advisory.as_ref().and_then(|advisory| advisory.title.clone());
        let what = title.unwrap_or_else(|| format!("this version is {kind}"));
        let mut finding = Finding::new(severity, format!("{name} {version}: {what}"));
        finding.rule = Some(self.advisory.as_ref().map_or(kind, |advisory| advisory.id.clone()));
        finding.url = self
            .advisory
            .map(|advisory| advisory.url.unwrap_or_else(|| format!("https://rustsec.org/advisories/{}", advisory.id)));
        let patched = self.versions.map(|versions| versions.patched.join(", ")).filter(|patched| !patched.is_empty());
        finding.help = patched.map(|patched| format!("use {name} {patched}"));
        finding.file = Some(LOCK.to_owned());
        finding
    }
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type")]
    what: String,
    #[serde(default)]
    fields: Diagnostic,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Diagnostic {
    code: Option<String>,
    message: String,
    severity: String,
    labels: Vec<Label>,
    graphs: Vec<Node>,
}

#[derive(Deserialize)]
struct Label {
    message: String,
    span: String,
}

#[derive(Deserialize)]
struct Node {
    #[serde(rename = "Krate")]
    package: Option<Package>,
}

/// Reads the lines of `cargo deny --format json`.
///
/// # Errors
/// The first line that is no record.
pub fn deny(from: &mut dyn Read, sink: Sink<'_>) -> Result<(), Complaint> {
    lines::each(from, |line, number| {
        if line.trim().is_empty() {
            return Ok(true);
        }
        let line: Line = serde_json::from_str(line)
            .map_err(|error| Complaint(format!("line {number}: {error}: {}", quoted(line))))?;
        Ok(line.what != "diagnostic" || sink(line.fields.finding()))
    })
}

impl Diagnostic {
    fn finding(self) -> Finding {
        let package = self.graphs.into_iter().find_map(|node| node.package);
        let message = match package {
            Some(Package { name, version }) if !self.message.contains(&name) => {
                format!("{name} {version}: {}", self.message)
            }
            _ => self.message,
        };
        let mut finding = Finding::new(Severity::of_word(&self.severity), message);
        finding.rule = self.code;
        // The places of labels are in texts of cargo-deny's own, or in its configuration: none is the lock file's.
        let labels = self.labels.into_iter().map(|label| match label.span.trim() {
            "" => label.message,
            span => format!("{}: `{span}`", label.message),
        });
        let help: Vec<String> = labels.collect();
        finding.help = (!help.is_empty()).then(|| help.join("\n"));
        finding.file = Some(LOCK.to_owned());
        finding
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(read: fn(&mut dyn Read, Sink<'_>) -> Result<(), Complaint>, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut sink = |finding: Finding| {
            let help = finding.help.unwrap_or_default().replace('\n', "; ");
            let (severity, rule) = (finding.severity.as_str(), finding.rule.unwrap_or_default());
            found.push(format!("{severity} {rule} | {} | {help}", finding.message));
            true
        };
        read(&mut text.as_bytes(), &mut sink).unwrap();
        found
    }

    /// The shape of cargo-audit 0.22's report.
    const AUDIT: &str = r#"{"database": {"advisory-count": 1294}, "lockfile": {"dependency-count": 14}, "vulnerabilities": {"found": true, "count": 1, "list": [
        {"advisory": {"id": "RUSTSEC-2020-0071", "package": "time", "title": "Potential segfault in the time crate", "url": null},
         "versions": {"patched": [">=0.2.23"], "unaffected": ["=0.2.0"]}, "affected": null,
         "package": {"name": "time", "version": "0.1.40", "source": "registry", "checksum": null}}]},
        "warnings": {"unmaintained": [{"kind": "unmaintained", "package": {"name": "paste", "version": "1.0.15"},
            "advisory": {"id": "RUSTSEC-2024-0436", "title": "paste - no longer maintained", "url": "https://example.org"}, "versions": {"patched": []}}],
          "yanked": [{"kind": "yanked", "advisory": null, "versions": null, "affected": null, "package": {"name": "chacha20", "version": "0.10.1"}}]}}"#;

    #[test]
    fn vulnerabilities_and_warnings() {
        assert_eq!(
            read(audit, AUDIT),
            [
                "error RUSTSEC-2020-0071 | time 0.1.40: Potential segfault in the time crate | use time >=0.2.23",
                "warning RUSTSEC-2024-0436 | paste 1.0.15: paste - no longer maintained | ",
                "warning yanked | chacha20 0.10.1: this version is yanked | ",
            ]
        );
        assert!(audit(&mut "{}".as_bytes(), &mut |_| true).is_err());
    }

    /// What cargo-deny 0.14.2 printed of a package with one dependency.
    const DENY: &str = r#"{"fields":{"code":"banned","graphs":[{"Krate":{"name":"itoa","version":"1.0.18"},"parents":[{"Krate":{"name":"planted","version":"0.1.0"}}]}],"labels":[{"column":18,"line":4,"message":"banned here","span":"itoa"}],"message":"crate 'itoa = 1.0.18' is explicitly banned","severity":"error"},"type":"diagnostic"}
{"fields":{"code":"rejected","graphs":[{"Krate":{"name":"itoa","version":"1.0.18"},"parents":[{"Krate":{"name":"planted","version":"0.1.0"}}]}],"labels":[{"column":12,"line":4,"message":"license expression retrieved via Cargo.toml `license`","span":"MIT OR Apache-2.0"},{"column":12,"line":4,"message":"rejected: not explicitly allowed","span":"MIT"}],"message":"failed to satisfy license requirements","severity":"error"},"type":"diagnostic"}
{"fields":{"code":"unlicensed","graphs":[{"Krate":{"name":"planted","version":"0.1.0"}}],"labels":[{"column":12,"line":4,"message":"license expression was not specified","span":""}],"message":"planted = 0.1.0 is unlicensed","severity":"error"},"type":"diagnostic"}
{"fields":{"code":"license-not-encountered","graphs":[],"labels":[{"column":10,"line":2,"message":"unmatched license allowance","span":"BSD-3-Clause"}],"message":"license was not encountered","severity":"warning"},"type":"diagnostic"}
{"fields":{"bans":{"errors":1,"helps":0,"notes":0,"warnings":0},"licenses":{"errors":2,"helps":0,"notes":0,"warnings":1}},"type":"summary"}
"#;

    #[test]
    fn what_is_denied() {
        assert_eq!(
            read(deny, DENY),
            [
                "error banned | crate 'itoa = 1.0.18' is explicitly banned | banned here: `itoa`",
                "error rejected | itoa 1.0.18: failed to satisfy license requirements | license expression retrieved via Cargo.toml `license`: `MIT OR Apache-2.0`; rejected: not explicitly allowed: `MIT`",
                "error unlicensed | planted = 0.1.0 is unlicensed | license expression was not specified",
                "warning license-not-encountered | license was not encountered | unmatched license allowance: `BSD-3-Clause`",
            ]
        );
    }
}
