//! What a helper is given: its component, the session, and a line back to the console.

use std::{
    fmt::Display,
    ops::Deref,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::Sender,
    },
};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{HelperError, Output};
use crate::{
    config::Database,
    event::{Actor, Mode, SessionId},
    redact::Redactor,
};

/// What a session is: fixed when it is opened.
#[derive(Clone, Debug)]
pub struct SessionInfo {
    /// Its id.
    pub session_id: SessionId,
    /// The component.
    pub component: String,
    /// Who opened it.
    pub actor: Actor,
    /// How commands reach it.
    pub mode: Mode,
    /// When it was opened.
    pub since: Timestamp,
    /// Why it was opened.
    pub reason: Option<String>,
    /// Nothing that changes anything may run.
    pub read_only: bool,
    /// The journal that records it: a path or a URL without credentials.
    pub database: String,
    /// The same with credentials, for whoever opens it.
    pub(crate) journal: Database,
}

impl SessionInfo {
    /// Where the journal that records it is.
    #[must_use]
    pub fn journal(&self) -> &Database {
        &self.journal
    }
}

/// What a running helper says to the thread that evaluates the script.
pub(crate) enum FromHelper {
    Print(String),
    Progress { label: String, part: Option<f64> },
    Callback { function: usize, args: Vec<Value>, answer: oneshot::Sender<Result<Value, HelperError>> },
    Secret { label: String, answer: oneshot::Sender<Option<String>> },
    Done { call: u64, result: Ended },
}

/// How the future of a helper ended.
pub(crate) enum Ended {
    Answer(anyhow::Result<Output>),
    Panicked(String),
    Cancelled,
    TimedOut,
    /// It was told to stop and did not: a helper that blocks its thread.
    Abandoned,
}

/// Asks whether a change could be recorded now; why not, when it could not.
type AskRecording = Box<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// What every call of a session reaches besides its console. A cheap clone.
#[derive(Clone)]
pub(crate) struct Reach {
    redactor: Redactor,
    /// Set once there is a recorder: components are asked how they are before.
    recording: Arc<OnceLock<AskRecording>>,
}

impl Reach {
    pub(crate) fn new(redactor: Redactor) -> Self {
        Self { redactor, recording: Arc::default() }
    }

    pub(crate) fn ask_recording(&self, ask: AskRecording) {
        let _ = self.recording.set(ask);
    }
}

/// What all calls of one command share.
#[derive(Clone)]
pub(crate) struct CallCx {
    pub(crate) info: Arc<SessionInfo>,
    pub(crate) reach: Reach,
    pub(crate) line: Sender<FromHelper>,
    pub(crate) cancelled: CancellationToken,
}

/// A helper's view of its component and its session. A cheap clone that derefs to the component's own struct.
pub struct Cx<S> {
    shell: Arc<S>,
    call: CallCx,
}

impl<S> Clone for Cx<S> {
    fn clone(&self) -> Self {
        Self { shell: Arc::clone(&self.shell), call: self.call.clone() }
    }
}

impl<S> Deref for Cx<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.shell
    }
}

impl<S> Cx<S> {
    pub(crate) fn new(shell: Arc<S>, call: CallCx) -> Self {
        Self { shell, call }
    }

    /// The component, to keep beyond the call.
    #[must_use]
    pub fn shared(&self) -> Arc<S> {
        Arc::clone(&self.shell)
    }

    /// The session that calls.
    #[must_use]
    pub fn session(&self) -> &SessionInfo {
        &self.call.info
    }

    /// Who calls.
    #[must_use]
    pub fn actor(&self) -> &Actor {
        &self.call.info.actor
    }

