//! The engine with the state of a session: variables, functions, imports, and the texts of earlier inputs.
//!
//! Imports do not live in the scope: their statements are kept and put in front of every later input. Functions are kept
//! as a library that later inputs are merged with. `let x` twice leaves one `x`.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
};

use rhai::{AST, Dynamic, Engine, EvalAltResult, Scope, Stmt};
use serde_json::{Map, Value};
use tokio::sync::oneshot;

use super::{
    door::{self, Stop},
    engine::{self, Help, Stage},
    failure::{self, Sources},
    limits::STACK_BYTES,
    modules::Scripts,
    names, natives,
    run::{Evaluated, Run},
    secrets::{self, Code, Known, Learned, Lesson},
    shape::{Shape, Shapes},
    syntax, value,
};
use crate::{
    console::{At, Failure},
    event::Status,
    helper::{Blame, Callable, HelperError, Input},
    redact::Redactor,
    session::{Check, Receiver},
};

/// What to evaluate.
pub(crate) enum Job {
    /// Code.
    Script {
        /// The text.
        text: String,
        /// What errors call it: `repl:3`, `-c`, a file's name.
        source: String,
    },
    /// One helper, called from outside of the language.
    Call {
        /// Its name.
        helper: String,
        /// Its arguments by name, or by position.
        args: Arguments,
        /// Where it was written, for errors.
        at: Option<At>,
        /// The columns of its arguments there, by their parameters.
        columns: Vec<(String, usize)>,
    },
}

/// Arguments from outside of the language.
pub(crate) struct Arguments {
    pub(crate) positional: Vec<Value>,
    pub(crate) named: Map<String, Value>,
}

struct Task {
    run: Arc<Run>,
    job: Job,
    answer: oneshot::Sender<Evaluated>,
}

/// A handle on the thread that owns the engine.
pub(crate) struct Interpreter {
    tasks: mpsc::Sender<Task>,
    engine: Arc<std::sync::OnceLock<(Arc<Engine>, Arc<Stage>)>>,
    variables: Arc<Mutex<Vec<String>>>,
    shapes: Arc<Mutex<Shapes>>,
    learned: Arc<Mutex<Learned>>,
    redactor: Redactor,
}

impl Interpreter {
    /// Starts the thread; the engine is built there, beside whatever the caller does next.
    pub(crate) fn start(
        helpers: Vec<Arc<dyn Callable>>,
        help: Help,
        session: Box<dyn Fn() -> Value + Send + Sync>,
        scripts: Option<PathBuf>,
        redactor: Redactor,
    ) -> std::io::Result<Self> {
        let (tasks, inbox) = mpsc::channel::<Task>();
        let engine = Arc::new(std::sync::OnceLock::new());
        let variables = Arc::new(Mutex::new(Vec::new()));
        let learned = Arc::new(Mutex::new(Learned::default()));
        let shapes = Arc::new(Mutex::new(Shapes::default()));
        let (lessons, seen) = (Arc::clone(&learned), Arc::clone(&shapes));
        let (built, names, masks) = (Arc::clone(&engine), Arc::clone(&variables), redactor.clone());
        let stage = Arc::new(Stage::new(helpers, help, session));
        std::thread::Builder::new().name("admin-shell".to_owned()).stack_size(STACK_BYTES).spawn(move || {
            let mut engine = engine::build(&stage);
            if let Some(directory) = scripts {
                engine.set_module_resolver(Scripts::new(directory, Arc::clone(&stage)));
            }
            let engine = Arc::new(engine);
            let _ = built.set((Arc::clone(&engine), Arc::clone(&stage)));
            let mut state = State::new(engine, stage, lessons, masks);
            for task in inbox {
                let evaluated = state.perform(&task.run, task.job);
                *names.lock().unwrap_or_else(PoisonError::into_inner) = state.variables();
                *seen.lock().unwrap_or_else(PoisonError::into_inner) = state.shapes();
                // Nobody waits any more when the session was dropped.
                let _ = task.answer.send(evaluated);
            }
        })?;
        Ok(Self { tasks, engine, variables, shapes, learned, redactor })
    }

    /// Evaluates; `None` when the thread is gone.
    pub(crate) async fn perform(&self, run: Arc<Run>, job: Job) -> Option<Evaluated> {
        let (answer, answered) = oneshot::channel();
        self.tasks.send(Task { run, job, answer }).ok()?;
        answered.await.ok()
    }

