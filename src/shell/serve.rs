//! Serving one session from its opening to its end: the prompt or a script, the signals, the request to end.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;
use tokio::signal::unix::{SignalKind, signal};

use super::{AdminShell, Settings, Shell, open::Opened};
use crate::{
    Result,
    config::{Config, Overrides, state_dir},
    event::{Actor, EndReason, Mode},
    render::{Color, visible},
    repl::{self, Banner, Look, terminal},
    session::{Session, Source},
};

/// How long the banner waits for the component to say how its adapters are.
const ADAPTER_PATIENCE: Duration = Duration::from_millis(200);
/// How often a session looks whether it was asked to end.
const END_REQUEST_INTERVAL: Duration = Duration::from_secs(1);

/// What a session is opened for.
pub(crate) enum Work {
    Prompt,
    Code(Vec<u8>),
    File { name: String, bytes: Vec<u8> },
    Stdin,
}

/// How a session is served.
pub(crate) struct Options {
    pub(crate) work: Work,
    pub(crate) json: bool,
    pub(crate) color: Color,
    pub(crate) settings: Settings,
}

impl<S: AdminShell> Shell<S> {
    /// Serves one session at the terminal, or runs the script on standard input where there is none, inside a program
    /// that has a tokio runtime. Returns when the session has ended.
    ///
    /// # Errors
    /// When the shell can not be opened.
    pub async fn run(self) -> Result<EndReason> {
        let database = match &self.database {
            Some(path) => path.clone(),
            None => Config::load(&Overrides::default())?.database_path()?,
        };
        let interactive = std::io::IsTerminal::is_terminal(&std::io::stdin());
        let mode = if interactive { Mode::Interactive } else { Mode::Stdin };
        let settings = Settings { mode, read_only: false, reason: None, yes: false, database };
        let work = if interactive { Work::Prompt } else { Work::Stdin };
        let options = Options { work, json: false, color: terminal::color(false), settings };
        self.serve(options).await.map(|(reason, _)| reason)
    }

    pub(crate) async fn serve(self, options: Options) -> Result<(EndReason, u8)> {
        let guard = terminal::TerminalGuard::save();
        let opened =
            match AssertUnwindSafe(self.open_with(Actor::current(), options.settings.clone())).catch_unwind().await {
                Ok(opened) => opened?,
                Err(_) => anyhow::bail!("`{}` panicked while its session was opened; the log says where", S::COMPONENT),
            };
        opened.start().await?;
        let look = Look::new(options.color, options.json, self.renderer.clone());
        let session = opened.session.clone();
        let (reason, code) = tokio::select! {
            left = work(&self, &opened, options, look.clone()) => left,
            signalled = end_from_outside(&session) => {
                if let Some(guard) = &guard {
                    guard.restore();
                }
                if let Some(word) = signalled.word {
                    look.complain(&word);
                }
                (signalled.reason, signalled.code)
            }
        };
        if let Err(error) = session.close_with(reason, i32::from(code)).await {
            look.complain(&format!("warning: {error:#}"));
        }
        if let Some(guard) = &guard {
            guard.restore();
        }
        Ok((reason, code))
    }
}

async fn work<S: AdminShell>(shell: &Shell<S>, opened: &Opened<S>, options: Options, look: Look) -> (EndReason, u8) {
    let session = &opened.session;
    let source = match options.work {
        Work::Prompt => {
            let banner = banner(shell, opened).await;
            let prompt = shell.shell.prompt();
            let history = state_dir().join(format!("{}.history", S::COMPONENT));
            return repl::converse(session.clone(), prompt, banner, history, look).await;
        }
        Work::Code(bytes) => Source::argument(bytes),
        Work::File { name, bytes } => Source::script(name, bytes),
        Work::Stdin => match repl::read_stdin().await {
            Ok(bytes) => Source::script("stdin", bytes),
            Err(error) => {
                look.complain(&format!("error: reading standard input: {error}"));
                return (EndReason::Error, 1);
            }
        },
    };
    repl::run_once(session, source, &look).await
}

async fn banner<S: AdminShell>(shell: &Shell<S>, opened: &Opened<S>) -> Banner {
    let session = &opened.session;
    let adapters =
        tokio::time::timeout(ADAPTER_PATIENCE, AssertUnwindSafe(S::adapters(&opened.cx)).catch_unwind()).await;
    let adapters = match adapters {
        Ok(Ok(adapters)) => Some(adapters.into_iter().map(|adapter| (adapter.name, adapter.state)).collect()),
        Ok(Err(_)) => Some(vec![("adapters".to_owned(), "failed to say how they are".to_owned())]),
        Err(_) => None,
    };
    Banner {
        component: S::COMPONENT.to_owned(),
        component_type: S::TYPE.to_owned(),
        version: S::VERSION.map(ToOwned::to_owned),
        adapters,
        lines: shell.shell.banner(),
        tracking: session.recorder().state(),
        read_only: session.info().read_only,
        session_id: session.id().to_string(),
        first: repl::first_helpers(session),
    }
}

struct FromOutside {
    reason: EndReason,
    code: u8,
    word: Option<String>,
}

/// Resolves when the session has to end without its person's doing. Ctrl-C only interrupts the command that runs.
async fn end_from_outside(session: &Session) -> FromOutside {
    let by_signal = |kind: SignalKind| async move {
        match signal(kind) {
            Ok(mut signals) => {
                signals.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    let ended = |reason, signal: u8| FromOutside { reason, code: 128 + signal, word: None };
    let interrupts = async {
        if let Ok(mut signals) = signal(SignalKind::interrupt()) {
            while signals.recv().await.is_some() {
                session.interrupt();
            }
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = by_signal(SignalKind::terminate()) => ended(EndReason::Signal, 15),
        () = by_signal(SignalKind::quit()) => ended(EndReason::Signal, 3),
        () = by_signal(SignalKind::hangup()) => ended(EndReason::Hangup, 1),
        request = end_request(session) => FromOutside { reason: EndReason::Operator, code: 0, word: Some(request) },
        () = interrupts => unreachable!("interrupts never end the session"),
    }
}

/// Resolves when somebody asked this session to end.
async fn end_request(session: &Session) -> String {
    loop {
        tokio::time::sleep(END_REQUEST_INTERVAL).await;
        let Ok(journal) = session.recorder().journal().await else { continue };
        let Ok(observations) = journal.observations(session.id()).await else { continue };
        let request = observations
            .iter()
            .filter_map(|event| event.decode::<crate::event::Observation>())
            .find(|observation| observation.what == "end_requested");
        if let Some(request) = request {
            return format!("This session was ended by {}: {}", visible(&request.by), visible(&request.why));
        }
    }
}
