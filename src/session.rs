//! One opening of a shell by one actor: open → [`Session::execute`] → close.
//!
//! Everything that can reach the engine (prompt, `-c`, `-f`, standard input, a host program) goes through `execute`: it
//! commits the intent, evaluates, and commits the outcome. `Console` is where output and questions go meanwhile.
//!
//! A session is a cheap clone and not generic: a terminal, a test and, later, a socket hold the same thing. One command
//! runs at a time; others wait their turn.

mod input;
mod life;

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

pub use crate::console::{At, Console, Failure, Question};
use crate::{
    event::{CommandEnd, EventKind, SessionId, Status},
    helper::{CallCx, Callable, SessionInfo},
    policy::Origin,
    recorder::{Recorder, WhenUnrecorded},
    script::{Arguments, Evaluated, Interpreter, Job, Run, Setting, parse_command_style},
    spec::Registry,
};
pub use input::Source;
pub(crate) use life::{Hooks, Leaving};

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
    /// From the registry and the names in scope.
    fn names(&self, line: &str, at: usize, registry: &Registry, variables: &[String]) -> Vec<Candidate>;
    /// The helper, parameter and beginning that values are wanted for.
    fn wanted(&self, line: &str, at: usize, registry: &Registry) -> Option<(String, usize, String)>;
    /// Those of the values that fit, as the place wants them written.
    fn values(&self, line: &str, at: usize, registry: &Registry, values: &[Value]) -> Vec<Candidate>;
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
            candidates = completer.names(line, at, registry, &interpreter.variables());
        }
        candidates
    }

    /// A context for what runs outside of any command: it prints nowhere.
    fn idle_cx(&self) -> CallCx {
        let (line, _) = std::sync::mpsc::channel();
        CallCx { info: Arc::clone(&self.0.setting.info), line, cancelled: CancellationToken::new() }
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
        self.redact(text, self.command_style(text).map(|command| command.secret_spans))
    }

    async fn turn(&self, work: Work, console: Box<dyn Console>) -> crate::Result<Outcome> {
        let session = self.clone();
        let token = CancellationToken::new();
        let interrupt_on_drop = token.clone().drop_guard();
        let task = self.0.setting.runtime.spawn(async move {
            let _turn = session.0.turn.lock().await;
            // In this order: an end that comes between is seen here, or sees the token.
            let running = Running::new(&session, token.clone());
            session.0.leaving.check()?;
            if token.is_cancelled() {
                anyhow::bail!("given up before its turn came");
            }
            let outcome = session.command(work, token, console).await;
            drop(running);
            Ok(outcome)
        });
        let outcome = task.await?;
        interrupt_on_drop.disarm();
        outcome
    }

    async fn command(&self, work: Work, token: CancellationToken, console: Box<dyn Console>) -> Outcome {
        let Inner { setting, interpreter, hooks, .. } = &*self.0;
        let number = self.0.commands.fetch_add(1, Ordering::Relaxed) + 1;
        let started = Instant::now();
        let prepared = self.prepare(work, number);
        let mut warnings = Vec::new();

        let intent = setting.recorder.intent(EventKind::CommandStart, &prepared.start).await;
        let recorded = intent.is_ok();
        if let Err(because) = &intent {
            warnings.push(format!("not recorded: {because}"));
        }
        let command = Command { number, input: prepared.shown, source: prepared.start.source };
        let mut notes = Vec::new();
        let admitted = match (prepared.job, &intent) {
            (Err(failure), _) => Err((Status::Error, failure)),
            (_, Err(because)) if self.0.when_unrecorded == WhenUnrecorded::RefuseAll => Err((
                Status::Refused,
                Failure::new("unrecorded", format!("nothing runs that can not be recorded: {because}")),
            )),
            (Ok(job), _) => match guarded(hooks.before(&command), &token).await {
                Some(Ok(Next::Go)) => Ok(job),
                Some(Ok(Next::Note(note))) => {
                    notes.push(shorten(&note));
                    Ok(job)
                }
                Some(Ok(Next::Refuse { because })) => Err((Status::Refused, Failure::new("refused", because))),
                Some(Err(error)) => {
                    let message = format!("the check before the command failed: {error:#}");
                    Err((Status::Refused, Failure::new("refused", message)))
                }
                None => Err((Status::Cancelled, Failure::new("cancelled", "interrupted"))),
            },
        };
        let run = Run::new(setting, number, prepared.origin, recorded, token.child_token(), console);
        let evaluated = match admitted {
            Ok(job) => interpreter.perform(run, job).await.unwrap_or_else(|| {
                Evaluated::failed(
                    Status::Error,
                    Failure::new("internal", "the interpreter is gone: leave and start again"),
                )
            }),
            Err((status, failure)) => Evaluated::failed(status, failure),
        };
        let duration = started.elapsed();
        if evaluated.status != Status::Ok {
            self.0.failed.fetch_add(1, Ordering::Relaxed);
        }
        let end = CommandEnd {
            command: number,
            status: evaluated.status,
            duration_us: u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
            error: evaluated.failure.as_ref().map(|failure| crate::event::Failure {
                kind: failure.kind.clone(),
                message: shorten(&failure.message),
            }),
            reads: evaluated.reads,
            output_bytes: evaluated.output_bytes,
            output_digest: evaluated.output_digest,
            notes,
        };
        match intent {
            Err(because) if !because.may_be_stored => setting.recorder.missed(&because).await,
            _ => {
                if let Err(why) = setting.recorder.outcome(EventKind::CommandEnd, &end).await {
                    warnings.push(format!("the outcome is not recorded yet: {why}"));
                }
            }
        }
        warnings.extend(evaluated.warnings);
        warnings.extend(setting.recorder.take_notices().await);
        let outcome = Outcome {
            command: number,
            status: evaluated.status,
            value: evaluated.value,
            failure: evaluated.failure,
            duration,
            exit: evaluated.exit,
            warnings,
        };
        // The command is over, interrupted or not: what can be interrupted now is the hook.
        let token = CancellationToken::new();
        *self.0.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        match guarded(hooks.after(&command, &outcome), &token).await {
            Some(Ok(())) => {}
            Some(Err(error)) => {
                tracing::warn!(command = number, error = format!("{error:#}"), "the hook after the command failed");
            }
            None => tracing::warn!(command = number, "the hook after the command was interrupted"),
        }
        outcome
    }

    pub(crate) fn recorder(&self) -> &Arc<Recorder> {
        &self.0.setting.recorder
    }
}

