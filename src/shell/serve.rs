//! Serving one session from its opening to its end: the prompt or a script, and what ends it from outside.
//!
//! Invariants:
//! - From the first moment of a session there is nothing that ends it without a `session_end` but the death of the
//!   process: signals are caught before it is opened, and a panic anywhere is its end with that reason.
//! - The end is recorded first and told to the terminal afterwards: a terminal may be held (Ctrl-S) for ever.
//! - Whatever ends it, the terminal is given back as it was.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;

use super::{
    AdminShell, Settings, Shell,
    log::Log,
    open::{Opened, record_failed_start},
    outside::Outside,
};
use crate::{
    Result,
    config::state_dir,
    console::Failure,
    event::{Actor, EndReason, Mode},
    render::Color,
    repl::{self, Banner, Look, terminal},
    session::Source,
};

/// How long the banner waits for the component to say how its adapters are.
const ADAPTER_PATIENCE: Duration = Duration::from_millis(200);
/// How long the last words may take on a terminal that takes none.
const FAREWELL: Duration = Duration::from_secs(1);

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
    /// The program's log, which must not hold what the session knows to be secret.
    pub(crate) log: Option<Log>,
}

/// How a session ended, and what there is to say about it.
struct Left {
    reason: EndReason,
    code: u8,
    /// A failure of the whole session, not of one command.
    failure: Option<Failure>,
}

impl Left {
    fn because(reason: EndReason, code: u8, failure: Failure) -> Self {
        Self { reason, code, failure: Some(failure) }
    }
}

impl<S: AdminShell> Shell<S> {
    /// Serves one session at the terminal, or runs the script on standard input where there is none, inside a program
    /// that has a tokio runtime. Returns when the session has ended.
    ///
    /// SIGTERM, SIGHUP and SIGQUIT end the session and not the program, which sees from the reason what it was; SIGINT
    /// interrupts a command. A program that reacts to them itself hears them as well.
    ///
    /// # Errors
    /// When the shell can not be opened.
    pub async fn run(self) -> Result<EndReason> {
        let interactive = std::io::IsTerminal::is_terminal(&std::io::stdin());
        let mode = if interactive { Mode::Interactive } else { Mode::Stdin };
        let settings = self.settings(mode)?;
        let work = if interactive { Work::Prompt } else { Work::Stdin };
        let options = Options { work, json: false, color: terminal::color(false), settings, log: None };
        self.serve(options).await.map(|(reason, _)| reason)
    }

    pub(crate) async fn serve(self, options: Options) -> Result<(EndReason, u8)> {
        let guard = terminal::TerminalGuard::save();
        let mut outside = Outside::listen();
        let settings = options.settings.clone();
        let opened = match AssertUnwindSafe(self.open_with(Actor::current(), settings.clone())).catch_unwind().await {
            Ok(Ok(opened)) => opened,
            Ok(Err(error)) => {
                record_failed_start::<S>(&settings, EndReason::Error).await;
                return Err(error);
            }
            Err(_) => {
                record_failed_start::<S>(&settings, EndReason::Panic).await;
                anyhow::bail!("`{}` panicked while its session was opened; the log says where", S::COMPONENT);
            }
        };
        let session = opened.session.clone();
        if let Some(log) = &options.log {
            log.mask_with(session.recorder().redactor().clone());
        }
        let mut look = Look::new(options.color, options.json, self.renderer.clone());
        if opened.outlet.prints() {
            look = look.beside_events();
        }
        let is_prompt = matches!(options.work, Work::Prompt);
        let at_prompt = AtomicBool::new(false);
        let interrupted = AtomicBool::new(false);
        let working = AssertUnwindSafe(work(&self, &opened, options, &look, &at_prompt)).catch_unwind();
        let mut left = tokio::select! {
            left = working => left.unwrap_or_else(|_| {
                let message = format!("`{}` panicked; the session is over, and the log says where", S::COMPONENT);
                Ok(Left::because(EndReason::Panic, 1, Failure::new("panic", message)))
            }),
            ended = outside.ends(&session, &at_prompt, &interrupted) => {
                let failure = ended.word.map(|word| Failure::new(ended.reason.as_str(), word));
                Ok(Left { reason: ended.reason, code: ended.code, failure })
            }
        };
        if let Ok(left) = &mut left
            && !is_prompt
            && left.code == 1
            && interrupted.load(Ordering::Relaxed)
        {
            // What a program is that was stopped from its keyboard: loops of a calling script end with it.
            (left.reason, left.code) = (EndReason::Signal, 128 + 2);
        }
        let (reason, code) = match &left {
            Ok(left) => (left.reason, left.code),
            Err((reason, _)) => (*reason, 1),
        };
        let closed = session.close_with(reason, i32::from(code)).await;
        let failure = match left {
            Ok(left) => left.failure,
            Err((_, error)) => {
                farewell(guard, || {}).await;
                return Err(error);
            }
        };
        farewell(guard, move || {
            if let Some(failure) = failure {
                look.last_word(&failure, is_prompt);
            }
            if let Err(error) = closed {
                look.complain(&format!("warning: {error:#}"));
            }
        })
        .await;
        Ok((reason, code))
    }
}

/// Gives the terminal back and says the last words, as far as the terminal takes them.
async fn farewell(guard: Option<terminal::TerminalGuard>, words: impl FnOnce() + Send + 'static) {
    let (sender, said) = tokio::sync::oneshot::channel::<()>();
    // Not a thread of the runtime: a host program could not shut it down while the terminal is held.
    let saying = std::thread::Builder::new().name("farewell".to_owned()).spawn(move || {
        if let Some(guard) = &guard {
            guard.restore();
        }
        words();
        drop(sender);
    });
    // The sender is dropped when all was said.
    if saying.is_ok() && tokio::time::timeout(FAREWELL, said).await.is_err() {
        tracing::warn!("the terminal takes no more output");
    }
}

async fn work<S: AdminShell>(
    shell: &Shell<S>,
    opened: &Opened<S>,
    options: Options,
    look: &Look,
    at_prompt: &AtomicBool,
) -> std::result::Result<Left, (EndReason, anyhow::Error)> {
    opened.start().await?;
    let session = &opened.session;
    let source = match options.work {
        Work::Prompt => {
            let banner = banner(shell, opened).await;
            let prompt = shell.shell.prompt();
            let history = state_dir().join(format!("{}.history", S::COMPONENT));
            at_prompt.store(true, Ordering::Relaxed);
            let (reason, code) = repl::converse(session.clone(), prompt, banner, history, look.clone()).await;
            return Ok(Left { reason, code, failure: None });
        }
        Work::Code(bytes) => Source::argument(bytes),
        Work::File { name, bytes } => Source::script(name, bytes),
        Work::Stdin => match repl::read_stdin().await {
            Ok(bytes) => Source::script("stdin", bytes),
            Err(error) => {
                let failure = Failure::new("input", format!("reading standard input: {error}"));
                return Ok(Left::because(EndReason::Error, 1, failure));
            }
        },
    };
    let (reason, mut code) = repl::run_once(session, source, look).await;
    if (reason, code) == (EndReason::Done, 0) {
        code = S::exit_code(&opened.cx).await;
    }
    Ok(Left { reason, code, failure: None })
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
        outlet: Arc::clone(&opened.outlet),
        read_only: session.info().read_only,
        session_id: session.id().to_string(),
        first: repl::first_helpers(session),
    }
}
