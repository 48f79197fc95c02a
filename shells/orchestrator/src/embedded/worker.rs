//! The worker of this shell: it takes runs while the shell is open.
//!
//! Two tasks stand behind the prompt. One serves the queue, and starts over when the queue breaks (a full disk, a file
//! that another process holds too long). The other is the pulse: several times a second it looks, with two small reads, whether
//! somebody wants one of our runs stopped and whether a ticket is due; now and then it clears up after workers that died.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use apalis::prelude::WorkerContext;
use sqlx::SqlitePool;
use tokio::{
    sync::{Notify, mpsc},
    task::JoinSet,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    engine::{EngineError, Gate},
    run::RunId,
};

use super::{Options, lease::Lease, queue, recovery, store::Store};

/// How often the pulse clears up after the dead: every so many beats.
const SWEEP_EVERY: u32 = 8;

/// How long the queue rests after it broke.
const REST: Duration = Duration::from_secs(1);

/// How often the gate is asked while it is shut.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Whether a run may be started here.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) gate: Gate,
    /// Nothing more is started.
    pub(crate) draining: CancellationToken,
}

/// Takes runs and sees them through.
#[derive(Debug)]
pub(crate) struct Worker {
    store: Store,
    options: Options,
    leases: PathBuf,
    owner: String,
    /// Given up when the worker stops, which may be long before the last clone of it is dropped.
    lease: Mutex<Option<Lease>>,
    leaving: CancellationToken,
    /// What runs here, and how each is told to stop.
    running: Mutex<HashMap<RunId, CancellationToken>>,
    pub(super) attempts: TaskTracker,
    nudge: mpsc::Sender<()>,
    tasks: tokio::sync::Mutex<JoinSet<()>>,
    trouble: Mutex<Option<String>>,
    admission: Admission,
    /// Why the gate is shut, while it is.
    held: Mutex<Option<String>>,
    /// A ticket came that may not be used now: the queue has to let go of it.
    refused: Notify,
}

impl Worker {
    /// Begins to work.
    pub(crate) async fn start(
        store: Store,
        options: Options,
        leases: PathBuf,
        admission: Admission,
    ) -> Result<Arc<Self>, EngineError> {
        use crate::engine::error::Doing as _;
        queue::prune(store.pool()).await?;
        let lease = Lease::take(&leases).doing("taking a lease")?;
        // One waiting nudge says as much as many.
        let (nudge, nudges) = mpsc::channel(1);
        let worker = Arc::new(Self {
            store,
            options,
            leases,
            owner: lease.owner().to_owned(),
            lease: Mutex::new(Some(lease)),
            leaving: CancellationToken::new(),
            running: Mutex::default(),
            attempts: TaskTracker::new(),
            nudge,
            tasks: tokio::sync::Mutex::default(),
            trouble: Mutex::default(),
            admission,
            held: Mutex::default(),
            refused: Notify::new(),
        });
        let mut tasks = worker.tasks.lock().await;
        tasks.spawn(Arc::clone(&worker).serve(nudges));
        tasks.spawn(Arc::clone(&worker).beat());
        drop(tasks);
        Ok(worker)
    }

    pub(crate) fn pool(&self) -> &SqlitePool {
        self.store.pool()
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    pub(crate) fn owner(&self) -> &str {
        &self.owner
    }

    pub(crate) fn leaving(&self) -> &CancellationToken {
        &self.leaving
    }

    /// How many runs are under way here.
    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// What keeps it from working, if anything does.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why it starts no runs for now.
    pub(crate) fn held(&self) -> Option<String> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many attempts are not at their end here, from before they take their run.
    pub(crate) fn under_way(&self) -> usize {
        self.attempts.len()
    }

    /// Whether a run may be started here now.
    pub(super) async fn admits(&self) -> bool {
        if self.leaving.is_cancelled() || self.admission.draining.is_cancelled() {
            return false;
        }
        let held = self.admission.gate.ask().await.err();
        let admits = held.is_none();
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = held;
        // The answer may have taken a while.
        admits && !self.leaving.is_cancelled() && !self.admission.draining.is_cancelled()
    }

    /// Has the queue let go of what it has fetched, and fetch no more before runs may be started.
    pub(super) fn refuse(&self) {
        self.refused.notify_one();
    }

    /// Says that there may be something to do.
    pub(crate) fn nudge(&self) {
        let _ = self.nudge.try_send(());
    }

    /// Tells a run to stop, if it runs here.
    pub(crate) fn interrupt(&self, id: &RunId) {
        if let Some(stop) = self.lock().get(id) {
            stop.cancel();
        }
    }

    /// Makes a run reachable for [`Worker::interrupt`] until the guard is dropped.
    pub(super) fn enter(&self, id: &RunId) -> Entered<'_> {
        let stop = CancellationToken::new();
        self.lock().insert(id.clone(), stop.clone());
        Entered { worker: self, id: id.clone(), stop }
    }

