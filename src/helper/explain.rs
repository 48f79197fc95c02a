//! A wrong call in words: what is wanted, what was given, and one hint. Nothing of a secret argument is repeated.

use serde_json::{Map, Value};

use super::{
    HelperError, Input, Problem,
    error::{Blame, one_of},
};
use crate::spec::{Param, Spec, nearest};

/// An argument that does not decode.
pub(super) fn explain(spec: &Spec, index: usize, given: Option<&Input>, problem: Problem) -> HelperError {
    let param = &spec.params[index];
    match problem {
        Problem::Missing => missing(spec, param),
        // The caret would stand in the secret.
        Problem::Wrong(detail) if param.secret => wrong(spec, param, given, &detail),
        Problem::Wrong(detail) => wrong(spec, param, given, &detail).blame(Blame::Value(index, param.name.to_string())),
    }
}

pub(super) fn missing(spec: &Spec, param: &Param) -> HelperError {
    HelperError::new("missing_argument", format!("`{}` wants `{}`", spec.name, param.name)).hint(usage(spec))
}

pub(super) fn too_many(spec: &Spec, given: usize) -> HelperError {
    let most = spec.params.len();
    let takes = match (spec.required(), most) {
        (_, 0) => "no arguments".to_owned(),
        (least, most) if least == most => format!("{most} argument{}", if most == 1 { "" } else { "s" }),
        (least, most) => format!("{least} to {most} arguments"),
    };
    HelperError::new("wrong_number", format!("`{}` takes {takes}, got {given}", spec.name))
        .hint(usage(spec))
        .blame(Blame::Value(most, String::new()))
}

pub(super) fn unknown_option(spec: &Spec, name: &str) -> HelperError {
    let error = HelperError::new("unknown_option", format!("`{}` has no option `{name}`", spec.name))
        .blame(Blame::Name(name.to_owned()));
    match nearest(name, spec.params.iter().map(|param| param.name.as_ref())) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None if spec.params.is_empty() => error.hint(format!("write {}", spec.signature())),
        None => error.hint(format!("it takes {}", one_of(spec.params.iter().map(|param| &param.name)))),
    }
}

fn usage(spec: &Spec) -> String {
    match spec.examples.first() {
        Some(example) => format!("write {}, for example {example}", spec.signature()),
        None => format!("write {}", spec.signature()),
    }
}

fn wrong(spec: &Spec, param: &Param, given: Option<&Input>, detail: &str) -> HelperError {
    let (name, schema) = (&param.name, param.schema.as_ref());
    if param.secret {
        let wants = schema.and_then(wants).unwrap_or_else(|| "another type".to_owned());
        return HelperError::new("wrong_type", format!("`{name}` of `{}` wants {wants}", spec.name)).hint(usage(spec));
    }
    let found = match (schema, given) {
        (Some(schema), Some(Input::Json(value))) => mismatch(schema, value, name),
        (Some(schema), Some(other)) => wants(schema).map(|wants| (name.to_string(), wants, describe(other))),
        _ => None,
    };
    let out_of_range = detail.starts_with("invalid value") || detail.starts_with("unknown variant");
    let kind = if out_of_range { "out_of_range" } else { "wrong_type" };
    // No colon behind a name: to the redactor `token: …` is a secret being told.
    let message = match found {
        Some((path, wants, given)) => format!("`{path}` of `{}` wants {wants}, got {given}", spec.name),
        None if detail.starts_with("wants ") || detail.starts_with("does not ") => {
            format!("`{name}` of `{}` {detail}", spec.name)
        }
        // What fits its schema and is refused all the same has a rule of its own, and words for it.
        None => format!("`{name}` of `{}` does not fit: {detail}", spec.name),
    };
    HelperError::new(kind, message).hint(usage(spec))
}

/// The first place where a value is not what a schema wants: its path, what is wanted, what was given.
fn mismatch(schema: &Value, value: &Value, path: &str) -> Option<(String, String, String)> {
    let Value::Object(fields) = schema else { return None };
    if let (Some(Value::Object(properties)), Value::Object(record)) = (fields.get("properties"), value) {
        let required = fields.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        for name in required {
            if !record.contains_key(name) {
                return Some((path.to_owned(), format!("a field `{name}`"), "a record without it".to_owned()));
            }
        }
        let inner =
            |(name, value): (&String, &Value)| mismatch(properties.get(name)?, value, &format!("{path}.{name}"));
        return record.iter().find_map(inner);
    }
    if let (Some(items), Value::Array(list)) = (fields.get("items"), value) {
        return list.iter().enumerate().find_map(|(index, item)| mismatch(items, item, &format!("{path}[{index}]")));
    }
    if fits(fields, value) {
        return None;
    }
    wants(schema).map(|wants| (path.to_owned(), wants, describe_value(value)))
}

