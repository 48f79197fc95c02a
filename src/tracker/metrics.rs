//! What Prometheus is told.
//!
//! Invariants:
//! - Counters of sessions come from the journal: they are sums over its starts and ends, carried on from the position
//!   that they have reached and kept there. A restart, a prune, a second tracker: nothing is lost and nothing counted
//!   twice.
//! - At most 1,000 components have a label of their own; the rest is `other`. No label is what somebody typed.
//! - Counters of emits are those of whoever delivers, as their last beats report them; what sessions reported that have
//!   left is kept as sums. So a scrape costs as much as there are sessions that live, not that ever were.

mod encode;
mod names;
mod tally;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use self::{encode::Snapshot, tally::Tally};
use super::{Caller, Tracker, TrackerError};
use crate::{
    delivery::wire::Judged,
    journal::{Filter, Fold, Found, Page, SessionRecord, SessionStatus, Verdict},
    token::Scope,
};

pub use encode::Exposition;

/// The name of the sums in the journal.
const FOLD: &str = "sessions";
/// Starts and ends that are added in one go.
const PAGE: u32 = 2_000;
/// Ended sessions that quality is the mean of, at most: the newest of a day.
const QUALITY_SESSIONS: usize = 10_000;
/// Means are made anew no more often than this.
const QUALITY_FRESH: Duration = Duration::from_secs(15);
/// How often sessions leave that will not be heard any more.
const RETIRE_EVERY: Duration = Duration::from_secs(60);
/// How often sums are carried on while nobody asks.
const PACE: Duration = Duration::from_secs(10);

/// What this process has done since it started.
#[derive(Default)]
pub(super) struct Ingest {
    accepted: AtomicU64,
    duplicate: AtomicU64,
    conflict: AtomicU64,
    rejected: AtomicU64,
    sums: Mutex<Sums>,
}

#[derive(Default)]
struct Sums {
    /// Where the journal's sums stand, as far as is known; `None` when that was not asked yet.
    tally: Option<(Option<u64>, Tally)>,
    quality: Option<(Instant, Vec<SessionRecord>)>,
}

impl Tracker {
    pub(super) fn count(&self, results: &[Judged]) {
        let ingest = &self.0.ingest;
        for judged in results {
            let counter = match judged.verdict {
                Verdict::Accepted => &ingest.accepted,
                Verdict::Duplicate => &ingest.duplicate,
                Verdict::Conflict(_) => &ingest.conflict,
                Verdict::Rejected(_) => &ingest.rejected,
            };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Everything that is measured, as text.
    ///
    /// # Errors
    /// When the caller may not read it, or the journal can not be read.
    pub async fn metrics(&self, caller: &Caller, exposition: Exposition) -> Result<String, TrackerError> {
        caller.require(Scope::MetricsRead)?;
        let mut sums = self.0.ingest.sums.lock().await;
        self.carry_on(&mut sums).await?;
        let is_fresh = sums.quality.as_ref().is_some_and(|(at, _)| at.elapsed() < QUALITY_FRESH);
        if !is_fresh {
            sums.quality = Some((Instant::now(), self.ended_today().await?));
        }
        let ingest = &self.0.ingest;
        let verdicts = [
            ("accepted", ingest.accepted.load(Ordering::Relaxed)),
            ("duplicate", ingest.duplicate.load(Ordering::Relaxed)),
            ("conflict", ingest.conflict.load(Ordering::Relaxed)),
            ("rejected", ingest.rejected.load(Ordering::Relaxed)),
        ];
        self.observe_deaths().await;
        let active = self.journal().active_sessions().await?;
        let ended = sums.quality.as_ref().map(|(_, sessions)| sessions.as_slice()).unwrap_or_default();
        let none = Tally::default();
        let tally = sums.tally.as_ref().map_or(&none, |(_, tally)| tally);
        let emitted = self.journal().emitted().await?;
        Ok(encode::text(Snapshot::of(tally, &active, ended, &emitted, verdicts), exposition))
    }

    /// Carries the sums on from time to time, so that a question about them does not find a day's work. Ends with the
    /// tracker.
    pub(super) async fn keep_counting(self) {
        let stop = self.0.stop.clone();
        let mut retire_at = Instant::now();
        while stop.run_until_cancelled(tokio::time::sleep(PACE)).await.is_some() {
            if Instant::now() >= retire_at {
                retire_at = Instant::now() + RETIRE_EVERY;
                if let Err(error) = self.journal().retire_presences(Timestamp::now()).await {
                    tracing::warn!(%error, "sessions that have ended were not retired");
                }
            }
            let mut sums = self.0.ingest.sums.lock().await;
            if let Err(error) = self.carry_on(&mut sums).await {
                tracing::warn!(%error, "sessions were not counted");
            }
        }
    }

    async fn carry_on(&self, sums: &mut Sums) -> Result<(), TrackerError> {
        loop {
            let (from, mut tally) = match sums.tally.take() {
                Some(known) => known,
                None => match self.journal().fold(FOLD).await? {
                    Some(fold) => (Some(fold.position), serde_json::from_str(&fold.body).unwrap_or_default()),
                    None => (None, Tally::default()),
                },
            };
            let read = self.journal().milestones(from.unwrap_or(0), PAGE).await?;
            if from.is_some_and(|from| read.upto <= from) {
                sums.tally = Some((from, tally));
                return Ok(());
            }
            for (_, event) in &read.events {
                let about = match tally.asks(event) {
                    None => None,
                    Some(session) => match self.journal().find(session.as_str()).await? {
                        Found::One(record) => Some(*record),
                        Found::Many(_) | Found::None => None,
                    },
                };
                tally.take(event, about.as_ref());
            }
            let body = serde_json::to_string(&tally).unwrap_or_default();
            let fold = Fold { position: read.upto, body };
            // Where another tracker was quicker, its sums are read and carried on.
            if self.journal().carry_on(FOLD, from, &fold).await? {
                sums.tally = Some((Some(read.upto), tally));
            }
        }
    }

    /// The newest sessions that began in the last 24 hours and have ended.
    async fn ended_today(&self) -> Result<Vec<SessionRecord>, TrackerError> {
        let after = Timestamp::now().checked_sub(SignedDuration::from_hours(24)).ok();
        let mut ended = Vec::new();
        for status in [SessionStatus::Ended, SessionStatus::Crashed] {
            let filter = Filter { after, status: Some(status), ..Filter::default() };
            let mut page = Page { limit: 1_000, after: None };
            while ended.len() < QUALITY_SESSIONS {
                let mut found = self.journal().sessions(&filter, &page).await?;
                ended.append(&mut found.records);
                page.after = found.next;
                if page.after.is_none() {
                    break;
                }
            }
        }
        Ok(ended)
    }
}
