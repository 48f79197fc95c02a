//! What can be an argument and what can be an answer: serde types, and a few of ours.

use std::{any::Any, future::Future, pin::Pin, sync::Arc};

use futures_util::{Stream, StreamExt};
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    Callback, HelperError, Input, Slots,
    explain::{describe, explain},
};
use crate::spec::Spec;

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Why one argument does not decode.
#[derive(Clone, Debug)]
pub enum Problem {
    /// It was left out and has to be given.
    Missing,
    /// It is not what the parameter takes: what serde says about it.
    Wrong(String),
}

/// A type that an argument can be decoded into: any `DeserializeOwned + JsonSchema`, `Option` of one, [`Secret`],
/// [`Json`], [`Callback`], [`Handle`].
pub trait Arg: Sized + Send + 'static {
    /// The argument must not leave the process.
    const SECRET: bool = false;
    /// Decodes what was given; `None` when it was left out.
    ///
    /// # Errors
    /// Says what is wrong with it.
    fn decode(given: Option<Input>) -> Result<Self, Problem>;
    /// JSON Schema of what it takes; `None` when it is not data.
    fn schema() -> Option<Value>;
}

impl<T: DeserializeOwned + JsonSchema + Send + 'static> Arg for T {
    fn decode(given: Option<Input>) -> Result<Self, Problem> {
        // A type that decodes from null, such as an `Option`, may be left out.
        let Some(given) = given else { return T::deserialize(Value::Null).map_err(|_| Problem::Missing) };
        from_json(given)
    }

    fn schema() -> Option<Value> {
        let mut settings = SchemaSettings::draft2020_12();
        settings.inline_subschemas = true;
        settings.meta_schema = None;
        let mut schema: Value = SchemaGenerator::from(settings).into_root_schema_for::<T>().into();
        if let Value::Object(schema) = &mut schema {
            schema.remove("title");
        }
        Some(schema)
    }
}

fn from_json<T: DeserializeOwned>(given: Input) -> Result<T, Problem> {
    match given {
        Input::Json(value) => serde_json::from_value(value).map_err(|error| Problem::Wrong(error.to_string())),
        Input::Function(_) => Err(Problem::Wrong("does not take a function".to_owned())),
        Input::Handle { type_name, .. } => Err(Problem::Wrong(format!("does not take a {type_name}"))),
    }
}

/// An argument that never leaves the process: it is masked in journal, history, questions and errors, and does not
/// print itself.
pub struct Secret<T>(T);

impl<T> Secret<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(value)
    }

    /// The secret itself.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> std::fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl<T: DeserializeOwned + JsonSchema + Send + 'static> Arg for Secret<T> {
    const SECRET: bool = true;

    fn decode(given: Option<Input>) -> Result<Self, Problem> {
        // serde's own messages echo values: say only that it does not fit.
        <T as Arg>::decode(given).map(Self).map_err(|problem| match problem {
            Problem::Missing => Problem::Missing,
            Problem::Wrong(_) => Problem::Wrong("is not of the type it should be".to_owned()),
        })
    }

    fn schema() -> Option<Value> {
        <T as Arg>::schema()
    }
}

/// An argument or answer that is any serde type, also one without a JSON Schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + Send + 'static> Arg for Json<T> {
    fn decode(given: Option<Input>) -> Result<Self, Problem> {
        let Some(given) = given else { return T::deserialize(Value::Null).map(Self).map_err(|_| Problem::Missing) };
        from_json(given).map(Self)
    }

    fn schema() -> Option<Value> {
        Some(Value::Bool(true))
    }
}

impl Arg for Callback {
    fn decode(given: Option<Input>) -> Result<Self, Problem> {
        match given {
            None => Err(Problem::Missing),
            Some(Input::Function(callback)) => Ok(callback),
            Some(other) => Err(Problem::Wrong(format!("wants a function, got {}", describe(&other)))),
        }
    }

    fn schema() -> Option<Value> {
        None
    }
}

/// A value of the component's own that scripts hold and hand back, but do not look into.
pub struct Handle<T>(pub Arc<T>);

impl<T> Handle<T> {
    /// A handle on a value.
    pub fn new(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T: Send + Sync + 'static> Arg for Handle<T> {
    fn decode(given: Option<Input>) -> Result<Self, Problem> {
        let wants = short_type_name::<T>();
        match given {
            None => Err(Problem::Missing),
            Some(Input::Handle { value, type_name }) => {
                value.downcast().map(Self).map_err(|_| Problem::Wrong(format!("wants a {wants}, got a {type_name}")))
            }
            Some(other) => Err(Problem::Wrong(format!("wants a {wants}, got {}", describe(&other)))),
        }
    }

    fn schema() -> Option<Value> {
        None
    }
}

/// What a helper answers.
#[derive(Clone)]
pub enum Output {
    /// Plain data.
    Json(Value),
    /// A value that scripts can hold but not look into.
    Handle {
        /// The value.
        value: Arc<dyn Any + Send + Sync>,
        /// Its type, for messages.
        type_name: String,
    },
}

/// A type that a helper can answer: any `Serialize`, [`Rows`], [`Handle`].
pub trait Answer: Send + 'static {
    /// Turns it into an output.
    fn answer(self) -> BoxFuture<crate::Result<Output>>;
}

