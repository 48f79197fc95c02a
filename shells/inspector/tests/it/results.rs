//! What is done with findings: compared, filtered, exported, and what a pipeline is told.

use serde_json::{Value, json};

use crate::place::{Place, places};

#[test]
fn a_line_that_moved_is_the_same_finding() {
    let place = Place::planted("python");
    place.answer("crack([\"ruff\"])");
    let source = place.read("app/money.py");
    place.write("app/money.py", &format!("# One line\n# more.\n{source}"));
    let report = place.answer("crack([\"ruff\"])");
    assert_eq!((&report["added"], &report["fixed"], &report["since"]), (&json!(0), &json!(0), &json!(1)), "{report}");
    place.write(
        "app/money.py",
        &source.replace("import os\n", "import os\nimport sys\n").replace("    unused = 1\n", ""),
    );
    let report = place.answer("crack([\"ruff\"])");
    assert_eq!((&report["added"], &report["fixed"]), (&json!(1), &json!(1)));
    let difference = place.answer("compare()");
    assert_eq!(
        (&difference["added"][0]["rule"], &difference["added"][0]["message"]),
        (&json!("F401"), &json!("`sys` imported but unused"))
    );
    assert_eq!((&difference["fixed"][0]["rule"], &difference["same"]), (&json!("F841"), &json!(4)));
    assert_eq!(place.answer("findings(#{added: true}).len()"), 1);
    let against_first = place.answer("compare(1, runs()[0])");
    assert_eq!(against_first["before"], 1);
    // What another run did not look at is neither new nor fixed.
    place.answer("crack([\"bandit\"])");
    let difference = place.answer("compare()");
    assert_eq!((difference["added"].as_array().unwrap().len(), difference["fixed"].as_array().unwrap().len()), (0, 0));
    assert_eq!(difference["not_compared"], json!(["bandit", "ruff"]));
}

#[test]
fn against_another_revision() {
    let place = Place::planted("python");
    place.git(&["init", "-q", "-b", "main"]);
    place.git(&["add", "app", "pyproject.toml", "tests"]);
    place.git(&["commit", "-q", "-m", "Begin"]);
    let source = place.read("app/money.py");
    place.write("app/money.py", &source.replace("import os\n", "import os\nimport sys\n"));
    let before = place.answer("crack([\"ruff\"], \"main\")");
    assert_eq!(places(&before, "ruff").len(), 5);
    let difference = place.answer("compare(crack([\"ruff\"], \"main\"), crack([\"ruff\"]))");
    assert_eq!(difference["before"], before["run"], "a commit is looked at once");
    assert_eq!(
        (&difference["added"][0]["message"], &difference["same"]),
        (&json!("`sys` imported but unused"), &json!(5))
    );
    assert!(place.failure("crack([\"ruff\"], \"nowhere\")").contains("there is no revision `nowhere` here"));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/scripts/no-new-findings.rhai");
    let output = place.run(&["-f", script]);
    assert_eq!(output.status.code(), Some(1), "{}", crate::place::text(&output.stderr));
    let said = crate::place::text(&output.stdout);
    assert!(said.contains("`sys` imported but unused"), "{said}");
    place.write("app/money.py", &source);
    assert_eq!(place.run(&["-f", script]).status.code(), Some(0));
}

#[test]
fn a_pipeline_is_told_by_the_exit_code() {
    let warning = "echo '{\"text\": \"doubtful\", \"how\": \"warning\"}'";
    let settings = "format = \"json-lines\"\n[tool.fields]\nmessage = \"text\"\nseverity = \"how\"";
    let place = Place::with_tools(&[("one", settings, warning)]);
    for (args, code) in [
        (&[][..], 0),
        (&["--fail-on", "error"], 0),
        (&["--fail-on", "warning"], 1),
        (&["--fail-on", "note"], 1),
        (&["--fail-on", "gravity"], 2),
    ] {
        let output = place.run(&[args, &["--json", "-c", "crack()"]].concat());
        assert_eq!(output.status.code(), Some(code), "{args:?}");
        if code < 2 {
            let report: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(report["findings"][0]["message"], "doubtful", "the result is there all the same");
        }
    }
    // What could not be judged did not pass.
    let place = Place::with_tools(&[("one", settings, "exit 9")]);
    assert_eq!(place.run(&["--fail-on", "error", "--json", "-c", "crack()"]).status.code(), Some(1));
    assert!(place.run(&["--json", "-c", "crack()"]).status.success());
}

#[test]
fn exports_can_be_read_again() {
    let place = Place::planted("python");
    place.answer("crack([\"ruff\", \"bandit\"])");
    let count = place.answer("findings().len()");
    for format in ["sarif", "junit"] {
        place.answer(&format!("export(\"{format}\", \"out.{format}\")"));
        let config = format!(
            "disable = [\"ruff\", \"ruff-format\", \"mypy\", \"pytest\", \"bandit\"]\n[[tool]]\nname = \"again\"\ncommand = [\"cat\", \"out.{format}\"]\nformat = \"{format}\"\n"
        );
        place.write("inspector.toml", &config);
        let report = place.answer("crack()");
        assert_eq!(
            report["findings"].as_array().unwrap().len(),
            usize::try_from(count.as_u64().unwrap()).unwrap(),
            "{format}: {report}"
        );
        std::fs::remove_file(place.tree().join("inspector.toml")).unwrap();
        place.answer("crack([\"ruff\", \"bandit\"])");
    }
    place.answer("export(\"json\", \"out.json\")");
    let list: Vec<Value> = serde_json::from_str(&place.read("out.json")).unwrap();
    assert_eq!(json!(list.len()), count);
    assert!(place.failure("export(\"yaml\", \"x\")").contains("`format` of `export`"));
}

#[test]
fn findings_are_filtered() {
    let place = Place::planted("python");
    place.answer("crack()");
    for (code, expected) in [
        ("findings(#{tool: \"ruff\"}).len()", json!(5)),
        ("findings(#{severity: \"error\", tool: \"bandit\"}).len()", json!(1)),
        ("findings(#{file: \"tests/\", tool: \"mypy\"}).len()", json!(2)),
        ("findings(#{rule: \"F401\"})[0].line", json!(3)),
        ("findings(#{limit: 2, offset: 1})[0].n", json!(2)),
        ("findings().filter(|f| f.severity == \"note\").len()", json!(5)),
        ("finding(1).finding.tool", json!("mypy")),
        ("findings()[0].kind", json!("type")),
    ] {
        assert_eq!(place.answer(code), expected, "{code}");
    }
    assert!(place.failure("findings(#{tol: \"ruff\"})").contains("tol"));
    assert!(place.failure("finding(999)").contains("has no finding 999"));
    let shown = place.shown("finding(#{n: 1})");
    assert!(shown.contains("7 | def total(amounts: list[int], into=[]) -> str:\n  | ^"), "{shown}");
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(place.data().join("inspector.db")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
}
