//! The builder through which a component registers its helpers.

use std::{any::TypeId, collections::HashMap, future::Future, marker::PhantomData, sync::Arc, time::Duration};

use serde::Serialize;
use serde_json::Value;

use super::{
    Arguments, Cx, HelperError, Reply, Signature, Slots,
    callable::{Decode, Entry, Run, Values},
    names::{RESERVED, is_identifier},
};
use crate::spec::{Effect, Param, Registry, Spec, Text};

/// The helpers of a component as they are bound to it.
type Entries<'h, S> = &'h [Arc<Entry<S>>];

/// Marks helpers whose functions take `(cx, arguments…)`.
pub enum Plain {}

/// Marks helpers whose functions take `(cx, approved, arguments…)`.
pub enum Asks {}

/// Collects the helpers of a component.
///
/// ```
/// # use admin_shell::{Cx, Helpers, Result};
/// # struct Greeter;
/// fn helpers(helpers: &mut Helpers<Greeter>) {
///     helpers.read("greet", "Greets someone.").param("name", "Whom to greet.").example(r#"greet("Ada")"#).run(greet);
/// }
///
/// async fn greet(_: Cx<Greeter>, name: String) -> Result<String> {
///     Ok(format!("Hello, {name}!"))
/// }
/// ```
pub struct Helpers<S> {
    entries: Vec<Arc<Entry<S>>>,
    problems: Vec<String>,
}

impl<S: Send + Sync + 'static> Helpers<S> {
    pub(crate) fn new() -> Self {
        Self { entries: Vec::new(), problems: Vec::new() }
    }

    /// A helper that looks only.
    pub fn read(&mut self, name: impl Into<Text>, doc: impl Into<Text>) -> Helper<'_, S, Plain> {
        self.helper(name.into(), doc.into(), Effect::Read)
    }

    /// A helper that changes something that can be changed back.
    pub fn write(&mut self, name: impl Into<Text>, doc: impl Into<Text>) -> Helper<'_, S, Plain> {
        self.helper(name.into(), doc.into(), Effect::Write)
    }

    /// A helper that destroys or stops something. Its function takes an [`Approved`](crate::Approved) after the context.
    pub fn destroy(&mut self, name: impl Into<Text>, doc: impl Into<Text>) -> Helper<'_, S, Asks> {
        self.helper(name.into(), doc.into(), Effect::Destroy)
    }

    fn helper<E>(&mut self, name: Text, doc: Text, effect: Effect) -> Helper<'_, S, E> {
        let spec = Spec {
            name,
            doc,
            effect,
            params: Vec::new(),
            examples: Vec::new(),
            group: None,
            timeout: None,
            has_preview: false,
        };
        Helper { helpers: self, spec, secrets: Vec::new(), preview: None, values: HashMap::new(), effect: PhantomData }
    }

    /// The helpers and their registry, or everything that is wrong with them.
    pub(crate) fn finish(&self) -> Result<(Entries<'_, S>, Registry), Vec<String>> {
        let mut problems = self.problems.clone();
        let mut registry = Registry::default();
        for entry in &self.entries {
            if registry.get(&entry.spec.name).is_some() {
                problems.push(format!("`{}` is registered twice", entry.spec.name));
            }
            registry.push(Spec::clone(&entry.spec));
        }
        if problems.is_empty() { Ok((&self.entries, registry)) } else { Err(problems) }
    }
}

/// One helper that is being described. Each call after [`param`](Self::param) speaks of that parameter; `run` ends it.
#[must_use = "a helper is registered by `.run(function)`"]
pub struct Helper<'h, S, E> {
    helpers: &'h mut Helpers<S>,
    spec: Spec,
    secrets: Vec<usize>,
    preview: Option<(usize, Decode<S>)>,
    values: HashMap<usize, Values<S>>,
    effect: PhantomData<E>,
}

