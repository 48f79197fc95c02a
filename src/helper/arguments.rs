//! From what was written to what a helper takes: named arguments, defaults, fields of records.
//!
//! Resolution comes before the policy and before the record: the question, the policy and the journal show the id that
//! will run, not the record it was taken from.
//!
//! A record in last place is the named arguments when its parameter takes no record; when it takes one, it is that
//! parameter. Where every key is a parameter's name it could be both, and is refused with a hint.

use std::{any::Any, collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value};

use super::{Callback, HelperError, Problem, error::one_of};
use crate::{
    redact::MASK,
    spec::{Param, Spec, nearest},
};

/// One argument as it comes from a script.
pub enum Input {
    /// Data.
    Json(Value),
    /// A function of the script.
    Function(Callback),
    /// A value that an earlier call answered and scripts can not look into.
    Handle {
        /// The value.
        value: Arc<dyn Any + Send + Sync>,
        /// Its type, for messages.
        type_name: String,
    },
}

/// The arguments of a call in the order of the parameters; empty where one was left out.
pub struct Slots(Vec<Option<Input>>);

impl Slots {
    pub(super) fn take(&mut self, index: usize) -> Option<Input> {
        self.0.get_mut(index).and_then(Option::take)
    }

    /// A copy, when all of it is data.
    pub(crate) fn copy(&self) -> Option<Self> {
        let copy = |slot: &Option<Input>| match slot {
            None => Some(None),
            Some(Input::Json(value)) => Some(Some(Input::Json(value.clone()))),
            Some(Input::Function(_) | Input::Handle { .. }) => None,
        };
        self.0.iter().map(copy).collect::<Option<Vec<_>>>().map(Self)
    }

    /// What the policy sees: data, secrets masked.
    pub(crate) fn values(&self, spec: &Spec) -> Vec<Option<Value>> {
        let value = |(param, slot): (&Param, &Option<Input>)| {
            slot.as_ref().map(|input| match input {
                _ if param.secret => Value::from(MASK),
                Input::Json(value) => value.clone(),
                other => Value::from(describe(other)),
            })
        };
        spec.params.iter().zip(&self.0).map(value).collect()
    }

    /// What the record holds: text by name, secrets masked.
    pub(crate) fn texts(&self, spec: &Spec) -> BTreeMap<String, String> {
        let text = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let named = |(param, value): (&Param, Option<Value>)| value.map(|value| (param.name.to_string(), text(value)));
        spec.params.iter().zip(self.values(spec)).filter_map(named).collect()
    }

    /// The secret texts among them, to be masked wherever they turn up.
    pub(crate) fn secrets(&self, spec: &Spec) -> Vec<String> {
        let secret = |(param, slot): (&Param, &Option<Input>)| match slot {
            Some(Input::Json(value)) if param.secret => Some(strings(value)),
            _ => None,
        };
        spec.params.iter().zip(&self.0).filter_map(secret).flatten().collect()
    }

    pub(super) fn explain(&self, spec: &Spec, index: usize, given: Option<String>, problem: Problem) -> HelperError {
        let param = &spec.params[index];
        match problem {
            Problem::Missing => missing(spec, param),
            Problem::Wrong(detail) => wrong(spec, param, &given.unwrap_or_default(), &detail),
        }
    }
}

fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Number(number) => vec![number.to_string()],
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(fields) => fields.values().flat_map(strings).collect(),
        Value::Null | Value::Bool(_) => Vec::new(),
    }
}

/// Puts arguments into the places of their parameters.
pub(crate) fn resolve(spec: &Spec, mut given: Vec<Input>) -> Result<Slots, HelperError> {
    let named = take_named(spec, &mut given)?;
    if given.len() > spec.params.len() {
        return Err(too_many(spec, given.len()));
    }
    let mut slots: Vec<Option<Input>> = given.into_iter().map(Some).collect();
    slots.resize_with(spec.params.len(), || None);
    for (name, value) in named {
        let index =
            spec.params.iter().position(|param| param.name == name).ok_or_else(|| unknown_option(spec, &name))?;
        if slots[index].is_some() {
            return Err(HelperError::new("given_twice", format!("`{}`: `{name}` is given twice", spec.name))
                .hint("give it by position or by name, not both"));
        }
        slots[index] = Some(Input::Json(value));
    }
    for (param, slot) in spec.params.iter().zip(&mut slots) {
        if matches!(slot, Some(Input::Json(Value::Null))) && param.optional {
            *slot = None;
        }
        if let (Some(field), Some(Input::Json(Value::Object(record)))) = (&param.field, &mut *slot) {
            let value = record.remove(field.as_ref()).ok_or_else(|| {
                HelperError::new(
                    "wrong_type",
                    format!("`{}`: the record given for `{}` has no field `{field}`", spec.name, param.name),
                )
                .hint(format!("give the {} itself, or a record that has it", param.name))
            })?;
            *slot = Some(Input::Json(value));
        }
        if slot.is_none() {
            match &param.default {
                Some(default) => *slot = Some(Input::Json(default.clone())),
                None if param.optional => {}
                None => return Err(missing(spec, param)),
            }
        }
    }
    Ok(Slots(slots))
}

