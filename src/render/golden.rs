//! What people see, as they see it: a value on one side, its text on the other.

use serde_json::{Value, json};

use super::*;

/// The value at that width has to be exactly these lines.
#[track_caller]
fn shows(value: Value, width: u16, expected: &str) {
    let text = render(&value, Width::Columns(width));
    assert_eq!(text, expected.trim_matches('\n'), "\n{text}\n");
}

fn runs() -> Value {
    json!([
        {"id": "run_01h", "name": "nightly backup", "status": "failed", "attempts": 3, "error": "disk full while writing the third archive"},
        {"id": "run_01j", "name": "report", "status": "done", "attempts": 12, "error": null},
    ])
}

#[test]
fn records_are_a_table_in_declared_order() {
    shows(
        runs(),
        100,
        "
ID       NAME            STATUS  ATTEMPTS  ERROR
run_01h  nightly backup  failed         3  disk full while writing the third archive
run_01j  report          done          12
",
    );
}

#[test]
fn prose_is_cut_first_and_the_rest_stays_whole() {
    shows(
        runs(),
        70,
        "
ID       NAME            STATUS  ATTEMPTS  ERROR
run_01h  nightly backup  failed         3  disk full while writing th…
run_01j  report          done          12
",
    );
    shows(
        runs(),
        54,
        "
ID       NAME           STATUS  ATTEMPTS  ERROR
run_01h  nightly back…  failed         3  disk full w…
run_01j  report         done          12
",
    );
}

#[test]
fn columns_that_do_not_fit_are_named() {
    shows(
        runs(),
        38,
        "
ID       NAME            STATUS
run_01h  nightly backup  failed
run_01j  report          done
… and 2 more columns: attempts, error
",
    );
    shows(
        runs(),
        5,
        "
ID
run_…
run_…
… an…
",
    );
}

#[test]
fn fields_that_come_up_later_stand_last() {
    shows(
        json!([{"b": 1, "a": true}, {"a": false, "c": [1, {"x": "y"}]}, {"b": -20.5}]),
        80,
        "
    B  A      C
    1  true
       false  [1,{\"x\":\"y\"}]
-20.5
",
    );
}

#[test]
fn hostile_text_stays_in_its_cell() {
    shows(
        json!([{"na\nme": "a\nb\tc", "Text": "\u{1b}[2J\u{202e}x"}, {"na\nme": "日本", "Text": {"\u{7f}": "\u{9b}"}}]),
        80,
        r#"
NA\NME   Text
a\nb\tc  \u{1b}[2J\u{202e}x
日本     {"\u007f":"\u009b"}
"#,
    );
}

#[test]
fn wide_characters_keep_the_columns_straight() {
    shows(
        json!([
            {"name": "日本語のとても長い名前", "n": 1},
            {"name": "👩‍👩‍👧‍👦 family", "n": 22},
            {"name": "e\u{301}te\u{301}", "n": 333},
        ]),
        20,
        "
NAME               N
日本語のとても…    1
👩‍👩‍👧‍👦 family         22
e\u{301}te\u{301}              333
",
    );
}

#[test]
fn a_record_is_a_block() {
    shows(
        json!({
            "id": "run_01h",
            "program": {"path": "/bin/sleep", "arguments": ["60", "--verbose"], "environment": {}},
            "attempts": [{"number": 1, "exit": 137}, {"number": 2, "exit": null}],
            "tags": [],
            "output": "first line\n  second line\n\nlast",
            "error": null,
            "note": "a sentence that is too long for the line it stands on",
        }),
        40,
        "
id      run_01h
program
  path         /bin/sleep
  arguments    [\"60\",\"--verbose\"]
  environment  (empty)
attempts
  NUMBER  EXIT
       1   137
       2
tags    (none)
output  first line
          second line

        last
error
note    a sentence that is too long for
        the line it stands on
",
    );
}

#[test]
fn scalars_and_lists_of_them() {
    shows(json!(null), 80, "");
    shows(json!("two\nlines \u{1b}"), 80, "two\nlines \\u{1b}");
    shows(json!(42), 80, "42");
    shows(json!(true), 80, "true");
    shows(json!([]), 80, "(none)");
    shows(json!({}), 80, "(empty)");
    shows(json!(["one", "two\nlines", 3, null, {"a": 1}, {}]), 80, "one\ntwo\\nlines\n3\nnull\n{\"a\":1}\n{}");
}

#[test]
fn a_table_of_any_width_never_passes_it() {
    let rows = json!([
        {"id": "sess_01h455vb4pex5vsknk084sn02q", "user": "日本語", "started": "2026-03-01T12:00:00.000000Z",
         "what": "a long sentence about it, in several words", "duration": 12345.678, "flag": true},
        {"id": "sess_01h455vb4pex5vsknk084sn02r", "user": "ada", "started": "2026-03-01T12:00:00.000000Z",
         "what": {"nested": ["list", 1, 2, 3]}, "duration": 1, "flag": false},
    ]);
    for width in 1..200 {
        let text = render(&rows, Width::Columns(width));
        assert!(text.lines().all(|line| text::columns(line) <= usize::from(width)), "{width}\n{text}");
        assert!(text.lines().count() >= 3);
    }
}

#[test]
fn many_rows_and_many_fields_are_no_trouble() {
    let rows: Vec<_> = (0..100_000).map(|n| json!({"id": n, "name": "worker", "note": "ünïcode words here"})).collect();
    assert_eq!(render(&Value::from(rows), Width::Unlimited).lines().count(), 100_001);
    let odd: Vec<_> = (0..2_000).map(|n| json!({(format!("field{n}")): n})).collect();
    let text = render(&Value::from(odd), Width::Unlimited);
    assert!(text.contains("… and 1900 more columns: field100, field101,"));
    assert!(text.len() < 2_000_000);
}
