//! What can be set: for the program (`Settings`, flags and `INSPECTOR_…`), and for a tree (`inspector.toml` at its root).
//!
//! A tree's file is read anew for every run. A key that nobody knows is an error: a misspelt one would be a setting that
//! silently does not hold.

use std::{collections::BTreeMap, path::Path};

use admin_shell::{Result, Timespan};
use anyhow::{Context, bail, ensure};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    finding::{Kind, Severity},
    parse::Fields,
};

/// The program's own settings.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Exit with code 1 when a check finds something as grave as this: error, warning or note.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fail_on: Option<Severity>,
    /// The tree to look at, instead of the one that you stand in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tree: Option<String>,
}

/// A tree's `inspector.toml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TreeConfig {
    /// Directories that are not looked at, relative to the tree.
    pub exclude: Vec<String>,
    /// Adapters that are not used, by name.
    pub disable: Vec<String>,
    /// Variables that tools are given although their name says that they hold a secret.
    pub pass: Vec<String>,
    /// Further arguments for an adapter, by name.
    pub args: BTreeMap<String, Vec<String>>,
    /// How long an adapter may take, by name.
    pub timeouts: BTreeMap<String, Timespan>,
    /// Further tools.
    #[serde(rename = "tool")]
    pub tools: Vec<Custom>,
}

/// A tool of the tree's own.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Custom {
    /// What to call it.
    pub name: String,
    /// The program and its arguments. `{report}` stands for a file that it writes its report to.
    pub command: Vec<String>,
    /// What its answer looks like.
    pub format: CustomFormat,
    /// What kind of check it is; lint without it.
    pub kind: Option<Kind>,
    /// How long it may take, for example "90s".
    pub timeout: Option<Timespan>,
    /// Where it runs, relative to the tree.
    pub directory: Option<String>,
    /// The language, for `show_adapters()`.
    pub language: Option<String>,
    /// How to install it.
    pub install: Option<String>,
    /// For json-lines and json: where in a record the parts of a finding are.
    pub fields: Option<Fields>,
    /// For json: where in the document the findings are, for example "results.*".
    pub items: Option<String>,
    /// It answers on standard error.
    #[serde(default)]
    pub stderr: bool,
    /// Exit codes, besides 0, that mean that nothing is wrong.
    #[serde(default)]
    pub fine: Vec<i32>,
}

/// Formats that a custom tool can answer in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CustomFormat {
    /// SARIF 2.1.0.
    Sarif,
    /// JUnit XML.
    Junit,
    /// Cargo's JSON messages.
    CargoJson,
    /// A JSON record a line.
    JsonLines,
    /// One JSON document.
    Json,
}

impl TreeConfig {
    /// Reads a tree's file; a tree without one has the defaults.
    ///
    /// # Errors
    /// Names the file, the key and the rule.
    pub fn read(tree: &Path) -> Result<Self> {
        let path = tree.join("inspector.toml");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
        };
        let config: Self = toml::from_str(&text).with_context(|| format!("reading {}", path.display()))?;
        config.check().with_context(|| format!("reading {}", path.display()))?;
        Ok(config)
    }

    fn check(&self) -> Result<()> {
        for (at, tool) in self.tools.iter().enumerate() {
            let name = &tool.name;
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            ensure!(
                (1..=64).contains(&name.len()) && name.chars().all(is_name),
                "`name` of tool {} must be 1 to 64 letters, digits, `-` or `_`",
                at + 1
            );
            let is_program = tool.command.first().is_some_and(|program| !program.trim().is_empty());
            ensure!(is_program, "`command` of `{name}` must name a program first: [\"program\", \"argument\", …]");
            let wants_fields = matches!(tool.format, CustomFormat::JsonLines | CustomFormat::Json);
            match (&tool.fields, wants_fields) {
                (None, true) => {
                    bail!("`{name}` wants `fields`: where in a record the message, the file and the line are")
                }
                (Some(_), false) => bail!("`fields` of `{name}` are for json-lines and json only"),
                (Some(fields), true) if fields.message.is_empty() => bail!("`fields` of `{name}` must name `message`"),
                _ => {}
            }
            if let Some(directory) = &tool.directory {
                let inside = !Path::new(directory).is_absolute() && !directory.split('/').any(|part| part == "..");
                ensure!(inside, "`directory` of `{name}` must lie inside the tree");
            }
            let twice = self.tools[..at].iter().any(|other| other.name == *name);
            ensure!(!twice, "there are two tools of the name `{name}`");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("inspector.toml"), text).unwrap();
        format!("{:#}", TreeConfig::read(directory.path()).unwrap_err())
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, said) in [
            ("exlude = []", "unknown field `exlude`"),
            ("[[tool]]\nname = \"a b\"\ncommand = [\"x\"]\nformat = \"sarif\"", "`name` of tool 1 must be"),
            ("[[tool]]\nname = \"a\"\ncommand = []\nformat = \"sarif\"", "`command` of `a` must name a program"),
            ("[[tool]]\nname = \"a\"\ncommand = [\"x\"]\nformat = \"json-lines\"", "`a` wants `fields`"),
            ("[[tool]]\nname = \"a\"\ncommand = [\"x\"]\nformat = \"sarf\"", "unknown variant `sarf`"),
            (
                "[[tool]]\nname = \"a\"\ncommand = [\"x\"]\nformat = \"sarif\"\ndirectory = \"../b\"",
                "must lie inside the tree",
            ),
            ("[timeouts]\nclippy = \"soon\"", "no length of time"),
        ] {
            let refused = refusal(text);
            assert!(refused.contains(said) && refused.contains("inspector.toml"), "{text}: {refused}");
        }
    }
}