/// The token of the command that runs, for whoever interrupts it; gone with this, also when the command panics.
struct Running<'s>(&'s Session);

impl<'s> Running<'s> {
    fn new(session: &'s Session, token: CancellationToken) -> Self {
        *session.0.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
        Self(session)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        *self.0.0.running.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// A hook of the component, whose panic is an error and which an interrupt ends.
async fn guarded<T>(
    hook: impl Future<Output = crate::Result<T>>,
    token: &CancellationToken,
) -> Option<crate::Result<T>> {
    tokio::select! {
        result = AssertUnwindSafe(hook).catch_unwind() => {
            Some(result.unwrap_or_else(|_| Err(anyhow::anyhow!("it panicked; the log says where"))))
        }
        () = token.cancelled() => None,
    }
}

/// Text of others in an event: one that is too large could never be recorded.
fn shorten(text: &str) -> String {
    const MOST: usize = 4_000;
    text.char_indices().nth(MOST).map_or_else(|| text.to_owned(), |(end, _)| format!("{}…", &text[..end]))
}

enum Work {
    Source(Source),
    Call { helper: String, args: Map<String, Value> },
}

struct Prepared {
    start: crate::event::CommandStart,
    shown: String,
    origin: Origin,
    job: Result<Job, Failure>,
}

impl Session {
    /// Reads the work: how it is recorded, and what is to be evaluated, or why it can not be.
    fn prepare(&self, work: Work, number: u64) -> Prepared {
        match work {
            Work::Call { helper, args } => {
                let masked = input::masked_args(self.0.registry.get(&helper), &args);
                let text = format!("{helper}({masked})");
                let shown = self.0.setting.recorder.redactor().text(&text).into_string();
                let job = Job::Call { helper, args: Arguments { positional: Vec::new(), named: args }, at: None };
                let (start, job) = input::start(number, shown.clone(), "call".to_owned(), Ok(job));
                Prepared { start, shown, origin: Origin::Call, job }
            }
            Work::Source(source) => {
                let (text, fault) = source.checked();
                let allows_command_style = source.allows_command_style();
                let command = if allows_command_style && fault.is_none() { self.command_style(&text) } else { None };
                let shown = self.redact(&text, command.as_ref().map(|command| command.secret_spans.clone()));
                // An error may quote what the record masks.
                let redactor = self.0.setting.recorder.redactor();
                input::masked_parts(&text, &shown).into_iter().for_each(|secret| redactor.remember(secret));
                let name = source.name.clone();
                let job = match (fault, command) {
                    (Some(failure), _) => Err(failure),
                    (None, Some(command)) => {
                        let before = &text[..command.at];
                        let at = Some(At {
                            source: source.title(number),
                            text: shown.clone(),
                            line: before.matches('\n').count() + 1,
                            column: before.rsplit('\n').next().unwrap_or_default().chars().count() + 1,
                        });
                        match command.args {
                            Ok(args) => Ok(Job::Call { helper: command.helper, args, at }),
                            Err(error) => Err(Failure {
                                kind: error.kind.to_owned(),
                                message: error.message,
                                hint: error.hint,
                                at,
                            }),
                        }
                    }
                    (None, None) => Ok(Job::Script { source: source.title(number), text }),
                };
                let (start, job) = input::start(number, shown.clone(), name, job);
                Prepared { start, shown, origin: Origin::Script, job }
            }
        }
    }

    fn command_style(&self, text: &str) -> Option<crate::script::CommandLine> {
        let variables = self.0.interpreter.variables();
        parse_command_style(text, &self.0.registry, |name| variables.iter().any(|variable| variable == name))
    }

    fn redact(&self, text: &str, spans: Option<Vec<std::ops::Range<usize>>>) -> String {
        let spans = spans.unwrap_or_else(|| self.0.interpreter.secret_spans(text));
        let redactor = self.0.setting.recorder.redactor();
        for secret in spans.iter().filter_map(|span| text.get(span.clone())) {
            // The same text may hold it once more, where nothing says that it is one.
            redactor.remember(secret.trim().trim_matches(['"', '`']));
        }
        redactor.text_with_spans(text, &spans).into_string()
    }
}
