//! What happens to a run after it was submitted: claimed, begun, ended, cancelled, retried.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::Row;
use supervisor::Identity;

use crate::{
    embedded::{
        queue::{self, Ticket},
        verdict::{End, Standing},
    },
    engine::{EngineError, error::Doing},
    run::{Run, RunId, Status},
};

use super::{Held, Store, requeue, row};

/// What came of a wish to cancel.
#[derive(Clone, Debug)]
pub(crate) enum Cancelled {
    /// Nobody was running it: it is over.
    Over(Box<Run>),
    /// Its worker has been told.
    Told,
}

impl Store {
    /// Takes a run for a worker and counts the attempt. `None` when the ticket is void: the run is taken, over, or waits for
    /// another ticket.
    pub(crate) async fn claim(&self, ticket: &Ticket, owner: &str) -> Result<Option<Run>, EngineError> {
        let mut change = self.write().await?;
        let claimed = sqlx::query(
            "UPDATE runs SET status = 'running', owner = ?1, attempts = attempts + 1, started = ?2, finished = NULL, next_attempt = NULL,
                 exit_code = NULL, signal = NULL, error = NULL, last_line = NULL, pid = NULL, pid_began = NULL, pid_home = NULL
             WHERE id = ?3 AND ticket = ?4 AND owner IS NULL AND cancel = 0 AND status IN ('queued', 'retrying')",
        )
        .bind(owner)
        .bind(Timestamp::now().as_microsecond())
        .bind(ticket.run.as_str())
        .bind(ticket.number)
        .execute(&mut *change)
        .await
        .doing("taking a run")?;
        if claimed.rows_affected() == 0 {
            return Ok(None);
        }
        let run = row::one(&mut change, &ticket.run).await?;
        change.commit().await.doing("taking a run")?;
        Ok(Some(run))
    }

    /// Notes the process of an attempt.
    pub(crate) async fn begin(&self, held: &Held, owner: &str) -> Result<(), EngineError> {
        let Some(Identity { pid, began, home }) = &held.process else { return Ok(()) };
        sqlx::query(
            "UPDATE runs SET pid = ?1, pid_began = ?2, pid_home = ?3 WHERE id = ?4 AND owner = ?5 AND attempts = ?6",
        )
        .bind(pid)
        .bind(began)
        .bind(home)
        .bind(held.id.as_str())
        .bind(owner)
        .bind(held.attempt)
        .execute(self.pool())
        .await
        .doing("noting a process")?;
        Ok(())
    }

    /// Ends an attempt and decides what becomes of the run. `None` when the attempt is not the owner's any more.
    pub(crate) async fn end(
        &self,
        held: &Held,
        owner: &str,
        end: &End,
        last_line: Option<&str>,
    ) -> Result<Option<Run>, EngineError> {
        let mut change = self.write().await?;
        let found = sqlx::query(
            "SELECT attempts, allowance, budget, cancel FROM runs WHERE id = ?1 AND owner = ?2 AND attempts = ?3",
        )
        .bind(held.id.as_str())
        .bind(owner)
        .bind(held.attempt)
        .fetch_optional(&mut *change)
        .await
        .doing("ending an attempt")?;
        let Some(found) = found else { return Ok(None) };
        let number = |column| found.try_get::<u32, _>(column).doing("ending an attempt");
        let standing = Standing {
            attempts: held.attempt,
            allowance: number("allowance")?,
            budget: number("budget")?,
            cancel: number("cancel")? != 0,
        };
        let verdict = standing.after(end, &self.waits);
        let now = Timestamp::now();
        let again = verdict.again_in.map(|wait| now + wait.min(Duration::from_secs(366 * 24 * 60 * 60)));
        sqlx::query(
            "UPDATE runs SET status = ?1, finished = ?2, exit_code = ?3, signal = ?4, error = ?5, last_line = ?6, next_attempt = ?7,
                 allowance = ?8, owner = NULL, pid = NULL, pid_began = NULL, pid_home = NULL
             WHERE id = ?9",
        )
        .bind(verdict.status.as_str())
        .bind(now.as_microsecond())
        .bind(verdict.exit_code)
        .bind(&verdict.signal)
        .bind(&verdict.error)
        .bind(last_line)
        .bind(again.filter(|at| *at > now).map(Timestamp::as_microsecond))
        .bind(verdict.allowance)
        .bind(held.id.as_str())
        .execute(&mut *change)
        .await
        .doing("ending an attempt")?;
        if let Some(again) = again {
            requeue(&mut change, &held.id, again).await?;
        }
        let run = row::one(&mut change, &held.id).await?;
        change.commit().await.doing("ending an attempt")?;
        Ok(Some(run))
    }

    /// Cancels a run that nobody runs, or tells whoever runs it.
    pub(crate) async fn cancel(&self, id: &RunId) -> Result<Cancelled, EngineError> {
        let mut change = self.write().await?;
        let run = row::one(&mut change, id).await?;
        if run.status.is_final() {
            return Err(EngineError::AlreadyOver { id: run.id, status: run.status });
        }
        sqlx::query("UPDATE runs SET cancel = 1 WHERE id = ?1")
            .bind(id.as_str())
            .execute(&mut *change)
            .await
            .doing("cancelling a run")?;
        if run.status != Status::Running {
            sqlx::query(
                "UPDATE runs SET status = 'cancelled', finished = ?1, next_attempt = NULL, error = ?2 WHERE id = ?3",
            )
            .bind(Timestamp::now().as_microsecond())
            .bind(if run.attempts == 0 {
                "cancelled before it began"
            } else {
                "cancelled while it waited to be tried again"
            })
            .bind(id.as_str())
            .execute(&mut *change)
            .await
            .doing("cancelling a run")?;
        }
        let run = row::one(&mut change, id).await?;
        change.commit().await.doing("cancelling a run")?;
        Ok(if run.status.is_final() { Cancelled::Over(Box::new(run)) } else { Cancelled::Told })
    }

    /// Queues a run again, with as many attempts as it was submitted with.
    pub(crate) async fn retry(&self, id: &RunId) -> Result<Run, EngineError> {
        let mut change = self.write().await?;
        let run = row::one(&mut change, id).await?;
        match run.status {
            Status::Failed | Status::Cancelled | Status::TimedOut | Status::Retrying => {}
            Status::Queued | Status::Running | Status::Succeeded => {
                return Err(EngineError::NotRetryable { id: run.id, status: run.status });
            }
        }
        sqlx::query(
            "UPDATE runs SET status = 'queued', cancel = 0, allowance = attempts + budget, next_attempt = NULL, finished = NULL
             WHERE id = ?1",
        )
        .bind(id.as_str())
        .execute(&mut *change)
        .await
        .doing("queueing a run again")?;
        requeue(&mut change, id, Timestamp::now()).await?;
        let run = row::one(&mut change, id).await?;
        change.commit().await.doing("queueing a run again")?;
        Ok(run)
    }

    /// Gives a new ticket to waiting runs that have lost theirs.
    pub(crate) async fn mend_tickets(&self) -> Result<(), EngineError> {
        let mut connection = self.pool().acquire().await.doing("looking for lost tickets")?;
        if queue::without_ticket(&mut connection).await?.is_empty() {
            return Ok(());
        }
        drop(connection);
        let mut change = self.write().await?;
        for id in queue::without_ticket(&mut change).await? {
            let at = row::one(&mut change, &id).await?.next_attempt.unwrap_or_else(Timestamp::now);
            requeue(&mut change, &id, at).await?;
        }
        change.commit().await.doing("renewing lost tickets")
    }
}
