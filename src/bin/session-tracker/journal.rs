//! `journal`: its state, where it is delivered to, and what keeps it small and sound.

mod buried;
mod deliver;
mod prune;
mod rebuild;
mod scrub;
pub(crate) mod sinks;
mod status;

use clap::{Args, Subcommand};

use crate::{cli::Source, exit::Stop, place::Place};

#[derive(Debug, Args)]
pub(crate) struct Journal {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show size, counts, and what wants attention.
    Status(status::Status),
    /// Bring the sinks what waits for them.
    #[command(alias = "replay")]
    Deliver(deliver::Deliver),
    /// List what sinks have refused, and why.
    Buried(buried::Buried),
    /// List where events are delivered to, and how far.
    Sinks(sinks::Sinks),
    /// Remove what was typed in sessions that ended long ago; their totals stay.
    Prune(prune::Prune),
    /// Make the lists and counts anew from the events.
    Rebuild(rebuild::Rebuild),
    /// Remove the body of one event that should never have been recorded.
    Scrub(scrub::Scrub),
}

pub(crate) async fn run(journal: Journal, source: &Source) -> Result<(), Stop> {
    source.refuse_tracker("journal")?;
    match journal.command {
        Command::Status(status) => status::run(status, source).await,
        Command::Deliver(deliver) => deliver::run(deliver, source).await,
        Command::Buried(buried) => buried::run(buried, source).await,
        Command::Sinks(sinks) => sinks::run(sinks, source).await,
        Command::Prune(prune) => prune::run(prune, source).await,
        Command::Rebuild(rebuild) => rebuild::run(rebuild, source).await,
        Command::Scrub(scrub) => scrub::run(scrub, source).await,
    }
}

/// Opens the journal for work that changes it.
async fn writable(source: &Source) -> Result<Place, Stop> {
    let place = source.open().await?;
    match place.journal.read_only() {
        Some(error) => Err(error.clone().into()),
        None => Ok(place),
    }
}
