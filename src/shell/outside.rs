//! What ends a session without its person's doing: signals, and somebody's request.
//!
//! A signal that was ignored when the program started stays ignored: `nohup`, and the background jobs of a shell
//! without job control, mean it.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use nix::sys::signal::Signal as Number;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    event::{EndReason, Observation},
    render::visible,
    session::Session,
};

/// How often a session looks whether it was asked to end.
const END_REQUEST_INTERVAL: Duration = Duration::from_secs(1);

/// The signals that concern a session, caught from the moment this is made.
pub(super) struct Outside {
    terminate: Option<Signal>,
    hangup: Option<Signal>,
    quit: Option<Signal>,
    interrupt: Option<Signal>,
    /// A file that grows past the limit of the process is an error of the write, not the death of the session.
    _too_large: Option<Signal>,
}

/// How a session ended from outside.
pub(super) struct FromOutside {
    pub(super) reason: EndReason,
    pub(super) code: u8,
    pub(super) word: Option<String>,
}

impl Outside {
    pub(super) fn listen() -> Self {
        let ignored = ignored();
        let catch = |number: Number| {
            let number = number as i32;
            let is_ignored = ignored & (1 << (number - 1)) != 0;
            if is_ignored { None } else { signal(SignalKind::from_raw(number)).ok() }
        };
        Self {
            terminate: catch(Number::SIGTERM),
            hangup: catch(Number::SIGHUP),
            quit: catch(Number::SIGQUIT),
            interrupt: catch(Number::SIGINT),
            _too_large: catch(Number::SIGXFSZ),
        }
    }

    /// Resolves when the session has to end. Ctrl-C interrupts the command that runs, which `interrupted` then says;
    /// where none runs and nobody is at a prompt, it ends the session.
    pub(super) async fn ends(
        &mut self,
        session: &Session,
        at_prompt: &AtomicBool,
        interrupted: &AtomicBool,
    ) -> FromOutside {
        let Self { terminate, hangup, quit, interrupt, .. } = self;
        let interrupts = async {
            loop {
                next(interrupt).await;
                interrupted.store(true, Ordering::Relaxed);
                if !session.stop_running() && !at_prompt.load(Ordering::Relaxed) {
                    return;
                }
            }
        };
        tokio::select! {
            () = next(terminate) => by(Number::SIGTERM, EndReason::Signal),
            () = next(hangup) => by(Number::SIGHUP, EndReason::Hangup),
            () = next(quit) => by(Number::SIGQUIT, EndReason::Signal),
            () = interrupts => by(Number::SIGINT, EndReason::Signal),
            request = end_request(session) => FromOutside { reason: EndReason::Operator, code: 1, word: Some(request) },
        }
    }
}

async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            // `None` is said when no more can come, and then none does.
            if signal.recv().await.is_none() {
                std::future::pending::<()>().await;
            }
        }
        None => std::future::pending().await,
    }
}

fn by(number: Number, reason: EndReason) -> FromOutside {
    let code = 128 + u8::try_from(number as i32).unwrap_or(0);
    FromOutside { reason, code, word: Some(format!("ended by {}", number.as_str())) }
}

/// The signals that this process ignores, as a mask; none where the kernel does not say.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// Resolves when somebody asked this session to end.
async fn end_request(session: &Session) -> String {
    loop {
        tokio::time::sleep(END_REQUEST_INTERVAL).await;
        // Only where it is open already: opening it is the recorder's own affair, which knows when to try again.
        let Some(journal) = session.recorder().open_journal().await else { continue };
        let Ok(observations) = journal.observations(session.id()).await else { continue };
        let said = observations.iter().filter_map(|event| event.decode::<Observation>());
        if let Some(request) = said.into_iter().find(|said| said.what == "end_requested") {
            return format!("this session was ended by {}: {}", visible(&request.by), visible(&request.why));
        }
    }
}
