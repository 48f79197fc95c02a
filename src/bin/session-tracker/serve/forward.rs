//! `--forward`: what this tracker holds goes on to other places, everything of every component, and who of its
//! sessions lives.

use std::{path::Path, sync::Arc, time::Duration};

use admin_shell::{
    config::{Config, Overrides},
    delivery::{Begins, Delivery, Living, Plan, locks_of},
    journal::EndRequest,
    sinks::{Credentials, Schemes},
    tracker::Tracker,
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
    tasks: [tokio::task::JoinHandle<()>; 2],
}

/// Starts to forward; `None` when there is nowhere to.
pub(super) fn start(urls: &[String], tracker: &Tracker, place: &Path) -> Result<Option<Forwarding>, Stop> {
    let journal = tracker.journal();
    let sinks = Schemes::built_in(&credentials()?).open(&urls.join(","));
    let sinks = sinks.map_err(|error| Stop::Usage(format!("--forward: {error}")))?;
    if sinks.is_empty() {
        return Ok(None);
    }
    let locks = locks_of(place);
    let plan = Plan { journal: Arc::clone(journal), components: Vec::new(), locks, session: None };
    let (requests, asked) = mpsc::unbounded_channel();
    let sinks = sinks.into_iter().map(|sink| (sink, Begins::Oldest)).collect();
    let heard = tracker.clone();
    let living: Living = Arc::new(move || {
        let tracker = heard.clone();
        Box::pin(async move {
            tracker.living().await.unwrap_or_else(|error| {
                tracing::warn!(%error, "nobody hears who lives");
                Vec::new()
            })
        })
    });
    let delivery = Arc::new(Delivery::forward(&plan, sinks, &requests, living));
    let asking = tokio::spawn(pass_on(tracker.clone(), asked));
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
    Ok(Some(Forwarding { delivery, tasks: [looking, asking] }))
}

/// What the other tracker asks of sessions is recorded here, where their shells look or hear it with their next beat.
async fn pass_on(tracker: Tracker, mut asked: mpsc::UnboundedReceiver<EndRequest>) {
    while let Some(request) = asked.recv().await {
        if let Err(error) = tracker.ask_to_end(&request).await {
            tracing::warn!(%error, session = %request.session_id, "a request to end could not be recorded");
        }
    }
}

impl Forwarding {
    /// Lets go, after what can still be forwarded in a moment.
    pub(super) async fn end(self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
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
