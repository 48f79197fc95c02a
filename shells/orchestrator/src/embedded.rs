//! The engine inside the shell: apalis on SQLite, a worker in each open shell, one file for all of them.
//!
//! | part | what it decides |
//! |---|---|
//! | `open` | where the file lies, who may have it, what shape it has |
//! | `store` | the runs: every statement over them |
//! | `queue` | apalis: tickets that let an attempt start at its time |
//! | `worker` | the tasks behind the prompt |
//! | `attempt` | one attempt, from its ticket to its end |
//! | `verdict` | what becomes of a run when an attempt is over (pure) |
//! | `lease` | who is alive |
//! | `recovery` | what becomes of the runs of the dead |
//! | `transcript` | output as text |
//!
//! What happens to a running run when its shell …
//! - … is left: its processes are stopped (SIGTERM, after the grace SIGKILL) and it is queued again; the attempt is not held
//!   against it. The next shell that is open runs it from its beginning.
//! - … is killed: the supervisor's watchdog stops its processes, where the program has one. The next shell that looks finds that
//!   the worker's lease is free, stops the processes that were left behind nevertheless, and queues the run again if it has attempts left; otherwise it has failed, and says that it was interrupted.
//! - A run that was submitted with a single attempt is never started again by itself in either case.

mod attempt;
mod lease;
mod open;
mod queue;
mod recovery;
mod store;
mod transcript;
mod verdict;
mod worker;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use tokio::{sync::OnceCell, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    engine::{Engine, EngineError, Gate, Result, State, Wanted, error::Doing},
    run::{Change, Run, RunId, Submission},
};

pub use verdict::Waits;

use store::{Cancelled, Picture, Store};
use worker::{Admission, Worker};

/// How the embedded engine works. The defaults are for people; tests shorten the times.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many runs one shell runs at once.
    pub parallel: usize,
    /// How long to wait between attempts.
    pub waits: Waits,
    /// How long a program may take to end when it is asked to.
    pub grace: Duration,
    /// How much of each output of a run is kept, in bytes.
    pub output_limit: usize,
    /// How often the worker looks for what other shells want.
    pub pulse: Duration,
    /// Whether it runs anything here.
    pub conduct: Conduct,
}

/// Whether an engine runs anything here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduct {
    /// It takes runs once it is started, and clears up after workers that died.
    Works,
    /// It does neither by itself: for sessions in which nothing may change.
    Looks,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            parallel: std::thread::available_parallelism().map_or(4, |cores| cores.get().max(4)),
            waits: Waits { first: Duration::from_secs(1), ceiling: Duration::from_secs(60) },
            grace: Duration::from_secs(2),
            output_limit: 1024 * 1024,
            pulse: Duration::from_millis(200),
            conduct: Conduct::Works,
        }
    }
}

/// The engine inside the shell. A cheap clone.
#[derive(Clone, Debug)]
pub struct Embedded {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    database: PathBuf,
    options: Options,
    store: OnceCell<Store>,
    worker: OnceCell<Arc<Worker>>,
    phase: Mutex<Phase>,
    closing: CancellationToken,
    /// Starts nothing more.
    draining: CancellationToken,
    /// Answers questions while the file can be read and not written.
    reader: Mutex<Option<Store>>,
    /// What `sync` saw the last time.
    seen: tokio::sync::Mutex<Picture>,
}

#[derive(Debug, Default)]
struct Phase {
    state: Option<State>,
    starting: Option<JoinHandle<()>>,
}

