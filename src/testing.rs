//! A shell in a test: a whole session over a journal of its own, with a console that writes down what it shows and
//! answers what it is asked. Feature `testing`; for our own tests and for those of every shell.
//!
//! [`TestShell`] goes through the same door as a person at a prompt, so a test sees what a person sees ([`Ran`]) and what
//! the record holds ([`TestShell::events`]). [`Faults`] make the journal fail on demand.
//!
//! Everything here panics with the reason when a test expected something else: that is what tests want.

mod clock;
mod console;
mod faults;
mod ran;
mod sink;

use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::{
    AdminShell, Session, Shell,
    config::Database,
    console::Question,
    event::{Actor, ActorKind, EndReason, Event, Mode, StreamId},
    journal::{Entry, Journal, SqliteJournal},
    session::Source,
    shell::{Settings, Wanted},
};

pub use clock::ManualClock;
use console::{Answers, TestConsole};
pub use faults::Faults;
pub use ran::Ran;
pub use sink::{FaultySink, SinkFault};

/// A session of a shell over a journal in a temporary directory.
///
/// ```
/// use admin_shell::{AdminShell, Cx, Helpers, Result, testing::TestShell};
///
/// struct Greeter;
///
/// impl AdminShell for Greeter {
///     const COMPONENT: &'static str = "greeter";
///
///     fn helpers(helpers: &mut Helpers<Self>) {
///         helpers.read("greet", "Greets someone.").param("name", "Whom.").example(r#"greet("Ada")"#).run(greet);
///     }
/// }
///
/// async fn greet(_: Cx<Greeter>, name: String) -> Result<String> {
///     Ok(format!("Hello, {name}!"))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let shell = TestShell::new(Greeter).await;
/// assert_eq!(shell.run(r#"greet("Ada")"#).await.value::<String>(), "Hello, Ada!");
/// assert!(shell.run("greet(1)").await.fails().contains("`name` of `greet` wants a string, got 1"));
/// shell.examples().await;
///
/// let kinds: Vec<_> = shell.events().await.iter().map(|event| event.kind().to_string()).collect();
/// assert_eq!(kinds[..3], ["session_start", "command_start", "command_end"]);
/// # }
/// ```
pub struct TestShell {
    session: Session,
    answers: Arc<Mutex<Answers>>,
    directory: Arc<tempfile::TempDir>,
}

impl TestShell {
    /// Opens a session of a component.
    ///
    /// # Panics
    /// When the shell can not be opened.
    pub async fn new<S: AdminShell>(shell: S) -> Self {
        Self::of(Shell::new(shell)).await
    }

    /// Opens a session of a shell with policies, scripts and whatever else it was given.
    ///
    /// # Panics
    /// When the shell can not be opened.
    pub async fn of<S: AdminShell>(shell: Shell<S>) -> Self {
        Self::opened(&shell, directory(), false).await
    }

    /// Opens a session in which nothing that changes something may run.
    ///
    /// # Panics
    /// When the shell can not be opened.
    pub async fn read_only<S: AdminShell>(shell: Shell<S>) -> Self {
        Self::opened(&shell, directory(), true).await
    }

    /// Opens a session whose journal fails when `faults` say so.
    ///
    /// # Panics
    /// When the shell can not be opened.
    pub async fn with_faults<S: AdminShell>(mut shell: Shell<S>, faults: &Faults) -> Self {
        shell.faults = Some(faults.clone());
        Self::of(shell).await
    }

    /// Opens another session of a shell over the same journal.
    ///
    /// # Panics
    /// When the shell can not be opened.
    pub async fn beside<S: AdminShell>(&self, shell: &Shell<S>) -> Self {
        Self::opened(shell, Arc::clone(&self.directory), false).await
    }

    async fn opened<S: AdminShell>(shell: &Shell<S>, directory: Arc<tempfile::TempDir>, read_only: bool) -> Self {
        let settings = Settings {
            mode: Mode::Embedded,
            read_only,
            reason: None,
            yes: false,
            database: Database::file(directory.path().join("journal.db")),
            sinks: Wanted::default(),
        };
        let opened = shell.open_with(Actor::stated("tester", ActorKind::Human), settings).await;
        let opened = opened.unwrap_or_else(|error| panic!("the shell does not open: {error:#}"));
        if let Err((_, error)) = opened.start().await {
            panic!("the shell does not start: {error:#}");
        }
        Self { session: opened.session, answers: Arc::default(), directory }
    }

