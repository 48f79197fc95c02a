//! One attempt of a run, from its ticket to its end.
//!
//! The order matters. The claim is committed before the program starts, so that two shells never start it both. The
//! program's family is gone before the end is committed, so that the next attempt never meets it. When the shell dies in
//! between, the run stays claimed by a worker without a life, and [`super::recovery`] finds both the run and its processes.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use supervisor::{Family, Program, Reach, Stopped};
use tokio_util::sync::CancellationToken;

use crate::{
    engine::EngineError,
    process::{Capture, Launch, Stream, listen, mark},
    run::{Run, RunId},
};

use super::{queue::Ticket, store::Held, verdict::End, worker::Worker};

/// How often output is stored.
const FLUSH: Duration = Duration::from_millis(500);

/// How often a flood of output is stored: each time costs up to twice the limit in writes.
const FLUSH_FLOOD: Duration = Duration::from_secs(2);

/// What counts as a flood between two times.
const FLOOD: usize = 64 * 1024;

/// How long to wait for the end of output once the program has gone: a daemon that it set free may hold the pipe for ever.
const LAST_WORDS: Duration = Duration::from_millis(500);

impl Worker {
    /// Sees an attempt through, however the queue fares meanwhile.
    ///
    /// The attempt is a task of its own: apalis drops what it carries when its database fails, and a program must not be lost with it.
    pub(crate) async fn carry_out(self: Arc<Self>, ticket: Ticket) -> Result<(), EngineError> {
        let (worker, run) = (Arc::clone(&self), ticket.run.clone());
        // Asked within the task: whoever drains the worker and then counts what is under way counts this one too.
        let attempt = self.attempts.spawn(async move {
            match worker.admits().await {
                true => worker.attempt(&ticket).await.map(|()| true),
                false => Ok(false),
            }
        });
        match attempt.await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => {
                // Keeps the ticket until the queue is cut off, which puts it back.
                self.refuse();
                std::future::pending().await
            }
            Ok(Err(error)) => Err(error),
            Err(panic) => {
                tracing::error!(%run, %panic, "an attempt lost its worker");
                self.give_up(&run).await
            }
        }
    }

    async fn attempt(&self, ticket: &Ticket) -> Result<(), EngineError> {
        let Some(run) = self.store().claim(ticket, self.owner()).await? else { return Ok(()) };
        let entered = self.enter(&run.id);
        let mut held = Held { id: run.id.clone(), attempt: run.attempts, process: None };
        let (end, last_line) = self.execute(&run, &mut held, &entered.stop).await;
        self.record(&held, &end, last_line.as_deref()).await
    }

    async fn execute(&self, run: &Run, held: &mut Held, stop: &CancellationToken) -> (End, Option<String>) {
        if self.leaving().is_cancelled() {
            return (End::Left, None);
        }
        let launch = Launch {
            run: &run.id,
            attempt: run.attempts,
            program: &run.program,
            args: &run.args,
            cwd: Path::new(&run.cwd),
        };
        let mut program = match launch.start() {
            Ok(program) => program,
            Err(error) => return (End::Unstartable(error.to_string()), None),
        };
        held.process = program.identity();
        if let Err(error) = self.store().begin(held, self.owner()).await {
            // The mark that the program inherited finds it as well.
            tracing::warn!(run = %run.id, %error, "a process could not be noted");
        }

        let capture = Capture::new(self.options().output_limit);
        let mut listeners = tokio::task::JoinSet::new();
        if let Some(pipe) = program.child.stdout.take() {
            listeners.spawn(listen(pipe, Stream::Out, capture.clone()));
        }
        if let Some(pipe) = program.child.stderr.take() {
            listeners.spawn(listen(pipe, Stream::Err, capture.clone()));
        }

        let over = CancellationToken::new();
        let waiting = async {
            let end = self.wait(run, &mut program, stop).await;
            let _ = tokio::time::timeout(LAST_WORDS, async { while listeners.join_next().await.is_some() {} }).await;
            listeners.abort_all();
            over.cancel();
            end
        };
        let (end, ()) = tokio::join!(waiting, self.keep(held, &capture, &over));
        (end, capture.last_line())
    }

    /// Waits until the program ends or must, and until nothing of it is left.
    async fn wait(&self, run: &Run, program: &mut Program, stop: &CancellationToken) -> End {
        let limit = run.timeout_seconds.map(Duration::from_secs_f64);
        let (end, reach) = tokio::select! {
            biased;
            status = program.child.wait() => (of_status(status), Reach::Group),
            () = stop.cancelled() => (End::Cancelled, Reach::Everything),
            () = self.leaving().cancelled() => (End::Left, Reach::Everything),
            () = sleep(limit) => (End::TimedOut(limit.unwrap_or_default()), Reach::Everything),
        };
        let stopped = program.family.stop(reach, self.options().grace).await;
        if reach == Reach::Everything {
            // Gone but not reaped yet: a zombie that its parent, which we are, has to bury.
            let _ = tokio::time::timeout(LAST_WORDS, program.child.wait()).await;
        }
        match stopped {
            Stopped::Gone => end,
            Stopped::Stuck(pids) => End::Stuck(pids),
        }
    }

    /// Stores output from time to time until the attempt is over, and what is left then.
    async fn keep(&self, held: &Held, capture: &Capture, over: &CancellationToken) {
        let mut pause = FLUSH;
        loop {
            let last = tokio::select! { () = tokio::time::sleep(pause) => false, () = over.cancelled() => true };
            let taken = capture.take();
            if !taken.is_empty()
                && let Err(error) = self.store().append(held, &taken, self.options().output_limit).await
            {
                tracing::warn!(run = %held.id, bytes = taken.size(), %error, "output of a run could not be stored");
            }
            if last {
                return;
            }
            pause = if taken.size() > FLOOD { FLUSH_FLOOD } else { FLUSH };
        }
    }

    /// Commits the end. Nothing else can say how the attempt ended, so a database that fails is asked again, until the shell is left.
    async fn record(&self, held: &Held, end: &End, last_line: Option<&str>) -> Result<(), EngineError> {
        let begun = Instant::now();
        loop {
            match self.store().end(held, self.owner(), end, last_line).await {
                Ok(Some(_)) => return Ok(()),
                Ok(None) => {
                    tracing::error!(run = %held.id, attempt = held.attempt, %end, "a run was taken from this worker while it ran");
                    return Ok(());
                }
                Err(error) if self.leaving().is_cancelled() && begun.elapsed() > Duration::from_secs(2) => {
                    return Err(error);
                }
                Err(error) => {
                    self.report(Some(&error));
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        }
    }

    /// After a panic: the run is still ours, so stop what is left of it and let it go.
    async fn give_up(&self, run: &RunId) -> Result<(), EngineError> {
        for held in self.store().held_by(self.owner()).await?.into_iter().filter(|held| held.id == *run) {
            let family = Family::of_stranger(&mark(&held.id, held.attempt), held.process.as_ref());
            let end = match family.stop(Reach::Everything, self.options().grace).await {
                Stopped::Gone => End::Interrupted,
                Stopped::Stuck(pids) => End::Stuck(pids),
            };
            self.record(&held, &end, None).await?;
        }
        Ok(())
    }
}

async fn sleep(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}

fn of_status(status: std::io::Result<std::process::ExitStatus>) -> End {
    use std::os::unix::process::ExitStatusExt as _;
    match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => End::Exited(code),
            (None, Some(number)) => End::Signalled(number),
            (None, None) => End::Interrupted,
        },
        Err(_) => End::Interrupted,
    }
}
