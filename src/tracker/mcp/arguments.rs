//! Reading the arguments of a tool: those that are listed, each of its type.

use rmcp::model::{JsonObject, Tool};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::tracker::error::{TrackerError, shown};

/// The arguments of a tool as their type.
///
/// # Errors
/// Names the first that is not listed, or is not of its type.
pub(super) fn read<T: DeserializeOwned>(tool: &Tool, mut given: JsonObject) -> Result<T, TrackerError> {
    given.retain(|_, value| !value.is_null());
    let listed = tool.input_schema.get("properties").and_then(Value::as_object);
    let is_listed = |name: &String| listed.is_some_and(|listed| listed.contains_key(name));
    if let Some(name) = given.keys().find(|name| !is_listed(name)) {
        let names: Vec<&str> = listed.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        let rule = match names.as_slice() {
            [] => "is no argument of this tool, which has none".to_owned(),
            names => format!("is no argument of this tool: there are {}", names.join(", ")),
        };
        return Err(TrackerError::Invalid { field: shown(name), rule });
    }
    serde_path_to_error::deserialize(Value::Object(given)).map_err(|error| {
        let path = error.path().to_string();
        let rule = error.into_inner().to_string();
        // What is missing is named by the rule alone.
        let missing = rule.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
        match missing {
            Some(name) if path == "." => {
                TrackerError::Invalid { field: name.to_owned(), rule: "is missing".to_owned() }
            }
            _ => TrackerError::Invalid {
                field: if path == "." { "arguments".to_owned() } else { shown(&path) },
                rule: shown(&rule),
            },
        }
    })
}
