//! Output that no tool should write: it costs bounded memory, is said to be what it is, and moves no cursor.

use crate::place::{Place, text, verdict};

fn tool(format: &str, script: &str) -> Place {
    Place::with_tools(&[("evil", &format!("format = \"{format}\""), script)])
}

/// What is said of output that can not be read, and what is shown of it.
#[track_caller]
fn complaint(format: &str, script: &str) -> (String, String) {
    let place = tool(format, script);
    let report = place.answer("crack()");
    let row = verdict(&report, "evil");
    assert_eq!(row["verdict"], "unreadable", "{row}");
    let said = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let shown = place.shown("crack()");
    assert!(!shown.contains('\u{1b}'), "an escape sequence reaches the screen: {shown:?}");
    (said("complaint"), said("output"))
}

#[test]
fn what_is_no_sarif() {
    for (script, said) in [
        ("echo 'not json at all'", "expected ident at line 1 column 2"),
        ("echo '{\"runs\": []}'", "this is JSON, but no SARIF"),
        ("echo '{\"version\": \"1.0.0\", \"runs\": []}'", "SARIF of version 1.0.0 is not known"),
        (
            "printf '{\"version\": \"2.1.0\", \"runs\": [{\"results\": [{\"ruleId\": \"a\", \"message\"'",
            "EOF while parsing",
        ),
        (
            "echo '{\"version\": \"2.1.0\", \"runs\": [{\"results\": [{\"level\": 7, \"message\": {\"text\": \"x\"}}]}]}'",
            "result 1: invalid type",
        ),
        ("printf '\\033[31m{\\377\\033[2J'", "expected value at line 1 column 1"),
        ("head -c 100000 /dev/zero | tr '\\0' '['", "EOF while parsing a list"),
    ] {
        let (complaint, output) = complaint("sarif", script);
        assert!(complaint.contains(said), "{script}: {complaint}");
        assert!(!output.is_empty(), "{script}: what it wrote is shown");
    }
}

#[test]
fn what_is_no_junit() {
    let bomb = r#"cat <<'X'
<?xml version="1.0"?>
<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>
<testsuite><testcase name="x"><failure message="m">&c;</failure></testcase></testsuite>
X"#;
    let outside = r#"cat <<'X'
<!DOCTYPE b [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<testsuite><testcase name="x"><failure message="&x;"/></testcase></testsuite>
X"#;
    for (script, said) in [
        (bomb, "the entity `&c;` is not expanded"),
        (outside, "x"),
        ("echo '<html></html>'", "this is no JUnit report"),
        ("echo '<testsuite><testcase name=\"x\">'", "the document ends in its middle"),
        ("yes '<a>' | head -1000", "nested too deeply"),
        ("echo '<testsuite></testcase>'", "testcase"),
    ] {
        let (complaint, output) = complaint("junit", script);
        assert!(complaint.contains(said), "{script}: {complaint}");
        assert!(!output.contains("root:"), "{output}");
    }
}

#[test]
fn lines_that_are_no_records() {
    let (complaint, output) = complaint("cargo-json", "echo '{\"reason\":\"compiler-message\"}'; echo plain");
    assert!(
        complaint.starts_with("line 1: missing field `package_id`") && complaint.ends_with("(and 1 more)"),
        "{complaint}"
    );
    assert!(output.ends_with("plain"), "{output}");
    let settings = "format = \"json-lines\"\n[tool.fields]\nmessage = \"text\"\nfile = \"at\"\nline = \"no\"";
    let place = Place::with_tools(&[(
        "evil",
        settings,
        "echo '{\"text\": \"first\"}'; echo '[1'; echo '{}'; echo '{\"text\": \"last\", \"at\": \"a.x\", \"no\": 3}'",
    )]);
    let report = place.answer("crack()");
    let messages: Vec<_> =
        report["findings"].as_array().unwrap().iter().map(|finding| finding["message"].as_str().unwrap()).collect();
    assert_eq!(messages, ["last", "first"], "what can be read counts");
    let row = verdict(&report, "evil");
    assert_eq!(row["verdict"], "unreadable");
    assert_eq!(row["complaint"], "line 2: EOF while parsing a list at line 1 column 2: `[1` (and 1 more)");
}

#[test]
fn control_characters_and_strange_paths() {
    let script = r#"cat <<'X'
{"version": "2.1.0", "runs": [{"results": [
 {"ruleId": "a\u001b[31m", "level": "error", "message": {"text": "red \u001b[2J\u202e end"},
  "locations": [{"physicalLocation": {"artifactLocation": {"uri": "a\nb\u0007.rs"}, "region": {"startLine": 1}}}]},
 {"ruleId": "b", "message": {"text": "outside"},
  "locations": [{"physicalLocation": {"artifactLocation": {"uri": "../../../../../../etc/passwd"}, "region": {"startLine": 1}}}]},
 {"ruleId": "c", "message": {"text": "absolute"},
  "locations": [{"physicalLocation": {"artifactLocation": {"uri": "file:///etc/passwd"}, "region": {"startLine": 1}}}]}
]}]}
X"#;
    let place = tool("sarif", script);
    for code in ["crack()", "findings()", "finding(1)", "finding(2)", "finding(3)"] {
        let shown = place.shown(code);
        assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{code}: {shown:?}");
        assert!(!shown.contains("root:"), "{code} shows a file outside of the tree: {shown}");
    }
    let shown = place.shown("findings()");
    assert!(shown.lines().any(|line| line.contains("a\\nb\\u{7}.rs:1")), "a path is one line: {shown}");
    assert_eq!(place.answer("finding(2).source"), serde_json::Value::Null);
    assert!(place.failure("open(2)").contains("names no file inside of the tree"));
    let raw = text(&place.run(&["--json", "-c", "findings()"]).stdout);
    assert!(!raw.contains('\u{1b}') && raw.contains("\\u001b"), "{raw}");
}

#[test]
fn floods_and_questions() {
    let fields = "format = \"json-lines\"\n[tool.fields]\nmessage = \"text\"";
    let place = Place::with_tools(&[
        ("line", fields, "head -c 104857600 /dev/zero | tr '\\0' 'x'; echo; echo '{\"text\": \"after\"}'"),
        ("bytes", fields, "printf '{\"text\": \"\\377\\376\"}\\n'"),
        ("asks", "format = \"sarif\"", "read answer && echo \"$answer\"; echo 'nobody answered' >&2; exit 3"),
        ("dies", "format = \"sarif\"", "kill -SEGV $$"),
        ("hangs", "format = \"sarif\"\ntimeout = \"1s\"", "trap '' TERM; sleep 600 & sleep 600"),
    ]);
    let report = place.answer("crack()");
    let row = |name: &str| verdict(&report, name).clone();
    assert_eq!(row("line")["complaint"], "line 1 has 104857601 bytes and was left out");
    assert!(report["findings"].as_array().unwrap().iter().any(|f| f["tool"] == "line" && f["message"] == "after"));
    let bytes = report["findings"].as_array().unwrap().iter().find(|finding| finding["tool"] == "bytes").unwrap();
    assert_eq!(bytes["message"], "\u{fffd}\u{fffd}");
    assert_eq!(row("asks")["output"], "nobody answered");
    assert_eq!((&row("dies")["verdict"], &row("dies")["note"]), (&"crashed".into(), &"ended by signal 11".into()));
    assert_eq!(
        (&row("hangs")["verdict"], &row("hangs")["note"]),
        (&"timeout".into(), &"stopped after its limit of 1s".into())
    );
}