fn take_named(spec: &Spec, given: &mut Vec<Input>) -> Result<Map<String, Value>, HelperError> {
    let Some(Input::Json(Value::Object(record))) = given.last() else { return Ok(Map::new()) };
    let is_name = |key: &String| spec.params.iter().any(|param| param.name == *key);
    let all_names = !record.is_empty() && record.keys().all(is_name);
    let last = given.len() - 1;
    if let Some(param) = spec.params.get(last) {
        let stands_for_field = param.field.as_ref().is_some_and(|field| record.contains_key(field.as_ref()));
        if stands_for_field && !all_names {
            return Ok(Map::new());
        }
        if takes_record(param) && param.field.is_none() {
            if all_names {
                return Err(HelperError::new(
                    "ambiguous",
                    format!("`{}`: the record could be `{}` itself or named arguments", spec.name, param.name),
                )
                .hint(format!("name everything: {}(#{{{}: …}})", spec.name, param.name)));
            }
            return Ok(Map::new());
        }
    }
    match given.pop() {
        Some(Input::Json(Value::Object(record))) => Ok(record),
        _ => Ok(Map::new()),
    }
}

/// Whether a parameter's own type can be a record.
fn takes_record(param: &Param) -> bool {
    fn admits(schema: &Value) -> bool {
        match schema {
            Value::Bool(any) => *any,
            Value::Object(schema) => match schema.get("type") {
                Some(Value::String(name)) => name == "object",
                Some(Value::Array(names)) => names.iter().any(|name| name == "object"),
                _ => {
                    let variants =
                        ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|key| schema.get(key)?.as_array());
                    let mut any = false;
                    let mut found = false;
                    for variant in variants.flatten() {
                        found = true;
                        any |= admits(variant);
                    }
                    if found { any } else { !schema.contains_key("enum") && !schema.contains_key("const") }
                }
            },
            _ => true,
        }
    }
    param.schema.as_ref().is_some_and(admits)
}

fn missing(spec: &Spec, param: &Param) -> HelperError {
    HelperError::new("missing_argument", format!("`{}` wants `{}`", spec.name, param.name)).hint(usage(spec))
}

fn too_many(spec: &Spec, given: usize) -> HelperError {
    let most = spec.params.len();
    let takes = match (spec.required(), most) {
        (_, 0) => "no arguments".to_owned(),
        (least, most) if least == most => format!("{most} argument{}", if most == 1 { "" } else { "s" }),
        (least, most) => format!("{least} to {most} arguments"),
    };
    HelperError::new("wrong_number", format!("`{}` takes {takes}, got {given}", spec.name)).hint(usage(spec))
}

fn unknown_option(spec: &Spec, name: &str) -> HelperError {
    let error = HelperError::new("unknown_option", format!("`{}` has no option `{name}`", spec.name));
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

fn wrong(spec: &Spec, param: &Param, given: &str, detail: &str) -> HelperError {
    let name = &param.name;
    if param.secret {
        let wants = param.schema.as_ref().and_then(wants).unwrap_or_else(|| "another type".to_owned());
        return HelperError::new("wrong_type", format!("`{}`: `{name}` wants {wants}", spec.name)).hint(usage(spec));
    }
    let wants = param.schema.as_ref().and_then(wants);
    let kind = if detail.starts_with("invalid value") || detail.starts_with("unknown variant") {
        "out_of_range"
    } else {
        "wrong_type"
    };
    let message = match wants {
        Some(wants) => format!("`{}`: `{name}` wants {wants}, got {given}", spec.name),
        None => format!("`{}`: `{name}` {detail}", spec.name),
    };
    HelperError::new(kind, message).hint(usage(spec))
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
    let format = fields.get("format").and_then(Value::as_str);
    let (least, most) = match format {
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
        fields
            .get(key)
            .map(|value| value.to_string().trim_end_matches(".0").to_owned())
            .or_else(|| by_type.map(ToOwned::to_owned))
    };
    // The type's own bound is tighter than a schema's `minimum: 0` only at the top.
    match (bound("minimum", least), bound("maximum", most)) {
        (Some(least), Some(most)) => format!(" from {least} to {most}"),
        (Some(least), None) => format!(" of at least {least}"),
        (None, Some(most)) => format!(" of at most {most}"),
        (None, None) => String::new(),
    }
}

/// What was given, in words: short, and without the contents of texts that may be long.
pub(super) fn describe(input: &Input) -> String {
    match input {
        Input::Function(_) => "a function".to_owned(),
        Input::Handle { type_name, .. } => format!("a {type_name}"),
        Input::Json(Value::Null) => "nothing".to_owned(),
        Input::Json(Value::Bool(value)) => value.to_string(),
        Input::Json(Value::Number(number)) => number.to_string(),
        Input::Json(Value::String(text)) if text.chars().count() <= 40 => format!("the string {text:?}"),
        Input::Json(Value::String(_)) => "a long string".to_owned(),
        Input::Json(Value::Array(items)) => match items.iter().find(|item| !item.is_array() && !item.is_object()) {
            Some(item) if items.len() <= 20 => format!("a list with {}", describe(&Input::Json(item.clone()))),
            _ => "a list".to_owned(),
        },
        Input::Json(Value::Object(_)) => "a record".to_owned(),
    }
}
