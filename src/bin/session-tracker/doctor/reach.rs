//! Whether a sink can be reached and takes what its token may bring: an empty batch, which leaves no trace.

use std::time::Duration;

use admin_shell::{
    delivery::{EventSink, Sender, Takes},
    event::JournalId,
};

use super::{State, sentence, tracker};
use crate::remote::Remote;

/// A program that is started may take long to its first word.
const PATIENCE: Duration = Duration::from_secs(60);

/// The address of the tracker that a sink of this name delivers to, where it has one.
pub(super) fn root_of(sink: &str) -> Option<&str> {
    let url = sink.strip_prefix("mcp+").unwrap_or(sink);
    let is_web = url.starts_with("http://") || url.starts_with("https://");
    is_web.then(|| url.trim_end_matches('/').trim_end_matches("/mcp"))
}

/// How a sink is.
pub(super) async fn reach(mut sink: Box<dyn EventSink>, journal: JournalId) -> (State, String) {
    let name = sink.name().to_owned();
    if sink.takes() == Takes::ItsSession || name.starts_with("jsonl:") {
        return (State::Note, format!("{name} can be opened; nothing was written to it"));
    }
    sink.introduce(&Sender { journal, component: Some("doctor".to_owned()), keep: None });
    let taken = match tokio::time::timeout(PATIENCE, sink.deliver(&[])).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} seconds", PATIENCE.as_secs())),
    };
    let Some(remote) = root_of(&name).and_then(|root| Remote::new(root).ok()) else {
        return match taken {
            Ok(()) => (State::Good, format!("{name} answers, and would take events")),
            Err(why) => (State::Bad, format!("{name}: {why}")),
        };
    };
    match (taken, remote.health("ready").await) {
        (Ok(()), Err(_)) => (State::Good, format!("{name} answers, and would take events; it is no tracker of ours")),
        (Ok(()), Ok(_)) => {
            let (state, said) = tracker(&remote).await;
            // Who delivers need not be let read.
            let state = if state == State::Bad { State::Note } else { state };
            (state, format!("{said}; it takes events with this token"))
        }
        (Err(why), Ok(_)) => (State::Bad, format!("{name} is there and takes no events: {why}")),
        (Err(why), Err(stop)) => {
            let hint =
                format!("start one with `session-tracker serve` (it listens at {}), or mend the address", super::USUAL);
            (State::Bad, format!("{why}: {}; {hint}", sentence(&stop)))
        }
    }
}
