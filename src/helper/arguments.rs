//! From what was written to what a helper takes: named arguments, defaults, fields of records.
//!
//! Resolution comes before the policy and before the record: the question, the policy and the journal show the id that
//! will run, not the record it was taken from.
//!
//! A record in last place is the named arguments when its parameter takes no record; when it takes one, it is that
//! parameter. Where every key is a parameter's name, it is the named arguments unless the keys can be fields of the
//! parameter's own type: then it could be both, and is refused with a hint.

use std::{any::Any, collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value};

use super::{
    Callback, HelperError,
    error::Blame,
    explain::{describe, missing, too_many, unknown_option},
};
use crate::{
    redact::MASK,
    spec::{Param, Spec},
};

/// One argument as it comes from a script.
#[derive(Clone)]
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
            return Err(HelperError::new("given_twice", format!("`{name}` of `{}` is given twice", spec.name))
                .hint("give it by position or by name, not both")
                .blame(Blame::Name(name)));
        }
        slots[index] = Some(Input::Json(value));
    }
    for (index, (param, slot)) in spec.params.iter().zip(&mut slots).enumerate() {
        if matches!(slot, Some(Input::Json(Value::Null))) && param.optional {
            *slot = None;
        }
        if let (Some(field), Some(Input::Json(Value::Object(record)))) = (&param.field, &mut *slot) {
            let value = record.remove(field.as_ref()).ok_or_else(|| {
                HelperError::new(
                    "wrong_type",
                    format!("the record given for `{}` of `{}` has no field `{field}`", param.name, spec.name),
                )
                .hint(format!("give the {} itself, or a record that has it", param.name))
                .blame(Blame::Value(index, param.name.to_string()))
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
            if !all_names {
                return Ok(Map::new());
            }
            if may_have_fields(param, record) {
                return Err(HelperError::new(
                    "ambiguous",
                    format!("the record could be `{}` of `{}` itself, or named arguments", param.name, spec.name),
                )
                .hint(
                    "add #{} as a last argument if it is the record itself; otherwise give the arguments by position",
                ));
            }
        }
    }
    match given.pop() {
        Some(Input::Json(Value::Object(record))) => Ok(record),
        _ => Ok(Map::new()),
    }
}

/// Whether a record's keys can be the fields of a parameter's own type.
fn may_have_fields(param: &Param, record: &Map<String, Value>) -> bool {
    let fields = param.schema.as_ref().and_then(|schema| schema.get("properties")?.as_object());
    fields.is_none_or(|fields| record.keys().all(|key| fields.contains_key(key)))
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
