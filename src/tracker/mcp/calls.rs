//! The calls: from arguments to the room, and from what it says to an answer.

use rmcp::model::{CallToolResult, ContentBlock, JsonObject, Tool};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Door, Shown, arguments::read, tools};
use crate::{
    analytics::Query,
    delivery::wire::{Batch, Beats},
    event::SessionId,
    tracker::{EndAnswer, Exposition, StartAnswer, TrackerError, rest},
};

/// Which session is shown, and how much of it.
#[derive(Deserialize)]
struct Show {
    session_id: String,
    #[serde(default)]
    events: u32,
    #[serde(default)]
    from: u64,
}

/// Which session is ended, and why.
#[derive(Deserialize)]
struct End {
    session_id: String,
    reason: String,
}

impl Door {
    pub(super) async fn call(
        &self,
        tool: &Tool,
        shown: &Shown,
        arguments: JsonObject,
    ) -> Result<CallToolResult, TrackerError> {
        let tracker = &self.tracker;
        match &*tool.name {
            tools::START => {
                let answer = tracker.track_start(shown.caller.as_ref().ok(), arguments).await;
                return Ok(older(&answer));
            }
            tools::END => {
                let answer = tracker.track_end(shown.caller.as_ref().ok(), arguments).await;
                return Ok(older(&answer));
            }
            tools::HEALTH => {
                read::<Nothing>(tool, arguments)?;
                return Ok(structured(&tracker.health()));
            }
            _ => {}
        }
        let caller = shown.caller.as_ref().map_err(Clone::clone)?;
        match &*tool.name {
            tools::TRACK => {
                let batch: Batch = read(tool, arguments)?;
                Ok(structured(&tracker.append(caller, batch).await?))
            }
            tools::BEAT => {
                let beats: Beats = read(tool, arguments)?;
                Ok(structured(&tracker.beat(caller, beats).await?))
            }
            tools::LIST => {
                let (filter, page) = rest::asked(pairs(tool, arguments)?)?;
                let found = tracker.sessions(caller, &filter, &page).await?;
                let next = found.next.as_ref().map(rest::cursor_text);
                Ok(structured(&json!({ "sessions": found.records, "next": next })))
            }
            tools::SHOW => {
                let show: Show = read(tool, arguments)?;
                if show.events > MOST_SHOWN {
                    return Err(invalid("events", &format!("must be a whole number from 0 to {MOST_SHOWN}")));
                }
                let record = tracker.show(caller, &show.session_id).await?;
                let mut answer = json!(record);
                if show.events > 0 {
                    let entries = tracker.events(caller, record.session_id.as_str(), show.from, show.events).await?;
                    answer["events"] = entries.iter().map(rest::entry).collect();
                }
                Ok(structured(&answer))
            }
            tools::END_SESSION => {
                let end: End = read(tool, arguments)?;
                // People type the beginning of an id and see what they end; programs do not.
                end.session_id.parse::<SessionId>().map_err(|_| TrackerError::not_found(&end.session_id))?;
                Ok(structured(&tracker.end(caller, &end.session_id, &end.reason).await?))
            }
            tools::STATS => {
                let mut asked = pairs(tool, arguments)?;
                let query = match asked.iter().position(|(name, _)| name == "query") {
                    Some(at) => asked.remove(at).1.parse::<Query>().map_err(|_| invalid("query", QUERIES))?,
                    None => Query::Sessions,
                };
                let span = rest::asked_span(asked)?;
                Ok(structured(&tracker.analytics(caller, query, &span).await?))
            }
            tools::METRICS => {
                read::<Nothing>(tool, arguments)?;
                let text = tracker.metrics(caller, Exposition::Prometheus).await?;
                let mut result = CallToolResult::structured(json!({ "metrics": text }));
                result.content = vec![ContentBlock::text(text)];
                Ok(result)
            }
            _ => Err(TrackerError::Invalid { field: "name".to_owned(), rule: tools::unknown() }),
        }
    }
}

const QUERIES: &str = "must be sessions, duration, components, errors or active";

/// Events that one answer shows at most.
const MOST_SHOWN: u32 = 1_000;

/// The answer to a call of an older tool whose arguments are no object; `None` when no such tool was called.
pub(super) fn not_an_object(name: &str) -> Option<CallToolResult> {
    let error = || Some("arguments: must be an object".to_owned());
    match name {
        tools::START => Some(older(&StartAnswer { session_id: None, status: "error", error: error() })),
        tools::END => Some(older(&EndAnswer { session_id: String::new(), status: "error", error: error() })),
        _ => None,
    }
}

/// No argument at all.
#[derive(Deserialize)]
struct Nothing {}

/// What a tool of the older generation answers. A refusal is an answer as well, and not marked as an error of the
/// protocol: these clients read `status`.
fn older(answer: &impl Serialize) -> CallToolResult {
    structured(answer)
}

/// An answer for programs, and the same as text for whoever reads only that.
fn structured(answer: &impl Serialize) -> CallToolResult {
    // Written once, not by way of the value: an answer may be large.
    let text = serde_json::to_string(answer).unwrap_or_default();
    let mut result = CallToolResult::structured(serde_json::to_value(answer).unwrap_or_default());
    result.content = vec![ContentBlock::text(text)];
    result
}

/// Arguments as a query has them.
fn pairs(tool: &Tool, arguments: JsonObject) -> Result<Vec<(String, String)>, TrackerError> {
    let given: JsonObject = read(tool, arguments)?;
    let text = |(name, value): (String, Value)| {
        of_its_type(tool, &name, &value)?;
        match value {
            Value::String(text) => Ok((name, text)),
            value => Ok((name, value.to_string())),
        }
    };
    given.into_iter().map(text).collect()
}

/// A query has only text; an argument has the type that the tool publishes for it.
fn of_its_type(tool: &Tool, name: &str, value: &Value) -> Result<(), TrackerError> {
    let listed = tool.input_schema.get("properties").and_then(|listed| listed.get(name)).map(|schema| &schema["type"]);
    let types: Vec<&str> = match listed {
        Some(Value::Array(types)) => types.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => vec![one],
        _ => Vec::new(),
    };
    let fits = |one: &&str| match *one {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        _ => false,
    };
    if types.iter().any(fits) {
        return Ok(());
    }
    let named: Vec<&str> = types.into_iter().filter(|one| *one != "null").collect();
    Err(invalid(name, &format!("must be of the type {}", named.join(" or "))))
}

fn invalid(field: &str, rule: &str) -> TrackerError {
    TrackerError::Invalid { field: field.to_owned(), rule: rule.to_owned() }
}
