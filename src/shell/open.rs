//! Opening a session: identity, journal, recorder, policies and engine, put together.

use std::{
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock, Weak,
        atomic::{AtomicU64, Ordering},
        mpsc::channel,
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use futures_util::FutureExt;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::{AdminShell, Outlet, Shell, Wanted, identity};
use crate::{
    Result,
    config::{Config, Database, Overrides},
    delivery::locks_of,
    event::{Actor, EndReason, EventKind, Invalid, Mode, SessionEnd, SessionId, SessionStart},
    helper::{CallCx, Cx, Reach, SessionInfo, bind},
    journal::{JournalError, Stream},
    policy::{Policies, Policy, ReadOnly, Request, Verdict},
    recorder::{LiveSession, OpenJournal, Recorder, Recording, sweep},
    redact::Redactor,
    repl,
    script::{Interpreter, Setting},
    session::{Command, Hooks, Inner, Leaving, Next, Outcome, Session, WeakSession},
};

/// How one session is opened.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) mode: Mode,
    pub(crate) read_only: bool,
    /// Given with `--reason`.
    pub(crate) reason: Option<String>,
    /// `--yes`: the reason answers every question.
    pub(crate) yes: bool,
    pub(crate) database: Database,
    pub(crate) sinks: Wanted,
}

struct ComponentHooks<S>(Cx<S>, Arc<Outlet>);

#[async_trait]
impl<S: AdminShell> Hooks for ComponentHooks<S> {
    async fn before(&self, command: &Command) -> Result<Next> {
        caught(S::before_command(&self.0, command)).await
    }

    async fn after(&self, command: &Command, outcome: &Outcome) -> Result<()> {
        caught(S::after_command(&self.0, command, outcome)).await
    }

    async fn end(&self, reason: EndReason) -> Result<()> {
        caught(S::on_end(&self.0, reason)).await
    }

    async fn recorded(&self) {
        self.1.finish().await;
    }

    async fn unfinished(&self) -> Option<String> {
        // A hook that panics keeps nobody here.
        caught(async { Ok(S::unfinished(&self.0).await) }).await.ok().flatten()
    }
}

/// A hook that panics has failed: the record goes on.
async fn caught<T>(hook: impl Future<Output = Result<T>>) -> Result<T> {
    AssertUnwindSafe(hook)
        .catch_unwind()
        .await
        .unwrap_or_else(|_| Err(anyhow::anyhow!("it panicked; the log says where")))
}

struct Shared(Arc<dyn Policy>);

impl Policy for Shared {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn decide(&self, request: &Request<'_>) -> Verdict {
        self.0.decide(request)
    }
}

impl<S: AdminShell> Shell<S> {
    /// The journal that was set, or the configured one.
    pub(crate) fn where_to_record(&self) -> Result<Database> {
        match &self.database {
            Some(place) => match place.to_str() {
                Some(text) => Database::of(text),
                None => Ok(Database::file(place.clone())),
            },
            None => Config::load(&Overrides::default())?.database(),
        }
    }

    /// Opens a session for one client of a host program. Its journal is the one set with [`Shell::database`], or the
    /// configured one. Close it with [`Session::close`].
    ///
    /// # Errors
    /// When the component's name or helpers are wrong, or its `on_start` fails.
    pub async fn open(&self, who: Actor) -> Result<Session> {
        let settings = self.settings(Mode::Embedded)?;
        let opened = self.open_with(who, settings).await?;
        match opened.start().await {
            Ok(()) => Ok(opened.session),
            Err((reason, error)) => {
                // The cause is what the caller wants to hear, also when the end of the session could not be recorded.
                let _ = opened.session.close_with(reason, 1).await;
                Err(error)
            }
        }
    }

    /// How a session of a host program is opened: by the configuration, but for what was said to the builder.
    pub(crate) fn settings(&self, mode: Mode) -> Result<Settings> {
        let sinks = Wanted::of(&Config::load(&Overrides::default())?, false);
        let database = self.where_to_record()?;
        Ok(Settings { mode, read_only: false, reason: None, yes: false, database, sinks })
    }

