//! Telling a server of the older generation: which events, with which arguments, and what its answers mean.

use rmcp::model::{CallToolResult, JsonObject, Tool};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{plain, remembered::Remembered, words};
use crate::{
    delivery::SinkError,
    event::{Event, EventKind},
    journal::Verdict,
};

const START: &str = "track_session_start";
const END: &str = "track_session_end";

/// The two tools as a server lists them.
#[derive(Clone)]
pub(super) struct Older {
    start: Value,
    end: Value,
}

/// What both tools answer.
#[derive(Deserialize)]
struct Said {
    session_id: Option<String>,
    status: String,
    error: Option<String>,
}

impl Older {
    /// The two tools, when both are there.
    pub(super) fn of(tools: &[Tool]) -> Option<Self> {
        let schema = |name: &str| {
            let tool = tools.iter().find(|tool| tool.name == name)?;
            Some(Value::Object((*tool.input_schema).clone()))
        };
        Some(Self { start: schema(START)?, end: schema(END)? })
    }

    /// The call that tells of an event, or the verdict on one that there is nothing to tell of.
    pub(super) fn call_for(
        &self,
        event: &Event,
        remembered: &Remembered,
        token: Option<&str>,
    ) -> Result<(&'static str, JsonObject), Verdict> {
        let (tool, schema, arguments) = match event.kind() {
            EventKind::SessionStart => (START, &self.start, start(event, wants_python(&self.start), token)),
            EventKind::SessionEnd => {
                let Some(theirs) = remembered.name(event.stream().as_str()) else {
                    let reason = "the server was never told that this session started";
                    return Err(Verdict::Rejected(reason.to_owned()));
                };
                (END, &self.end, end(event, theirs, token))
            }
            // It has no tool for anything else.
            _ => return Err(Verdict::Accepted),
        };
        match listed(arguments, schema, schema) {
            Value::Object(arguments) => Ok((tool, arguments)),
            _ => Err(Verdict::Rejected("the tool's schema lists no arguments".to_owned())),
        }
    }
}

/// What an answer means for the event.
pub(super) fn verdict(
    event: &Event,
    result: &CallToolResult,
    remembered: &mut Remembered,
) -> Result<Verdict, SinkError> {
    if result.is_error == Some(true) {
        return Err(SinkError::failed("server_error", format!("the tool failed: {}", words(result))));
    }
    let not_known = || SinkError::failed("malformed", "the tool's answer is not one of its contract");
    let said = said(result).ok_or_else(not_known)?;
    let session = event.stream().as_str();
    match (event.kind(), said.status.as_str(), said.session_id.filter(|id| !id.is_empty())) {
        (EventKind::SessionStart, "tracked", Some(theirs)) => {
            remembered.keep(session, &theirs)?;
            Ok(Verdict::Accepted)
        }
        (EventKind::SessionEnd, "ended", _) => {
            remembered.forget(session)?;
            Ok(Verdict::Accepted)
        }
        (EventKind::SessionEnd, "not_found", _) => {
            Ok(Verdict::Rejected("the server does not know the session any more: not_found".to_owned()))
        }
        (_, "error", _) => {
            let error = said.error.as_deref().map(plain).unwrap_or_default();
            Ok(Verdict::Rejected(format!("the server answered error: {error}")))
        }
        _ => Err(not_known()),
    }
}

/// The structured answer; a server that has none says it in JSON.
fn said(result: &CallToolResult) -> Option<Said> {
    let read = |value: &Value| {
        let inner = value.get("result").filter(|inner| inner.is_object()).unwrap_or(value);
        Said::deserialize(inner).ok()
    };
    result.structured_content.as_ref().and_then(read).or_else(|| {
        let text = result.content.iter().find_map(|content| content.as_text())?;
        serde_json::from_str::<Value>(&text.text).ok().as_ref().and_then(read)
    })
}

