//! How long to wait before the next attempt: pure, chance comes in as an argument.
//!
//! The ceilings are 1, 2, 4, 8 and then 10 seconds; the wait is a random part of the ceiling ("full jitter", AWS
//! Architecture Blog 2015), so that many shells do not come back at the same moment. Whoever said `Retry-After` is not
//! asked before that.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

const FIRST: Duration = Duration::from_secs(1);
const HIGHEST: Duration = Duration::from_secs(10);
/// Whoever asks for more is asked again after this.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3_600);

/// The waits between attempts that fail.
#[derive(Debug)]
pub struct Backoff(ExponentialBackoff);

impl Default for Backoff {
    fn default() -> Self {
        let waits = ExponentialBuilder::new().with_factor(2.0).with_min_delay(FIRST).with_max_delay(HIGHEST);
        Self(waits.without_max_times().build())
    }
}

impl Backoff {
    /// The next wait. `chance` is a number from 0 to 1.
    pub fn next(&mut self, chance: f64, retry_after: Option<Duration>) -> Duration {
        let ceiling = self.0.next().unwrap_or(HIGHEST);
        let wait = ceiling.mul_f64(chance.clamp(0.0, 1.0));
        wait.max(retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER))
    }

    /// It worked: the next wait is a short one again.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn waits_grow_to_their_ceiling_and_chance_takes_a_part() {
        for (chance, expected) in
            [(1.0, [1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0]), (0.5, [0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 5.0]), (0.0, [0.0; 7])]
        {
            let mut backoff = Backoff::default();
            let waits = [(); 7].map(|()| backoff.next(chance, None));
            assert_eq!(waits, expected.map(seconds), "chance {chance}");
        }
    }

    #[test]
    fn retry_after_is_the_least_wait() {
        for (retry_after, chance, expected) in
            [(0.5, 1.0, 1.0), (5.0, 0.0, 5.0), (5.0, 1.0, 5.0), (30.0, 1.0, 30.0), (90_000.0, 1.0, 3_600.0)]
        {
            assert_eq!(Backoff::default().next(chance, Some(seconds(retry_after))), seconds(expected));
        }
    }

    #[test]
    fn a_success_makes_the_waits_short_again() {
        let mut backoff = Backoff::default();
        let waits = [(); 5].map(|()| backoff.next(1.0, None));
        assert_eq!(waits[4], seconds(10.0));
        backoff.reset();
        assert_eq!(backoff.next(1.0, None), seconds(1.0));
    }
}
