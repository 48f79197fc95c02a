//! The prompt: what stands between a person's terminal and a session.
//!
//! The loop runs on a thread of its own, because reading a line blocks; commands run on the session's runtime. Everything
//! shown goes through one [`screen::Screen`] that ignores write errors: a closed terminal must not panic.

pub(crate) mod complete;
mod console;
pub(crate) mod editor;
mod help;
mod history;
mod paste;
mod screen;
mod show;
pub(crate) mod terminal;

use std::{
    io::Read as _,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    time::{Duration, Instant},
};

pub use self::terminal::width as terminal_width;
pub(crate) use self::{
    complete::Completion,
    help::text as help_text,
    show::{Banner, Look, error_document, first_helpers},
};
use crate::{
    event::{EndReason, Status},
    session::{Failure, Outcome, Session, Source},
};
use editor::{LineEditor, Read};
use paste::Block;

/// Talks with a person until the session is left.
pub(crate) async fn converse(
    session: Session,
    prompt: String,
    banner: Banner,
    history: PathBuf,
    look: Look,
) -> (EndReason, u8) {
    let runtime = tokio::runtime::Handle::current();
    let (left, leaving) = tokio::sync::oneshot::channel();
    let started = std::thread::Builder::new().name("prompt".to_owned()).spawn(move || {
        let (completer, checker) = (session.clone(), session.clone());
        let completing = runtime.clone();
        let complete = move |line: &str, at: usize| completing.block_on(completer.complete(line, at));
        let check = move |text: &str| paste::read(text, |text| checker.check(text)) != Block::Unfinished;
        let talk = AssertUnwindSafe(|| match LineEditor::open(complete, check, Some(history)) {
            Ok(editor) => read_loop(&session, editor, &prompt, banner, &look, &runtime),
            Err(error) => {
                look.complain(&format!("error: the terminal can not be used: {error}"));
                (EndReason::Error, 1)
            }
        });
        let result = catch_unwind(talk).unwrap_or_else(|_| {
            look.complain("error: the prompt panicked; the session is over, and the log says where");
            (EndReason::Panic, 1)
        });
        let _ = left.send(result);
    });
    if started.is_err() {
        return (EndReason::Error, 1);
    }
    leaving.await.unwrap_or((EndReason::Panic, 1))
}

fn read_loop(
    session: &Session,
    mut editor: LineEditor,
    prompt: &str,
    banner: Banner,
    look: &Look,
    runtime: &tokio::runtime::Handle,
) -> (EndReason, u8) {
    look.banner(&banner);
    if let (true, Some(notices)) = (banner.is_provisional(), editor.notices()) {
        let watched = session.clone();
        runtime.spawn(async move { banner.correct(&watched, &notices).await });
    }
    // Who has heard what leaving cuts short, and wants it again at once, leaves.
    let mut heard = false;
    let holds_back = |heard: bool| {
        let unfinished = if heard { None } else { runtime.block_on(session.unfinished()) };
        unfinished.is_some_and(|what| {
            look.complain(&format!("{what}\nTo leave all the same, press Ctrl-D or call exit() once more."));
            true
        })
    };
    loop {
        // The terminal has been given back: it must not become raw again.
        if session.is_leaving() {
            return (EndReason::Terminated, 1);
        }
        let line = match editor.read(prompt) {
            Read::Line(line) if line.trim().is_empty() => continue,
            Read::Line(line) => line,
            Read::Interrupted => continue,
            Read::NotText => {
                look.complain("error: the input is not UTF-8 text");
                continue;
            }
            Read::Eof if holds_back(heard) => {
                heard = true;
                continue;
            }
            Read::Eof => return (EndReason::Eof, 0),
            Read::Hangup => return (EndReason::Hangup, 129),
            Read::Failed(error) => {
                look.complain(&format!("error: the terminal can not be read: {error}"));
                return (EndReason::Error, 1);
            }
        };
        editor.add_history(&session.redacted(&line));
        let inputs = match paste::read(&line, |text| session.check(text)) {
            Block::Inputs(inputs) => inputs,
            Block::Unfinished => vec![line],
        };
        for (index, input) in inputs.iter().enumerate() {
            let outcome = match runtime.block_on(session.execute(input, look.console())) {
                Ok(outcome) => outcome,
                // Somebody else ended the session; that somebody says so.
                Err(_) if session.is_leaving() => return (EndReason::Terminated, 1),
                Err(error) => {
                    look.complain(&format!("error: {error:#}"));
                    break;
                }
            };
            look.outcome(&outcome);
            match outcome.exit {
                Some(_) if holds_back(heard) => heard = true,
                Some(code) => return (EndReason::Exit, u8::try_from(code).unwrap_or(1)),
                None => heard = false,
            }
            let left = inputs.len() - index - 1;
            if left > 0 && (outcome.status != Status::Ok || heard) {
                look.complain(&match left {
                    1 => "The statement after it was not run.".to_owned(),
                    _ => format!("The {left} statements after it were not run."),
                });
                break;
            }
        }
    }
}

/// Waits for what a script has begun and leaving would cut short.
async fn finish(session: &Session, look: &Look) {
    const LOOK_EVERY: Duration = Duration::from_millis(50);
    /// What ends within this needs no words.
    const QUIET: Duration = Duration::from_millis(500);
    let begun = Instant::now();
    let mut said = false;
    while let Some(what) = session.unfinished().await {
        if !said && begun.elapsed() > QUIET {
            look.complain(&what);
            said = true;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Runs one script, waits for what it has begun, and says how the session ended.
pub(crate) async fn run_once(session: &Session, source: Source, look: &Look) -> (EndReason, u8) {
    match session.execute_source(source, look.console()).await {
        Ok(outcome) => {
            look.outcome(&outcome);
            finish(session, look).await;
            match (exit_of(&outcome), look.write_error()) {
                // A result that did not arrive is no success for whoever called.
                ((EndReason::Done, 0), Some(error)) => {
                    look.complain(&format!("error: the output could not be written: {error}"));
                    (EndReason::Error, 1)
                }
                (ended, _) => ended,
            }
        }
        Err(error) => {
            look.last_word(&Failure::new("internal", format!("{error:#}")), false);
            (EndReason::Error, 1)
        }
    }
}

fn exit_of(outcome: &Outcome) -> (EndReason, u8) {
    match (outcome.exit, outcome.status) {
        (Some(code), _) => (EndReason::Exit, u8::try_from(code).unwrap_or(1)),
        (None, Status::Ok) => (EndReason::Done, 0),
        (None, _) => (EndReason::Done, 1),
    }
}

/// All of standard input. On a thread of its own, so that a signal can end the session meanwhile; not one of the
/// runtime's, which a host program could then not shut down before the input ends.
pub(crate) async fn read_stdin() -> std::io::Result<Vec<u8>> {
    let (sender, read) = tokio::sync::oneshot::channel();
    std::thread::Builder::new().name("input".to_owned()).spawn(move || {
        let mut bytes = Vec::new();
        // Nobody waits for it any more when the session was ended meanwhile.
        let _ = sender.send(std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes));
    })?;
    read.await.unwrap_or_else(|error| Err(std::io::Error::other(error)))
}
