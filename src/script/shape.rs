//! The fields of records that a session has seen: of its variables, and of what its helpers answered last. For completion.

use std::collections::HashMap;

use rhai::{Array, Dynamic, Map as RhaiMap};
use serde_json::{Map, Value};

use super::value::Orders;
use crate::session::Receiver;

/// More fields are data, not a record.
const MOST_FIELDS: usize = 256;

/// A record, or a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    is_list: bool,
    fields: Vec<String>,
}

impl Shape {
    /// That of a helper's answer.
    pub(super) fn of_answer(answer: &Value) -> Option<Self> {
        let (is_list, record) = match answer {
            Value::Object(record) => (false, record),
            Value::Array(items) => (true, items.first()?.as_object()?),
            _ => return None,
        };
        Self::new(is_list, record.keys())
    }

    /// That of a variable.
    pub(super) fn of_variable(value: &Dynamic, orders: &Orders) -> Option<Self> {
        let of_record = |is_list, record: &RhaiMap| {
            let fields: Map<String, Value> = record.keys().map(|key| (key.to_string(), Value::Null)).collect();
            Self::new(is_list, orders.arrange(fields).keys())
        };
        if let Some(record) = value.read_lock::<RhaiMap>() {
            return of_record(false, &record);
        }
        let items = value.read_lock::<Array>()?;
        let first = items.first()?.read_lock::<RhaiMap>()?;
        of_record(true, &first)
    }

    fn new<'f>(is_list: bool, fields: impl ExactSizeIterator<Item = &'f String>) -> Option<Self> {
        let is_word = |field: &&String| {
            field.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
                && field.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        (fields.len() <= MOST_FIELDS).then(|| Self { is_list, fields: fields.filter(is_word).cloned().collect() })
    }
}

/// What is known of the values of one session.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    pub(super) variables: HashMap<String, Shape>,
    pub(super) answers: HashMap<String, Shape>,
}

impl Shapes {
    /// The fields that may follow the dot behind this.
    pub(super) fn fields(&self, receiver: &Receiver<'_>) -> Vec<String> {
        let variable = self.variables.get(receiver.name).filter(|_| !receiver.is_called);
        let shape = variable.or_else(|| self.answers.get(receiver.name));
        shape.filter(|shape| shape.is_list == receiver.is_item).map(|shape| shape.fields.clone()).unwrap_or_default()
    }
}
