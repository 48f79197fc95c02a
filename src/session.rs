//! One opening of a shell by one actor: open → [`Session::execute`] → close.
//!
//! Everything that can reach the engine (prompt, `-c`, `-f`, standard input, a host program) goes through `execute`: it
//! commits the intent, evaluates, and commits the outcome. `Console` is where output and questions go meanwhile.
//!
//! A session is a cheap clone and not generic: a terminal, a test and, later, a socket hold the same thing. One command
//! runs at a time; others wait their turn.

mod input;
mod life;
mod turn;

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
    time::{Duration, Instant},
};

use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

pub use crate::console::{At, Console, Failure, Question};
use crate::{
    event::{SessionId, Status},
    helper::{CallCx, Callable, SessionInfo},
    recorder::{Recorder, WhenUnrecorded},
    script::{Interpreter, Setting},
    spec::Registry,
};
pub use input::Source;
pub(crate) use life::{Hooks, Leaving};
use turn::Work;

/// A command as hooks see it.
#[derive(Clone, Debug)]
pub struct Command {
    /// Number in the session, from 1.
    pub number: u64,
    /// What was typed, redacted.
    pub input: String,
    /// Where it came from: `prompt`, `-c`, `stdin`, or a file's name.
    pub source: String,
}

/// What a `before_command` hook decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Run it.
    Go,
    /// Run it, and keep this remark with its outcome.
    Note(String),
    /// Do not run it.
    Refuse {
        /// Why not.
        because: String,
    },
}

/// How a command ended, with what a console wants to show of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Number of the command in its session, from 1.
    pub command: u64,
    /// How it ended.
    pub status: Status,
    /// Its value, the fields of records in their declared order.
    pub value: Value,
    /// What went wrong, and where.
    pub failure: Option<Failure>,
    /// How long it ran.
    pub duration: Duration,
    /// `exit(n)` was called: leave with this code.
    pub exit: Option<i32>,
    /// Sentences to show beside the result: the journal can not be written, and the like.
    pub warnings: Vec<String>,
}

/// Whether a text is a whole input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// It can be executed.
    Complete,
    /// It wants more lines.
    Incomplete,
    /// It can not be parsed, however it goes on.
    Wrong(Failure),
}

/// One candidate of a completion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Byte position in the line where the replacement begins.
    pub start: usize,
    /// What to put there.
    pub replacement: String,
    /// What to show in a list, for example `cancel(id)`.
    pub display: String,
    /// One sentence about it.
    pub doc: Option<String>,
}

/// An open session.
#[derive(Clone)]
pub struct Session(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) setting: Arc<Setting>,
    pub(crate) interpreter: Interpreter,
    pub(crate) registry: Arc<Registry>,
    pub(crate) hooks: Arc<dyn Hooks>,
    pub(crate) when_unrecorded: WhenUnrecorded,
    pub(crate) completer: Box<dyn Completes>,
    pub(crate) helpers: Vec<Arc<dyn Callable>>,
    pub(crate) opened: Instant,
    pub(crate) commands: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) turn: tokio::sync::Mutex<()>,
    pub(crate) running: Mutex<Option<CancellationToken>>,
    pub(crate) leaving: Leaving,
}

/// Completes lines. Handed in, because it belongs to the prompt, which imports this module.
pub(crate) trait Completes: Send + Sync {
    /// From the registry, the names in scope and the fields that values have.
    fn names(&self, line: &str, at: usize, registry: &Registry, scope: &dyn InScope) -> Vec<Candidate>;
    /// The helper, parameter and beginning that values are wanted for.
    fn wanted(&self, line: &str, at: usize, registry: &Registry) -> Option<(String, usize, String)>;
    /// Those of the values that fit, as the place wants them written.
    fn values(&self, line: &str, at: usize, registry: &Registry, values: &[Value]) -> Vec<Candidate>;
}

/// What a session knows of its values.
pub(crate) trait InScope {
    /// Names of variables and functions.
    fn variables(&self) -> Vec<String>;
    /// The fields that may follow the dot behind this.
    fn fields(&self, receiver: &Receiver<'_>) -> Vec<String>;
}

/// What stands before a dot: in `ps()[0].` an item of what a call of `ps` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Receiver<'a> {
    pub(crate) name: &'a str,
    pub(crate) is_called: bool,
    pub(crate) is_item: bool,
}

