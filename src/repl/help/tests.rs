//! Help as people see it.

use std::time::Duration;

use serde_json::json;

use super::*;

fn param(name: &'static str, doc: &'static str, schema: Value) -> Param {
    Param {
        name: name.into(),
        doc: doc.into(),
        secret: false,
        default: None,
        optional: false,
        field: None,
        schema: Some(schema),
        has_values: false,
    }
}

fn helper(name: &'static str, doc: &'static str, effect: Effect, params: Vec<Param>) -> Spec {
    Spec {
        name: name.into(),
        doc: doc.into(),
        effect,
        params,
        examples: Vec::new(),
        group: None,
        timeout: None,
        has_preview: false,
    }
}

fn registry() -> Registry {
    let limit = Param {
        default: Some(json!(10)),
        optional: true,
        ..param("limit", "How many.", json!({"type": "integer", "minimum": 1, "maximum": 1000}))
    };
    let id =
        Param { field: Some("id".into()), has_values: true, ..param("id", "Which run.", json!({"type": "string"})) };
    let path = param("program", "What to run, as a path or a name.", json!({"type": "string"}));
    let name = param("name", "What to call it.", json!({"type": "string"}));
    let args = Param {
        default: Some(json!([])),
        optional: true,
        ..param("args", "Its arguments.", json!({"type": "array", "items": {"type": "string"}}))
    };
    let token = Param { secret: true, optional: true, ..param("token", "A key.", json!({"type": "string"})) };
    let mut registry = Registry::default();
    registry.push(helper("ps", "All runs.", Effect::Read, vec![]));
    registry.push(Spec {
        examples: vec!["errors(20)".into(), "errors(5)\n  .filter(|e| e.code == 1)".into()],
        ..helper("errors", "Recent failures, the newest first.", Effect::Read, vec![limit])
    });
    registry.push(Spec {
        group: Some("Runs".into()),
        ..helper("submit", "Enqueues a process as a run.", Effect::Write, vec![name, path, args, token])
    });
    registry.push(Spec {
        group: Some("Runs".into()),
        has_preview: true,
        timeout: Some(Duration::from_secs(30)),
        ..helper("cancel", "Stops a run and its children.", Effect::Destroy, vec![id])
    });
    registry
}

#[track_caller]
fn shows(text: &str, expected: &str) {
    assert_eq!(text, expected.trim_matches('\n'), "\n{text}\n");
}

#[test]
fn every_helper_by_group() {
    shows(
        &help(&registry(), Width::Columns(70), Color::Off),
        r#"
Helpers
     ps()                All runs.
     errors(limit = 10)  Recent failures, the newest first.

Runs
  W  submit(name, program, args = [], token?)
                 Enqueues a process as a run.
  D  cancel(id)  Stops a run and its children.

W changes something. D destroys something: it asks for a confirmation
and a reason.

help("ps") says more about one of them.

errors(10), errors(#{limit: 10}) and errors --limit 10 are the same.
"#,
    );
}

#[test]
fn one_helper() {
    shows(
        &help_on(registry().get("errors").unwrap(), Width::Columns(80), Color::Off),
        r"
errors(limit = 10)
  Recent failures, the newest first.

Arguments
  limit  How many.
         integer 1..=1000; default 10

Effect
  Looks only.

Examples
  errors(20)
  errors(5)
    .filter(|e| e.code == 1)

Also
  errors(#{limit: 10})
  errors --limit 10
",
    );
    shows(
        &help_on(registry().get("cancel").unwrap(), Width::Columns(60), Color::Off),
        r#"
cancel(id)
  Stops a run and its children.

Arguments
  id  Which run.
      text; a record stands for its `id`; Tab knows values

Effect
  Destroys something (D): shows what would happen, and asks
  for a confirmation and a reason; every call is recorded
  before it runs. Stopped after 30s.

Also
  cancel(#{id: "…"})
  cancel "…"
"#,
    );
    shows(
        &help_on(registry().get("submit").unwrap(), Width::Unlimited, Color::Off),
        r#"
submit(name, program, args = [], token?)
  Enqueues a process as a run.

Arguments
  name     What to call it.
           text
  program  What to run, as a path or a name.
           text
  args     Its arguments.
           list of text; default []
  token    A key.
           text; may be left out; secret: never recorded

Effect
  Changes something (W): every call is recorded before it runs.

Also
  submit(#{name: "…", program: "…"})
  submit "…" "…"
"#,
    );
}

#[test]
fn colour_only_when_asked() {
    assert!(help(&registry(), Width::Columns(70), Color::On).contains("\u{1b}[1mRuns\u{1b}[0m"));
    assert!(!help(&registry(), Width::Columns(70), Color::Off).contains('\u{1b}'));
    assert_eq!(help(&Registry::default(), Width::Unlimited, Color::Off), "This shell has no helpers.");
}
