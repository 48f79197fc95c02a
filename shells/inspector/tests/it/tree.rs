//! What the tree has: adapters, hooks, configuration; and what is said when there is nothing.

use std::{os::unix::fs::PermissionsExt, time::Duration};

use serde_json::json;

use crate::place::{Place, verdict};

#[test]
fn adapters_and_why() {
    let place = Place::planted("python");
    place.write("web/package.json", r#"{"scripts": {"test": "jest"}, "devDependencies": {"eslint": "1"}}"#);
    place.write("inspector.toml", "disable = [\"bandit\"]\n[[tool]]\nname = \"words\"\ncommand = [\"no-such-program-here\"]\nformat = \"sarif\"\ninstall = \"get it\"");
    let rows = place.answer("show_adapters()");
    let names: Vec<String> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| format!("{} {}", row["adapter"].as_str().unwrap(), row["at"].as_str().unwrap()))
        .collect();
    assert_eq!(names, ["ruff .", "ruff-format .", "mypy .", "pytest .", "eslint web", "npm-test web", "words ."]);
    assert_eq!((&rows[0]["state"], &rows[0]["config"]), (&json!("found"), &json!("pyproject.toml")));
    assert!(rows[0]["version"].as_str().unwrap().starts_with("ruff "), "{}", rows[0]);
    assert_eq!((&rows[6]["state"], &rows[6]["install"]), (&json!("missing"), &json!("get it")));
    assert_eq!(rows[4]["why"], "package.json depends on it");
    let report = place.answer("crack([\"words\"])");
    assert_eq!(
        (&report["verdict"], &verdict(&report, "words")["note"]),
        (&json!("pass"), &json!("not installed: get it"))
    );
    assert_eq!(place.answer("show_adapters()[6].last_verdict"), "missing");
}

#[test]
fn nothing_to_check() {
    let place = Place::empty();
    let failure = place.failure("crack()");
    assert!(failure.contains("there is nothing to check in ") && failure.contains("Cargo.toml"), "{failure}");
    place.write("inspector.toml", "exlude = []");
    assert!(place.failure("crack()").contains("unknown field `exlude`"));
    assert!(place.failure("findings()").contains("nothing was checked in this tree yet"));
    assert!(place.failure("show_hooks()").contains("not a git repository"));
}

#[test]
fn hooks() {
    let place = Place::empty();
    place.git(&["init", "-q"]);
    let executable =
        |file: &str| std::fs::set_permissions(place.tree().join(file), std::fs::Permissions::from_mode(0o755)).unwrap();
    place.write(".git/hooks/pre-push", "#!/bin/sh\nset -e\ncargo test\n");
    executable(".git/hooks/pre-push");
    place.write(".git/hooks/commit-msg", "#!/bin/sh\nexit 0\n");
    place.write(".pre-commit-config.yaml", "repos:\n- repo: x\n  hooks:\n  - id: ruff\n  - id: \"mypy\"\n");
    place.write("lefthook.yml", "pre-commit:\n  commands:\n    lint:\n      run: npm run lint\n");
    place.write(".husky/pre-commit", "npm test\n");
    let rows = place.answer("show_hooks()");
    let lines: Vec<String> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            format!(
                "{} {} {} {}",
                row["hook"].as_str().unwrap(),
                row["manager"].as_str().unwrap(),
                row["runs"].as_str().unwrap(),
                row["installed"]
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            "pre-commit husky npm test false",
            "pre-commit lefthook npm run lint false",
            "pre-commit pre-commit ruff false",
            "pre-commit pre-commit mypy false",
            "commit-msg git exit 0 false",
            "pre-push git cargo test true",
        ]
    );
    place.git(&["config", "core.hooksPath", ".husky"]);
    executable(".husky/pre-commit");
    let rows = place.answer("show_hooks()");
    let husky = rows.as_array().unwrap().iter().find(|row| row["manager"] == "husky").unwrap().clone();
    assert_eq!((&husky["installed"], &husky["runs"]), (&json!(true), &json!("npm test")));
    assert!(rows.as_array().unwrap().iter().all(|row| row["hook"] != "pre-push"), "git does not look there any more");
}

#[test]
fn secrets_do_not_reach_tools() {
    let settings = "format = \"json-lines\"\n[tool.fields]\nmessage = \"text\"";
    let script = "env | grep -E 'TOKEN|SECRET|ADMIN_SHELL|SESSION_TRACKER|INSPECTOR' | sed 's/.*/{\"text\": \"&\"}/'";
    let place = Place::with_tools(&[("env", settings, script)]);
    let config = place.read("inspector.toml");
    place.write("inspector.toml", &format!("pass = [\"MY_TOKEN\"]\n{config}"));
    let secrets =
        ["ADMIN_SHELL_TOKEN", "ADMIN_SHELL_SECRET", "SESSION_TRACKER_SECRET", "AWS_SECRET_ACCESS_KEY", "MY_TOKEN"];
    let mut command = place.inspector(&["--json", "-c", "crack()"]);
    for name in secrets {
        command.env(name, "a-value-of-thirty-two-characters-x");
    }
    let output = command.output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{report}");
    assert!(findings[0]["message"].as_str().unwrap().starts_with("MY_TOKEN="));
}

#[test]
fn watching_reruns_what_a_change_touches() {
    let place = Place::planted("python");
    place.write("inspector.toml", "disable = [\"mypy\", \"pytest\", \"bandit\"]\n[[tool]]\nname = \"other\"\ncommand = [\"true\"]\nformat = \"sarif\"\nlanguage = \"rust\"");
    place.answer("crack([\"ruff\"])");
    let watching = place
        .inspector(&["--json", "-c", "watch(6)"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(2500));
    let source = place.read("app/money.py");
    place.write("app/money.py", &source.replace("import os\n", ""));
    let output = watching.wait_with_output().unwrap();
    let rows: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 1, "{rows}");
    assert_eq!((&rows[0]["fixed"], &rows[0]["files"]), (&json!(1), &json!(["app/money.py"])));
    let adapters = place.answer("runs(1)");
    assert_eq!(adapters[0]["what"], "watch");
}