    /// Stops: takes nothing more, stops what runs and puts it back, and gives the lease up.
    pub(crate) async fn stop(&self) {
        self.leaving.cancel();
        self.attempts.close();
        // Each attempt stops its own processes within the grace; what takes longer is found by the next shell.
        let patience = self.options.grace + Duration::from_secs(8);
        if tokio::time::timeout(patience, self.attempts.wait()).await.is_err() {
            tracing::warn!(running = self.count(), "runs did not stop in time; the next shell clears up");
        }
        // The queue is cut off, not asked to stop: an apalis worker that was asked waits for what it carries without finishing
        // the fetch it is at, and such a fetch holds the write lock that the end of an attempt waits for.
        self.tasks.lock().await.shutdown().await;
        if let Err(error) = queue::release(self.pool(), self.owner()).await {
            tracing::warn!(%error, "tickets could not be put back; the next shell renews them");
        }
        drop(self.lease.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    async fn serve(self: Arc<Self>, mut nudges: mpsc::Receiver<()>) {
        let mut incarnation = 0_u32;
        loop {
            // apalis lets nobody register a name twice within a heartbeat.
            incarnation += 1;
            let context = WorkerContext::new(&format!("{}#{incarnation}", self.owner()));
            let (pulse, pulses) = mpsc::channel(1);
            let served = {
                let serving = queue::serve(&context, Arc::clone(&self), pulses);
                tokio::pin!(serving);
                loop {
                    tokio::select! {
                        served = &mut serving => break served,
                        Some(()) = nudges.recv() => { let _ = pulse.try_send(()); }
                        () = self.refused.notified() => break Ok(()),
                    }
                }
            };
            if let Err(error) = served {
                self.report(Some(&error));
            }
            tokio::time::sleep(REST).await;
            loop {
                // Another shell may use what this one may not. On a full disk it fails, and is tried again.
                let _ = queue::release(self.pool(), self.owner()).await;
                if self.admits().await {
                    break;
                }
                tokio::time::sleep(ASK_AGAIN).await;
            }
        }
    }

    async fn beat(self: Arc<Self>) {
        let mut beat = tokio::time::interval(self.options.pulse);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut count = 0_u32;
        loop {
            tokio::select! { _ = beat.tick() => {}, () = self.leaving.cancelled() => return }
            let looked = self.look(count.is_multiple_of(SWEEP_EVERY)).await;
            count = count.wrapping_add(1);
            self.report(looked.err().as_ref().map(|error| error as &dyn std::fmt::Display));
        }
    }

    async fn look(&self, sweep: bool) -> Result<(), EngineError> {
        for id in self.store.unwanted(self.owner()).await? {
            self.interrupt(&id);
        }
        if sweep {
            recovery::sweep(&self.store, &self.leases, self.options.grace).await?;
        }
        if queue::is_due(self.pool()).await? {
            self.nudge();
        }
        Ok(())
    }

    /// Keeps the trouble for the banner, and logs it once.
    pub(super) fn report(&self, found: Option<&dyn std::fmt::Display>) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let found = found.map(ToString::to_string);
        if *trouble != found {
            if let Some(error) = &found {
                tracing::warn!(error, "the worker can not work");
            }
            *trouble = found;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RunId, CancellationToken>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run that is under way here.
pub(super) struct Entered<'a> {
    worker: &'a Worker,
    id: RunId,
    pub(super) stop: CancellationToken,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.worker.lock().remove(&self.id);
    }
}