impl<T: Serialize + Send + 'static> Answer for T {
    fn answer(self) -> BoxFuture<crate::Result<Output>> {
        let value = serde_json::to_value(self).map(Output::Json).map_err(Into::into);
        Box::pin(std::future::ready(value))
    }
}

impl<T: Send + Sync + 'static> Answer for Handle<T> {
    fn answer(self) -> BoxFuture<crate::Result<Output>> {
        let output = Output::Handle { value: self.0, type_name: short_type_name::<T>() };
        Box::pin(std::future::ready(Ok(output)))
    }
}

/// Records from a stream. It is read to its end while the call runs: lazy rows would run the component's code outside
/// of any record.
pub struct Rows<T>(Pin<Box<dyn Stream<Item = crate::Result<T>> + Send>>);

impl<T: Send + 'static> Rows<T> {
    /// The records of a stream.
    pub fn new(stream: impl Stream<Item = crate::Result<T>> + Send + 'static) -> Self {
        Self(Box::pin(stream))
    }
}

impl<T: Serialize + Send + 'static> Answer for Rows<T> {
    fn answer(mut self) -> BoxFuture<crate::Result<Output>> {
        Box::pin(async move {
            let mut rows = Vec::new();
            while let Some(row) = self.0.next().await {
                rows.push(serde_json::to_value(row?)?);
            }
            Ok(Output::Json(Value::Array(rows)))
        })
    }
}

/// What a helper function returns: a future of a `Result` of an [`Answer`].
pub trait Reply: Send + 'static {
    /// Waits for it.
    fn reply(self) -> BoxFuture<crate::Result<Output>>;
}

impl<Fut, T, E> Reply for Fut
where
    Fut: Future<Output = Result<T, E>> + Send + 'static,
    T: Answer,
    E: Into<anyhow::Error> + Send + 'static,
{
    fn reply(self) -> BoxFuture<crate::Result<Output>> {
        Box::pin(async move {
            match self.await {
                Ok(value) => value.answer().await,
                Err(error) => Err(error.into()),
            }
        })
    }
}

/// The arguments of a helper function: a tuple of 0 to 6 [`Arg`]s.
pub trait Arguments: Sized + Send + 'static {
    /// How many.
    const COUNT: usize;
    /// Per argument: schema, whether it is secret, whether it may be left out.
    #[doc(hidden)]
    fn shapes() -> Vec<Shape>;
    /// Decodes them.
    ///
    /// # Errors
    /// Names the helper, the parameter and what it wants.
    fn decode(spec: &Spec, slots: Slots) -> Result<Self, HelperError>;
}

/// What a type says about itself as a parameter.
#[doc(hidden)]
pub struct Shape {
    pub schema: Option<Value>,
    pub secret: bool,
    pub optional: bool,
    pub accepts: fn(Value) -> bool,
}

impl Shape {
    fn of<T: Arg>() -> Self {
        Self {
            schema: T::schema(),
            secret: T::SECRET,
            optional: T::decode(None).is_ok(),
            accepts: |value| T::decode(Some(Input::Json(value))).is_ok(),
        }
    }
}

macro_rules! arguments {
    ($count:literal $(, $arg:ident $index:tt)*) => {
        impl<$($arg: Arg),*> Arguments for ($($arg,)*) {
            const COUNT: usize = $count;

            fn shapes() -> Vec<Shape> {
                vec![$(Shape::of::<$arg>()),*]
            }

            #[allow(unused_variables, unused_mut, clippy::allow_attributes, reason = "one macro for 0 to 6 arguments")]
            fn decode(spec: &Spec, mut slots: Slots) -> Result<Self, HelperError> {
                Ok(($({
                    let given = slots.take($index);
                    let shown = given.clone();
                    $arg::decode(given).map_err(|problem| explain(spec, $index, shown.as_ref(), problem))?
                },)*))
            }
        }
    };
}

arguments!(0);
arguments!(1, A1 0);
arguments!(2, A1 0, A2 1);
arguments!(3, A1 0, A2 1, A3 2);
arguments!(4, A1 0, A2 1, A3 2, A4 3);
arguments!(5, A1 0, A2 1, A3 2, A4 3, A5 4);
arguments!(6, A1 0, A2 1, A3 2, A4 3, A5 4, A6 5);

fn short_type_name<T>() -> String {
    std::any::type_name::<T>().rsplit("::").next().unwrap_or("value").to_owned()
}
