//! The engine of a session: the language, its limits, and one native function a helper and number of arguments.

use std::{
    any::TypeId,
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use rhai::{Dynamic, Engine, EvalAltResult, FnPtr, NativeCallContext, OptimizationLevel, Position, Token};
use serde_json::Value;

use super::{
    door::{self, Stop},
    failure::{self, Sources},
    limits::{self, Stopped},
    names, natives,
    run::Run,
    shape::Shape,
    value::{self, Opaque, Orders},
};
use crate::{
    helper::{Callable, Callback, HelperError, Input, Output},
    spec::nearest,
};

/// The most arguments a call is understood with, so that one too many is explained in our words.
const MOST_ARGUMENTS: usize = 8;

/// What a call that ends its command says.
pub(super) const HERE: &str = "here";

type Returned = Result<Dynamic, Box<EvalAltResult>>;

/// Answers `help()` and `help("name")`.
pub(crate) type Help = Box<dyn Fn(Option<&str>) -> Option<String> + Send + Sync>;

/// What the engine's functions reach: the command that runs, the helpers, the order of fields.
pub(super) struct Stage {
    run: RwLock<Option<Arc<Run>>>,
    pub(super) helpers: HashMap<String, Arc<dyn Callable>>,
    pub(super) orders: Orders,
    sources: Mutex<Sources>,
    answers: Mutex<HashMap<String, Shape>>,
    help: Help,
    session: Box<dyn Fn() -> Value + Send + Sync>,
}

impl Stage {
    pub(super) fn new(
        helpers: Vec<Arc<dyn Callable>>,
        help: Help,
        session: Box<dyn Fn() -> Value + Send + Sync>,
    ) -> Self {
        let helpers = helpers.into_iter().map(|helper| (helper.spec().name.to_string(), helper)).collect();
        let orders = Orders::default();
        let (sources, answers) = (Mutex::default(), Mutex::default());
        Self { run: RwLock::new(None), helpers, orders, sources, answers, help, session }
    }

    pub(super) fn run(&self) -> Option<Arc<Run>> {
        self.run.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_run(&self, run: Option<Arc<Run>>) {
        *self.run.write().unwrap_or_else(PoisonError::into_inner) = run;
    }

    /// The texts of inputs and modules.
    pub(super) fn sources(&self) -> MutexGuard<'_, Sources> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows help on everything, or on one helper.
    pub(super) fn show_help(&self, name: Option<&str>) -> Result<(), HelperError> {
        let ours = || name.and_then(natives::about).map(ToOwned::to_owned);
        let text = (self.help)(name).or_else(ours).ok_or_else(|| {
            let name = name.unwrap_or_default();
            let error = HelperError::new("unknown_helper", format!("there is no helper `{name}`"));
            let names = self.helpers.keys().map(String::as_str).chain(names::OURS.iter().copied());
            match nearest(name, names) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint("help() lists them all"),
            }
        })?;
        if let Some(run) = self.run() {
            run.print(&text);
        }
        Ok(())
    }

    pub(super) fn session(&self) -> Value {
        (self.session)()
    }

    /// Calls a helper with values of the language.
    pub(super) fn call(
        &self,
        helper: &Arc<dyn Callable>,
        args: Vec<Dynamic>,
        context: Option<&NativeCallContext<'_>>,
    ) -> Returned {
        // What is not empty says that this call ended the command, and not that it was noticed here.
        let position = context.map_or(Position::NONE, NativeCallContext::call_position);
        let over = || Box::new(EvalAltResult::ErrorTerminated(Dynamic::from(HERE), position));
        let Some(run) = self.run() else { return Err(over()) };
        let mut invoke = |function: usize, args: Vec<Value>| match (context, run.function(function)) {
            (Some(context), Some(function)) => self.callback(&run, &function, context, args),
            _ => Err(HelperError::new("cancelled", "the command that this function belongs to is over")),
        };
        let given: Result<Vec<Input>, HelperError> =
            args.into_iter().map(|arg| self.input(&run, &helper.spec().name, arg)).collect();
        match given.map_err(Stop::Failed).and_then(|given| door::call(&run, helper, given, &mut invoke)) {
            Ok(output) => {
                self.answered(&helper.spec().name, &output);
                Ok(value::from_output(output, &self.orders))
            }
            Err(Stop::Over) => Err(over()),
            Err(Stop::Failed(error)) => Err(self.fail(error)),
        }
    }

    /// Remembers what the records look like that a helper answers.
    pub(super) fn answered(&self, helper: &str, output: &Output) {
        if let Output::Json(answer) = output
            && let Some(shape) = Shape::of_answer(answer)
        {
            self.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(helper.to_owned(), shape);
        }
    }

    /// What they looked like last.
    pub(super) fn answers(&self) -> HashMap<String, Shape> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// An error that the script may catch, and print: without secrets.
    pub(super) fn fail(&self, mut error: HelperError) -> Box<EvalAltResult> {
        if let Some(run) = self.run() {
            error.message = run.setting.recorder.redactor().text(&error.message).into_string();
            run.remember_thrown(error.clone());
        }
        EvalAltResult::ErrorRuntime(error.message.into(), Position::NONE).into()
    }

    fn input(&self, run: &Run, helper: &str, arg: Dynamic) -> Result<Input, HelperError> {
        if let Some(function) = value::as_function(&arg) {
            let function = run.keep_function(function);
            return Ok(Input::Function(Callback::new(function, run.cx.line.clone())));
        }
        if let Some(opaque) = arg.read_lock::<Opaque>() {
            return Ok(Input::Handle { value: Arc::clone(&opaque.value), type_name: opaque.type_name.clone() });
        }
        let value = value::to_argument(&arg, &self.orders);
        value
            .map(Input::Json)
            .map_err(|big| HelperError::new("wrong_type", format!("an argument of `{helper}` is {big}")))
    }

    fn callback(
        &self,
        run: &Run,
        function: &FnPtr,
        context: &NativeCallContext<'_>,
        args: Vec<Value>,
    ) -> Result<Value, HelperError> {
        let mut args: Vec<Dynamic> = args.into_iter().map(|arg| value::from_json(arg, &self.orders)).collect();
        let result = function.call_raw(context, None, &mut args[..]);
        let answer = result.map_err(|error| {
            let source = context.call_source().unwrap_or_default();
            failure::of_callback(*error, source, &self.sources(), &self.helpers, run)
        })?;
        value::to_json(&answer, &self.orders)
            .map_err(|big| HelperError::new("limit", format!("the function's answer is {big}")))
    }
}

/// Builds the engine.
pub(super) fn build(stage: &Arc<Stage>) -> Engine {
    let mut engine = Engine::new();
    engine.set_optimization_level(OptimizationLevel::None);
    engine.set_module_resolver(rhai::module_resolvers::DummyModuleResolver::new());
    engine.disable_symbol("eval");
    // A mistyped field would else be nothing, and nothing compares with everything.
    engine.set_fail_on_invalid_map_property(true);
    engine.register_type_with_name::<Opaque>("handle");
    limits::set(&mut engine);
    natives::register(&mut engine, stage);

    let at = Arc::clone(stage);
    engine.on_progress(move |_| match at.run() {
        Some(run) => limits::exceeded(&run).map(|stopped| match stopped {
            // What ran into a limit happened where it was noticed.
            Stopped::Here => Dynamic::from(HERE),
            Stopped::Elsewhere => Dynamic::UNIT,
        }),
        None => None,
    });

    for helper in stage.helpers.values() {
        for count in 0..=MOST_ARGUMENTS {
            let at = Arc::clone(stage);
            let helper = Arc::clone(helper);
            let name = helper.spec().name.to_string();
            // All `Dynamic`: the arguments are decoded by us. Cloned, never taken: in `r.show()` the first one is the
            // caller's own variable.
            engine.register_raw_fn(name, vec![TypeId::of::<Dynamic>(); count], move |context, args| -> Returned {
                let args = args.iter().map(|arg| (**arg).clone()).collect();
                at.call(&helper, args, Some(&context))
            });
        }
    }

    // Some names of helpers are words that the language keeps for later, `sync` among them.
    let at = Arc::clone(stage);
    #[expect(
        deprecated,
        reason = "marked as unstable by the crate; there is no other way to give a reserved word back"
    )]
    engine.on_parse_token(move |token, _, _| match token {
        Token::Reserved(word) if at.helpers.contains_key(word.as_str()) => Token::Identifier(word),
        // Where a helper has this name, modules can not export variables; their functions are exported in any case.
        Token::Export if at.helpers.contains_key("export") => Token::Identifier(Box::new("export".into())),
        other => other,
    });

    // `ps` alone is `ps()`, and `exit` is what everybody types who wants to leave.
    let at = Arc::clone(stage);
    #[expect(deprecated, reason = "marked as unstable by the crate; there is no other way to resolve a bare name")]
    engine.on_var(move |name, _, context| {
        if let Some(value) = context.scope().get(name) {
            // What a function captures is shared from then on.
            return match value.is_shared() && limits::is_tower(value) {
                true => Err(at.fail(HelperError::new("limit", "functions hold functions too deep inside each other"))),
                false => Ok(None),
            };
        }
        match at.helpers.get(name) {
            Some(helper) if helper.spec().required() == 0 => at.call(helper, Vec::new(), None).map(Some),
            _ => natives::bare(name, &at),
        }
    });
    engine
}

/// What a helper answered, as data.
pub(super) fn output_to_json(output: Output) -> Value {
    match output {
        Output::Json(value) => value,
        Output::Handle { .. } => Value::Null,
    }
}
