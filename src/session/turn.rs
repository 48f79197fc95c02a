//! One command: its intent is committed, the component's hook is asked, it is evaluated, its outcome is committed.

use std::{
    panic::AssertUnwindSafe,
    sync::{PoisonError, atomic::Ordering},
    time::Instant,
};

use futures_util::FutureExt;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::{At, Command, Console, Failure, Inner, Next, Outcome, Session, Source, input};
use crate::{
    event::{CommandEnd, EventKind, Status},
    policy::Origin,
    recorder::WhenUnrecorded,
    script::{Arguments, Evaluated, Job, Run, parse_command_style, secret_literals},
};

impl Session {
    /// Waits for its turn, and does the work.
    pub(super) async fn turn(&self, work: Work, console: Box<dyn Console>) -> crate::Result<Outcome> {
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

        let intent = setting.recorder.intent(EventKind::CommandStart, &prepared.start, &token).await;
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

/// What a session is asked to do.
pub(super) enum Work {
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
                let job = Job::Call {
                    helper,
                    args: Arguments { positional: Vec::new(), named: args },
                    at: None,
                    columns: Vec::new(),
                };
                let (start, job) = input::start(number, shown.clone(), "call".to_owned(), Ok(job));
                Prepared { start, shown, origin: Origin::Call, job }
            }
            Work::Source(source) => {
                let (text, fault) = source.checked();
                let allows_command_style = source.allows_command_style();
                let command = if allows_command_style && fault.is_none() { self.command_style(&text) } else { None };
                let spans = command.as_ref().map(|command| command.secret_spans.clone());
                let shown = self.redact(&text, spans.unwrap_or_else(|| self.0.interpreter.learn_secrets(&text)));
                // An error may quote what the record masks.
                let redactor = self.0.setting.recorder.redactor();
                input::masked_parts(&text, &shown).into_iter().for_each(|secret| redactor.remember(secret));
                let name = source.name.clone();
                let job = match (fault, command) {
                    (Some(failure), _) => Err(failure),
                    (None, Some(command)) => {
                        let before = &text[..command.at];
                        let column =
                            |byte: usize| text[..byte].rsplit('\n').next().unwrap_or_default().chars().count() + 1;
                        // Behind a mask nothing stands where it stood.
                        let columns: Vec<(String, usize)> = match shown == text {
                            true => command.places.into_iter().map(|(name, byte)| (name, column(byte))).collect(),
                            false => Vec::new(),
                        };
                        let fault = columns.iter().find(|(name, _)| name.is_empty()).map(|(_, column)| *column);
                        let mut at = Some(At {
                            source: source.title(number),
                            text: shown.clone(),
                            line: before.matches('\n').count() + 1,
                            column: column(command.at),
                        });
                        match command.args {
                            Ok(args) => Ok(Job::Call { helper: command.helper, args, at, columns }),
                            Err(error) => Err(Failure {
                                kind: error.kind.to_owned(),
                                message: error.message,
                                hint: error.hint,
                                at: at.take().map(|at| At { column: fault.unwrap_or(at.column), ..at }),
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

    pub(super) fn command_style(&self, text: &str) -> Option<crate::script::CommandLine> {
        let variables = self.0.interpreter.variables();
        parse_command_style(text, &self.0.registry, |name| variables.iter().any(|variable| variable == name))
    }

    /// The text with these byte ranges masked, and every secret in the rest.
    pub(super) fn redact(&self, text: &str, spans: Vec<std::ops::Range<usize>>) -> String {
        let redactor = self.0.setting.recorder.redactor();
        // The same text may hold it once more, where nothing says that it is one.
        spans
            .iter()
            .filter_map(|span| text.get(span.clone()))
            .flat_map(secret_literals)
            .for_each(|secret| redactor.remember(secret));
        redactor.text_with_spans(text, &spans).into_string()
    }
}