    /// Opens a session; its `on_start` hook is still to be run.
    pub(crate) async fn open_with(&self, who: Actor, settings: Settings) -> Result<Opened<S>> {
        crate::event::check_component_name(S::COMPONENT)?;
        let (entries, registry) = self.helpers.finish().map_err(|problems| {
            anyhow::anyhow!("the helpers of `{}` are not right:\n  {}", S::COMPONENT, problems.join("\n  "))
        })?;
        let outlet = Outlet::new(self.sinks_of(&settings.sinks, settings.mode)?, settings.sinks.now);
        let redactor = Redactor::new(self.shell.redact());
        let info = Arc::new(session_info::<S>(who, &settings));
        // Hooks print nowhere: there is no command that they belong to.
        let (line, _) = channel();
        let reach = Reach::new(redactor.clone());
        let cancelled = CancellationToken::new();
        let call = CallCx { info: Arc::clone(&info), reach: reach.clone(), line, cancelled };
        let cx = Cx::new(Arc::clone(&self.shell), call);
        let adapters = adapter_names(&cx).await;
        // The engine is built on a thread of its own, beside all that follows.
        let registry = Arc::new(registry);
        let callables: Vec<_> = entries.iter().map(|entry| bind(Arc::clone(entry), &self.shell)).collect();
        // Weak: the engine's functions reach the session that owns the engine.
        let status = Arc::new(OnceLock::<WeakSession>::new());
        let (shown, about) = (Arc::clone(&registry), Arc::clone(&status));
        let shown_sinks = Arc::clone(&outlet);
        let interpreter = Interpreter::start(
            callables.clone(),
            Box::new(move |name| repl::help_text(&shown, name)),
            Box::new(move || session_record(&about, &shown_sinks)),
            self.scripts.clone(),
            redactor.clone(),
        )?;
        // The lock comes before the start event: whoever finds the event finds the lock.
        let live = LiveSession::begin(settings.database.place(), &info.session_id);
        let recorder = Arc::new(Recorder::new(
            redactor.clone(),
            Stream { id: info.session_id.clone().into(), component: S::COMPONENT.to_owned() },
            settings.database.as_file().map(Path::to_owned),
            self.opener(settings.database.clone()),
            &start::<S>(&info, adapters)?,
            info.since,
        ));
        if outlet.begins_now() {
            recorder.note_head();
        }
        // What fails before this has recorded nothing yet, and nothing fails behind it.
        let begun = begin(Arc::clone(&recorder), settings.database.clone(), Arc::clone(&info), Arc::clone(&outlet));
        let begun = tokio::spawn(begun);
        let asked = Arc::clone(&recorder);
        reach.ask_recording(Box::new(move || {
            let recorder = Arc::clone(&asked);
            Box::pin(async move { recorder.admits().await.map_err(|because| because.to_string()) })
        }));
        let runtime = tokio::runtime::Handle::current();
        let mut policies: Vec<Box<dyn Policy>> = Vec::new();
        if settings.read_only {
            policies.push(Box::new(ReadOnly));
        }
        policies.extend(self.policies.iter().map(|policy| Box::new(Shared(Arc::clone(policy))) as Box<dyn Policy>));
        let setting = Arc::new(Setting {
            info: Arc::clone(&info),
            reach,
            recorder: Arc::clone(&recorder),
            policies: Policies::new(policies),
            approver: self.approver.clone(),
            runtime: runtime.clone(),
            standing_answer: settings.reason.clone().filter(|_| settings.yes),
            compute_limit: self.compute_limit,
            operation_limit: self.operation_limit,
            held: crate::script::Held::default(),
        });
        let leaving = Leaving::new(begun);
        match live {
            Ok(live) => leaving.hold(live),
            Err(error) => tracing::warn!(%error, "the session holds no lock: a crash of it will not be noticed"),
        }
        let session = Session::new(Inner {
            setting,
            interpreter,
            registry,
            hooks: Arc::new(ComponentHooks(cx.clone(), Arc::clone(&outlet))),
            when_unrecorded: self.when_unrecorded,
            completer: Box::new(repl::Completion),
            helpers: callables,
            opened: Instant::now(),
            commands: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            turn: tokio::sync::Mutex::new(()),
            running: Mutex::new(None),
            leaving,
        });
        let _ = status.set(session.downgrade());
        Ok(Opened { session, cx, outlet })
    }

    #[cfg(not(feature = "testing"))]
    fn opener(&self, database: Database) -> OpenJournal {
        opener(database)
    }

    /// The journal, which fails when a test wants it to.
    #[cfg(feature = "testing")]
    fn opener(&self, database: Database) -> OpenJournal {
        let Some(faults) = self.faults.clone() else { return opener(database) };
        let open = opener(database);
        Box::new(move || {
            let (opening, faults) = (open(), faults.clone());
            Box::pin(async move { Ok(faults.around(opening.await?)) })
        })
    }
}

/// A session and its component, before the component was told.
pub(crate) struct Opened<S> {
    pub(crate) session: Session,
    pub(crate) cx: Cx<S>,
    pub(crate) outlet: Arc<Outlet>,
}

impl<S: AdminShell> Opened<S> {
    /// Tells the component that its session is open. After an error the session has to be closed, with this reason.
    pub(crate) async fn start(&self) -> std::result::Result<(), (EndReason, anyhow::Error)> {
        match AssertUnwindSafe(S::on_start(&self.cx)).catch_unwind().await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err((EndReason::Error, error.context(format!("starting `{}`", S::COMPONENT)))),
            Err(_) => {
                let error = anyhow::anyhow!("`{}` panicked while it started; the log says where", S::COMPONENT);
                Err((EndReason::Panic, error))
            }
        }
    }
}

