//! Opening a session: identity, journal, recorder, policies and engine, put together.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::AtomicU64,
        mpsc::channel,
    },
    time::Instant,
};

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::{AdminShell, Shell, identity};
use crate::{
    Result,
    config::Config,
    event::{Actor, EndReason, Mode, SessionId, SessionStart},
    helper::{CallCx, Cx, SessionInfo, bind},
    journal::{Journal, JournalError, SqliteJournal, Stream},
    policy::{Policies, Policy, ReadOnly, Request, Verdict},
    recorder::{LiveSession, OpenJournal, Recorder, sweep},
    redact::Redactor,
    repl,
    script::{Interpreter, Setting},
    session::{Command, Hooks, Inner, Leaving, Next, Outcome, Session},
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
    pub(crate) database: PathBuf,
}

struct ComponentHooks<S>(Cx<S>);

#[async_trait]
impl<S: AdminShell> Hooks for ComponentHooks<S> {
    async fn before(&self, command: &Command) -> Result<Next> {
        S::before_command(&self.0, command).await
    }

    async fn after(&self, command: &Command, outcome: &Outcome) -> Result<()> {
        S::after_command(&self.0, command, outcome).await
    }

    async fn end(&self, reason: EndReason) -> Result<()> {
        S::on_end(&self.0, reason).await
    }
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
    /// Opens a session for one client of a host program. Its journal is the one set with [`Shell::database`], or the
    /// configured one. Close it with [`Session::close`].
    ///
    /// # Errors
    /// When the component's name or helpers are wrong, or its `on_start` fails.
    pub async fn open(&self, who: Actor) -> Result<Session> {
        let database = match &self.database {
            Some(path) => path.clone(),
            None => Config::load(&crate::config::Overrides::default())?.database_path()?,
        };
        let settings = Settings { mode: Mode::Embedded, read_only: false, reason: None, yes: false, database };
        let opened = self.open_with(who, settings).await?;
        opened.start().await?;
        Ok(opened.session)
    }

    /// Opens a session; its `on_start` hook is still to be run.
    pub(crate) async fn open_with(&self, who: Actor, settings: Settings) -> Result<Opened<S>> {
        crate::event::check_component_name(S::COMPONENT)?;
        let (entries, registry) = self.helpers.finish().map_err(|problems| {
            anyhow::anyhow!("the helpers of `{}` are not right:\n  {}", S::COMPONENT, problems.join("\n  "))
        })?;
        let now = Timestamp::now();
        let session_id = SessionId::new();
        let info = Arc::new(SessionInfo {
            session_id: session_id.clone(),
            component: S::COMPONENT.to_owned(),
            actor: who,
            mode: settings.mode,
            since: now,
            reason: settings.reason.clone(),
            read_only: settings.read_only,
            database: settings.database.display().to_string(),
        });
        // The lock comes before the start event: whoever finds the event finds the lock.
        let live = LiveSession::begin(&settings.database, &session_id);
        let redactor = Redactor::new(self.shell.redact());
        let recorder = Arc::new(Recorder::new(
            redactor.clone(),
            Stream { id: session_id.into(), component: S::COMPONENT.to_owned() },
            settings.database.clone(),
            opener(settings.database.clone()),
            &start::<S>(&info),
            now,
        ));
        let runtime = tokio::runtime::Handle::current();
        tokio::spawn(begin(Arc::clone(&recorder), settings.database.clone()));

        let mut policies: Vec<Box<dyn Policy>> = Vec::new();
        if settings.read_only {
            policies.push(Box::new(ReadOnly));
        }
        policies.extend(self.policies.iter().map(|policy| Box::new(Shared(Arc::clone(policy))) as Box<dyn Policy>));
        let setting = Arc::new(Setting {
            info: Arc::clone(&info),
            recorder: Arc::clone(&recorder),
            policies: Policies::new(policies),
            approver: self.approver.clone(),
            runtime: runtime.clone(),
            standing_answer: settings.reason.clone().filter(|_| settings.yes),
        });
        let registry = Arc::new(registry);
        let helpers = entries.iter().map(|entry| bind(Arc::clone(entry), &self.shell)).collect();
        let status = Arc::new(Mutex::new(None::<Session>));
        let (shown, about) = (Arc::clone(&registry), Arc::clone(&status));
        let interpreter = Interpreter::start(
            helpers,
            Box::new(move |name| repl::help_text(&shown, name)),
            Box::new(move || session_record(&about)),
            self.scripts.clone(),
            redactor,
        )?;
        // Hooks print nowhere: there is no command that they belong to.
        let (line, _) = channel();
        let cx = Cx::new(Arc::clone(&self.shell), CallCx { info, line, cancelled: CancellationToken::new() });
        let leaving = Leaving::new();
        match live {
            Ok(live) => leaving.hold(live),
            Err(error) => tracing::warn!(%error, "the session holds no lock: a crash of it will not be noticed"),
        }
        let session = Session::new(Inner {
            setting,
            interpreter,
            registry,
            hooks: Arc::new(ComponentHooks(cx.clone())),
            when_unrecorded: self.when_unrecorded,
            completer: Box::new(repl::complete_line),
            opened: Instant::now(),
            commands: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            turn: tokio::sync::Mutex::new(()),
            running: Mutex::new(None),
            leaving,
        });
        *status.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(session.clone());
        Ok(Opened { session, cx, status })
    }
}
