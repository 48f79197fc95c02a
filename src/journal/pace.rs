//! Taking turns: a background writer holds the write lock for a few milliseconds, then leaves it alone as long.

use std::time::{Duration, Instant};

/// After this much work a background writer commits. The commit itself comes on top: together they stay under 10 ms.
const TURN: Duration = Duration::from_millis(4);

/// One turn with the write lock.
pub(super) struct Turn(Instant);

impl Turn {
    /// Begins, when the lock is held.
    pub(super) fn begin() -> Self {
        Self(Instant::now())
    }

    /// Whether it is time to commit.
    pub(super) fn is_over(&self) -> bool {
        self.0.elapsed() >= TURN
    }

    /// Leaves the lock to others for as long as it was held.
    pub(super) async fn rest(self) {
        tokio::time::sleep(self.0.elapsed()).await;
    }
}
