//! What a helper is, as data: name, words, parameters, effect. One [`Registry`] feeds help, completion, the policy, the
//! record, generated docs and, later, agents. Pure; built by `helper`.

use std::{borrow::Cow, time::Duration};

use serde_json::Value;

/// Text that is either part of the program or made at run time.
pub type Text = Cow<'static, str>;

/// What calling a helper may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// Looks only.
    Read,
    /// Changes something that can be changed back.
    Write,
    /// Destroys or stops something: wants a confirmation and a reason.
    Destroy,
}

impl Effect {
    /// The word as it stands in events and help.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Destroy => "destroy",
        }
    }
}

/// One parameter of a helper.
#[derive(Clone, Debug)]
pub struct Param {
    /// Its name, for named arguments and command style.
    pub name: Text,
    /// One sentence.
    pub doc: Text,
    /// Its argument never leaves the process: masked in journal, history and errors.
    pub secret: bool,
    /// What stands for it when it is left out.
    pub default: Option<Value>,
    /// It may be left out, with or without a default.
    pub optional: bool,
    /// A record given for it stands for this field of the record.
    pub field: Option<Text>,
    /// JSON Schema of the value it takes; `None` for callbacks.
    pub schema: Option<Value>,
    /// Completion candidates can be asked for.
    pub has_values: bool,
}

/// One helper.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Its name, an identifier.
    pub name: Text,
    /// One sentence.
    pub doc: Text,
    /// What it may do.
    pub effect: Effect,
    /// Its parameters, in order.
    pub params: Vec<Param>,
    /// Code that shows its use; each one is run by a test.
    pub examples: Vec<Text>,
    /// Heading under which help lists it.
    pub group: Option<Text>,
    /// How long it may run.
    pub timeout: Option<Duration>,
    /// It can show what it would do before it does it.
    pub has_preview: bool,
}

impl Spec {
    /// The call as people write it: `errors(limit = 10)`, `show(id)`.
    #[must_use]
    pub fn signature(&self) -> String {
        let params: Vec<String> = self
            .params
            .iter()
            .map(|param| match (&param.default, param.optional) {
                (Some(value), _) => format!("{} = {value}", param.name),
                (None, true) => format!("{}?", param.name),
                (None, false) => param.name.to_string(),
            })
            .collect();
        format!("{}({})", self.name, params.join(", "))
    }

    /// How many arguments have to be given.
    #[must_use]
    pub fn required(&self) -> usize {
        self.params.iter().filter(|param| !param.optional).count()
    }

    /// The helper as a tool for agents: name, description, input schema. `None` when a parameter has no schema.
    #[must_use]
    pub fn tool(&self) -> Option<Value> {
        let mut properties = serde_json::Map::new();
        let mut required = Vec::new();
        for param in &self.params {
            let mut schema = param.schema.clone()?;
            if let Value::Object(schema) = &mut schema {
                schema.insert("description".into(), param.doc.as_ref().into());
                if let Some(default) = &param.default {
                    schema.insert("default".into(), default.clone());
                }
            }
            properties.insert(param.name.to_string(), schema);
            if !param.optional {
                required.push(Value::from(param.name.as_ref()));
            }
        }
        Some(serde_json::json!({
            "name": self.name,
            "description": self.doc,
            "inputSchema": {"type": "object", "properties": properties, "required": required, "additionalProperties": false},
        }))
    }
}

/// Every helper of a shell, in the order of their registration.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    specs: Vec<Spec>,
}

impl Registry {
    /// The helper of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Spec> {
        self.specs.iter().find(|spec| spec.name == name)
    }

    /// Every helper, in the order of registration.
    pub fn iter(&self) -> impl Iterator<Item = &Spec> {
        self.specs.iter()
    }

    /// The name nearest to one that does not exist.
    #[must_use]
    pub fn nearest(&self, name: &str) -> Option<&str> {
        nearest(name, self.specs.iter().map(|spec| spec.name.as_ref()))
    }

    pub(crate) fn push(&mut self, spec: Spec) {
        self.specs.push(spec);
    }
}

/// The candidate nearest to a word that may be mistyped; `None` when none is near. One letter in three may be wrong; of
/// words so short that this says little, the first letter must be right.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| {
            let shorter = word.chars().count().min(candidate.chars().count());
            let is_short = shorter <= 3;
            let begins_alike = word.chars().next() == candidate.chars().next();
            *distance <= (shorter / 3).max(1) && *distance < shorter && (begins_alike || !is_short)
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
