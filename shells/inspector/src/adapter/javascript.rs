//! The tools of JavaScript and TypeScript. Only those that the package itself uses apply.

use std::path::Path;

use serde_json::Value;

use super::{Adapter, Answer, Filter, Mend, REPORT, first_file, lookup};
use crate::{
    detect::Root,
    finding::Kind,
    parse::{Format, TextKind},
};

const ESLINT: &[&str] = &[
    "eslint.config.js",
    "eslint.config.mjs",
    "eslint.config.cjs",
    "eslint.config.ts",
    "eslint.config.mts",
    ".eslintrc.js",
    ".eslintrc.cjs",
    ".eslintrc.json",
    ".eslintrc.yml",
    ".eslintrc.yaml",
    ".eslintrc",
];
const PRETTIER: &[&str] = &[
    ".prettierrc",
    ".prettierrc.json",
    ".prettierrc.yml",
    ".prettierrc.yaml",
    ".prettierrc.js",
    ".prettierrc.cjs",
    ".prettierrc.mjs",
    ".prettierrc.toml",
    "prettier.config.js",
    "prettier.config.mjs",
    "prettier.config.cjs",
];

pub(super) fn adapters(tree: &Path, root: &Root, adapters: &mut Vec<Adapter>) {
    let directory = root.directory.as_path();
    let package: Value = crate::source::read_bounded(&directory.join("package.json"))
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let depends = |name: &str| {
        ["dependencies", "devDependencies", "peerDependencies"].iter().any(|kind| package[kind].get(name).is_some())
    };
    let used = |name: &str, files: &[&str], own: bool| {
        let config = first_file(directory, files).or_else(|| own.then(|| "package.json".to_owned()));
        let why = match &config {
            Some(config) => format!("{config} configures it"),
            None => "package.json depends on it".to_owned(),
        };
        (config.is_some() || depends(name)).then_some((config, why))
    };
    let mut add =
        |name: &str, tool: &str, package: &str, kind, format, args: &[&str], config: Option<String>, why: String| {
            let tool = lookup::javascript(tree, directory, tool, package);
            let mut adapter = Adapter::new(root, name, "javascript", kind, tool, format).args(args);
            (adapter.config, adapter.why) = (config, why);
            adapters.push(adapter);
            adapters.len() - 1
        };

    if let Some((config, why)) = used("eslint", ESLINT, package.get("eslintConfig").is_some()) {
        add("eslint", "eslint", "eslint", Kind::Lint, Format::Eslint, &["--format", "json", "."], config, why);
    }
    if let Some(config) = first_file(directory, &["tsconfig.json"]) {
        let why = "tsconfig.json is there".to_owned();
        let args = ["--noEmit", "--pretty", "false"];
        add("tsc", "tsc", "typescript", Kind::Type, Format::Text(TextKind::Tsc), &args, Some(config), why);
    }
    let prettier = used("prettier", PRETTIER, package.get("prettier").is_some());
    let is_set = prettier.is_some();
    if let Some((config, why)) = prettier {
        let args = ["--list-different", "."];
        let format = Format::Text(TextKind::Prettier);
        add("prettier", "prettier", "prettier", Kind::Format, format, &args, config, why);
    }
    if is_set && let Some(adapter) = adapters.last_mut() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        adapter.mend = Some(Mend { diff: words(&["--list-different", "."]), apply: words(&["--write", "."]) });
    }
    if let Some(script) = package["scripts"]["test"].as_str().filter(|script| !script.contains("no test specified")) {
        let tool = lookup::in_path("npm", "install Node.js from https://nodejs.org");
        let (args, format, filter): (&[&str], _, _) =
            if script.starts_with("node --test") && !script.contains("reporter") {
                let args: &[&str] = &[
                    "test",
                    "--silent",
                    "--",
                    "--test-reporter=junit",
                    concat!("--test-reporter-destination=", "{report}"),
                ];
                (args, Format::Junit, Filter::After("--test-name-pattern="))
            } else if script.starts_with("vitest") && !script.contains("reporter") {
                let args: &[&str] =
                    &["test", "--silent", "--", "--run", "--reporter=junit", concat!("--outputFile=", "{report}")];
                (args, Format::Junit, Filter::After("--testNamePattern="))
            } else if script.starts_with("jest") && !script.contains("--json") {
                let args: &[&str] = &["test", "--silent", "--", "--json", concat!("--outputFile=", "{report}")];
                (args, Format::Jest, Filter::After("--testNamePattern="))
            } else {
                (&["test", "--silent"], Format::ExitCode, Filter::None)
            };
        let mut adapter = Adapter::new(root, "npm-test", "javascript", Kind::Test, tool, format).args(args);
        if args.iter().any(|arg| arg.contains(REPORT)) {
            adapter.answer = Answer::Report;
        }
        adapter.filter = filter;
        adapter.why = format!("package.json has a test script: {}", script.chars().take(100).collect::<String>());
        adapter.config = Some("package.json".to_owned());
        adapters.push(adapter);
    }
}