    /// Confirms every question from now on, with this reason. Until then, and after [`declines`](Self::declines), every
    /// answer is no.
    pub fn confirms(&self, reason: &str) -> &Self {
        console::locked(&self.answers).reason = Some(reason.to_owned());
        self
    }

    /// Answers every question with no.
    pub fn declines(&self) -> &Self {
        console::locked(&self.answers).reason = None;
        self
    }

    /// Types this when a helper asks for a secret without echo.
    pub fn types_secret(&self, secret: &str) -> &Self {
        console::locked(&self.answers).secret = Some(secret.to_owned());
        self
    }

    /// Runs a line as if it was typed at the prompt.
    ///
    /// # Panics
    /// When the session has ended.
    pub async fn run(&self, code: &str) -> Ran {
        self.run_source(Source::prompt(code)).await
    }

    /// Runs an input with a name of its own: a script file, the argument of `-c`.
    ///
    /// # Panics
    /// When the session has ended.
    pub async fn run_source(&self, source: Source) -> Ran {
        let console = TestConsole::new(&self.answers);
        let heard = console.heard();
        let outcome = self.session.execute_source(source, console).await;
        Ran::new(outcome.unwrap_or_else(|error| panic!("the command was not taken: {error:#}")), &heard)
    }

    /// Calls one helper with named arguments, as a host program does.
    ///
    /// # Panics
    /// When the session has ended, or `args` is no JSON object.
    pub async fn call(&self, helper: &str, args: Value) -> Ran {
        let Value::Object(args) = args else { panic!("the arguments are an object of names and values, not {args}") };
        let console = TestConsole::new(&self.answers);
        let heard = console.heard();
        let outcome = self.session.call(helper, args, console).await;
        Ran::new(outcome.unwrap_or_else(|error| panic!("the call was not taken: {error:#}")), &heard)
    }

    /// Runs the examples of every helper. What they are asked is confirmed.
    ///
    /// # Panics
    /// When one fails, or a helper has none: names the helper, and shows the example and what a person would see.
    pub async fn examples(&self) {
        let before = console::locked(&self.answers).reason.replace("an example".to_owned());
        for spec in self.session.registry().iter() {
            assert!(!spec.examples.is_empty(), "`{}` has no example", spec.name);
            for example in &spec.examples {
                if let Some(failure) = self.run(example).await.failure() {
                    panic!("the example of `{}` fails: {example}\n{failure}", spec.name);
                }
            }
        }
        console::locked(&self.answers).reason = before;
    }

    /// Every question that was asked, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<Question> {
        console::locked(&self.answers).asked.clone()
    }

    /// The session's events as its journal holds them.
    ///
    /// # Panics
    /// When the journal can not be read.
    pub async fn events(&self) -> Vec<Event> {
        let journal = self.journal().await;
        let stream = StreamId::Session(self.session.id().clone());
        let entries = journal.events(&stream, 0, 1_000_000).await.expect("the journal can be read");
        journal.close().await;
        let whole = |entry| match entry {
            Entry::Whole(event) => event,
            Entry::Pruned { seq, .. } => panic!("event {seq} was pruned"),
        };
        entries.into_iter().map(whole).collect()
    }

    /// The journal, opened once more and without faults.
    ///
    /// # Panics
    /// When it can not be opened.
    pub async fn journal(&self) -> SqliteJournal {
        let path = self.directory.path().join("journal.db");
        SqliteJournal::open(&path.to_string_lossy()).await.expect("the journal can be opened")
    }

    /// The session itself: to interrupt it, to complete a line, to share it between tasks.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The directory that holds the journal; removed with the last shell over it.
    #[must_use]
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// Ends the session.
    ///
    /// # Panics
    /// When its end can not be recorded.
    pub async fn close(&self) {
        let closed = self.session.clone().close(EndReason::Exit).await;
        closed.unwrap_or_else(|error| panic!("{error:#}"));
    }
}

fn directory() -> Arc<tempfile::TempDir> {
    Arc::new(tempfile::tempdir().expect("a temporary directory can be made"))
}
