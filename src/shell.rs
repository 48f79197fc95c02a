//! The shell: the trait a component implements, the builder that opens sessions, and [`main`]. The only module that
//! wires the others together.

mod flags;
mod identity;
mod log;
mod open;
mod outlet;
mod outside;
mod program;
mod serve;

use std::{path::PathBuf, sync::Arc, time::Duration};

use crate::{
    Result,
    delivery::EventSink,
    event::EndReason,
    helper::{Cx, Helpers},
    policy::{Approver, Policy},
    recorder::WhenUnrecorded,
    redact::Rule,
    render::Width,
    session::{Command, Next, Outcome},
    sinks::Make,
};

pub(crate) use open::Settings;
pub(crate) use outlet::{Outlet, Wanted};
pub use program::{main, main_with};

/// A component that has a shell. Only its name and its helpers have to be given.
pub trait AdminShell: Send + Sync + Sized + 'static {
    /// The component's name: 1 to 64 letters, digits, `_` or `-`.
    const COMPONENT: &'static str;
    /// What kind of component it is.
    const TYPE: &'static str = Self::COMPONENT;
    /// The component's version, usually `Some(env!("CARGO_PKG_VERSION"))`. A default would be this library's.
    const VERSION: Option<&'static str> = None;

    /// Registers the component's helpers.
    fn helpers(helpers: &mut Helpers<Self>);

    /// What stands in front of the cursor.
    fn prompt(&self) -> String {
        let mut letters = Self::COMPONENT.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        format!("{}> ", first.into_iter().chain(letters).collect::<String>())
    }

    /// Lines of the component's own for the banner.
    fn banner(&self) -> Vec<String> {
        Vec::new()
    }

    /// What is a secret here, besides what is one everywhere.
    fn redact(&self) -> Vec<Rule> {
        Vec::new()
    }

    /// What the component is connected to, and how that is at this moment.
    fn adapters(_cx: &Cx<Self>) -> impl Future<Output = Vec<Adapter>> + Send {
        async { Vec::new() }
    }

    /// Called once the session is open, before its first command.
    fn on_start(_cx: &Cx<Self>) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// Called after a command was recorded and before it runs; may refuse it or add a remark to its record.
    fn before_command(_cx: &Cx<Self>, _command: &Command) -> impl Future<Output = Result<Next>> + Send {
        async { Ok(Next::Go) }
    }

    /// Called after a command's outcome was recorded.
    fn after_command(
        _cx: &Cx<Self>,
        _command: &Command,
        _outcome: &Outcome,
    ) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// What leaving now would cut short, as a sentence: `2 runs are under way here, leaving stops them`. The prompt says it
    /// and leaves when it is told so a second time; after a script it is waited for, until this answers `None` or somebody
    /// presses Ctrl-C. A session that is ended from outside asks nothing.
    fn unfinished(_cx: &Cx<Self>) -> impl Future<Output = Option<String>> + Send {
        async { None }
    }

    /// The exit code after a script that went well, where the component has something to say about that: 1 for a check
    /// that found what it was told to fail on. The result is shown all the same. A script that fails, or that says its own
    /// code with `exit`, is not asked about.
    fn exit_code(_cx: &Cx<Self>) -> impl Future<Output = u8> + Send {
        async { 0 }
    }

    /// Called before the end of the session is recorded.
    fn on_end(_cx: &Cx<Self>, _reason: EndReason) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }
}

/// Something that a component is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// Its name.
    pub name: String,
    /// How it is, for example `ready`, `3 workers`, `unreachable`.
    pub state: String,
}

impl Adapter {
    /// An adapter and its state.
    pub fn new(name: impl Into<String>, state: impl Into<String>) -> Self {
        Self { name: name.into(), state: state.into() }
    }
}

/// Shows a value in a component's own way; `None` leaves it to the usual tables.
pub(crate) type Renderer = Arc<dyn Fn(&serde_json::Value, Width) -> Option<String> + Send + Sync>;

