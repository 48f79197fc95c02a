//! One command while it is evaluated: its console, its counts, its refusal, its messages from helpers.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    time::{Duration, Instant},
};

use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::limits::{Held, Meter};
use crate::{
    console::{At, Console, Failure},
    event::{ReadTotal, Status},
    helper::{CallCx, Ended, FromHelper, HelperError, Reach, SessionInfo},
    policy::{Approver, Origin, Policies},
    recorder::Recorder,
};

/// What all commands of a session have in common.
pub(crate) struct Setting {
    pub(crate) info: Arc<SessionInfo>,
    pub(crate) reach: Reach,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) policies: Policies,
    pub(crate) approver: Option<Arc<dyn Approver>>,
    pub(crate) runtime: tokio::runtime::Handle,
    /// The reason given with `--yes`: answers every question when nobody can.
    pub(crate) standing_answer: Option<String>,
    /// How long one command may compute, helpers not counted.
    pub(crate) compute_limit: Duration,
    /// How many operations of the language one command may do.
    pub(crate) operation_limit: u64,
    /// Memory that the variables of the session take.
    pub(crate) held: Held,
}

/// One command.
pub(crate) struct Run {
    pub(super) setting: Arc<Setting>,
    pub(super) command: u64,
    pub(super) origin: Origin,
    /// Its intent is committed.
    pub(super) recorded: bool,
    pub(super) cx: CallCx,
    pub(super) meter: Meter,
    calls: AtomicU64,
    previews: AtomicU64,
    stopped: AtomicBool,
    inbox: Mutex<Receiver<FromHelper>>,
    console: Mutex<Box<dyn Console>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    done: HashMap<u64, Ended>,
    functions: Vec<rhai::FnPtr>,
    reads: BTreeMap<String, ReadTotal>,
    verdict: Option<(Status, Failure)>,
    exit: Option<i32>,
    thrown: Option<HelperError>,
    /// What the last function that a helper called back failed with, and where.
    called_back: Option<(String, At)>,
    warnings: Vec<String>,
    output: Output,
}

#[derive(Default)]
struct Output {
    bytes: u64,
    digest: Sha256,
}

/// What evaluating a command came to.
pub(crate) struct Evaluated {
    pub(crate) status: Status,
    pub(crate) value: Value,
    pub(crate) failure: Option<Failure>,
    pub(crate) exit: Option<i32>,
    pub(crate) reads: BTreeMap<String, ReadTotal>,
    pub(crate) output_bytes: u64,
    pub(crate) output_digest: String,
    pub(crate) warnings: Vec<String>,
}

impl Evaluated {
    /// A command that was not evaluated at all.
    pub(crate) fn failed(status: Status, failure: Failure) -> Self {
        Self {
            status,
            value: Value::Null,
            failure: Some(failure),
            exit: None,
            reads: BTreeMap::new(),
            output_bytes: 0,
            output_digest: crate::event::Hash::of(b"").to_string(),
            warnings: Vec::new(),
        }
    }
}

impl Run {
    pub(crate) fn new(
        setting: &Arc<Setting>,
        command: u64,
        origin: Origin,
        recorded: bool,
        cancelled: CancellationToken,
        console: Box<dyn Console>,
    ) -> Arc<Self> {
        let (line, inbox): (Sender<FromHelper>, _) = channel();
        Arc::new(Self {
            setting: Arc::clone(setting),
            command,
            origin,
            recorded,
            cx: CallCx { info: Arc::clone(&setting.info), reach: setting.reach.clone(), line, cancelled },
            meter: Meter::new(setting.held.bytes()),
            calls: AtomicU64::new(0),
            previews: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            inbox: Mutex::new(inbox),
            console: Mutex::new(console),
            state: Mutex::new(State::default()),
        })
    }

