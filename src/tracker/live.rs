//! Events as they arrive, whoever writes them: this process, another tracker, a shell on this machine.

use std::time::Duration;

use futures_util::stream::{self, Stream};
use tokio_util::sync::CancellationToken;

use super::{Caller, Tracker, TrackerError};
use crate::{journal::Placed, token::Scope};

/// How often the journal is looked at. Cheap: one row of its index.
const LOOK_EVERY: Duration = Duration::from_millis(250);
const PAGE: u32 = 200;

impl Tracker {
    /// Resolves when the tracker stops.
    #[must_use]
    pub fn stopping(&self) -> CancellationToken {
        self.0.stop.clone()
    }

    /// What is appended from now on, or after a position, until the tracker stops; of one component or of all.
    ///
    /// # Errors
    /// When the caller may not read, or the journal can not be read.
    pub async fn live(
        &self,
        caller: &Caller,
        component: Option<String>,
        after: Option<u64>,
    ) -> Result<impl Stream<Item = Placed> + Send + 'static, TrackerError> {
        caller.require(Scope::SessionsRead)?;
        let begin = match after {
            Some(position) => position,
            None => self.journal().head().await?.position,
        };
        let pages = stream::unfold((self.clone(), component, begin), async |(tracker, component, from)| {
            while !tracker.0.stop.is_cancelled() {
                match tracker.journal().after(from, component.as_deref(), PAGE).await {
                    Ok(page) if !page.placed.is_empty() => {
                        return Some((stream::iter(page.placed), (tracker, component, page.upto)));
                    }
                    Ok(_) => {}
                    Err(error) => tracing::warn!(%error, "the journal could not be read"),
                }
                tracker.0.stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await?;
            }
            None
        });
        Ok(futures_util::StreamExt::flatten(pages))
    }
}
