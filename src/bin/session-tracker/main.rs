//! `session-tracker`: the command line over a journal. Lists sessions, shows what was done in them, checks that the
//! record is what was written, and looks after the journal.
//!
//! Invariants:
//! - One file a subcommand; this one only dispatches. No SQL and no rule of the journal lives here.
//! - Standard output holds the answer and nothing else; what is said about it goes to standard error.
//! - Exit codes: 0 done, 1 failed (a fault was found, …), 2 wrong usage, 3 not found.

mod answer;
mod cli;
mod clock;
mod completions;
mod csv;
mod end;
mod events;
mod exit;
mod find;
mod journal;
mod list;
mod output;
mod place;
mod plural;
mod schema;
mod show;
mod verify;

use std::process::ExitCode;

use clap::Parser;

use crate::{
    cli::{Cli, Command},
    exit::Stop,
};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit::report(&Stop::Failed(anyhow::Error::from(error).context("starting the runtime"))),
    };
    match runtime.block_on(run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => exit::report(&stop),
    }
}

async fn run(cli: Cli) -> Result<(), Stop> {
    let source = cli.source;
    match cli.command {
        Command::List(list) => list::run(list, &source).await,
        Command::Show(show) => show::run(show, &source).await,
        Command::Events(events) => events::run(events, &source).await,
        Command::End(end) => end::run(end, &source).await,
        Command::Verify(verify) => verify::run(verify, &source).await,
        Command::Journal(journal) => journal::run(journal, &source).await,
        Command::Schema(schema) => schema::run(schema),
        Command::Completions(completions) => completions::run(completions),
    }
}
