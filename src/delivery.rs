//! From the journal to other places: sinks, and what brings them what the journal holds, whatever happens on the way.
//!
//! Invariants:
//! - Only a verdict that names the event moves a cursor. Everything else (a timeout, a refusal to talk, an answer that is
//!   not one) leaves it where it is, and the same events are tried again.
//! - Nobody waits for a sink but its worker: not the start, not the prompt, not a command.
//! - In each stream, events arrive in order, each at least once; `event_id` makes the second time harmless.
//! - An event that a sink refuses is buried: kept, listed, counted; a stub takes its place. Ten of them without a success
//!   in between stop the sink, because then it is the sink that is wrong.
//! - One process at a time serves a sink for a component: a file lock that the kernel releases says which.
//!
//! A *lane* is a sink's work for one component. A *worker* serves the lanes of one sink, one after the other.

mod backoff;
mod beat;
mod breaker;
mod lane;
mod lock;
mod state;
pub mod wire;
mod worker;

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

pub use backoff::Backoff;
pub use breaker::{Admission, Breaker};
pub use state::{SinkState, SinkStatus};

use crate::{
    event::{Event, JournalId, SessionId},
    journal::{EndRequest, Head, Journal, JournalError, Presence, Stub, Verdict},
};

/// Any error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A place that events are delivered to.
#[async_trait]
pub trait EventSink: Send + 'static {
    /// Key of its cursor, and what people read: its URL without credentials.
    fn name(&self) -> &str;

    /// Delivers in order. May see an event again after a crash: `event_id` is the idempotency key.
    async fn deliver(&mut self, batch: &[Event]) -> Result<Receipt, SinkError>;

    /// Delivers what stands for events whose bodies do not come. A sink that has no use for it takes it and does nothing.
    async fn stand_in(&mut self, stubs: &[Stub]) -> Result<Receipt, SinkError> {
        Ok(Receipt::accepted(stubs.iter().map(|stub| stub.event_id)))
    }

    /// Whom it delivers for; said once, before anything else.
    fn introduce(&mut self, _who: &Sender) {}

    /// The receipt to quote with the next batch.
    fn quote(&mut self, _receipt: Option<&Head>) {}

    /// Says which sessions live. Answers which of them were asked to end.
    async fn beat(&mut self, _presence: &[Presence]) -> Result<Vec<EndRequest>, SinkError> {
        Ok(Vec::new())
    }

    /// What it is to be given.
    fn takes(&self) -> Takes {
        Takes::Everything
    }
}

/// What a sink is to be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Everything of the component, from where it was left.
    Everything,
    /// Events of the session that it was opened for, and nothing that others have left. Has no cursor.
    ItsSession,
}

/// For whom a sink delivers.
#[derive(Clone, Debug)]
pub struct Sender {
    /// The journal that the events come from.
    pub journal: JournalId,
    /// The component; `None` when it forwards for all.
    pub component: Option<String>,
    /// A directory for what the sink has to remember from one process to the next. One process at a time serves a sink
    /// for a component.
    pub keep: Option<PathBuf>,
}

/// What the other side said of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// A verdict for each event, in any order. One that is missing counts as not delivered.
    pub verdicts: Vec<(Uuid, Verdict)>,
    /// Where the other side stands, to be quoted with the next batch.
    pub head: Option<Head>,
}

impl Receipt {
    /// Everything was accepted.
    #[must_use]
    pub fn accepted(ids: impl IntoIterator<Item = Uuid>) -> Self {
        Self { verdicts: ids.into_iter().map(|id| (id, Verdict::Accepted)).collect(), head: None }
    }
}

/// Why a batch has no receipt.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// It may or may not have arrived: it is tried again.
    #[error("{source}")]
    Unavailable {
        /// What happened. Without credentials.
        source: BoxError,
        /// Not before this.
        retry_after: Option<Duration>,
    },
    /// The other side has never given the receipt that was quoted: it lost what it held.
    #[error("the other side does not know the receipt: it was restored from an older copy, or is another one")]
    UnknownReceipt,
}

impl SinkError {
    /// It may or may not have arrived.
    pub fn unavailable(source: impl Into<BoxError>) -> Self {
        Self::Unavailable { source: source.into(), retry_after: None }
    }

    /// It may or may not have arrived, for a reason that has a word of its own: it is counted by that word.
    pub fn failed(kind: &'static str, source: impl Into<BoxError>) -> Self {
        Self::unavailable(Failed { kind, source: source.into() })
    }

    /// Not before this long.
    #[must_use]
    pub fn retry_after(self, wait: Option<Duration>) -> Self {
        match self {
            Self::Unavailable { source, .. } => Self::Unavailable { source, retry_after: wait },
            Self::UnknownReceipt => self,
        }
    }

    /// The word that it is counted by: the label `error_type` of `mcp_event_emit_failure_total`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unavailable { source, .. } => source.downcast_ref::<Failed>().map_or("unavailable", |one| one.kind),
            Self::UnknownReceipt => "unknown_receipt",
        }
    }
}

/// What happened, and the word that it is counted by.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
struct Failed {
    kind: &'static str,
    source: BoxError,
}

/// Who lives, asked each time before it is said.
pub type Living = Arc<dyn Fn() -> futures_util::future::BoxFuture<'static, Vec<Presence>> + Send + Sync>;