impl<S: Send + Sync + 'static, E: 'static> Helper<'_, S, E> {
    /// The next parameter.
    pub fn param(mut self, name: impl Into<Text>, doc: impl Into<Text>) -> Self {
        self.spec.params.push(Param {
            name: name.into(),
            doc: doc.into(),
            secret: false,
            default: None,
            optional: false,
            field: None,
            schema: None,
            has_values: false,
        });
        self
    }

    /// The next parameter, whose argument never leaves the process. The function takes a [`Secret`](super::Secret).
    pub fn secret_param(mut self, name: impl Into<Text>, doc: impl Into<Text>) -> Self {
        self.secrets.push(self.spec.params.len());
        self.param(name, doc)
    }

    /// What stands for the parameter when it is left out.
    pub fn default(mut self, value: impl Into<Value>) -> Self {
        let value = value.into();
        self.last("default", |param| param.default = Some(value));
        self
    }

    /// A record given for the parameter stands for this field of it: `show(ps()[0])`.
    pub fn field(mut self, name: impl Into<Text>) -> Self {
        let name = name.into();
        self.last("field", |param| param.field = Some(name));
        self
    }

    /// Completion candidates for the parameter, asked for while somebody types.
    pub fn values<F, Fut, V>(mut self, f: F) -> Self
    where
        F: Fn(Cx<S>, String) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = crate::Result<Vec<V>>> + Send + 'static,
        V: Serialize,
    {
        self.last("values", |param| param.has_values = true);
        let values: Values<S> = Arc::new(move |cx, prefix| {
            let values = f(cx, prefix);
            Box::pin(async move {
                let json = |value: V| serde_json::to_value(value).map_err(Into::into);
                values.await?.into_iter().map(json).collect()
            })
        });
        self.values.insert(self.spec.params.len().saturating_sub(1), values);
        self
    }

    /// Code that shows its use. Tests run it.
    pub fn example(mut self, code: impl Into<Text>) -> Self {
        self.spec.examples.push(code.into());
        self
    }

    /// The heading under which `help()` lists it.
    pub fn group(mut self, name: impl Into<Text>) -> Self {
        self.spec.group = Some(name.into());
        self
    }

    /// How long a call may run.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.spec.timeout = Some(limit);
        self
    }

    /// A function of the same arguments that says what would happen; shown before somebody is asked.
    pub fn preview<A: Arguments, F: Signature<S, Plain, A>>(mut self, f: F) -> Self
    where
        F::Fut: Reply,
    {
        self.spec.has_preview = true;
        self.preview = Some((A::COUNT, decode(f)));
        self
    }

    /// The function that does it; registers the helper.
    pub fn run<A: Arguments, F: Signature<S, E, A>>(mut self, f: F)
    where
        F::Fut: Reply,
    {
        let shapes = A::shapes();
        let name = self.spec.name.clone();
        if shapes.len() != self.spec.params.len() {
            self.problem(format!(
                "`{name}` documents {} parameters, its function takes {}",
                self.spec.params.len(),
                shapes.len()
            ));
        }
        if let Some((count, _)) = &self.preview
            && *count != shapes.len()
        {
            self.problem(format!("the preview of `{name}` takes {count} arguments, its function {}", shapes.len()));
        }
        let mut problems = Vec::new();
        for (index, (param, shape)) in self.spec.params.iter_mut().zip(shapes).enumerate() {
            param.optional = shape.optional || param.default.is_some();
            param.secret = shape.secret;
            param.schema = shape.schema;
            let announced = self.secrets.contains(&index);
            if announced != shape.secret {
                let fault = if announced {
                    "is a `secret_param`, but its type is no `Secret`"
                } else {
                    "takes a `Secret`, but is no `secret_param`"
                };
                problems.push(format!("`{}` of `{name}` {fault}", param.name));
            }
            if let Some(default) = &param.default
                && !(shape.accepts)(default.clone())
            {
                problems.push(format!("the default {default} of `{}` of `{name}` does not fit its type", param.name));
            }
        }
        problems.into_iter().for_each(|problem| self.problem(problem));
        self.register(decode(f));
    }

    /// Registers a helper whose parameters are known at run time only. `schema` is a JSON Schema of an object; its
    /// properties are the parameters, in their order. The function takes them as a record.
    pub fn run_with_schema<F, Fut, R>(mut self, schema: Value, f: F)
    where
        F: Fn(Cx<S>, Value) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = crate::Result<R>> + Send + 'static,
        R: super::Answer,
    {
        if TypeId::of::<E>() == TypeId::of::<Asks>() {
            self.problem(format!("`{}` destroys: its function has to take an `Approved`, use `run`", self.spec.name));
        }
        let required = |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|n| n == name));
        if let Some(properties) = schema["properties"].as_object() {
            for (name, property) in properties {
                self = self.param(name.clone(), property["description"].as_str().unwrap_or_default().to_owned());
                let param = self.spec.params.last_mut().expect("it was pushed just now");
                param.optional = !required(name);
                param.default = property.get("default").cloned();
                param.schema = Some(property.clone());
            }
        }
        let f = Arc::new(f);
        let decode: Decode<S> = Arc::new(move |spec: &Spec, mut slots: Slots| {
            let mut record = serde_json::Map::new();
            for (index, param) in spec.params.iter().enumerate() {
                if let Some(input) = slots.take(index) {
                    let shown = super::explain::describe(&input);
                    let super::Input::Json(value) = input else {
                        let message = format!("`{}` of `{}` does not take {shown}", param.name, spec.name);
                        return Err(HelperError::new("wrong_type", message));
                    };
                    record.insert(param.name.to_string(), value);
                }
            }
            let f = Arc::clone(&f);
            let run: Run<S> = Box::new(move |cx, _| f(cx, Value::Object(record)).reply());
            Ok(run)
        });
        self.register(decode);
    }

    fn register(self, decode: Decode<S>) {
        let Self { helpers, mut spec, preview, values, .. } = self;
        let mut check = |right: bool, problem: String| {
            if !right {
                helpers.problems.push(problem);
            }
        };
        check(
            is_identifier(&spec.name),
            format!("`{}` is no name for a helper: letters, digits and `_` only", spec.name),
        );
        check(
            !RESERVED.contains(&spec.name.as_ref()),
            format!("`{}` is a word of the language or of the shell", spec.name),
        );
        check(spec.params.len() <= 6, format!("`{}` has more than 6 parameters: take a record", spec.name));
        for (index, param) in spec.params.iter().enumerate() {
            check(
                is_identifier(&param.name),
                format!("`{}` of `{}` is no name for a parameter", param.name, spec.name),
            );
            let twice = spec.params[..index].iter().any(|other| other.name == param.name);
            check(!twice, format!("`{}` of `{}` is documented twice", param.name, spec.name));
        }
        if spec.doc.is_empty() {
            spec.doc = "(not documented)".into();
        }
        let preview = preview.map(|(_, decode)| decode);
        helpers.entries.push(Arc::new(Entry { spec: Arc::new(spec), decode, preview, values }));
    }

    fn last(&mut self, what: &str, change: impl FnOnce(&mut Param)) {
        match self.spec.params.last_mut() {
            Some(param) => change(param),
            None => self.problem(format!("`{}`: `.{what}(…)` comes before any `.param(…)`", self.spec.name)),
        }
    }

    fn problem(&mut self, problem: String) {
        self.helpers.problems.push(problem);
    }
}

fn decode<S, E, A, F>(f: F) -> Decode<S>
where
    S: Send + Sync + 'static,
    E: 'static,
    A: Arguments,
    F: Signature<S, E, A>,
    F::Fut: Reply,
{
    let f = Arc::new(f);
    Arc::new(move |spec: &Spec, slots: Slots| {
        let args = A::decode(spec, slots)?;
        let f = Arc::clone(&f);
        let run: Run<S> = Box::new(move |cx, approved| f.invoke(cx, approved, args).reply());
        Ok(run)
    })
}
