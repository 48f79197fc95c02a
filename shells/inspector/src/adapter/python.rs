//! The tools of Python.

use std::path::Path;

use super::{Adapter, Answer, Filter, Mend, REPORT, Tool, first_file, lookup, mentions};
use crate::{
    detect::Root,
    finding::Kind,
    parse::{Fields, Format, TextKind},
};

pub(super) fn adapters(tree: &Path, root: &Root, adapters: &mut Vec<Adapter>) {
    let directory = root.directory.as_path();
    let pyproject = directory.join("pyproject.toml");
    let section = |name: &str| mentions(&pyproject, &format!("[tool.{name}"));
    let configured = |name: &str, own: &[&str]| {
        first_file(directory, own)
            .or_else(|| section(name).then(|| "pyproject.toml".to_owned()))
            .or_else(|| mentions(&directory.join("setup.cfg"), &format!("[{name}")).then(|| "setup.cfg".to_owned()))
    };
    let new = |name: &str, tool: &str, kind, format| {
        Adapter::new(root, name, "python", kind, lookup::python(tree, directory, tool), format)
    };
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();

    let ruff_config = configured("ruff", &["ruff.toml", ".ruff.toml"]);
    let mut ruff =
        new("ruff", "ruff", Kind::Lint, Format::Sarif).args(&["check", "--output-format", "sarif", "--no-cache", "."]);
    ruff.config.clone_from(&ruff_config);
    adapters.push(ruff);

    // Another formatter's tree is not ruff's to lay out.
    if ruff_config.is_some() || !section("black") {
        let mut format = new("ruff-format", "ruff", Kind::Format, Format::Text(TextKind::RuffFormat)).args(&[
            "format",
            "--check",
            "--no-cache",
            ".",
        ]);
        format.config = ruff_config;
        format.mend = Some(Mend {
            diff: words(&["format", "--diff", "--no-cache", "."]),
            apply: words(&["format", "--no-cache", "."]),
        });
        adapters.push(format);
    }

    let config = configured("mypy", &["mypy.ini", ".mypy.ini"]);
    let mypy = new("mypy", "mypy", Kind::Type, Format::JsonLines { fields: mypy_fields() }).args(&[
        "--output",
        "json",
        "--show-error-end",
        "--show-column-numbers",
        "--no-incremental",
        ".",
    ]);
    applies_if_set_up(adapters, mypy, config);

    let config = configured("pytest", &["pytest.ini", ".pytest.ini", "tox.ini"]);
    if let Some(why) = has_tests(directory) {
        let mut pytest = new("pytest", "pytest", Kind::Test, Format::Junit).args(&[
            "-q",
            "-p",
            "no:cacheprovider",
            "-o",
            "junit_family=xunit1",
            "--junitxml",
            REPORT,
        ]);
        pytest.answer = Answer::Report;
        pytest.config = config;
        pytest.why = why;
        pytest.filter = Filter::After("-k");
        // Nothing was collected.
        pytest.fine = vec![5];
        adapters.push(pytest);
    }

    let config = configured("bandit", &[".bandit", "bandit.yaml"]);
    let mut bandit = new(
        "bandit",
        "bandit",
        Kind::Security,
        Format::Json { items: vec!["results.*".into()], fields: bandit_fields() },
    )
    .args(&["-r", "-q", "-f", "json", "-x", "./.venv,./venv,./node_modules,./.git,./target", "."]);
    if config.as_deref() == Some("pyproject.toml") {
        bandit.args.splice(0..0, words(&["-c", "pyproject.toml"]) as Vec<String>);
    }
    applies_if_set_up(adapters, bandit, config);
}

/// A tool that not every project uses: it applies when it is configured here, or is there anyway.
fn applies_if_set_up(adapters: &mut Vec<Adapter>, mut adapter: Adapter, config: Option<String>) {
    if config.is_some() || matches!(adapter.tool, Tool::Found(_)) {
        adapter.config = config;
        adapters.push(adapter);
    }
}

fn has_tests(directory: &Path) -> Option<String> {
    let is_test = |name: &str| (name.starts_with("test_") && name.ends_with(".py")) || name.ends_with("_test.py");
    let walk = ignore::WalkBuilder::new(directory).max_depth(Some(5)).build();
    let found = walk.flatten().take(20_000).find(|entry| entry.file_name().to_str().is_some_and(is_test))?;
    let path = found.path().strip_prefix(directory).unwrap_or(found.path());
    Some(format!("there are tests, for example {}", path.display()))
}

fn mypy_fields() -> Fields {
    Fields {
        file: Some("file".into()),
        line: Some("line".into()),
        column: Some("column".into()),
        // mypy counts columns from 0 in its JSON.
        column_from_zero: true,
        end_line: Some("end_line".into()),
        end_column: Some("end_column".into()),
        rule: Some("code".into()),
        message: "message".into(),
        severity: Some("severity".into()),
        help: Some("hint".into()),
        ..Fields::default()
    }
}

fn bandit_fields() -> Fields {
    Fields {
        file: Some("filename".into()),
        line: Some("line_number".into()),
        column: Some("col_offset".into()),
        end_column: Some("end_col_offset".into()),
        column_from_zero: true,
        rule: Some("test_id".into()),
        message: "issue_text".into(),
        severity: Some("issue_severity".into()),
        url: Some("more_info".into()),
        ..Fields::default()
    }
}