/// Records a shell that did not come up: its start, and its end with the reason.
pub(crate) async fn record_failed_start<S: AdminShell>(settings: &Settings, reason: EndReason) {
    if crate::event::check_component_name(S::COMPONENT).is_err() {
        return;
    }
    let info = session_info::<S>(Actor::current(), settings);
    let stream = Stream { id: info.session_id.clone().into(), component: S::COMPONENT.to_owned() };
    let (database, since) = (settings.database.clone(), info.since);
    let Ok(start) = start::<S>(&info, Vec::new()) else { return };
    let recorder = Recorder::new(
        Redactor::default(),
        stream,
        database.as_file().map(Path::to_owned),
        opener(database),
        &start,
        since,
    );
    let end = SessionEnd { reason, exit_code: 1, duration_us: 0, commands: 0, failed_commands: 0 };
    if let Err(because) = recorder.outcome(EventKind::SessionEnd, &end).await {
        tracing::error!(%because, "the failed start is not recorded");
    }
    recorder.close().await;
}

fn session_info<S: AdminShell>(actor: Actor, settings: &Settings) -> SessionInfo {
    SessionInfo {
        session_id: SessionId::new(),
        component: S::COMPONENT.to_owned(),
        actor,
        mode: settings.mode,
        since: Timestamp::now(),
        reason: settings.reason.clone(),
        read_only: settings.read_only,
        database: settings.database.to_string(),
        journal: settings.database.clone(),
    }
}

/// The names of what the component is connected to, as far as it says at once: the prompt does not wait for a network.
async fn adapter_names<S: AdminShell>(cx: &Cx<S>) -> Vec<String> {
    const PATIENCE: Duration = Duration::from_millis(5);
    let asked = tokio::time::timeout(PATIENCE, AssertUnwindSafe(S::adapters(cx)).catch_unwind()).await;
    let adapters = asked.ok().and_then(|said| said.ok()).unwrap_or_default();
    adapters.into_iter().map(|adapter| adapter.name).collect()
}

fn start<S: AdminShell>(info: &SessionInfo, adapters: Vec<String>) -> std::result::Result<SessionStart, Invalid> {
    let Actor { user, facts } = info.actor.clone();
    let shell_type = std::any::type_name::<S>().rsplit("::").next().unwrap_or(S::COMPONENT);
    let start = SessionStart {
        shell_type: shell_type.to_owned(),
        component_type: S::TYPE.to_owned(),
        component_version: S::VERSION.map(ToOwned::to_owned),
        mode: info.mode,
        pid: std::process::id(),
        process_start: identity::process_start(),
        user,
        actor: facts,
        hostname: identity::hostname(),
        machine_id: identity::machine_id(),
        boot_id: identity::boot_id(),
        environment: identity::environment(),
        reason: info.reason.clone(),
        metadata: if adapters.is_empty() {
            Map::new()
        } else {
            Map::from_iter([("adapters".to_owned(), json!(adapters))])
        },
    };
    start.checked()
}

fn opener(database: Database) -> OpenJournal {
    Box::new(move || {
        let database = database.clone();
        Box::pin(async move { crate::journal::open(database.opening()).await })
    })
}

/// Commits the start of the session, and then looks for sessions that died. Runs beside everything else: the first
/// prompt does not wait for the disk.
async fn begin(recorder: Arc<Recorder>, database: Database, info: Arc<SessionInfo>, outlet: Arc<Outlet>) {
    let locks = locks_of(database.place());
    if recorder.begin().await.is_err() {
        tokio::spawn(deliver_later(Arc::downgrade(&recorder), Arc::downgrade(&outlet), locks, info));
        return;
    }
    outlet.begin(&recorder, locks, info.session_id.clone(), &info.component).await;
    let by = info.session_id.to_string();
    recorder.look_at_room().await;
    let swept: std::result::Result<_, JournalError> = async {
        let journal = recorder.journal().await?;
        sweep(&*journal, database.place(), &by).await
    }
    .await;
    if let Err(error) = swept {
        tracing::warn!(%error, "the sweep for crashed sessions failed");
    }
}

/// Begins to deliver when the journal works after all: a command that is recorded brings the start of the session with it.
async fn deliver_later(recorder: Weak<Recorder>, outlet: Weak<Outlet>, locks: PathBuf, info: Arc<SessionInfo>) {
    const LOOK_EVERY: Duration = Duration::from_secs(1);
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let (Some(recorder), Some(outlet)) = (recorder.upgrade(), outlet.upgrade()) else { return };
        if recorder.state() == Recording::On {
            return outlet.begin(&recorder, locks, info.session_id.clone(), &info.component).await;
        }
    }
}

/// What `session()` answers.
fn session_record(session: &OnceLock<WeakSession>, outlet: &Outlet) -> Value {
    let Some(session) = session.get().and_then(WeakSession::upgrade) else { return Value::Null };
    let info = session.info();
    let inner = session.inner();
    let trouble = inner.setting.runtime.block_on(session.recorder().trouble());
    json!({
        "id": info.session_id,
        "component": info.component,
        "user": info.actor.user.username,
        "since": format!("{:.0}", info.since),
        "commands": inner.commands.load(Ordering::Relaxed),
        "mode": info.mode,
        "read_only": info.read_only,
        "journal": info.database,
        "recording": trouble.map_or_else(|| "ok".to_owned(), |why| format!("failing: {why}")),
        "sinks": outlet.record(),
    })
}