    /// Whether a change could be recorded at this moment; why not, when it could not.
    ///
    /// Calls need not ask: while recording fails, those that change something are refused before they run. This is for what
    /// a component does behind the prompt, such as starting queued work: *no record, no change* holds for that too. What
    /// failed is tried again, so asking from time to time finds out when recording works again.
    ///
    /// # Errors
    /// The reason, as the end of a sentence.
    pub async fn recording(&self) -> Result<(), String> {
        match self.call.reach.recording.get() {
            Some(ask) => ask().await,
            None => Err("the session is not open yet".to_owned()),
        }
    }

    /// The text with what is known to be secret masked, as the record has it. For texts that a component keeps and shows.
    #[must_use]
    pub fn redacted(&self, text: &str) -> String {
        self.call.reach.redactor.text(text).into_string()
    }

    /// Shows a line on the console that the command came from.
    pub fn print(&self, text: impl Display) {
        // A send fails only when the command was given up, and then nobody reads.
        let _ = self.call.line.send(FromHelper::Print(format!("{text}\n")));
    }

    /// Shows how far something is. `total` counts whatever is advanced by; without one only the label is shown.
    pub fn progress(&self, total: impl Into<Option<u64>>, label: impl Into<String>) -> Progress {
        Progress {
            line: self.call.line.clone(),
            label: Arc::new(Mutex::new(label.into())),
            total: total.into(),
            done: Arc::new(AtomicU64::new(0)),
        }
    }

    /// Asks the person at the prompt for a secret, without echo. `None` when there is nobody to ask.
    pub async fn secret(&self, label: impl Into<String>) -> Option<super::Secret<String>> {
        let (answer, given) = oneshot::channel();
        self.call.line.send(FromHelper::Secret { label: label.into(), answer }).ok()?;
        given.await.ok().flatten().map(super::Secret::new)
    }

    /// Resolves when the command is interrupted. Async helpers are stopped at their next `.await` in any case; one that
    /// works in its own threads watches this.
    #[must_use]
    pub fn cancelled(&self) -> &CancellationToken {
        &self.call.cancelled
    }
}

/// How far something is. Cheap to clone; shown until the last clone is dropped.
#[derive(Clone)]
pub struct Progress {
    line: Sender<FromHelper>,
    label: Arc<Mutex<String>>,
    total: Option<u64>,
    done: Arc<AtomicU64>,
}

impl Progress {
    /// This much more is done.
    pub fn advance(&self, by: u64) {
        let done = self.done.fetch_add(by, Ordering::Relaxed) + by;
        #[allow(clippy::cast_precision_loss, reason = "a share that is shown as a percentage")]
        let part = self.total.map(|total| (done as f64 / total.max(1) as f64).min(1.0));
        let label = self.label.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let _ = self.line.send(FromHelper::Progress { label, part });
    }

    /// Says from now on what happens at this moment: one line for work of several parts, of which now these run, now those.
    pub fn relabel(&self, label: impl Into<String>) {
        *self.label.lock().unwrap_or_else(PoisonError::into_inner) = label.into();
        self.advance(0);
    }
}

/// A function of the script, given to a helper as an argument. A cheap clone.
#[derive(Clone)]
pub struct Callback {
    function: usize,
    line: Sender<FromHelper>,
}

impl Callback {
    pub(crate) fn new(function: usize, line: Sender<FromHelper>) -> Self {
        Self { function, line }
    }

    /// Calls it. A tuple or a list is its arguments; anything else is its only one.
    ///
    /// # Errors
    /// When the function fails, or answers something else than an `R`.
    pub async fn call<R: DeserializeOwned>(&self, args: impl Serialize) -> crate::Result<R> {
        let args = match serde_json::to_value(args)? {
            Value::Array(args) => args,
            Value::Null => Vec::new(),
            one => vec![one],
        };
        let (answer, answered) = oneshot::channel();
        let gone = || HelperError::new("cancelled", "the command that this function belongs to is over");
        self.line.send(FromHelper::Callback { function: self.function, args, answer }).map_err(|_| gone())?;
        let value = answered.await.map_err(|_| gone())??;
        Ok(serde_json::from_value(value)?)
    }
}
