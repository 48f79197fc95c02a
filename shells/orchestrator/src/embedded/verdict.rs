//! What becomes of a run when an attempt is over. Pure: the same end always has the same consequence.
//!
//! | the attempt … | attempts are left | it was the last |
//! |---|---|---|
//! | exited with 0 | succeeded | succeeded |
//! | exited with something else, or by a signal | retrying, after a wait | failed |
//! | took too long | retrying, after a wait | timed_out |
//! | could not start, or left processes that can not be killed | failed | failed |
//! | was cut short because its shell was left | queued | queued, and the attempt is given back |
//! | was cut short because its shell died | queued | failed |
//!
//! A cancelled run is cancelled in every row but the first: a program that succeeded while somebody reached for it has succeeded.
//! A run with a single attempt is never started twice by itself, so being left fails it like any other end.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

use crate::{process::signal_name, run::Status};

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By itself, with an exit status.
    Exited(i32),
    /// By a signal that was not ours.
    Signalled(i32),
    /// It never began, and why.
    Unstartable(String),
    /// It was stopped after its time.
    TimedOut(Duration),
    /// It was stopped because somebody wanted so.
    Cancelled,
    /// It was stopped because its shell was left.
    Left,
    /// Its shell died, or lost track of it.
    Interrupted,
    /// It was stopped, but these processes did not end.
    Stuck(Vec<i32>),
}

/// What a run has had, and may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    pub(crate) attempts: u32,
    pub(crate) allowance: u32,
    pub(crate) budget: u32,
    pub(crate) cancel: bool,
}

/// What becomes of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) status: Status,
    pub(crate) error: Option<String>,
    pub(crate) exit_code: Option<i32>,
    pub(crate) signal: Option<String>,
    /// How long until it may start again; `None` when it does not.
    pub(crate) again_in: Option<Duration>,
    pub(crate) allowance: u32,
}

/// How long to wait between attempts: twice as long each time, from the first wait to the ceiling, plus up to as much
/// again by chance, so that runs that failed together do not come back together.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    /// The wait after the first failure.
    pub first: Duration,
    /// No wait grows beyond this.
    pub ceiling: Duration,
}

impl Waits {
    fn after(&self, attempt: u32) -> Duration {
        let mut waits = ExponentialBuilder::default()
            .with_factor(2.0)
            .with_min_delay(self.first)
            .with_max_delay(self.ceiling)
            .with_jitter()
            .without_max_times()
            .build();
        waits.nth(attempt.saturating_sub(1).min(100) as usize).unwrap_or(self.ceiling)
    }
}

