//! Completion by table: `|` is the cursor.

use serde_json::json;

use super::*;
use crate::{
    session::Receiver,
    spec::{Effect, Spec},
};

fn param(name: &'static str) -> Param {
    Param {
        name: name.into(),
        doc: "A parameter.".into(),
        secret: false,
        default: None,
        optional: false,
        field: None,
        schema: Some(json!({"type": "string"})),
        has_values: false,
    }
}

fn helper(name: &'static str, params: Vec<Param>) -> Spec {
    Spec {
        name: name.into(),
        doc: "Does it.".into(),
        effect: Effect::Read,
        params,
        examples: Vec::new(),
        group: None,
        timeout: None,
        has_preview: false,
    }
}

fn registry() -> Registry {
    let id = Param { field: Some("id".into()), has_values: true, ..param("id") };
    let limit = Param { default: Some(json!(10)), optional: true, ..param("limit") };
    let mut registry = Registry::default();
    registry.push(helper("ps", vec![]));
    registry.push(helper("errors", vec![limit, Param { has_values: true, ..param("since") }]));
    registry.push(helper("show", vec![id.clone()]));
    registry.push(helper("submit", vec![param("name"), param("program")]));
    registry.push(helper("explain", vec![param("key")]));
    registry
}

/// A session with two variables, in which `ps` has answered a list of records.
struct Known;

impl InScope for Known {
    fn variables(&self) -> Vec<String> {
        vec!["project".into(), "result".into()]
    }

    fn fields(&self, receiver: &Receiver<'_>) -> Vec<String> {
        let fields = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        match (receiver.name, receiver.is_called, receiver.is_item) {
            ("ps", _, true) => fields(&["id", "status"]),
            ("project", false, false) => fields(&["name"]),
            _ => Vec::new(),
        }
    }
}

/// Line and cursor of a text with a `|`.
fn cursor(text: &str) -> (String, usize) {
    (text.replace('|', ""), text.find('|').unwrap())
}

#[test]
fn offers_what_fits_the_place() {
    for (text, expected) in [
        ("sh|", "show"),
        ("let a = sh|", "show("),
        ("let a = p|", "project ps() private"),
        ("let a = sh|(1)", "show"),
        ("l|", "let loop"),
        ("ex|", "explain export"),
        ("let a = |", "project result"),
        ("ps()[0].|", "id status show()"),
        ("print(ps[0].s|", "status show()"),
        ("project.|", "name show()"),
        ("ps().|", "show()"),
        ("|", "project result ps errors show submit explain"),
        ("re|", "result return"),
        ("ps().|", "show()"),
        ("ps()[0].sh|", "show()"),
        ("a.p|", ""),
        // named arguments
        ("errors(#{|", "limit:  since: "),
        ("errors(#{ li|", "limit: "),
        ("errors(#{limit: 1, |", "since: "),
        ("errors(#{limit: re|", "result return"),
        ("#{|", "project result"),
        ("unknown(#{li|", ""),
        // command style
        ("errors |", "--limit  --since "),
        ("errors --li|", "--limit "),
        ("errors --limit 20 --|", "--since "),
        ("errors --limit |", ""),
        ("errors 2|", ""),
        ("errors = sh|", "show("),
        ("errors + l|", "let loop"),
        ("nothing --li|", ""),
        // strings and comments
        ("\"sh|", ""),
        ("show(\"sh|", ""),
        ("// sh|", ""),
        ("/* sh|", ""),
        ("#\"sh|", ""),
        ("`${sh|", "show("),
        // help
        ("help(|", "\"ps\" \"errors\" \"show\" \"submit\" \"explain\""),
        ("help(sh|", "\"show\""),
        ("help(\"s|", "show\" submit\""),
    ] {
        let (line, at) = cursor(text);
        let candidates = complete(&line, at, &registry(), &Known);
        let offered: Vec<_> = candidates.iter().map(|candidate| candidate.replacement.as_str()).collect();
        assert_eq!(offered.join(" "), expected, "{text}");
        assert!(candidates.iter().all(|candidate| candidate.start <= at), "{text}");
    }
}

#[test]
fn shows_signature_and_sentence() {
    let candidates = complete("err", 3, &registry(), &Known);
    assert_eq!(
        candidates,
        [Candidate {
            start: 0,
            replacement: "errors".into(),
            display: "errors(limit = 10, since)".into(),
            doc: Some("Does it.".into())
        }]
    );
}

#[test]
fn knows_where_values_are_wanted() {
    for (text, expected) in [
        ("show(|", Some(("show", 0, ""))),
        ("show(ru|", Some(("show", 0, "ru"))),
        ("show(\"ru|", Some(("show", 0, "ru"))),
        ("show(`ru|", Some(("show", 0, "ru"))),
        ("let a = 1 + show( \"ru|", Some(("show", 0, "ru"))),
        ("show(#{id: \"ru|", Some(("show", 0, "ru"))),
        ("show(#{id: |", Some(("show", 0, ""))),
        ("errors(1, \"7|", Some(("errors", 1, "7"))),
        ("errors(f(1, 2), |", Some(("errors", 1, ""))),
        ("5.errors(\"7|", Some(("errors", 1, "7"))),
        ("show ru|", Some(("show", 0, "ru"))),
        ("show |", Some(("show", 0, ""))),
        ("show \"ru|", Some(("show", 0, "ru"))),
        ("errors 1 7|", Some(("errors", 1, "7"))),
        ("errors --since 7|", Some(("errors", 1, "7"))),
        ("errors --limit 1 1 7|", Some(("errors", 1, "7"))),
        ("errors --limit 7|", None),
        ("errors --|", None),
        ("errors(|", None),
        ("show(a + |", None),
        ("show(\"a\" + \"b|", None),
        ("show(a.b|", None),
        ("show((|", None),
        ("show(1, |", None),
        ("show|", None),
        ("unknown(|", None),
        ("// show(|", None),
    ] {
        let (line, at) = cursor(text);
        let registry = registry();
        let wanted = wants_values(&line, at, &registry);
        assert_eq!(wanted.map(|wanted| (wanted.helper, wanted.param, wanted.prefix)), expected, "{text}");
    }
}

#[test]
fn writes_values_as_the_place_wants_them() {
    let known = [json!("run_1"), json!("run \"2\"\n"), json!(17), json!("other"), json!(null)];
    for (text, expected) in [
        ("show(|", r#""run_1"·"run \"2\"\n"·17·"other""#),
        ("show(ru|", r#""run_1"·"run \"2\"\n""#),
        ("show(\"ru|", r#"run_1"·run \"2\"\n""#),
        ("show ru|", r#"run_1·"run \"2\"\n""#),
        ("show 1|", "17"),
    ] {
        let (line, at) = cursor(text);
        let registry = registry();
        let wanted = wants_values(&line, at, &registry).unwrap();
        let offered: Vec<_> = values(&wanted, &known).into_iter().map(|candidate| candidate.replacement).collect();
        assert_eq!(offered.join("·"), expected, "{text}");
    }
}
