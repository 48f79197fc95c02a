//! JSON Schemas (draft 2020-12) of sealed events, one per type, generated from the types.
//!
//! A schema describes the whole envelope. It says what a schema can say; that the bytes are canonical and the hash is
//! theirs, only [`Event::parse`](super::Event::parse) checks. Additional fields are allowed everywhere: a newer writer
//! may add some.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{
    CallEnd, CallStart, CommandEnd, CommandStart, Gap, JournalId, Observation, SessionEnd, SessionStart, StreamId,
    body::{DIGEST, MAX_SAFE_INTEGER},
};

/// Event types, in the order in which a session writes them.
const NAMES: &[&str] =
    &["session_start", "command_start", "call_start", "call_end", "command_end", "session_end", "gap", "observation"];

/// The envelope as it stands in a sealed event's text. Only a description: `seal` writes and reads it.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the schema is generated from the fields' types")]
struct Sealed<B> {
    /// Version of this format.
    #[schemars(extend("const" = "2.0"))]
    event_version: String,
    /// Names the event for ever; receivers know it again by this. UUIDv7 from our writers.
    #[schemars(regex(pattern = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"))]
    event_id: String,
    /// The event's type.
    event_type: String,
    /// The stream: a session's, or the journal's own.
    session_id: StreamId,
    /// The journal that stored the event first.
    journal_id: JournalId,
    /// The component that the stream belongs to.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[a-zA-Z0-9_-]+$"))]
    component_name: String,
    /// Position in the stream, from 0 without gaps.
    #[schemars(range(max = MAX_SAFE_INTEGER))]
    seq: u64,
    /// Hash of the event before it in the stream; null at `seq` 0.
    #[schemars(required, regex(pattern = DIGEST), extend("type" = ["string", "null"]))]
    prev: Option<String>,
    /// When it happened, by its writer's clock: RFC 3339, UTC, six digits.
    #[schemars(regex(
        pattern = r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3])(:[0-5][0-9]){2}\.[0-9]{6}Z$"
    ))]
    timestamp: String,
    /// What happened.
    body: B,
    /// `sha256:` and the digest of the RFC 8785 canonical bytes of all fields but this one.
    #[schemars(regex(pattern = DIGEST))]
    hash: String,
}

/// The event types that have a schema.
#[must_use]
pub fn schema_names() -> &'static [&'static str] {
    NAMES
}

/// The schema of a whole sealed event of one type; `None` for a type that has none.
#[must_use]
pub fn schema(event_type: &str) -> Option<Value> {
    Some(match event_type {
        "session_start" => describe::<SessionStart>(event_type, "A shell was opened."),
        "command_start" => describe::<CommandStart>(event_type, "An input was accepted and is about to run."),
        "call_start" => {
            describe::<CallStart>(event_type, "A helper that changes something is about to run, or was refused.")
        }
        "call_end" => describe::<CallEnd>(event_type, "A call that changes something ended."),
        "command_end" => describe::<CommandEnd>(event_type, "A command ended."),
        "session_end" => describe::<SessionEnd>(event_type, "A shell was left."),
        "gap" => describe::<Gap>(event_type, "Events could not be recorded, or were dropped undelivered."),
        "observation" => describe::<Observation>(event_type, "Someone else's word about a session."),
        _ => return None,
    })
}

fn describe<B: JsonSchema>(event_type: &str, description: &str) -> Value {
    // The form of what is written: a reader's leniency (absent lists and the like) is not part of the format.
    let generator = SchemaSettings::draft2020_12().into_generator();
    let generated = generator.into_root_schema_for::<Sealed<B>>().to_value();
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("$id".to_owned(), json!(format!("urn:admin-shell:event:2.0:{event_type}")));
    schema.insert("title".to_owned(), json!(event_type));
    schema.insert("description".to_owned(), json!(description));
    if let Value::Object(generated) = generated {
        for (key, value) in generated {
            schema.entry(key).or_insert(value);
        }
    }
    schema["properties"]["event_type"] = json!({"type": "string", "const": event_type});
    if event_type == "observation" {
        schema["properties"]["session_id"]["pattern"] = json!("^jrnl_[0-7][0-9a-hjkmnp-tv-z]{25}$");
    } else if event_type != "gap" {
        schema["properties"]["session_id"]["pattern"] = json!("^sess_[0-7][0-9a-hjkmnp-tv-z]{25}$");
    }
    Value::Object(schema)
}
