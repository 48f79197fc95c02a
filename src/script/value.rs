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

use crate::helper::{HelperError, Output};

/// Values nested deeper than this are cut off.
const MAX_DEPTH: usize = 64;
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

    fn arrange(&self, mut fields: Map<String, Value>) -> Map<String, Value> {
        let sorted: Vec<String> = fields.keys().cloned().collect();
        let orders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(declared) = orders.get(&sorted) else { return fields };
        declared.iter().filter_map(|key| fields.remove_entry(key)).collect()
    }
}

/// A value of the language as data. What JSON can not say is null.
pub(super) fn to_json(value: &Dynamic, orders: &Orders) -> Value {
    json_at(value, orders, 0)
}

fn json_at(value: &Dynamic, orders: &Orders, depth: usize) -> Value {
    if depth > MAX_DEPTH {
        return Value::Null;
    }
    if value.is_shared() {
        return json_at(&value.flatten_clone(), orders, depth);
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return Value::from(text.as_str());
    }
    if let Ok(number) = value.as_int() {
        return Value::from(number);
    }
    if let Ok(number) = value.as_float() {
        return Value::from(number);
    }
    if let Ok(truth) = value.as_bool() {
        return Value::from(truth);
    }
    if let Ok(items) = value.as_array_ref() {
        return items.iter().map(|item| json_at(item, orders, depth + 1)).collect();
    }
    if let Ok(fields) = value.as_map_ref() {
        let fields = fields.iter().map(|(key, item)| (key.to_string(), json_at(item, orders, depth + 1))).collect();
        return Value::Object(orders.arrange(fields));
    }
    if let Ok(bytes) = value.as_blob_ref() {
        return bytes.iter().map(|byte| Value::from(*byte)).collect();
    }
    if let Ok(letter) = value.as_char() {
        return Value::from(letter.to_string());
    }
    if let Some(range) = value.clone().try_cast::<std::ops::Range<i64>>() {
        return Value::from(format!("{}..{}", range.start, range.end));
    }
    if let Some(range) = value.clone().try_cast::<std::ops::RangeInclusive<i64>>() {
        return Value::from(format!("{}..={}", range.start(), range.end()));
    }
    Value::Null
}

/// Data as a value of the language. Integers beyond 64 bits become text.
pub(super) fn from_json(value: Value, orders: &Orders) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(truth) => truth.into(),
        Value::Number(number) => match (number.as_i64(), number.is_u64(), number.as_f64()) {
            (Some(integer), _, _) => integer.into(),
            (None, false, Some(float)) => float.into(),
            _ => number.to_string().into(),
        },
        Value::String(text) => text.into(),
        Value::Array(items) => {
            let items: Array = items.into_iter().map(|item| from_json(item, orders)).collect();
            items.into()
        }
        Value::Object(fields) => {
            orders.remember(&fields);
            let fields: RhaiMap = fields.into_iter().map(|(key, item)| (key.into(), from_json(item, orders))).collect();
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
    value.clone().flatten().try_cast::<FnPtr>()
}

/// An argument with data or functions too deep inside.
pub(super) fn too_deep(helper: &str) -> HelperError {
    HelperError::new("wrong_type", format!("`{helper}`: the argument is nested deeper than {MAX_DEPTH} levels"))
}

/// Whether data would be cut off by its depth.
pub(super) fn is_too_deep(value: &Dynamic) -> bool {
    fn deep(value: &Dynamic, depth: usize) -> bool {
        if depth > MAX_DEPTH {
            return true;
        }
        if value.is_shared() {
            return deep(&value.flatten_clone(), depth);
        }
        if let Ok(items) = value.as_array_ref() {
            return items.iter().any(|item| deep(item, depth + 1));
        }
        if let Ok(fields) = value.as_map_ref() {
            return fields.values().any(|item| deep(item, depth + 1));
        }
        false
    }
    deep(value, 0)
}
