//! What tools take and answer, as JSON Schemas (draft 2020-12). Where a type says it already, the type's own.

use rmcp::model::JsonObject;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Value, json};

use crate::{
    analytics::Answer,
    delivery::wire,
    journal::SessionRecord,
    tracker::{End, Health},
};

/// An object with these members and no others.
fn object(required: &[&str], properties: Value) -> JsonObject {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    });
    serde_json::from_value(schema).unwrap_or_default()
}

/// The schema of what a type is written as.
fn of<T: JsonSchema>() -> JsonObject {
    let schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>();
    serde_json::from_value(schema.into()).unwrap_or_default()
}

/// The schema of what a type is read from.
fn taken<T: JsonSchema>() -> JsonObject {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    serde_json::from_value(schema.into()).unwrap_or_default()
}

fn label(words: &str) -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": 255, "description": words})
}

fn or_null(mut schema: Value) -> Value {
    let kind = schema["type"].take();
    schema["type"] = json!([kind, "null"]);
    schema
}

fn text(words: &str) -> Value {
    json!({"type": "string", "description": words})
}

fn timestamp() -> Value {
    json!({"type": "string", "format": "date-time", "description": "RFC 3339 with seconds and a zone."})
}

fn metadata() -> Value {
    json!({
        "type": ["object", "null"],
        "description": "More about it: at most 64 KiB and 8 levels.",
    })
}

fn token() -> Value {
    or_null(text("A bearer token, for clients that can not send an Authorization header; the header wins."))
}

pub(super) fn start() -> JsonObject {
    let mut metadata = metadata();
    metadata["properties"] = json!({
        "component_version": {"description": "The component's version."},
        "component_type": {"description": "What kind of component it is."},
        "cli_enabled": {"description": "Whether the component has a command line."},
        "adapters": {"description": "Names of its adapters."},
    });
    object(
        &["event_type", "component_name", "shell_type", "timestamp", "pid", "user", "hostname", "environment"],
        json!({
            "event_version": {"type": ["string", "null"], "enum": ["1.0", null], "default": "1.0"},
            "event_id": {"type": ["string", "null"], "format": "uuid", "description": "Makes sending it again harmless."},
            "event_type": {"type": "string", "const": "session_start"},
            "component_name": {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,64}$"},
            "shell_type": label("Name of the shell's type."),
            "timestamp": timestamp(),
            "pid": {"type": "integer", "minimum": 1, "maximum": 4_194_304},
            "user": {
                "type": "object",
                "properties": {
                    "username": {"type": "string", "maxLength": 100},
                    "home": {"type": "string", "maxLength": 500},
                },
                "required": ["username", "home"],
            },
            "hostname": label("The machine's name."),
            "environment": {
                "type": "object",
                "properties": {
                    "python_version": {"type": ["string", "null"]},
                    "runtime": or_null(label("Name and version of the runtime.")),
                    "platform": label("Operating system and architecture."),
                    "cwd": {"type": "string", "maxLength": 500},
                },
                "required": ["platform", "cwd"],
            },
            "metadata": metadata,
            "session_id": {
                "type": ["string", "null"],
                "pattern": "^sess_[0-7][0-9a-hjkmnp-tv-z]{25}$",
                "description": "A new id; made when absent.",
            },
            "token": token(),
        }),
    )
}

pub(super) fn start_answer() -> JsonObject {
    object(
        &["session_id", "status", "error"],
        json!({
            "session_id": {"type": ["string", "null"]},
            "status": {"type": "string", "enum": ["tracked", "error"]},
            "error": {"type": ["string", "null"]},
        }),
    )
}

pub(super) fn end() -> JsonObject {
    object(
        &["session_id", "timestamp"],
        json!({
            "session_id": text("What track_session_start has answered."),
            "timestamp": timestamp(),
            "event_type": {"type": ["string", "null"], "enum": ["session_end", null], "default": "session_end"},
            "metadata": metadata(),
            "token": token(),
        }),
    )
}

pub(super) fn end_answer() -> JsonObject {
    object(
        &["session_id", "status", "error"],
        json!({
            "session_id": {"type": "string"},
            "status": {"type": "string", "enum": ["ended", "not_found", "error"]},
            "error": {"type": ["string", "null"]},
        }),
    )
}

