//! Values on their way between scripts and everything else.
//!
//! Maps of the language sort their keys. The order in which a helper's record declares its fields is remembered per set
//! of keys, so that a table shows its columns as the component's author wrote them.

use std::{
    any::Any,
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use rhai::{Array, Dynamic, FnPtr, Map as RhaiMap};
use serde_json::{Map, Value};

use crate::helper::Output;

/// Values nested deeper than this stay inside the language.
const MAX_DEPTH: usize = 64;
/// Values that a result or an argument may hold. More than the language lets a value hold, unless parts are shared.
const MAX_NODES: usize = 2_000_000;
/// Key sets whose order is remembered.
const MAX_ORDERS: usize = 4_096;

/// A value that scripts hold and hand back, but do not look into.
#[derive(Clone)]
pub(super) struct Opaque {
    pub(super) value: Arc<dyn Any + Send + Sync>,
    pub(super) type_name: String,
}

/// The declared order of record fields, by their sorted names.
#[derive(Default)]
pub(super) struct Orders(Mutex<HashMap<Vec<String>, Vec<String>>>);

impl Orders {
    fn remember(&self, fields: &Map<String, Value>) {
        let declared: Vec<String> = fields.keys().cloned().collect();
        if declared.is_sorted() {
            return;
        }
        let mut sorted = declared.clone();
        sorted.sort_unstable();
        let mut orders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if orders.len() < MAX_ORDERS || orders.contains_key(&sorted) {
            orders.insert(sorted, declared);
        }
    }

    pub(super) fn arrange(&self, mut fields: Map<String, Value>) -> Map<String, Value> {
        let sorted: Vec<String> = fields.keys().cloned().collect();
        let orders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(declared) = orders.get(&sorted) else { return fields };
        declared.iter().filter_map(|key| fields.remove_entry(key)).collect()
    }
}

/// Why a value is not taken as data, as the end of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TooBig {
    #[error("nested deeper than {MAX_DEPTH} levels")]
    Deep,
    #[error("larger than {MAX_NODES} values")]
    Large,
    #[error("a list or a record that holds a {0}")]
    NoData(&'static str),
}

/// A value of the language as data. What JSON can not say is null.
pub(super) fn to_json(value: &Dynamic, orders: &Orders) -> Result<Value, TooBig> {
    let mut nodes = 0;
    json_at(value, orders, 0, &mut nodes)
}

/// The same for an argument: what is no data is not dropped without a word.
pub(super) fn to_argument(value: &Dynamic, orders: &Orders) -> Result<Value, TooBig> {
    // It is no deeper and no larger than that allows.
    let data = to_json(value, orders)?;
    match no_data(value) {
        Some(what) => Err(TooBig::NoData(what)),
        None => Ok(data),
    }
}

fn no_data(value: &Dynamic) -> Option<&'static str> {
    if value.is_fnptr() {
        return Some("function");
    }
    if value.read_lock::<Opaque>().is_some() {
        return Some("handle");
    }
    if let Ok(items) = value.as_array_ref() {
        return items.iter().find_map(no_data);
    }
    value.as_map_ref().ok().and_then(|fields| fields.values().find_map(no_data))
}

fn json_at(value: &Dynamic, orders: &Orders, depth: usize, nodes: &mut usize) -> Result<Value, TooBig> {
    *nodes += 1;
    if depth > MAX_DEPTH {
        return Err(TooBig::Deep);
    }
    if *nodes > MAX_NODES {
        return Err(TooBig::Large);
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(Value::from(text.as_str()));
    }
    if let Ok(number) = value.as_int() {
        return Ok(Value::from(number));
    }
    if let Ok(number) = value.as_float() {
        return Ok(Value::from(number));
    }
    if let Ok(truth) = value.as_bool() {
        return Ok(Value::from(truth));
    }
    if let Ok(items) = value.as_array_ref() {
        return items.iter().map(|item| json_at(item, orders, depth + 1, nodes)).collect();
    }
    if let Ok(fields) = value.as_map_ref() {
        let mut record = Map::new();
        for (key, item) in fields.iter() {
            record.insert(key.to_string(), json_at(item, orders, depth + 1, nodes)?);
        }
        return Ok(Value::Object(orders.arrange(record)));
    }
    if let Ok(bytes) = value.as_blob_ref() {
        *nodes += bytes.len();
        return Ok(bytes.iter().map(|byte| Value::from(*byte)).collect());
    }
    if let Ok(letter) = value.as_char() {
        return Ok(Value::from(letter.to_string()));
    }
    if let Some(range) = value.read_lock::<std::ops::Range<i64>>() {
        return Ok(Value::from(format!("{}..{}", range.start, range.end)));
    }
    if let Some(range) = value.read_lock::<std::ops::RangeInclusive<i64>>() {
        return Ok(Value::from(format!("{}..={}", range.start(), range.end())));
    }
    Ok(Value::Null)
}

/// Data as a value of the language. Integers beyond 64 bits become text, and so does what is nested too deep.
pub(super) fn from_json(value: Value, orders: &Orders) -> Dynamic {
    dynamic_at(value, orders, 0)
}

fn dynamic_at(value: Value, orders: &Orders, depth: usize) -> Dynamic {
    match value {
        Value::Array(_) | Value::Object(_) if depth >= MAX_DEPTH => value.to_string().into(),
        Value::Null => Dynamic::UNIT,
        Value::Bool(truth) => truth.into(),
        Value::Number(number) => match (number.as_i64(), number.is_u64(), number.as_f64()) {
            (Some(integer), _, _) => integer.into(),
            (None, false, Some(float)) => float.into(),
            _ => number.to_string().into(),
        },
        Value::String(text) => text.into(),
        Value::Array(items) => {
            let items: Array = items.into_iter().map(|item| dynamic_at(item, orders, depth + 1)).collect();
            items.into()
        }
        Value::Object(fields) => {
            orders.remember(&fields);
            let fields: RhaiMap =
                fields.into_iter().map(|(key, item)| (key.into(), dynamic_at(item, orders, depth + 1))).collect();
            fields.into()
        }
    }
}

/// What a helper answered, as a value of the language.
pub(super) fn from_output(output: Output, orders: &Orders) -> Dynamic {
    match output {
        Output::Json(value) => from_json(value, orders),
        Output::Handle { value, type_name } => Dynamic::from(Opaque { value, type_name }),
    }
}

/// What a value is called, for messages.
pub(super) fn type_word(name: &str) -> &str {
    match name {
        "i64" | "INT" => "integer",
        "f64" | "FLOAT" => "number",
        "string" | "&str | ImmutableString | String" | "ImmutableString" | "&str" => "string",
        "bool" => "true or false",
        "array" => "list",
        "map" => "record",
        "()" => "nothing",
        "Fn" => "function",
        "char" => "character",
        other => other.rsplit("::").next().unwrap_or(other),
    }
}

/// The function in an argument, if it is one.
pub(super) fn as_function(value: &Dynamic) -> Option<FnPtr> {
    value.read_lock::<FnPtr>().map(|function| function.clone())
}