    /// Whether nothing more of it may run: refused, over a limit, left by `exit`, or interrupted.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed) || self.cx.cancelled.is_cancelled()
    }

    /// The same; an interrupt that was noticed is how the command ends, whatever the script makes of it.
    pub(super) fn notices_stop(&self) -> bool {
        if self.stopped.load(Ordering::Relaxed) {
            return true;
        }
        let interrupted = self.cx.cancelled.is_cancelled();
        if interrupted {
            self.stop(Status::Cancelled, Failure::new("cancelled", "interrupted"));
        }
        interrupted
    }

    /// Settles how the command ends, whatever the script does with the error: the first word holds.
    pub(super) fn stop(&self, status: Status, failure: Failure) {
        self.state().verdict.get_or_insert((status, failure));
        self.stopped.store(true, Ordering::Relaxed);
        // Helpers that wait for a callback of this script have nothing more to wait for.
        self.cx.cancelled.cancel();
    }

    pub(super) fn leave(&self, code: i32) {
        self.state().exit.get_or_insert(code);
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(super) fn next_call(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Previews are not calls: they are numbered apart.
    pub(super) fn next_preview(&self) -> u64 {
        u64::MAX - self.previews.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn count_read(&self, helper: &str, took: Duration, failed: bool) {
        let mut state = self.state();
        let total = state.reads.entry(helper.to_owned()).or_default();
        total.calls += 1;
        total.errors += u64::from(failed);
        total.total_us += u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    }

    pub(super) fn keep_function(&self, function: rhai::FnPtr) -> usize {
        let functions = &mut self.state().functions;
        functions.push(function);
        functions.len() - 1
    }

    pub(super) fn function(&self, index: usize) -> Option<rhai::FnPtr> {
        self.state().functions.get(index).cloned()
    }

    /// Remembers the last error of a helper, so that its hint survives the way through the engine.
    pub(super) fn remember_thrown(&self, error: HelperError) {
        self.state().thrown = Some(error);
    }

    pub(super) fn thrown(&self, message: &str) -> Option<HelperError> {
        self.state().thrown.clone().filter(|error| error.message == message)
    }

    /// Remembers where a function failed that a helper called back: the helper says why, and can not say where.
    pub(super) fn remember_called_back(&self, message: &str, at: At) {
        self.state().called_back = Some((message.to_owned(), at));
    }

    /// Where the function failed that a helper's message tells of.
    pub(super) fn called_back(&self, message: &str) -> Option<At> {
        let (told, at) = self.state().called_back.clone()?;
        message.contains(&told).then_some(at)
    }

    /// The status of the last helper error when a script ends with it: an interrupted call ends its command so.
    pub(super) fn thrown_status(&self, message: &str) -> Option<Status> {
        let thrown = self.state().thrown.clone()?;
        match thrown.kind {
            "timeout" if message.contains(&thrown.message) => Some(Status::Timeout),
            _ => None,
        }
    }

    pub(super) fn warn(&self, warning: String) {
        let warnings = &mut self.state().warnings;
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }

    pub(super) fn print(&self, text: &str) {
        self.count_output(text);
        self.console(|console| console.print(text));
    }

    pub(super) fn console<T>(&self, f: impl FnOnce(&mut dyn Console) -> T) -> T {
        f(&mut **self.console.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Serves the messages of helpers until one call is done. `invoke` calls a function of the script. A helper that
    /// blocks its thread can not be stopped: some time after an interrupt, or after its time limit, it is left behind.
    pub(super) fn serve(
        &self,
        call: u64,
        limit: Option<Duration>,
        invoke: &mut dyn FnMut(usize, Vec<Value>) -> Result<Value, HelperError>,
    ) -> Ended {
        const TICK: Duration = Duration::from_millis(10);
        const GRACE: Duration = Duration::from_millis(60);
        let overdue = limit.and_then(|limit| Instant::now().checked_add(limit.saturating_add(GRACE)));
        let mut stop_seen: Option<Instant> = None;
        loop {
            if let Some(ended) = self.state().done.remove(&call) {
                return ended;
            }
            let message = self.inbox.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(TICK);
            match message {
                Ok(FromHelper::Callback { function, args, answer }) => {
                    let _ = answer.send(invoke(function, args));
                }
                Ok(message) => self.handle(message),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            let ignores_stop =
                self.cx.cancelled.is_cancelled() && stop_seen.get_or_insert_with(Instant::now).elapsed() > GRACE;
            if ignores_stop || overdue.is_some_and(|overdue| Instant::now() > overdue) {
                return self.state().done.remove(&call).unwrap_or(Ended::Abandoned);
            }
        }
    }

    /// Shows what helpers said and nobody has shown yet.
    pub(super) fn drain(&self) {
        loop {
            let message = self.inbox.lock().unwrap_or_else(PoisonError::into_inner).try_recv();
            match message {
                Ok(message) => self.handle(message),
                Err(_) => return,
            }
        }
    }

    fn handle(&self, message: FromHelper) {
        match message {
            FromHelper::Print(text) => self.print(&text),
            FromHelper::Progress { label, part } => self.console(|console| console.progress(&label, part)),
            FromHelper::Secret { label, answer } => {
                let secret = self.console(|console| console.secret(&label));
                if let Some(secret) = &secret {
                    self.setting.recorder.redactor().remember(secret);
                }
                let _ = answer.send(secret);
            }
            FromHelper::Done { call, result } => {
                self.state().done.insert(call, result);
            }
            FromHelper::Callback { answer, .. } => {
                let _ = answer
                    .send(Err(HelperError::new("cancelled", "the command that this function belongs to is over")));
            }
        }
    }

    /// How the command ends: a settled verdict goes before whatever the script made of it.
    pub(super) fn finish(&self, result: Result<Value, (Status, Failure)>) -> Evaluated {
        self.drain();
        let mut state = self.state();
        let exit = state.exit;
        let (status, value, failure) = match (state.verdict.take(), exit, result) {
            (Some((status, mut failure)), _, result) => {
                failure.at = failure.at.or_else(|| result.err().and_then(|(_, noticed)| noticed.at));
                (status, Value::Null, Some(failure))
            }
            (None, Some(_), _) => (Status::Ok, Value::Null, None),
            (None, None, Err(_)) if self.cx.cancelled.is_cancelled() => {
                (Status::Cancelled, Value::Null, Some(Failure::new("cancelled", "interrupted")))
            }
            (None, None, Ok(value)) => (Status::Ok, value, None),
            (None, None, Err((status, failure))) => (status, Value::Null, Some(failure)),
        };
        drop(state);
        if !value.is_null() {
            self.count_output(&value.to_string());
        }
        state = self.state();
        Evaluated {
            status,
            value,
            failure,
            exit,
            reads: std::mem::take(&mut state.reads),
            output_bytes: state.output.bytes,
            output_digest: format!("{}", crate::event::Hash::from_bytes(state.output.digest.clone().finalize().into())),
            warnings: std::mem::take(&mut state.warnings),
        }
    }

    fn count_output(&self, text: &str) {
        let redacted = self.setting.recorder.redactor().text(text);
        let mut state = self.state();
        state.output.bytes += redacted.as_str().len() as u64;
        state.output.digest.update(redacted.as_str());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
