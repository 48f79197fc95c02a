//! A clock that stands still until a test moves it, for whatever takes `now` as an argument.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// A clock that stands still until a test moves it. Clones show the same time.
///
/// ```
/// use std::time::Duration;
///
/// use admin_shell::{delivery::{Admission, Breaker}, testing::ManualClock};
///
/// let (clock, mut breaker) = (ManualClock::new(), Breaker::default());
/// (0..3).for_each(|_| breaker.failed(clock.now(), None));
/// assert_eq!(breaker.admit(clock.now()), Admission::Wait(Duration::from_secs(60)));
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(breaker.admit(clock.now()), Admission::Probe);
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Instant>>);

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl ManualClock {
    /// A clock that shows some time.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    /// The time that it shows.
    #[must_use]
    pub fn now(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves it on.
    pub fn advance(&self, by: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }
}
