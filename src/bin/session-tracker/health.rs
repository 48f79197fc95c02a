//! `health`: whether a tracker is well. Exit code 0 says so; 1 that it is not, or not there.

use clap::Args;
use serde_json::json;

use crate::{answer, cli::Source, exit::Stop, output::Output, remote::Remote};

/// Where a tracker listens when nobody says otherwise.
pub(crate) const USUAL: &str = "http://127.0.0.1:8678";

#[derive(Debug, Args)]
pub(crate) struct Health {
    #[command(flatten)]
    output: Output,
}

pub(crate) async fn run(health: Health, source: &Source) -> Result<(), Stop> {
    let remote = tracker(source)?;
    let mut said = remote.health("ready").await?;
    said["tracker"] = json!(remote.name());
    answer::one(&health.output, &said, |_| {
        let word = |name: &str| said[name].as_str().unwrap_or("?").to_owned();
        format!("{} {} at {}", word("status"), word("version"), word("tracker"))
    })?;
    if said["status"] == "healthy" { Ok(()) } else { Err(Stop::Said) }
}

/// The tracker that is named, or the one on this machine.
pub(crate) fn tracker(source: &Source) -> Result<Remote, Stop> {
    match source.remote()? {
        Some(remote) => Ok(remote),
        None => Remote::new(USUAL),
    }
}
