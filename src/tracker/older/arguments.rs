//! Reading the arguments of a call: what is listed, of its type, and by its rule.

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::event::Invalid;

/// null means absent, everywhere: the same without any member that is null.
pub(super) fn without_nulls(fields: Map<String, Value>) -> Map<String, Value> {
    fn clean(value: Value) -> Value {
        match value {
            Value::Object(fields) => Value::Object(without_nulls(fields)),
            // A null among items has a place that others would move into.
            Value::Array(items) => Value::Array(items.into_iter().map(clean).collect()),
            other => other,
        }
    }
    fields.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name, clean(value))).collect()
}

/// An object that was given, and where it stands among the arguments.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    fields: &'a Map<String, Value>,
    /// `user.` for what stands in `user`.
    within: &'static str,
}

impl<'a> Given<'a> {
    /// The arguments themselves, of which only these are listed.
    ///
    /// # Errors
    /// Names the first that is not.
    pub(super) fn listed(fields: &'a Map<String, Value>, names: &[&str]) -> Result<Self, Invalid> {
        match fields.keys().find(|name| !names.contains(&name.as_str())) {
            None => Ok(Self { fields, within: "" }),
            Some(name) => {
                let name: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
                Err(Invalid::new(name, format!("is no argument of this tool: there are {}", names.join(", "))))
            }
        }
    }

    /// What it holds.
    pub(super) fn fields(&self) -> &'a Map<String, Value> {
        self.fields
    }

    /// What an object among the arguments holds.
    pub(super) fn object(&self, name: &'static str, within: &'static str) -> Result<Given<'a>, Invalid> {
        let fields = self.map(name)?.ok_or_else(|| Invalid::new(name, "is missing"))?;
        Ok(Given { fields, within })
    }

    /// An object, if it is there.
    pub(super) fn map(&self, name: &'static str) -> Result<Option<&'a Map<String, Value>>, Invalid> {
        match self.fields.get(name) {
            None => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(fields)),
            Some(_) => Err(self.wrong(name, "must be an object")),
        }
    }

    /// A text, if it is there.
    pub(super) fn text_if(&self, name: &'static str) -> Result<Option<&'a str>, Invalid> {
        match self.fields.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(name, "must be a string")),
        }
    }

    /// A text that must be there.
    pub(super) fn text(&self, name: &'static str) -> Result<&'a str, Invalid> {
        self.text_if(name)?.ok_or_else(|| self.wrong(name, "is missing"))
    }

    /// A text that must be this one.
    pub(super) fn word(&self, name: &'static str, word: &'static str) -> Result<(), Invalid> {
        match self.text(name)? {
            given if given == word => Ok(()),
            _ => Err(self.wrong(name, &format!("must be \"{word}\""))),
        }
    }

    /// A UUID, if it is there.
    pub(super) fn uuid_if(&self, name: &'static str) -> Result<Option<Uuid>, Invalid> {
        let Some(text) = self.text_if(name)? else { return Ok(None) };
        let is_plain = text.len() == 36 && !text.starts_with('{');
        let uuid = Uuid::parse_str(text).ok().filter(|_| is_plain);
        uuid.map(Some).ok_or_else(|| self.wrong(name, "must be a UUID with hyphens"))
    }

    /// A whole number that must be there: 12345.0 is one as well, as JSON Schema has it.
    pub(super) fn integer(&self, name: &'static str) -> Result<Option<u64>, Invalid> {
        let value = self.fields.get(name).ok_or_else(|| self.wrong(name, "is missing"))?;
        let whole = |number: f64| (number.fract() == 0.0 && (0.0..1e15).contains(&number)).then_some(number as u64);
        Ok(value.as_u64().or_else(|| value.as_f64().and_then(whole)))
    }

    fn wrong(&self, name: &str, rule: &str) -> Invalid {
        Invalid::new(format!("{}{name}", self.within), rule.to_owned())
    }
}
