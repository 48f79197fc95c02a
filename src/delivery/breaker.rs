//! When a sink is left alone: pure, `now` comes in as an argument.
//!
//! Three batches that fail in a row open the breaker for a minute, or for as long as the other side asked. Then one probe
//! goes through: it closes the breaker, or opens it again.

use std::time::{Duration, Instant};

/// Batches that fail in a row before it opens.
const FAILURES: u32 = 3;
const OPEN_FOR: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(3_600);

/// Keeps a sink from being asked again and again while it is down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    failures: u32,
    opens_at: Option<Instant>,
    probing: bool,
}

/// What the breaker says of the next batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Try it, as often as a batch is tried.
    Go,
    /// Try it once.
    Probe,
    /// Not before this long.
    Wait(Duration),
}

impl Breaker {
    /// Whether the next batch may be tried.
    pub fn admit(&mut self, now: Instant) -> Admission {
        match self.opens_at {
            None => Admission::Go,
            Some(at) if at > now => Admission::Wait(at - now),
            Some(_) => {
                self.probing = true;
                Admission::Probe
            }
        }
    }

    /// The batch got an answer.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// The batch failed, after all its attempts.
    pub fn failed(&mut self, now: Instant, retry_after: Option<Duration>) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= FAILURES || self.probing {
            self.opens_at = Some(now + retry_after.unwrap_or_default().clamp(OPEN_FOR, LONGEST));
            self.probing = false;
        }
    }

    /// Whether it keeps batches back.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.opens_at.is_some()
    }

    /// `closed`, `open`, or `probing`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match (self.opens_at, self.probing) {
            (None, _) => "closed",
            (Some(_), false) => "open",
            (Some(_), true) => "probing",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Succeeds,
        Fails,
        FailsWith(u64),
        Passes(u64),
        Is(&'static str, Admission),
    }
    use Step::{Fails, FailsWith, Is, Passes, Succeeds};

    fn wait(seconds: u64) -> Admission {
        Admission::Wait(Duration::from_secs(seconds))
    }

    #[test]
    fn what_it_says_step_by_step() {
        let table: &[(&str, &[Step])] = &[
            ("two failures are none", &[Fails, Fails, Is("closed", Admission::Go)]),
            ("a success forgives", &[Fails, Fails, Succeeds, Fails, Fails, Is("closed", Admission::Go)]),
            ("three open it", &[Fails, Fails, Fails, Is("open", wait(60)), Passes(59), Is("open", wait(1))]),
            ("then one probe", &[Fails, Fails, Fails, Passes(60), Is("probing", Admission::Probe)]),
            (
                "a probe that fails opens it again",
                &[Fails, Fails, Fails, Passes(60), Is("probing", Admission::Probe), Fails, Is("open", wait(60))],
            ),
            (
                "a probe that works closes it",
                &[
                    Fails,
                    Fails,
                    Fails,
                    Passes(61),
                    Is("probing", Admission::Probe),
                    Succeeds,
                    Is("closed", Admission::Go),
                ],
            ),
            ("Retry-After holds it open", &[Fails, Fails, FailsWith(300), Is("open", wait(300))]),
            ("a short Retry-After does not shorten it", &[Fails, Fails, FailsWith(5), Is("open", wait(60))]),
            ("nor does an absurd one hold for ever", &[Fails, Fails, FailsWith(1 << 40), Is("open", wait(3_600))]),
        ];
        for (name, steps) in table {
            let (mut breaker, mut now) = (Breaker::default(), Instant::now());
            for step in *steps {
                match *step {
                    Succeeds => breaker.succeeded(),
                    Fails => breaker.failed(now, None),
                    FailsWith(seconds) => breaker.failed(now, Some(Duration::from_secs(seconds))),
                    Passes(seconds) => now += Duration::from_secs(seconds),
                    Is(word, admission) => {
                        assert_eq!(breaker.admit(now), admission, "{name}");
                        assert_eq!(breaker.word(), word, "{name}");
                    }
                }
            }
        }
    }
}
