//! The queue: apalis on SQLite. The only module that knows apalis and its tables.
//!
//! A *ticket* is an apalis task that lets one attempt of one run start at its time. It is written in the transaction that makes the
//! run wait, and numbered: only the ticket whose number the run carries is good, so a ticket that apalis hands out twice or
//! late does no harm. The run's row decides who may start it; apalis decides when somebody should try.
//!
//! Hence `max_attempts(1)`: apalis would repeat a failed task at once, and we want a wait that survives the shell.

use std::sync::Arc;

use apalis::prelude::{
    BackendExt, BoxDynError, Data, TaskBuilder, WorkerBuilder, WorkerBuilderExt, WorkerContext, WorkerError,
};
use apalis_sqlite::{Config, SqliteStorage, queries::push_tasks};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::{Row, SqliteConnection, SqlitePool};
use tokio::sync::mpsc;

use crate::{
    engine::{EngineError, error::Doing},
    run::RunId,
};

use super::worker::Worker;

const QUEUE: &str = "orchestrator.runs";

/// Finished tickets are kept so long, for whoever looks into the file.
const KEEP_SECONDS: i64 = 24 * 60 * 60;

/// Lets one attempt of a run start.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ticket {
    pub(crate) run: RunId,
    pub(crate) number: i64,
}

impl Ticket {
    fn key(&self) -> String {
        format!("{}/{}", self.run, self.number)
    }

    /// Queues the ticket. The queue counts in seconds: a ticket is good from the first full second after its time.
    pub(crate) async fn push(&self, connection: &mut SqliteConnection, at: Timestamp) -> Result<(), EngineError> {
        let second = at.as_second() + i64::from(at.subsec_nanosecond() > 0 && at > Timestamp::now());
        let task = TaskBuilder::new(serde_json::to_vec(self).doing("writing a ticket")?)
            .max_attempts(1)
            .run_at_timestamp(second.max(0).cast_unsigned())
            .idempotency_key(self.key())
            .build();
        push_tasks(connection, QUEUE, &[task]).await.doing("queueing a ticket")
    }
}

/// Whether a ticket waits whose time has come.
pub(crate) async fn is_due(pool: &SqlitePool) -> Result<bool, EngineError> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM Jobs WHERE job_type = ?1 AND status = 'Pending' AND lock_by IS NULL AND run_at <= ?2)",
    )
    .bind(QUEUE)
    .bind(Timestamp::now().as_second())
    .fetch_one(pool)
    .await
    .doing("looking for due tickets")
}

/// Waiting runs whose ticket is lost: the worker that had fetched it failed before it could use it.
pub(crate) async fn without_ticket(connection: &mut SqliteConnection) -> Result<Vec<RunId>, EngineError> {
    sqlx::query(
        "SELECT id FROM runs WHERE status IN ('queued', 'retrying') AND owner IS NULL AND NOT EXISTS (
             SELECT 1 FROM Jobs WHERE job_type = ?1 AND idempotency_key = runs.id || '/' || runs.ticket
                 AND status IN ('Pending', 'Queued', 'Running'))",
    )
    .bind(QUEUE)
    .fetch_all(connection)
    .await
    .doing("looking for lost tickets")?
    .iter()
    .map(|row| row.try_get::<String, _>("id").doing("reading a run")?.parse().doing("reading a run"))
    .collect()
}

/// Puts back what a worker had fetched and can not use any more. A ticket that was used meanwhile is void anyhow.
pub(crate) async fn release(pool: &SqlitePool, owner: &str) -> Result<(), EngineError> {
    sqlx::query(
        "UPDATE Jobs SET status = 'Pending', lock_by = NULL, lock_at = NULL
         WHERE job_type = ?1 AND status IN ('Queued', 'Running') AND substr(lock_by, 1, length(?2)) = ?2",
    )
    .bind(QUEUE)
    .bind(owner)
    .execute(pool)
    .await
    .doing("putting tickets back")?;
    Ok(())
}

/// Forgets old finished tickets and workers.
pub(crate) async fn prune(pool: &SqlitePool) -> Result<(), EngineError> {
    let before = Timestamp::now().as_second() - KEEP_SECONDS;
    sqlx::query("DELETE FROM Jobs WHERE job_type = ?1 AND status IN ('Done', 'Failed', 'Killed') AND done_at < ?2")
        .bind(QUEUE)
        .bind(before)
        .execute(pool)
        .await
        .doing("forgetting old tickets")?;
    sqlx::query(
        "DELETE FROM Workers WHERE last_seen < ?1 AND id NOT IN (SELECT lock_by FROM Jobs WHERE lock_by IS NOT NULL)",
    )
    .bind(before)
    .execute(pool)
    .await
    .doing("forgetting old workers")?;
    Ok(())
}

/// Hands tickets to the worker until `context` is stopped, looking whenever `pulse` says so.
///
/// One ticket at a time and only while there is room: a ticket fetched in advance would wait here while another shell is idle.
pub(crate) async fn serve(
    context: &WorkerContext,
    worker: Arc<Worker>,
    pulse: mpsc::Receiver<()>,
) -> Result<(), WorkerError> {
    let pulse = stream::unfold(pulse, |mut pulse| async move { pulse.recv().await.map(|()| ((), pulse)) }).boxed();
    let room = worker.options().parallel;
    let backend = SqliteStorage::<Ticket>::new(worker.pool())
        .with_config(Config::default().queue(QUEUE).batch_size(1))
        .poll_with_stream(pulse);
    WorkerBuilder::new(context).backend(backend).concurrency(room).data(worker).build(start).run().await
}

async fn start(ticket: Ticket, worker: Data<Arc<Worker>>) -> Result<(), BoxDynError> {
    let worker: &Arc<Worker> = &worker;
    Ok(Arc::clone(worker).carry_out(ticket).await?)
}
