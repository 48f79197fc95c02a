//! How a session ends: once, with one reason, whoever is first to say it.

use std::{
    panic::AssertUnwindSafe,
    sync::{Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio::task::JoinHandle;

use super::{Command, Next, Outcome, Session};
use crate::{
    event::{EndReason, EventKind, SessionEnd},
    recorder::LiveSession,
};

/// How long a command that runs may take to stop when its session ends.
const STOP_GRACE: Duration = Duration::from_secs(1);
/// How long the end waits for the sweep that the start has begun.
const SWEEP_GRACE: Duration = Duration::from_secs(2);

/// How long the component's hook may take before the end is recorded without it.
const HOOK_PATIENCE: Duration = Duration::from_secs(5);

/// The component's hooks, whatever component it is.
#[async_trait]
pub(crate) trait Hooks: Send + Sync {
    async fn before(&self, command: &Command) -> crate::Result<Next>;
    async fn after(&self, command: &Command, outcome: &Outcome) -> crate::Result<()>;
    async fn end(&self, reason: EndReason) -> crate::Result<()>;
    async fn unfinished(&self) -> Option<String>;
    /// The end is recorded: what is to leave with it leaves now.
    async fn recorded(&self);
}

/// Whether the session has begun to end, what its start still does, and the lock that says it is alive.
pub(crate) struct Leaving {
    reason: Mutex<Option<EndReason>>,
    live: Mutex<Option<LiveSession>>,
    begun: Mutex<Option<JoinHandle<()>>>,
}

impl Leaving {
    /// `begun` writes the start and looks for sessions that died.
    pub(crate) fn new(begun: JoinHandle<()>) -> Self {
        Self { reason: Mutex::new(None), live: Mutex::new(None), begun: Mutex::new(Some(begun)) }
    }

    pub(crate) fn hold(&self, live: LiveSession) {
        *self.live.lock().unwrap_or_else(PoisonError::into_inner) = Some(live);
    }

    /// Refuses work once the session ends.
    pub(super) fn check(&self) -> crate::Result<()> {
        match *self.reason.lock().unwrap_or_else(PoisonError::into_inner) {
            None => Ok(()),
            Some(reason) => Err(anyhow::anyhow!("the session has ended ({reason})")),
        }
    }

    /// True for the first who says a reason.
    fn begin(&self, reason: EndReason) -> bool {
        let mut current = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        let first = current.is_none();
        current.get_or_insert(reason);
        first
    }

    fn take_live(&self) -> Option<LiveSession> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn take_begun(&self) -> Option<JoinHandle<()>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Session {
    /// Ends the session: stops a command that runs, runs the component's hook, and records the end. Only the first call
    /// does anything.
    ///
    /// # Errors
    /// When the end could not be recorded.
    pub async fn close(self, reason: EndReason) -> crate::Result<()> {
        let runtime = self.inner().setting.runtime.clone();
        // A caller that loses patience drops this future; the session ends all the same.
        runtime.spawn(async move { self.close_with(reason, 0).await }).await?
    }

    /// What leaving now would cut short.
    pub(crate) async fn unfinished(&self) -> Option<String> {
        tokio::time::timeout(HOOK_PATIENCE, self.inner().hooks.unfinished()).await.ok().flatten()
    }

    /// Whether a command has begun.
    pub(crate) fn has_worked(&self) -> bool {
        self.inner().commands.load(Ordering::Relaxed) > 0
    }

    /// Whether it has begun to end.
    pub(crate) fn is_leaving(&self) -> bool {
        self.inner().leaving.check().is_err()
    }

    pub(crate) async fn close_with(&self, reason: EndReason, exit_code: i32) -> crate::Result<()> {
        let inner = self.inner();
        if !inner.leaving.begin(reason) {
            return Ok(());
        }
        self.interrupt();
        // A command that does not stop in time is left without an outcome: unknown, which is the truth.
        let _turn = tokio::time::timeout(STOP_GRACE, inner.turn.lock()).await;
        let hook = tokio::time::timeout(HOOK_PATIENCE, AssertUnwindSafe(inner.hooks.end(reason)).catch_unwind()).await;
        match hook {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => {
                tracing::warn!(error = format!("{error:#}"), "the hook at the end of the session failed");
            }
            Ok(Err(_)) => tracing::warn!("the hook at the end of the session panicked"),
            Err(_) => tracing::warn!("the hook at the end of the session did not end within {HOOK_PATIENCE:?}"),
        }
        let end = SessionEnd {
            reason,
            exit_code,
            duration_us: u64::try_from(inner.opened.elapsed().as_micros()).unwrap_or(u64::MAX),
            commands: inner.commands.load(Ordering::Relaxed),
            failed_commands: inner.failed.load(Ordering::Relaxed),
        };
        let result = self.recorder().outcome(EventKind::SessionEnd, &end).await;
        let live = inner.leaving.take_live();
        if result.is_ok()
            && let Some(live) = live
        {
            live.end();
        }
        // A session of one short command ends before its sweep does, and the next one may be as short.
        if let Some(begun) = inner.leaving.take_begun() {
            let _ = tokio::time::timeout(SWEEP_GRACE, begun).await;
        }
        inner.hooks.recorded().await;
        self.recorder().close().await;
        result.map_err(|because| anyhow::anyhow!("the end of the session is not recorded: {because}"))
    }
}
