//! What the shell asks of an engine, whichever runs the workflows.
//!
//! The embedded engine ([`crate::Embedded`]) is the first implementation; engines over the network are the reason that
//! this is a trait. It speaks of runs only: nothing here knows of processes, databases or workers.

pub(crate) mod error;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::future::BoxFuture;

use crate::run::{Change, Run, Status, Submission};

pub use error::EngineError;

/// The result of asking an engine.
pub type Result<T, E = EngineError> = std::result::Result<T, E>;

/// Runs workflows, durably.
///
/// Where a method takes an id, an unambiguous beginning of one is enough.
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    /// What it is, for the banner: `apalis on SQLite`.
    fn name(&self) -> &str;

    /// How it is at this moment. Never waits.
    fn state(&self) -> State;

    /// Lets it begin to work after a while, unless it does already. Returns at once. Before each run that it starts it asks
    /// the gate.
    fn start(&self, after: Duration, gate: Gate);

    /// Starts no more runs here; those that are under way go on.
    fn drain(&self);

    /// How many runs would be cut short if it were closed now. Runs that go on elsewhere are none.
    fn under_way(&self) -> usize;

    /// Queues a run and answers its record.
    async fn submit(&self, submission: Submission) -> Result<Run>;

    /// The runs that are wanted, newest first.
    async fn runs(&self, wanted: Wanted) -> Result<Vec<Run>>;

    /// One run.
    async fn get(&self, id: &str) -> Result<Run>;

    /// What a run wrote, both streams, each line labelled with its own.
    async fn logs(&self, id: &str) -> Result<String>;

    /// Stops a run and everything it started, and answers when it has stopped.
    async fn cancel(&self, id: &str) -> Result<Run>;

    /// Queues a run again that has failed, timed out or been cancelled.
    async fn retry(&self, id: &str) -> Result<Run>;

    /// Refreshes the local picture and says what differs from the last time.
    async fn sync(&self) -> Result<Vec<Change>>;

    /// Stops working, in good order, and answers when nothing of it is left running here.
    async fn close(&self);
}

/// Says whether a run may be started now; why not, when it may not. A cheap clone.
#[derive(Clone)]
pub struct Gate(Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>);

impl Gate {
    /// A gate that asks.
    pub fn new(ask: impl Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }

    /// A gate that is always open.
    #[must_use]
    pub fn open() -> Self {
        Self::new(|| Box::pin(async { Ok(()) }))
    }

    /// Asks.
    ///
    /// # Errors
    /// Why no run may be started now.
    pub async fn ask(&self) -> Result<(), String> {
        (self.0)().await
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gate")
    }
}

/// Which runs are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Only those that stand here; all when empty.
    pub statuses: &'static [Status],
    /// Only those whose latest attempt went wrong.
    pub gone_wrong: GoneWrong,
    /// At most so many.
    pub limit: u32,
}

/// Whether only runs count whose latest attempt went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoneWrong {
    /// Only those, the latest failure first.
    Only,
    /// Those and the others.
    Any,
}

impl Wanted {
    /// Every run.
    pub const ALL: Self = Self { statuses: &[], gone_wrong: GoneWrong::Any, limit: u32::MAX };

    /// The runs that are not at their end.
    pub const ACTIVE: Self = Self {
        statuses: &[Status::Queued, Status::Running, Status::Retrying],
        gone_wrong: GoneWrong::Any,
        limit: u32::MAX,
    };

    /// The latest failures: runs that failed or timed out, and those that wait to be tried again.
    #[must_use]
    pub fn failures(limit: u32) -> Self {
        Self { statuses: &[Status::Failed, Status::TimedOut, Status::Retrying], gone_wrong: GoneWrong::Only, limit }
    }
}

/// How an engine is at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody has asked it for anything yet.
    Idle,
    /// It is about to work, or opens its store.
    Starting,
    /// It answers questions, but starts no runs here.
    Open,
    /// It takes runs; so many run here now.
    Working {
        /// How many run in this process.
        running: usize,
    },
    /// It starts no runs for now, and why; those that run go on.
    Held(String),
    /// It does not work, and why.
    Broken(String),
    /// It was closed.
    Closed,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle => f.write_str("not opened yet"),
            Self::Starting => f.write_str("starting"),
            Self::Open => f.write_str("ready, takes no runs here"),
            Self::Working { running } => write!(f, "ready, {running} running here"),
            Self::Held(why) => write!(f, "starts no runs: {why}"),
            Self::Broken(why) => write!(f, "not working: {why}"),
            Self::Closed => f.write_str("closed"),
        }
    }
}