/// A component with everything that its sessions need. Opens sessions, or runs one at the terminal.
pub struct Shell<S> {
    pub(crate) shell: Arc<S>,
    pub(crate) helpers: Helpers<S>,
    pub(crate) policies: Vec<Arc<dyn Policy>>,
    pub(crate) approver: Option<Arc<dyn Approver>>,
    pub(crate) scripts: Option<PathBuf>,
    pub(crate) renderer: Option<Renderer>,
    pub(crate) when_unrecorded: WhenUnrecorded,
    pub(crate) database: Option<PathBuf>,
    pub(crate) compute_limit: Duration,
    pub(crate) operation_limit: u64,
    pub(crate) sinks: Vec<outlet::Given>,
    pub(crate) schemes: Vec<outlet::Scheme>,
    #[cfg(feature = "testing")]
    pub(crate) faults: Option<crate::testing::Faults>,
}

impl<S: AdminShell> Shell<S> {
    /// A shell of its own component.
    #[must_use]
    pub fn new(shell: S) -> Self {
        Self::shared(Arc::new(shell))
    }

    /// A shell of a component that the rest of a program uses too.
    #[must_use]
    pub fn shared(shell: Arc<S>) -> Self {
        let mut helpers = Helpers::new();
        S::helpers(&mut helpers);
        Self {
            shell,
            helpers,
            policies: Vec::new(),
            approver: None,
            scripts: None,
            renderer: None,
            when_unrecorded: WhenUnrecorded::default(),
            database: None,
            compute_limit: crate::script::PROCESSOR_TIME,
            operation_limit: crate::script::OPERATIONS,
            sinks: Vec::new(),
            schemes: Vec::new(),
            #[cfg(feature = "testing")]
            faults: None,
        }
    }

    /// More helpers, known at run time.
    #[must_use]
    pub fn helpers(mut self, more: impl FnOnce(&mut Helpers<S>)) -> Self {
        more(&mut self.helpers);
        self
    }

    /// A directory of script modules that `import` finds.
    #[must_use]
    pub fn scripts(mut self, directory: impl Into<PathBuf>) -> Self {
        self.scripts = Some(directory.into());
        self
    }

    /// One more policy. It can tighten the others, never loosen them.
    #[must_use]
    pub fn policy(mut self, policy: impl Policy) -> Self {
        self.policies.push(Arc::new(policy));
        self
    }

    /// Who is asked when a policy wants a second person.
    #[must_use]
    pub fn approver(mut self, approver: impl Approver) -> Self {
        self.approver = Some(Arc::new(approver));
        self
    }

    /// Shows values in a way of the component's own.
    #[must_use]
    pub fn renderer(mut self, f: impl Fn(&serde_json::Value, Width) -> Option<String> + Send + Sync + 'static) -> Self {
        self.renderer = Some(Arc::new(f));
        self
    }

    /// What may run while the journal can not be written.
    #[must_use]
    pub fn when_unrecorded(mut self, choice: WhenUnrecorded) -> Self {
        self.when_unrecorded = choice;
        self
    }

    /// How long one command may compute, 20 s by default. Time that helpers take and that is waited does not count. The
    /// limit also bounds how deep a script can nest values before it is stopped.
    #[must_use]
    pub fn compute_limit(mut self, limit: Duration) -> Self {
        self.compute_limit = limit;
        self
    }

    /// How many operations one command may do, 500 million by default: a step of the language each, those of functions
    /// that helpers call back included.
    #[must_use]
    pub fn operation_limit(mut self, limit: u64) -> Self {
        self.operation_limit = limit;
        self
    }

    /// One more place that events are delivered to, beside those that are configured. All sessions of this shell deliver
    /// through it, one at a time.
    #[must_use]
    pub fn sink(mut self, sink: impl EventSink) -> Self {
        self.sinks.push(outlet::Given::new(sink));
        self
    }

    /// Teaches `--sink`, `ADMIN_SHELL_SINK` and the configuration another scheme: `make` is given the whole URL.
    #[must_use]
    pub fn sink_scheme<K: EventSink>(
        mut self,
        scheme: &'static str,
        make: impl Fn(&str) -> Result<K> + Send + Sync + 'static,
    ) -> Self {
        let make: Make = Arc::new(move |url| match make(url) {
            Ok(sink) => Ok(Some(Box::new(sink))),
            Err(error) => Err(format!("{error:#}").into()),
        });
        self.schemes.push((scheme.to_owned(), make));
        self
    }

    /// The journal, for sessions that a host program opens: a path, or a `postgres:` URL. A program made with [`main`]
    /// takes it from its flags and configuration.
    #[must_use]
    pub fn database(mut self, path: impl Into<PathBuf>) -> Self {
        self.database = Some(path.into());
        self
    }
}