/// The arguments of a start. A server may insist on a version of Python: then it hears what runs here instead.
fn start(event: &Event, wants_python: bool, token: Option<&str>) -> Value {
    let body = event.body();
    let mut metadata = body.get("metadata").and_then(Value::as_object).cloned().unwrap_or_default();
    for name in ["component_type", "component_version"] {
        if let Some(value) = body.get(name) {
            metadata.insert(name.to_owned(), value.clone());
        }
    }
    let picked = |object: &str, names: &[&str]| -> Map<String, Value> {
        let within = body.get(object).and_then(Value::as_object);
        let pick = |name: &&str| Some(((*name).to_owned(), within?.get(*name)?.clone()));
        names.iter().filter_map(pick).collect()
    };
    let mut environment = picked("environment", &["runtime", "platform", "cwd", "python_version"]);
    if wants_python
        && !environment.contains_key("python_version")
        && let Some(runtime) = environment.get("runtime").cloned()
    {
        environment.insert("python_version".to_owned(), runtime);
    }
    json!({
        "event_version": "1.0",
        "event_id": event.event_id(),
        "event_type": "session_start",
        "component_name": event.component(),
        "shell_type": body.get("shell_type"),
        "timestamp": format!("{:.6}", event.timestamp()),
        "pid": body.get("pid"),
        "user": picked("user", &["username", "home"]),
        "hostname": body.get("hostname"),
        "environment": environment,
        "metadata": metadata,
        "session_id": event.stream(),
        "token": token,
    })
}

fn end(event: &Event, theirs: &str, token: Option<&str>) -> Value {
    let body = event.body();
    json!({
        "event_version": "1.0",
        "event_id": event.event_id(),
        "event_type": "session_end",
        "component_name": event.component(),
        "session_id": theirs,
        "timestamp": format!("{:.6}", event.timestamp()),
        "metadata": {
            "reason": body.get("reason"),
            "exit_code": body.get("exit_code"),
            "duration_us": body.get("duration_us"),
            "commands": body.get("commands"),
            "failed_commands": body.get("failed_commands"),
        },
        "token": token,
    })
}

fn wants_python(schema: &Value) -> bool {
    let environment = schema.pointer("/properties/environment").map(|environment| resolved(environment, schema));
    let required = environment.and_then(|environment| environment.get("required")).and_then(Value::as_array);
    required.is_some_and(|required| required.contains(&json!("python_version")))
}

/// Of some arguments those that a schema lists: all the way down where it forbids others. What is null is left out.
fn listed(value: Value, schema: &Value, root: &Value) -> Value {
    let Value::Object(fields) = value else { return value };
    let schema = resolved(schema, root);
    let properties = schema.get("properties").and_then(Value::as_object);
    // The arguments themselves are given as listed in any case; an object within may be open.
    let is_closed = std::ptr::eq(schema, root) || schema.get("additionalProperties") == Some(&Value::Bool(false));
    let none = Value::Null;
    let keep = |(name, value): (String, Value)| {
        let listed_here = properties.and_then(|properties| properties.get(&name));
        let is_kept = !value.is_null() && (listed_here.is_some() || !is_closed);
        is_kept.then(|| (name, listed(value, listed_here.unwrap_or(&none), root)))
    };
    Value::Object(fields.into_iter().filter_map(keep).collect())
}

/// A schema behind a reference, or the alternative that is an object.
fn resolved<'s>(schema: &'s Value, root: &'s Value) -> &'s Value {
    let mut schema = schema;
    // A schema that refers to itself is left where it is after a few steps.
    for _ in 0..8 {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let Some(target) = reference.strip_prefix('#').and_then(|path| root.pointer(path)) else { return schema };
            schema = target;
        } else if let Some(alternatives) = ["anyOf", "oneOf"].iter().find_map(|name| schema.get(*name)?.as_array()) {
            let is_object = |one: &&Value| one.get("$ref").is_some() || one["type"] == "object";
            let Some(one) = alternatives.iter().find(is_object) else { return schema };
            schema = one;
        } else {
            return schema;
        }
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_those_that_the_schema_lists() {
        let schema = json!({
            "properties": {
                "user": {"$ref": "#/$defs/User"},
                "environment": {"type": "object", "properties": {"cwd": {}}},
                "metadata": {"anyOf": [{"type": "object", "properties": {"a": {}}, "additionalProperties": false}, {"type": "null"}]},
                "pid": {"type": "integer"},
                "hostname": {"type": "string"},
            },
            "$defs": {"User": {"properties": {"username": {}}, "additionalProperties": false}},
        });
        let arguments = json!({
            "user": {"username": "ada", "home": "/home/ada"},
            "environment": {"cwd": "/", "platform": "linux"},
            "metadata": {"a": 1, "b": 2},
            "pid": 1, "hostname": null, "session_id": "sess_x", "token": "t",
        });
        let wants = json!({
            "user": {"username": "ada"},
            "environment": {"cwd": "/", "platform": "linux"},
            "metadata": {"a": 1},
            "pid": 1,
        });
        assert_eq!(listed(arguments, &schema, &schema), wants);
    }
}