/// Whether a value is of the type and in the range that a schema names. Where a schema says more, it fits.
fn fits(schema: &Map<String, Value>, value: &Value) -> bool {
    if let Some(Value::Array(words)) = schema.get("enum") {
        return words.contains(value);
    }
    if schema.get("format").and_then(Value::as_str) == Some("duration") {
        return false;
    }
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => return !["anyOf", "oneOf", "const"].iter().any(|key| schema.contains_key(*key)),
    };
    types.iter().any(|name| match *name {
        "integer" => (value.is_i64() || value.is_u64()) && is_within(schema, value),
        "number" => value.is_number() && is_within(schema, value),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => true,
    })
}

fn is_within(schema: &Map<String, Value>, value: &Value) -> bool {
    let (least, most) = bounds(schema);
    let Some(number) = value.as_f64() else { return true };
    let number_of = |bound: Option<String>| bound.and_then(|bound| bound.parse::<f64>().ok());
    number_of(least).is_none_or(|least| number >= least) && number_of(most).is_none_or(|most| number <= most)
}

/// What a schema wants, in words; `None` when a sentence would not help.
fn wants(schema: &Value) -> Option<String> {
    let Value::Object(fields) = schema else { return None };
    if let Some(Value::Array(words)) = fields.get("enum") {
        let words: Vec<String> =
            words.iter().filter_map(|word| word.as_str().map(|word| format!("\"{word}\""))).collect();
        return Some(format!("one of {}", words.join(", ")));
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(Value::Array(variants)) = fields.get(key) {
            let words: Vec<String> =
                variants.iter().filter(|variant| variant["type"] != "null").filter_map(wants).collect();
            return if words.is_empty() { None } else { Some(words.join(" or ")) };
        }
    }
    if let Some(constant) = fields.get("const") {
        return Some(constant.to_string());
    }
    if fields.get("format").and_then(Value::as_str) == Some("duration") {
        return Some("seconds, or text such as \"7d\" or \"1h30m\"".to_owned());
    }
    let names: Vec<&str> = match fields.get("type")? {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect(),
        _ => return None,
    };
    let word = |name: &&str| match *name {
        "integer" => format!("an integer{}", range(fields)),
        "number" => format!("a number{}", range(fields)),
        "string" => "a string".to_owned(),
        "boolean" => "true or false".to_owned(),
        "array" => match fields.get("items").and_then(wants) {
            Some(items) => format!("a list, each item {items}"),
            None => "a list".to_owned(),
        },
        "object" => "a record".to_owned(),
        other => format!("a {other}"),
    };
    Some(names.iter().map(word).collect::<Vec<_>>().join(" or "))
}

fn range(fields: &Map<String, Value>) -> String {
    match bounds(fields) {
        (Some(least), Some(most)) => format!(" from {least} to {most}"),
        (Some(least), None) => format!(" of at least {least}"),
        (None, Some(most)) => format!(" of at most {most}"),
        (None, None) => String::new(),
    }
}

/// The least and the most that a schema allows: as it says, or as its type does.
fn bounds(fields: &Map<String, Value>) -> (Option<String>, Option<String>) {
    let (least, most) = match fields.get("format").and_then(Value::as_str) {
        Some("int8") => (Some("-128"), Some("127")),
        Some("int16") => (Some("-32768"), Some("32767")),
        Some("int32") => (Some("-2147483648"), Some("2147483647")),
        Some("uint8") => (Some("0"), Some("255")),
        Some("uint16") => (Some("0"), Some("65535")),
        Some("uint32") => (Some("0"), Some("4294967295")),
        Some("uint64" | "uint" | "uint128") => (Some("0"), None),
        _ => (None, None),
    };
    let bound = |key: &str, by_type: Option<&str>| {
        let said = fields.get(key).map(|value| value.to_string().trim_end_matches(".0").to_owned());
        said.or_else(|| by_type.map(ToOwned::to_owned))
    };
    (bound("minimum", least), bound("maximum", most))
}

/// What was given, in words: short, and without the contents of texts that may be long.
pub(super) fn describe(input: &Input) -> String {
    match input {
        Input::Function(_) => "a function".to_owned(),
        Input::Handle { type_name, .. } => format!("a {type_name}"),
        Input::Json(value) => describe_value(value),
    }
}

fn describe_value(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) if text.chars().count() <= 40 => format!("the string {text:?}"),
        Value::String(_) => "a long string".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a record".to_owned(),
    }
}
