//! A JSON Schema in a few words: `integer 1..=1000`, `list of text`, `"hourly" | "daily"`.

use serde_json::Value;

/// What a parameter with this schema takes; callbacks have none.
pub(super) fn shape(schema: Option<&Value>) -> String {
    schema.map_or_else(|| "function".to_owned(), |schema| of(schema, 0))
}

fn of(schema: &Value, depth: usize) -> String {
    /// Deeper than this nobody reads it in one line.
    const DEEPEST: usize = 3;
    let word = |keyword: &str| schema.get(keyword);
    if depth > DEEPEST {
        return "value".to_owned();
    }
    if let Some(Value::Array(values)) = word("enum") {
        return alternatives(values.iter().filter(|value| !value.is_null()).map(Value::to_string));
    }
    if let Some(value) = word("const") {
        return value.to_string();
    }
    if let Some(Value::Array(schemas)) = word("anyOf").or_else(|| word("oneOf")) {
        let something = schemas.iter().filter(|schema| schema.get("type").and_then(Value::as_str) != Some("null"));
        return alternatives(something.map(|schema| of(schema, depth + 1)));
    }
    match word("type") {
        Some(Value::String(name)) => of_type(name, schema, depth),
        Some(Value::Array(names)) => alternatives(
            names
                .iter()
                .filter_map(Value::as_str)
                .filter(|name| *name != "null")
                .map(|name| of_type(name, schema, depth)),
        ),
        _ => "value".to_owned(),
    }
}

fn of_type(name: &str, schema: &Value, depth: usize) -> String {
    match name {
        "string" => match schema.get("format").and_then(Value::as_str) {
            Some(format) => format!("text ({format})"),
            None => "text".to_owned(),
        },
        "integer" | "number" => format!("{name}{}", range(schema)),
        "boolean" => "true or false".to_owned(),
        "array" => match schema.get("items") {
            Some(items) => format!("list of {}", of(items, depth + 1)),
            None => "list".to_owned(),
        },
        "object" => record(schema),
        other => other.to_owned(),
    }
}

fn range(schema: &Value) -> String {
    let bound = |keyword: &str| schema.get(keyword).filter(|bound| bound.is_number());
    match (bound("minimum"), bound("maximum")) {
        (Some(least), Some(most)) => format!(" {least}..={most}"),
        (Some(least), None) => format!(", at least {least}"),
        (None, Some(most)) => format!(", at most {most}"),
        (None, None) => String::new(),
    }
}

fn record(schema: &Value) -> String {
    let Some(Value::Object(fields)) = schema.get("properties") else { return "record".to_owned() };
    let names: Vec<_> = fields.keys().map(String::as_str).collect();
    format!("record of {}", names.join(", "))
}

fn alternatives(words: impl Iterator<Item = String>) -> String {
    let mut words: Vec<_> = words.collect();
    words.dedup();
    if words.is_empty() { "value".to_owned() } else { words.join(" | ") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schemas_in_words() {
        for (schema, words) in [
            (json!({"type": "string"}), "text"),
            (json!({"type": ["string", "null"]}), "text"),
            (json!({"type": "string", "format": "date-time"}), "text (date-time)"),
            (json!({"type": "integer", "format": "uint32", "minimum": 0}), "integer, at least 0"),
            (json!({"type": "integer", "minimum": 1, "maximum": 1000}), "integer 1..=1000"),
            (json!({"type": "number", "maximum": 0.5}), "number, at most 0.5"),
            (json!({"type": "boolean"}), "true or false"),
            (json!({"type": "array", "items": {"type": "string"}}), "list of text"),
            (json!({"type": "object", "properties": {"a": {}, "b": {}}}), "record of a, b"),
            (json!({"type": "object", "additionalProperties": true}), "record"),
            (json!({"type": "string", "enum": ["hourly", "daily"]}), "\"hourly\" | \"daily\""),
            (json!({"oneOf": [{"const": "a"}, {"const": "b"}]}), "\"a\" | \"b\""),
            (json!({"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}]}), "integer | text"),
            (json!(true), "value"),
            (json!({}), "value"),
        ] {
            assert_eq!(shape(Some(&schema)), words, "{schema}");
        }
        assert_eq!(shape(None), "function");
    }
}