/// Where a new sink begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begins {
    /// At the oldest event that is kept.
    Oldest,
    /// After this position.
    After(u64),
}

/// What is delivered, and for whom.
#[derive(Clone)]
pub struct Plan {
    /// Where from.
    pub journal: Arc<dyn Journal>,
    /// The components whose events are delivered, one lane each; empty for all of them in one.
    pub components: Vec<String>,
    /// The directory of the locks.
    pub locks: PathBuf,
    /// The session that lives while this does.
    pub session: Option<SessionId>,
}

/// Delivery at work, one worker a sink. Dropping it stops it; what is left is found by the next one.
pub struct Delivery {
    workers: Vec<Running>,
    nudge: watch::Sender<u64>,
    /// Nothing more comes: what was emitted is said once more.
    closing: watch::Sender<bool>,
}

struct Running {
    status: watch::Receiver<SinkStatus>,
    task: tokio::task::JoinHandle<()>,
}

/// How often a living session says so.
pub const BEAT: Duration = Duration::from_secs(15);
/// For how long it counts as alive after that.
pub const LEASE: Duration = Duration::from_secs(30);

impl Delivery {
    /// Starts to deliver. Requests to end sessions are sent to `requests`. Must be called in a tokio runtime.
    #[must_use]
    pub fn start(
        plan: &Plan,
        sinks: Vec<(Box<dyn EventSink>, Begins)>,
        requests: &mpsc::UnboundedSender<EndRequest>,
    ) -> Self {
        Self::start_all(plan, sinks, requests, None)
    }

    /// The same for whoever passes on what others deliver: everything, and who of them lives.
    #[must_use]
    pub fn forward(
        plan: &Plan,
        sinks: Vec<(Box<dyn EventSink>, Begins)>,
        requests: &mpsc::UnboundedSender<EndRequest>,
        living: Living,
    ) -> Self {
        Self::start_all(plan, sinks, requests, Some(living))
    }

    fn start_all(
        plan: &Plan,
        sinks: Vec<(Box<dyn EventSink>, Begins)>,
        requests: &mpsc::UnboundedSender<EndRequest>,
        living: Option<Living>,
    ) -> Self {
        let ((nudge, _), (closing, _)) = (watch::channel(0), watch::channel(false));
        let workers = sinks.into_iter().map(|(sink, begins)| {
            let (worker, status) = worker::Worker::new(plan, sink, begins, requests.clone());
            let worker = worker.with_living(living.clone());
            let task = tokio::spawn(worker.run(nudge.subscribe(), closing.subscribe()));
            Running { status, task }
        });
        Self { workers: workers.collect(), nudge, closing }
    }

    /// There are new events.
    pub fn nudge(&self) {
        self.nudge.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// How each sink stands.
    #[must_use]
    pub fn status(&self) -> Vec<SinkStatus> {
        self.workers.iter().map(|worker| worker.status.borrow().clone()).collect()
    }

    /// Resolves when every sink is known to work or not to work.
    pub async fn known(&self) {
        for worker in &self.workers {
            let mut status = worker.status.clone();
            let _ = status.wait_for(|status| status.state != SinkState::Connecting).await;
        }
    }

    /// Waits until everything is delivered, for at most `limit`, and for no sink that is known to be down.
    pub async fn flush(&self, limit: Duration) {
        self.closing.send_replace(true);
        self.nudge();
        let after = *self.nudge.borrow();
        let all = async {
            for worker in &self.workers {
                let mut status = worker.status.clone();
                let _ = status.wait_for(|status| status.is_down() || status.drained >= after).await;
            }
        };
        let _ = tokio::time::timeout(limit, all).await;
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        for worker in &self.workers {
            worker.task.abort();
        }
    }
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.status()).finish()
    }
}

/// The directory of the locks, beside a journal's file.
#[must_use]
pub fn locks_of(database: &std::path::Path) -> PathBuf {
    let mut name = database.file_name().unwrap_or_default().to_owned();
    name.push(".sinks");
    database.with_file_name(name)
}

/// What one round of delivery came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// The sink.
    pub sink: String,
    /// Events that the other side took.
    pub delivered: u64,
    /// Events that it refused.
    pub buried: u64,
    /// Components that another process is delivering at this moment.
    pub elsewhere: Vec<String>,
    /// Why it stopped before everything was delivered.
    pub failed: Option<String>,
}

/// Delivers what waits, once and now, without waiting for a sink that does not answer.
///
/// # Errors
/// When the journal can not be read or written.
pub async fn deliver_now(plan: &Plan, sink: Box<dyn EventSink>) -> Result<Round, JournalError> {
    let (requests, _) = mpsc::unbounded_channel();
    worker::Worker::new(plan, sink, Begins::Oldest, requests).0.round().await
}

/// Delivers buried events once more, whole. Answers how many the sink took, and why it refused others.
///
/// # Errors
/// When the journal can not be read or written.
pub async fn retry_buried(plan: &Plan, sink: Box<dyn EventSink>) -> Result<(u64, Vec<(Uuid, String)>), JournalError> {
    let (requests, _) = mpsc::unbounded_channel();
    worker::Worker::new(plan, sink, Begins::Oldest, requests).0.retry_buried().await
}