impl InScope for Interpreter {
    fn variables(&self) -> Vec<String> {
        self.variables()
    }

    fn fields(&self, receiver: &Receiver<'_>) -> Vec<String> {
        self.fields(receiver)
    }
}

/// How long a key press waits for values.
const VALUES_PATIENCE: Duration = Duration::from_millis(500);

/// A session that may be gone.
pub(crate) struct WeakSession(std::sync::Weak<Inner>);

impl WeakSession {
    pub(crate) fn upgrade(&self) -> Option<Session> {
        self.0.upgrade().map(Session)
    }
}

impl Session {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    pub(crate) fn downgrade(&self) -> WeakSession {
        WeakSession(Arc::downgrade(&self.0))
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    /// What the session is.
    #[must_use]
    pub fn info(&self) -> &SessionInfo {
        &self.0.setting.info
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &SessionId {
        &self.info().session_id
    }

    /// Runs one input: a line, a block, a script. It is recorded before it runs.
    ///
    /// A failed command is an `Ok` with a failure inside. Dropping the future interrupts the command; its outcome is
    /// recorded all the same.
    ///
    /// # Errors
    /// When the session has ended.
    pub async fn execute(&self, text: &str, console: impl Console) -> crate::Result<Outcome> {
        self.execute_source(Source::prompt(text), console).await
    }

    /// The same for a text that has a name of its own, such as a file.
    ///
    /// # Errors
    /// When the session has ended.
    pub async fn execute_source(&self, source: Source, console: impl Console) -> crate::Result<Outcome> {
        self.turn(Work::Source(source), Box::new(console)).await
    }

    /// Calls one helper with named arguments, recorded like a typed command.
    ///
    /// # Errors
    /// When the session has ended.
    pub async fn call(&self, helper: &str, args: Map<String, Value>, console: impl Console) -> crate::Result<Outcome> {
        self.turn(Work::Call { helper: helper.to_owned(), args }, Box::new(console)).await
    }

    /// Completion candidates for a line, the cursor at byte `at`: names, options, and values that helpers know.
    pub async fn complete(&self, line: &str, at: usize) -> Vec<Candidate> {
        let Inner { completer, registry, helpers, interpreter, .. } = &*self.0;
        let mut candidates = match completer.wanted(line, at, registry) {
            Some((helper, param, prefix)) => {
                let callable = helpers.iter().find(|callable| callable.spec().name == helper);
                let values = callable.and_then(|callable| callable.values(param, prefix, self.idle_cx()));
                let known = match values {
                    Some(values) => tokio::time::timeout(VALUES_PATIENCE, values).await,
                    None => Ok(Ok(Vec::new())),
                };
                // Completion is a convenience: what is late or fails is no candidate.
                completer.values(line, at, registry, &known.ok().and_then(std::result::Result::ok).unwrap_or_default())
            }
            None => Vec::new(),
        };
        if candidates.is_empty() {
            candidates = completer.names(line, at, registry, interpreter);
        }
        candidates
    }

    /// A context for what runs outside of any command: it prints nowhere.
    fn idle_cx(&self) -> CallCx {
        let (line, _) = std::sync::mpsc::channel();
        let Setting { info, reach, .. } = &*self.0.setting;
        CallCx { info: Arc::clone(info), reach: reach.clone(), line, cancelled: CancellationToken::new() }
    }

    /// Whether a text is a whole input.
    #[must_use]
    pub fn check(&self, text: &str) -> Check {
        if self.command_style(text).is_some() { Check::Complete } else { self.0.interpreter.check(text) }
    }

    /// Stops the command that runs; the session lives on.
    pub fn interrupt(&self) {
        self.stop_running();
    }

    /// The same; says whether there was one.
    pub(crate) fn stop_running(&self) -> bool {
        let running = self.0.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.as_ref().inspect(|token| token.cancel()).is_some()
    }

    /// The helpers.
    #[must_use]
    pub fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.0.registry)
    }

    /// The text with its secrets masked: what may be kept in a history.
    #[must_use]
    pub fn redacted(&self, text: &str) -> String {
        let spans = self.command_style(text).map(|command| command.secret_spans);
        self.redact(text, spans.unwrap_or_else(|| self.0.interpreter.secret_spans(text)))
    }

    pub(crate) fn recorder(&self) -> &Arc<Recorder> {
        &self.0.setting.recorder
    }
}
