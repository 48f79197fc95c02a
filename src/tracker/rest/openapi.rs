//! The door's description (OpenAPI 3.1), made from the code: routes and parameters by `utoipa`, the shapes of values by
//! `schemars`, from the types that are sent.
//!
//! What every route can answer is added in one place, [`describe`]: a status that is nowhere described is a defect.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use utoipa::{OpenApi, openapi::OpenApi as Description};

use super::Problem;
use crate::{
    analytics::{Answer as Statistics, Query},
    delivery::wire::{Answer, Batch, Beaten, Beats},
    journal::SessionRecord,
    tracker::{End, Health},
};

#[derive(OpenApi)]
#[openapi(info(
    title = "session-tracker",
    description = "What admin shells record, gathered: sessions, their events, statistics. Errors are problem documents \
                   (RFC 9457).",
    license(name = "MIT OR Apache-2.0")
))]
struct Base;

/// What the description begins with.
pub(super) fn base() -> Description {
    Base::openapi()
}

/// Routes that need no token.
const OPEN: [&str; 4] = ["/", "/health", "/ready", "/openapi.json"];

/// What any route that asks for a token can answer.
const ANYWHERE: [(&str, &str); 7] = [
    ("400", "A value breaks a rule: `field` names it."),
    ("401", "There is no token, or it is worth nothing here."),
    ("403", "The token does not allow it; or, without tokens, the `Host` is another machine."),
    ("408", "The request took too long."),
    ("429", "Too many requests of this caller: `Retry-After` says when to come again."),
    ("500", "A defect of the tracker."),
    ("503", "The tracker can not do it now: `Retry-After` says when to come again."),
];

/// Adds to the description what the code of the routes does not say: shapes, tokens, and what any route can answer.
pub(super) fn describe(description: &Description) -> Value {
    let mut document = serde_json::to_value(description).unwrap_or_default();
    document["components"]["schemas"] = shapes();
    document["components"]["securitySchemes"] =
        json!({ "token": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" } });
    let problem = |words: &str| {
        json!({
            "description": words,
            "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
        })
    };
    let Some(paths) = document["paths"].as_object_mut() else { return document };
    for (path, operations) in paths {
        for operation in operations.as_object_mut().into_iter().flat_map(Map::values_mut) {
            let is_open = OPEN.contains(&path.as_str());
            if !is_open {
                operation["security"] = json!([{ "token": [] }]);
            }
            if let Some(body) = operation.get_mut("requestBody") {
                body["required"] = json!(true);
            }
            let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
            parameters.into_iter().flatten().for_each(describe_parameter);
            let Some(responses) = operation["responses"].as_object_mut() else { continue };
            for response in responses.values_mut().filter(|response| response["content"].is_null()) {
                let words = response["description"].as_str().unwrap_or_default().to_owned();
                *response = problem(&words);
            }
            for (status, words) in ANYWHERE {
                let may_be = !is_open || matches!(status, "400" | "403" | "429" | "500" | "503" | "408");
                if may_be && !responses.contains_key(status) {
                    responses.insert(status.to_owned(), problem(words));
                }
            }
        }
    }
    document
}

/// What a parameter may be, where its type alone does not say it. An absent one is absent, never null.
fn describe_parameter(parameter: &mut Value) {
    let (name, schema) = (parameter["name"].as_str().unwrap_or_default().to_owned(), &mut parameter["schema"]);
    if let Some(types) = schema["type"].as_array() {
        schema["type"] = types.iter().find(|word| *word != "null").cloned().unwrap_or_default();
    }
    if schema["type"] != "string" {
        return;
    }
    match name.as_str() {
        "status" => schema["enum"] = json!(["active", "stale", "ended", "crashed", "lost"]),
        "query" => schema["enum"] = json!(Query::ALL.map(Query::as_str)),
        "period" => schema["enum"] = json!(["daily", "weekly"]),
        "after" | "before" => schema["format"] = json!("date-time"),
        "longer_than" | "shorter_than" => schema["pattern"] = json!("^([0-9]{1,6}|[0-9]{1,3}[dhms])$"),
        "cursor" => schema["pattern"] = json!("^[0-9]{1,16}-sess_[0-7][0-9a-hjkmnp-tv-z]{25}$"),
        _ => {}
    }
}

fn shapes() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    generator.subschema_for::<Batch>();
    generator.subschema_for::<Answer>();
    generator.subschema_for::<Beats>();
    generator.subschema_for::<Beaten>();
    generator.subschema_for::<SessionRecord>();
    generator.subschema_for::<Health>();
    generator.subschema_for::<End>();
    generator.subschema_for::<Problem>();
    generator.subschema_for::<Statistics>();
    let mut shapes = generator.take_definitions(true);
    shapes.insert("Sessions".to_owned(), list("SessionRecord"));
    shapes.insert("Events".to_owned(), json!({ "type": "array", "items": { "type": "object" } }));
    shapes.insert(
        "Reason".to_owned(),
        json!({
            "type": "object", "required": ["reason"], "additionalProperties": false,
            "properties": { "reason": { "type": "string", "minLength": 1, "maxLength": 500, "pattern": r"\S" } },
        }),
    );
    Value::Object(shapes)
}

fn list(of: &str) -> Value {
    json!({ "type": "array", "items": { "$ref": format!("#/components/schemas/{of}") } })
}
