//! Sealed events as others see them: the vectors, the refusals, the schemas.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use std::collections::{BTreeSet, HashMap};

use admin_shell::event::{CommandEnd, Event, EventKind, SessionStart, schema_names};
use serde_json::{Value, json};

const EVENTS: &str = include_str!("../vectors/events.jsonl");
const INVALID: &str = include_str!("../vectors/invalid.jsonl");

fn events() -> Vec<Event> {
    EVENTS.lines().map(|line| Event::parse(line).unwrap_or_else(|wrong| panic!("{wrong}\n{line}"))).collect()
}

#[test]
fn vectors_are_valid_chains_and_stay_verbatim() {
    let mut heads = HashMap::new();
    for (event, line) in events().iter().zip(EVENTS.lines()) {
        assert_eq!(event.text(), line);
        let head = heads.insert(event.stream().clone(), (event.seq() + 1, Some(event.hash())));
        assert_eq!((event.seq(), event.prev()), head.unwrap_or((0, None)), "{line}");
    }
    assert_eq!(heads.len(), 3);
}

#[test]
fn vectors_cover_every_type_and_one_more() {
    let events = events();
    let kinds: BTreeSet<_> = events.iter().map(|event| event.kind().as_str()).collect();
    assert!(schema_names().iter().all(|name| kinds.contains(name)), "{kinds:?}");
    let unknown = events.iter().find(|event| matches!(event.kind(), EventKind::Other(_))).unwrap();
    assert_eq!(unknown.kind().as_str(), "annotation");
    assert_eq!(unknown.body()["\u{fb33}"], 3);
    assert!(unknown.text().contains("annotated_by"), "an unknown field of the envelope is kept");
    let odd: SessionStart = events[9].decode().unwrap();
    assert_eq!(odd.metadata["large"], "9007199254740993");
    assert_eq!(odd.metadata["most"], json!(9_007_199_254_740_991_u64));
    assert_eq!(odd.metadata["least"], json!(-9_007_199_254_740_991_i64));
    assert_eq!(events[4].decode::<CommandEnd>().unwrap().reads["ps"].calls, 2);
}

#[test]
fn refusals_name_the_field() {
    let mut wrong = Vec::new();
    for (number, line) in INVALID.lines().enumerate() {
        let case: Value = serde_json::from_str(line).unwrap();
        let [field, why, text] = ["field", "why", "event"].map(|key| case[key].as_str().unwrap());
        match Event::parse(text) {
            Ok(_) => wrong.push(format!("line {}: {field}: {why}: was accepted", number + 1)),
            Err(refusal) if refusal.field() != field => {
                wrong.push(format!("line {}: {field}: {why}: says {refusal}", number + 1));
            }
            Err(refusal) => assert!(!refusal.rule().is_empty()),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn too_large_is_refused_before_it_is_read() {
    let refusal = Event::parse(&" ".repeat(256 * 1024 + 1)).unwrap_err();
    assert_eq!(refusal.field(), "event");
    assert!(refusal.rule().contains("256 KiB"), "{refusal}");
}

#[cfg(feature = "tracker")]
mod schemas {
    //! The schemas, with a validator that is not ours.

    use super::*;
    use admin_shell::event::schema;

    #[test]
    fn schemas_accept_the_vectors_and_nothing_else() {
        assert_eq!(schema("annotation"), None);
        let schemas: HashMap<_, _> = schema_names().iter().map(|name| (*name, validator(name))).collect();
        for line in EVENTS.lines() {
            let event: Value = serde_json::from_str(line).unwrap();
            let Some(schema) = schemas.get(event["event_type"].as_str().unwrap()) else { continue };
            let errors: Vec<_> =
                schema.iter_errors(&event).map(|error| format!("{}: {error}", error.instance_path())).collect();
            assert!(errors.is_empty(), "{line}\n{}", errors.join("\n"));
        }
    }

    /// What a schema can not say: how bytes and numbers are spelled, hashes, levels, sizes, real dates, two fields at once.
    const BEYOND_SCHEMAS: &[&str] = &["event", "hash", "body", "metadata", "timestamp", "from", "session_id", "prev"];

    #[test]
    fn schemas_refuse_what_the_rules_refuse() {
        let schemas: HashMap<_, _> = schema_names().iter().map(|name| (*name, validator(name))).collect();
        let mut accepted = Vec::new();
        for line in INVALID.lines() {
            let case: Value = serde_json::from_str(line).unwrap();
            let Ok(event) = serde_json::from_str::<Value>(case["event"].as_str().unwrap()) else { continue };
            let Some(schema) = event["event_type"].as_str().and_then(|name| schemas.get(name)) else { continue };
            if schema.is_valid(&event) && !BEYOND_SCHEMAS.contains(&case["field"].as_str().unwrap()) {
                accepted.push(format!("{}: {}", case["field"], case["why"]));
            }
        }
        assert!(accepted.is_empty(), "{}", accepted.join("\n"));
    }

    fn validator(name: &str) -> jsonschema::Validator {
        let schema = schema(name).unwrap();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(schema["$id"], format!("urn:admin-shell:event:2.0:{name}"));
        assert_eq!(schema["title"], name);
        assert!(schema["description"].is_string());
        assert_eq!(schema["properties"]["event_type"]["const"], name);
        jsonschema::draft202012::new(&schema).unwrap()
    }
}