impl Standing {
    /// Decides.
    pub(crate) fn after(self, end: &End, waits: &Waits) -> Verdict {
        let mut verdict = Verdict {
            status: Status::Failed,
            error: Some(end.to_string()),
            exit_code: None,
            signal: None,
            again_in: None,
            allowance: self.allowance,
        };
        match end {
            End::Exited(code) => verdict.exit_code = Some(*code),
            End::Signalled(number) => verdict.signal = Some(signal_name(*number)),
            End::Unstartable(_) | End::TimedOut(_) | End::Cancelled | End::Left | End::Interrupted | End::Stuck(_) => {}
        }
        let left = self.attempts < self.allowance;
        match end {
            End::Exited(0) => {
                verdict.status = Status::Succeeded;
                verdict.error = None;
            }
            End::Cancelled => verdict.status = Status::Cancelled,
            _ if self.cancel => {
                verdict.status = Status::Cancelled;
                verdict.error = Some(format!("cancelled; the attempt {end}"));
            }
            End::Unstartable(_) | End::Stuck(_) => {}
            End::Left if self.budget > 1 => {
                verdict.status = Status::Queued;
                verdict.again_in = Some(Duration::ZERO);
                verdict.allowance = self.allowance.max(self.attempts) + 1;
            }
            End::Interrupted | End::Left if left => {
                verdict.status = Status::Queued;
                verdict.again_in = Some(Duration::ZERO);
            }
            End::Exited(_) | End::Signalled(_) | End::TimedOut(_) if left => {
                verdict.status = Status::Retrying;
                verdict.again_in = Some(waits.after(self.attempts));
            }
            End::TimedOut(_) => verdict.status = Status::TimedOut,
            End::Exited(_) | End::Signalled(_) | End::Interrupted | End::Left => {}
        }
        verdict
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exited with status {code}"),
            Self::Signalled(number) => write!(f, "was ended by {}", signal_name(*number)),
            Self::Unstartable(why) => write!(f, "could not start: {why}"),
            Self::TimedOut(limit) => write!(f, "took longer than {} s", limit.as_secs_f64()),
            Self::Cancelled => f.write_str("cancelled"),
            Self::Left => f.write_str("interrupted: its shell was left"),
            Self::Interrupted => f.write_str("interrupted: the shell that ran it died"),
            Self::Stuck(pids) => write!(f, "was stopped, but these processes do not end: {pids:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITS: Waits = Waits { first: Duration::from_secs(1), ceiling: Duration::from_secs(60) };

    fn standing(attempts: u32, allowance: u32) -> Standing {
        Standing { attempts, allowance, budget: 3, cancel: false }
    }

    #[test]
    fn the_table_holds() {
        let timeout = End::TimedOut(Duration::from_secs(5));
        let table = [
            (End::Exited(0), Status::Succeeded, Status::Succeeded),
            (End::Exited(3), Status::Retrying, Status::Failed),
            (End::Signalled(9), Status::Retrying, Status::Failed),
            (timeout, Status::Retrying, Status::TimedOut),
            (End::Unstartable("no".into()), Status::Failed, Status::Failed),
            (End::Stuck(vec![1]), Status::Failed, Status::Failed),
            (End::Left, Status::Queued, Status::Queued),
            (End::Interrupted, Status::Queued, Status::Failed),
            (End::Cancelled, Status::Cancelled, Status::Cancelled),
        ];
        for (end, with_more, at_last) in table {
            assert_eq!(standing(1, 3).after(&end, &WAITS).status, with_more, "{end:?}");
            assert_eq!(standing(3, 3).after(&end, &WAITS).status, at_last, "{end:?}");
            let wanted_gone = Standing { cancel: true, ..standing(1, 3) }.after(&end, &WAITS);
            let expected = if end == End::Exited(0) { Status::Succeeded } else { Status::Cancelled };
            assert_eq!(wanted_gone.status, expected, "{end:?}");
            assert_eq!(wanted_gone.again_in, None, "{end:?}");
        }
    }

    #[test]
    fn whatever_waits_has_a_time_and_whatever_is_over_has_none() {
        for end in [End::Exited(1), End::Left, End::Interrupted, End::TimedOut(Duration::from_secs(1)), End::Exited(0)]
        {
            for attempts in 1..5 {
                let verdict = standing(attempts, 3).after(&end, &WAITS);
                assert_eq!(verdict.again_in.is_some(), !verdict.status.is_final(), "{end:?} {attempts}");
                assert!(verdict.status.is_final() || verdict.allowance > attempts, "{end:?} {attempts}");
            }
        }
    }

    #[test]
    fn a_single_attempt_is_never_repeated_by_itself() {
        let single = Standing { attempts: 1, allowance: 1, budget: 1, cancel: false };
        for end in [End::Left, End::Interrupted, End::Exited(1), End::Signalled(15)] {
            assert_eq!(single.after(&end, &WAITS).status, Status::Failed, "{end:?}");
        }
    }

    #[test]
    fn waits_double_up_to_twice_the_ceiling() {
        for (attempt, least) in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (40, 60)] {
            let wait = WAITS.after(attempt);
            let least = Duration::from_secs(least);
            assert!(wait >= least && wait <= least * 2, "{attempt}: {wait:?}");
        }
        let none = Waits { first: Duration::ZERO, ceiling: Duration::ZERO };
        assert_eq!(none.after(5), Duration::ZERO);
    }
}