    /// Names of variables and functions in scope.
    pub(crate) fn variables(&self) -> Vec<String> {
        self.variables.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The fields that may follow the dot behind this, as far as its value has been seen.
    pub(crate) fn fields(&self, receiver: &Receiver<'_>) -> Vec<String> {
        self.shapes.lock().unwrap_or_else(PoisonError::into_inner).fields(receiver)
    }

    /// Whether a text is a whole input. Waits for the engine if it is still being built.
    pub(crate) fn check(&self, text: &str) -> Check {
        let (engine, stage) = self.engine.wait();
        syntax::check(engine, text, |error| {
            let mut sources = Sources::default();
            sources.keep("input", text);
            let failure = failure::of_parse(error, "input", &sources, &stage.helpers);
            let variables = self.variables();
            let is_variable = |name: &str| variables.iter().any(|variable| variable == name);
            let learned = self.learned();
            let known = Known { helpers: &stage.helpers, is_variable: &is_variable, learned: &learned };
            secrets::masked(failure, known, Code::Fails, &self.redactor)
        })
    }

    /// Byte ranges of arguments that must not be recorded.
    pub(crate) fn secret_spans(&self, text: &str) -> Vec<std::ops::Range<usize>> {
        self.read_for_secrets(text).0
    }

    /// The same for a text that is about to be evaluated: what its functions do with secrets is kept for later ones.
    pub(crate) fn learn_secrets(&self, text: &str) -> Vec<std::ops::Range<usize>> {
        let (spans, lesson) = self.read_for_secrets(text);
        self.learned().update(lesson);
        spans
    }

    fn read_for_secrets(&self, text: &str) -> (Vec<std::ops::Range<usize>>, Lesson) {
        let (engine, stage) = self.engine.wait();
        let variables = self.variables();
        let is_variable = |name: &str| variables.iter().any(|variable| variable == name);
        let learned = self.learned();
        let known = Known { helpers: &stage.helpers, is_variable: &is_variable, learned: &learned };
        let code = || if engine.compile(text).is_ok() { Code::Parses } else { Code::Fails };
        secrets::secret_spans(text, known, code)
    }

    fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct State {
    engine: Arc<Engine>,
    stage: Arc<Stage>,
    scope: Scope<'static>,
    functions: AST,
    imports: Vec<Stmt>,
    learned: Arc<Mutex<Learned>>,
    redactor: Redactor,
}

impl State {
    fn new(engine: Arc<Engine>, stage: Arc<Stage>, learned: Arc<Mutex<Learned>>, redactor: Redactor) -> Self {
        Self { engine, stage, scope: Scope::new(), functions: AST::empty(), imports: Vec::new(), learned, redactor }
    }

    fn perform(&mut self, run: &Arc<Run>, job: Job) -> Evaluated {
        self.stage.set_run(Some(Arc::clone(run)));
        let before = self.scope.len();
        let evaluate = std::panic::AssertUnwindSafe(|| match job {
            Job::Script { text, source } => self.script(run, &text, &source),
            Job::Call { helper, args, at, columns } => {
                self.call(run, &helper, args).map_err(|(status, mut failure, blame)| {
                    let name = blame.map(|blame| match blame {
                        Blame::Value(_, name) | Blame::Name(name) => name,
                    });
                    let place = name.and_then(|name| columns.iter().rfind(|(param, _)| *param == name));
                    failure.at = at.map(|at| At { column: place.map_or(at.column, |(_, column)| *column), ..at });
                    (status, failure)
                })
            }
        });
        let result = std::panic::catch_unwind(evaluate).unwrap_or_else(|_| {
            Err((
                Status::Error,
                Failure::new("internal", "the interpreter failed on this input")
                    .hint("the session goes on; please report it"),
            ))
        });
        let mut evaluated = run.finish(result);
        if let Some(failure) = &mut evaluated.failure {
            failure.message = self.redactor.text(&failure.message).into_string();
            failure.hint = failure.hint.take().map(|hint| self.redactor.text(&hint).into_string());
        }
        self.stage.set_run(None);
        run.setting.held.update(&run.meter, &mut self.scope, before);
        evaluated
    }

    fn script(&mut self, run: &Run, text: &str, source: &str) -> Result<Value, (Status, Failure)> {
        self.stage.sources().keep(source, text);
        let mut ast = self.engine.compile(text).map_err(|error| {
            let failure = failure::of_parse(&error, source, &self.stage.sources(), &self.stage.helpers);
            (Status::Error, self.masked(failure))
        })?;
        ast.set_source(source);
        names::refuse_taken(&ast, &self.stage, Some(&self.scope)).map_err(|(mut failure, position)| {
            failure.at = self.stage.sources().at(source, position);
            (Status::Error, self.masked(failure))
        })?;
        for function in ast.iter_functions() {
            self.stage.sources().keep_function(function.name, function.params.len(), source);
        }
        let whole = self.imports.iter().chain(ast.statements()).cloned();
        let library = self.functions.merge(&ast.clone_functions_only());
        let mut whole = AST::new(whole, library.shared_lib().clone());
        whole.set_source(source);
        // Defined before anything runs, so they stay when something fails: variables that hold them do too.
        self.functions = library.clone_functions_only();
        let result = self.engine.eval_ast_with_scope::<Dynamic>(&mut self.scope, &whole);
        self.forget_shadowed();
        match result {
            Ok(answer) => {
                let imports = ast.statements().iter().filter(|statement| matches!(statement, Stmt::Import(..)));
                self.imports.extend(imports.cloned());
                value::to_json(&answer, &self.stage.orders)
                    .map_err(|big| (Status::Error, Failure::new("limit", format!("the result is {big}"))))
            }
            Err(error) => Err(self.explain(run, *error, source)),
        }
    }

    /// `let x` twice leaves one `x`. Variables are copied for it, so only when there is something to forget.
    fn forget_shadowed(&mut self) {
        let mut names: Vec<&str> = self.scope.iter_raw().map(|(name, ..)| name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        if names.len() < all {
            self.scope = self.scope.clone_visible();
        }
    }

    fn call(&self, run: &Run, helper: &str, args: Arguments) -> Result<Value, (Status, Failure, Option<Blame>)> {
        let word = args.positional.first().and_then(Value::as_str);
        let ours = match helper {
            "help" => Some(self.stage.show_help(word)),
            "exit" | "quit" => Some(natives::leave(run, word)),
            _ => None,
        };
        if let Some(done) = ours {
            let named = Some(Blame::Name("code".to_owned()));
            return done.map(|()| Value::Null).map_err(|error| (Status::Error, failure::of_helper(error), named));
        }
        let Some(callable) = self.stage.helpers.get(helper) else {
            return Err((Status::Error, failure::unknown_function(helper, &self.stage.helpers, &[]), None));
        };
        let mut given: Vec<Input> = args.positional.into_iter().map(Input::Json).collect();
        if !args.named.is_empty() {
            given.push(Input::Json(Value::Object(args.named)));
        }
        let mut no_callbacks = |_, _| Err(HelperError::new("callback", "there is no script to call back"));
        match door::call(run, callable, given, &mut no_callbacks) {
            Ok(output) => {
                self.stage.answered(helper, &output);
                Ok(engine::output_to_json(output))
            }
            Err(Stop::Failed(error)) => {
                let status = if error.kind == "timeout" { Status::Timeout } else { Status::Error };
                let blame = error.argument.clone();
                Err((status, failure::of_helper(error), blame))
            }
            Err(Stop::Over) => Err((Status::Cancelled, Failure::new("cancelled", "interrupted"), None)),
        }
    }

    fn explain(&self, run: &Run, error: EvalAltResult, source: &str) -> (Status, Failure) {
        let status = run.thrown_status(&error.to_string()).unwrap_or(Status::Error);
        let variables = self.variables();
        let failure =
            failure::of_evaluation(error, source, &self.stage.sources(), &self.stage.helpers, &variables, run);
        (status, self.masked(failure))
    }

    fn masked(&self, failure: Failure) -> Failure {
        let code = if failure.kind == "syntax" { Code::Fails } else { Code::Parses };
        let learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        let is_variable = |name: &str| self.scope.contains(name);
        let known = Known { helpers: &self.stage.helpers, is_variable: &is_variable, learned: &learned };
        secrets::masked(failure, known, code, &self.redactor)
    }

    fn shapes(&self) -> Shapes {
        let shape = |(name, _, value): (&str, bool, &Dynamic)| {
            Some((name.to_owned(), Shape::of_variable(value, &self.stage.orders)?))
        };
        Shapes { variables: self.scope.iter_raw().filter_map(shape).collect(), answers: self.stage.answers() }
    }

    fn variables(&self) -> Vec<String> {
        let mut names: Vec<String> = self.scope.iter_raw().map(|(name, ..)| name.to_owned()).collect();
        names.extend(
            self.functions.iter_functions().filter(|f| !f.name.starts_with("anon$")).map(|f| f.name.to_owned()),
        );
        names.sort_unstable();
        names.dedup();
        names
    }
}