pub(super) fn nothing() -> JsonObject {
    object(&[], json!({}))
}

pub(super) fn health() -> JsonObject {
    of::<Health>()
}

pub(super) fn batch() -> JsonObject {
    taken::<wire::Batch>()
}

pub(super) fn verdicts() -> JsonObject {
    of::<wire::Answer>()
}

pub(super) fn beats() -> JsonObject {
    taken::<wire::Beats>()
}

pub(super) fn beaten() -> JsonObject {
    of::<wire::Beaten>()
}

pub(super) fn statistics() -> JsonObject {
    let text = |words: &str| or_null(text(words));
    object(
        &[],
        json!({
            "query": {
                "type": ["string", "null"],
                "enum": ["sessions", "duration", "components", "errors", "active", null],
                "default": "sessions",
            },
            "days": {"type": ["integer", "null"], "minimum": 1, "maximum": 365, "default": 7},
            "after": text("Instead of days: from this time on, RFC 3339."),
            "before": text("Until this time, RFC 3339."),
            "component": text("One component only."),
            "limit": {"type": ["integer", "null"], "minimum": 1, "maximum": 1000, "default": 10},
            "period": {"type": ["string", "null"], "enum": ["daily", "weekly", null]},
        }),
    )
}

pub(super) fn answer() -> JsonObject {
    of::<Answer>()
}

pub(super) fn metrics() -> JsonObject {
    object(&["metrics"], json!({"metrics": text("Metrics, one sample a line.")}))
}

pub(super) fn filter() -> JsonObject {
    let optional = |words: &str| or_null(text(words));
    let span = |words: &str| json!({"type": ["string", "number", "null"], "description": words});
    object(
        &[],
        json!({
            "component": optional("Of this component."),
            "user": optional("Of this account."),
            "host": optional("On this machine."),
            "type": optional("Of this type of component."),
            "status": {
                "type": ["string", "null"],
                "enum": ["active", "stale", "ended", "crashed", "lost", null],
            },
            "after": optional("Begun at this time or later, RFC 3339."),
            "before": optional("Begun before this time, RFC 3339."),
            "longer_than": span("Open for longer than this: seconds, or text such as 1h30m; running ones too."),
            "shorter_than": span("Open for less than this."),
            "active": {"type": ["boolean", "null"], "description": "Only those that are open."},
            "incomplete": {"type": ["boolean", "null"], "description": "Only those that have not said their own end."},
            "text": optional("With a command that holds this text."),
            "limit": {"type": ["integer", "null"], "minimum": 1, "maximum": 1000, "default": 50},
            "cursor": optional("`next` of the answer before."),
        }),
    )
}

pub(super) fn sessions() -> JsonObject {
    let mut schema = object(
        &["sessions", "next"],
        json!({
            "sessions": {"type": "array", "items": {"$ref": "#/$defs/SessionRecord"}},
            "next": {"type": ["string", "null"]},
        }),
    );
    let mut record = of::<SessionRecord>();
    let mut definitions = record.remove("$defs").unwrap_or_else(|| json!({}));
    record.remove("$schema");
    definitions["SessionRecord"] = Value::Object(record);
    schema.insert("$defs".to_owned(), definitions);
    schema
}

pub(super) fn show() -> JsonObject {
    object(
        &["session_id"],
        json!({
            "session_id": text("The id, or an unambiguous beginning of it."),
            "events": {"type": ["integer", "null"], "minimum": 0, "maximum": 1000, "default": 0},
            "from": {"type": ["integer", "null"], "minimum": 0, "default": 0, "description": "The seq of the first event."},
        }),
    )
}

pub(super) fn session() -> JsonObject {
    let mut schema = of::<SessionRecord>();
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.insert("events".to_owned(), json!({"type": "array", "items": {"type": "object"}}));
    }
    schema
}

pub(super) fn end_session() -> JsonObject {
    object(
        &["session_id", "reason"],
        json!({
            "session_id": text("The whole id."),
            "reason": {"type": "string", "minLength": 1, "maxLength": 500, "description": "Why, for the record."},
        }),
    )
}

pub(super) fn ended() -> JsonObject {
    of::<End>()
}