impl Embedded {
    /// An engine over a file, which is neither opened nor made before it is needed. The directory of the file is made
    /// private (0700) when it is not there.
    #[must_use]
    pub fn new(database: impl Into<PathBuf>, options: Options) -> Self {
        let inner = Inner {
            database: database.into(),
            options,
            store: OnceCell::new(),
            worker: OnceCell::new(),
            phase: Mutex::default(),
            closing: CancellationToken::new(),
            draining: CancellationToken::new(),
            reader: Mutex::default(),
            seen: tokio::sync::Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The file.
    #[must_use]
    pub fn database(&self) -> &Path {
        &self.inner.database
    }
}

impl Inner {
    /// The opened store. Whoever asks first opens it; who asks meanwhile waits for that.
    async fn store(&self) -> Result<&Store> {
        if self.phase().state == Some(State::Closed) {
            return Err(EngineError::Closed);
        }
        let opened = self.store.get_or_try_init(|| async {
            self.become_(State::Starting);
            let pool = open::open(&self.database).await?;
            let store = Store::new(pool, self.options.waits);
            if self.options.conduct == Conduct::Works
                && let Err(error) = recovery::sweep(&store, &self.leases(), self.options.grace).await
            {
                // On a full disk runs can still be looked at; the worker tries again.
                tracing::warn!(%error, "workers that died are not cleared up after yet");
            }
            let mut seen = self.seen.lock().await;
            *seen =
                store.runs(Wanted::ALL).await?.into_iter().map(|run| (run.id, (run.status, run.attempts))).collect();
            self.become_(State::Open);
            Ok(store)
        });
        opened.await.inspect_err(|error: &EngineError| self.become_(State::Broken(error.to_string())))
    }

    /// A store to ask: the one that works, or else one that can only be read.
    async fn reader(&self) -> Result<Store> {
        let error = match self.store().await {
            Ok(store) => {
                drop(self.idle_reader().take());
                return Ok(store.clone());
            }
            Err(error) => error,
        };
        if !matches!(error, EngineError::Unavailable { .. }) {
            return Err(error);
        }
        if let Some(reader) = &*self.idle_reader() {
            return Ok(reader.clone());
        }
        let Ok(pool) = open::read(&self.database).await else { return Err(error) };
        let reader = Store::new(pool, self.options.waits);
        *self.idle_reader() = Some(reader.clone());
        Ok(reader)
    }

    fn idle_reader(&self) -> MutexGuard<'_, Option<Store>> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn work(&self, gate: Gate) -> Result<()> {
        let store = self.store().await?;
        if self.options.conduct == Conduct::Looks {
            return Ok(());
        }
        let (leases, draining) = (self.leases(), self.draining.clone());
        let working = self.worker.get_or_try_init(|| {
            Worker::start(store.clone(), self.options.clone(), leases, Admission { gate, draining })
        });
        working.await.inspect_err(|error| self.become_(State::Broken(error.to_string())))?;
        Ok(())
    }

    /// Finds the worker of this shell, if it works by now.
    fn worker(&self) -> Option<&Arc<Worker>> {
        self.worker.get()
    }

    fn leases(&self) -> PathBuf {
        open::leases(&self.database)
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn become_(&self, state: State) {
        let mut phase = self.phase();
        if phase.state != Some(State::Closed) {
            phase.state = Some(state);
        }
    }

    /// Waits until a run that was told to stop has stopped; takes it over when its worker is dead.
    async fn stopped(&self, store: &Store, id: &RunId) -> Result<Run> {
        let patience = self.options.grace + Duration::from_secs(8);
        let begun = Instant::now();
        loop {
            let run = store.get(id).await?;
            if run.status.is_final() {
                return Ok(run);
            }
            if begun.elapsed() > patience {
                return Err(EngineError::OwnerSilent { id: run.id });
            }
            match store.owner(id).await? {
                Some(owner) => recovery::bury(store, &self.leases(), &owner, self.options.grace).await?,
                // It was put back before the wish reached its worker.
                None => match store.cancel(id).await {
                    Ok(Cancelled::Over(run)) => return Ok(*run),
                    Ok(Cancelled::Told) | Err(EngineError::AlreadyOver { .. }) => {}
                    Err(error) => return Err(error),
                },
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[async_trait]
impl Engine for Embedded {
    fn name(&self) -> &str {
        "apalis on SQLite"
    }

    fn state(&self) -> State {
        let state = self.inner.phase().state.clone().unwrap_or(State::Idle);
        match (state, self.inner.worker()) {
            (State::Open, Some(worker)) => match (worker.trouble(), worker.held()) {
                (Some(why), _) => State::Broken(why),
                (None, Some(why)) => State::Held(why),
                (None, None) => State::Working { running: worker.count() },
            },
            (state, _) => state,
        }
    }

    fn drain(&self) {
        self.inner.draining.cancel();
    }

    fn under_way(&self) -> usize {
        self.inner.worker().map_or(0, |worker| worker.under_way())
    }

    fn start(&self, after: Duration, gate: Gate) {
        let mut phase = self.inner.phase();
        let idle = phase.starting.as_ref().is_none_or(JoinHandle::is_finished);
        if !idle || self.inner.worker().is_some() || self.inner.closing.is_cancelled() {
            return;
        }
        if self.inner.options.conduct == Conduct::Works && phase.state != Some(State::Open) {
            phase.state = Some(State::Starting);
        }
        let inner = Arc::clone(&self.inner);
        phase.starting = Some(tokio::spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(after) => {}
                () = inner.closing.cancelled() => return,
                () = inner.draining.cancelled() => return,
            }
            if let Err(error) = inner.work(gate).await {
                tracing::warn!(%error, "the engine does not work");
            }
        }));
    }

    async fn submit(&self, submission: Submission) -> Result<Run> {
        submission.check()?;
        let directory = match &submission.cwd {
            Some(directory) => directory.clone(),
            None => std::env::current_dir().doing("finding the directory to run in")?,
        };
        let Some(cwd) = directory.to_str().filter(|cwd| !cwd.contains('\0')) else {
            return Err(EngineError::Invalid { field: "cwd", rule: "must be a path in UTF-8".to_owned() });
        };
        let run = self.inner.store().await?.submit(&submission, cwd).await?;
        if let Some(worker) = self.inner.worker() {
            worker.nudge();
        }
        Ok(run)
    }

    async fn runs(&self, wanted: Wanted) -> Result<Vec<Run>> {
        self.inner.reader().await?.runs(wanted).await
    }

    async fn get(&self, id: &str) -> Result<Run> {
        self.inner.reader().await?.find(id).await
    }

    async fn logs(&self, id: &str) -> Result<String> {
        let store = self.inner.reader().await?;
        let run = store.find(id).await?;
        let (pieces, written) = store.output(&run.id).await?;
        Ok(transcript::render(pieces, written, self.inner.options.output_limit))
    }

    async fn cancel(&self, id: &str) -> Result<Run> {
        let store = self.inner.store().await?;
        let run = store.find(id).await?;
        match store.cancel(&run.id).await? {
            Cancelled::Over(run) => Ok(*run),
            Cancelled::Told => {
                if let Some(worker) = self.inner.worker() {
                    worker.interrupt(&run.id);
                }
                self.inner.stopped(store, &run.id).await
            }
        }
    }

    async fn retry(&self, id: &str) -> Result<Run> {
        let store = self.inner.store().await?;
        let run = store.retry(&store.find(id).await?.id).await?;
        if let Some(worker) = self.inner.worker() {
            worker.nudge();
        }
        Ok(run)
    }

    async fn sync(&self) -> Result<Vec<Change>> {
        let store = self.inner.store().await?;
        recovery::sweep(store, &self.inner.leases(), self.inner.options.grace).await?;
        let mut seen = self.inner.seen.lock().await;
        let picture = store.picture().await?;
        let mut changes = Vec::new();
        for (id, now) in &picture {
            let before = seen.get(id);
            if before != Some(now) {
                let Run { id, name, status, attempts, error, .. } = store.get(id).await?;
                changes.push(Change { id, name, before: before.map(|(status, _)| *status), status, attempts, error });
            }
        }
        *seen = picture;
        Ok(changes)
    }

    async fn close(&self) {
        self.inner.closing.cancel();
        let starting = {
            let mut phase = self.inner.phase();
            phase.state = Some(State::Closed);
            phase.starting.take()
        };
        if let Some(starting) = starting {
            // Opening is short; cutting it off in the middle of a migration gains nothing.
            let _ = starting.await;
        }
        if let Some(worker) = self.inner.worker() {
            worker.stop().await;
        }
        if let Some(store) = self.inner.store.get() {
            store.pool().close().await;
        }
    }
}
