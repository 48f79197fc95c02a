//! What is sealed is canonical, and what is not canonical is no event.

use serde_json::json;

use super::*;
use crate::event::SessionId;

fn sealed(body: Value) -> Event {
    let Value::Object(body) = body else { panic!("bodies are objects") };
    let draft = Draft::new(EventKind::Other("test".into()), Timestamp::UNIX_EPOCH, body);
    let (stream, journal) = (StreamId::Session(SessionId::new()), JournalId::new());
    let place = Place { stream: &stream, journal: &journal, component: "test", seq: 0, prev: None };
    Event::seal(&draft, &place).expect("it can be sealed")
}

#[test]
fn what_is_sealed_is_canonical_and_parses() {
    let nested = json!({ "journal_id": "\"journal_id\":", "hash": "sha256:", "é": [1, { "b": null, "a": true }] });
    let event = sealed(nested);
    let whole: Value = serde_json::from_str(event.text()).expect("JSON");
    assert_eq!(serde_json_canonicalizer::to_string(&whole).expect("canonical"), event.text());
    assert_eq!(Event::parse(event.text()).expect("it parses"), event);
    let mut bare = whole;
    bare.as_object_mut().expect("an object").remove("hash");
    let bytes = serde_json_canonicalizer::to_vec(&bare).expect("canonical");
    assert_eq!(Hash::of(&bytes), event.hash());
}

#[test]
fn any_other_form_of_it_is_refused() {
    let event = sealed(json!({ "input": "ps()" }));
    let text = event.text();
    let member = member(&event.hash());
    let bare = text.replace(&member, "");
    for (what, other) in [
        ("hash first", format!("{{{member}{}", &bare[1..])),
        ("hash last", format!("{},{}}}", &bare[..bare.len() - 1], member.trim_end_matches(','))),
        ("hash twice", text.replace(&member, &format!("{member}{member}"))),
        ("no hash", bare.clone()),
        ("a space", text.replacen(':', ": ", 1)),
        ("another word", text.replace("ps()", "qs()")),
        ("another hash", text.replace(&event.hash().to_string(), &Hash::of(b"").to_string())),
        ("an escape", text.replace("ps()", "\\u0070s()")),
    ] {
        assert!(Event::parse(&other).is_err(), "{what}");
    }
}

/// The vectors were written by another program in another language: sealing their parts gives their bytes.
#[test]
fn sealing_gives_the_bytes_of_the_vectors() {
    let vectors = include_str!("../../../tests/vectors/events.jsonl");
    let mut sealed = 0;
    for line in vectors.lines().filter(|line| !line.contains("annotated_by")) {
        let event = Event::parse(line).unwrap();
        let Value::Object(body) = event.body().clone() else { unreachable!("bodies are objects") };
        let draft = Draft { event_id: event.event_id(), ..Draft::new(event.kind().clone(), event.timestamp(), body) };
        let place = Place {
            stream: event.stream(),
            journal: event.journal(),
            component: event.component(),
            seq: event.seq(),
            prev: event.prev(),
        };
        assert_eq!(Event::seal(&draft, &place).unwrap().text(), line);
        sealed += 1;
    }
    assert_eq!(sealed, 14);
}

fn place<'a>(stream: &'a StreamId, journal: &'a JournalId) -> Place<'a> {
    Place { stream, journal, component: "orchestrator", seq: 0, prev: None }
}

#[test]
fn what_can_not_be_read_back_is_not_sealed() {
    let (stream, journal) = (StreamId::from(crate::event::SessionId::new()), JournalId::new());
    let body = json!({"reason": "bored", "exit_code": 0, "duration_us": 0, "commands": 0, "failed_commands": 0});
    let Value::Object(body) = body else { unreachable!("an object") };
    let draft = Draft::new(EventKind::SessionEnd, Timestamp::now(), body);
    assert_eq!(Event::seal(&draft, &place(&stream, &journal)).unwrap_err().field(), "reason");
    let large = Map::from_iter([("text".to_owned(), json!("x".repeat(MAX_EVENT_BYTES)))]);
    let draft = Draft::new(EventKind::Other("note".to_owned()), Timestamp::now(), large);
    assert_eq!(Event::seal(&draft, &place(&stream, &journal)).unwrap_err().field(), "event");
}

#[test]
fn numbers_that_events_do_not_hold_become_text() {
    let (stream, journal) = (StreamId::from(crate::event::SessionId::new()), JournalId::new());
    let body = json!({"a": 9_007_199_254_740_991_u64, "b": 9_007_199_254_740_993_u64, "c": 0.5, "d": [-9_007_199_254_740_992_i64]});
    let Value::Object(body) = body else { unreachable!("an object") };
    let draft = Draft::new(EventKind::Other("note".to_owned()), Timestamp::now(), body);
    let event = Event::seal(&draft, &place(&stream, &journal)).unwrap();
    let wants =
        json!({"a": 9_007_199_254_740_991_u64, "b": "9007199254740993", "c": "0.5", "d": ["-9007199254740992"]});
    assert_eq!(event.body(), &wants);
    assert_eq!(Event::parse(event.text()).unwrap(), event);
}
