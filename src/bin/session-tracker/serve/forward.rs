//! `--forward`: what this tracker holds goes on to other places, everything of every component.

use std::{path::Path, sync::Arc, time::Duration};

use admin_shell::{
    config::{Config, Overrides},
    delivery::{Begins, Delivery, Plan, locks_of},
    journal::Journal,
    sinks::{Credentials, Schemes},
};
use tokio::sync::mpsc;

use crate::{exit::Stop, keys};

/// How often it is looked whether there is more: shells on this machine write the journal too, and tell nobody.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// At the end, so long for what is still to be forwarded.
const FLUSH: Duration = Duration::from_secs(2);

/// Forwarding at work.
pub(super) struct Forwarding {
    delivery: Arc<Delivery>,
    looking: tokio::task::JoinHandle<()>,
}

/// Starts to forward; `None` when there is nowhere to.
pub(super) fn start(urls: &[String], journal: &Arc<dyn Journal>, place: &Path) -> Result<Option<Forwarding>, Stop> {
    let sinks = Schemes::built_in(&credentials()?).open(&urls.join(","));
    let sinks = sinks.map_err(|error| Stop::Usage(format!("--forward: {error}")))?;
    if sinks.is_empty() {
        return Ok(None);
    }
    let locks = locks_of(place);
    let plan = Plan { journal: Arc::clone(journal), components: Vec::new(), locks, session: None };
    let (requests, _) = mpsc::unbounded_channel();
    let sinks = sinks.into_iter().map(|sink| (sink, Begins::Oldest)).collect();
    let delivery = Arc::new(Delivery::start(&plan, sinks, &requests));
    let (watched, nudged) = (Arc::clone(journal), Arc::clone(&delivery));
    let looking = tokio::spawn(async move {
        let mut last = 0;
        loop {
            if let Ok(head) = watched.head().await
                && head.position != last
            {
                last = head.position;
                nudged.nudge();
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    });
    Ok(Some(Forwarding { delivery, looking }))
}

impl Forwarding {
    /// Lets go, after what can still be forwarded in a moment.
    pub(super) async fn end(self) {
        self.looking.abort();
        self.delivery.flush(FLUSH).await;
    }
}

/// What the other trackers are shown: a token, or the secret that tokens are minted from.
fn credentials() -> Result<Credentials, Stop> {
    let config = Config::load(&Overrides::default()).map_err(|error| Stop::Usage(format!("{error:#}")))?;
    let secret = match config.secret {
        Some(secret) => Some(secret.expose().to_owned()),
        None => keys::text(None)?,
    };
    Ok(Credentials { token: config.token.map(|token| token.expose().to_owned()), secret, forwards: true })
}
