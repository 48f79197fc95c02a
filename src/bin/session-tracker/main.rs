//! `session-tracker`: the command line over a journal. Lists sessions, shows what was done in them, checks that the
//! record is what was written, and looks after the journal.
//!
//! Invariants:
//! - One file a subcommand; this one only dispatches. No SQL and no rule of the journal lives here.
//! - Standard output holds the answer and nothing else; what is said about it goes to standard error.
//! - With `--format json` an error is one document on standard error: `{"error": {"kind", "message", "hint"}}`.
//! - Exit codes: 0 done, 1 failed (a fault was found, …), 2 wrong usage, 3 not found.

mod analytics;
mod answer;
mod cli;
mod clock;
mod completions;
mod csv;
mod doctor;
mod end;
mod events;
mod exit;
mod find;
mod health;
mod journal;
mod keys;
mod list;
mod mcp;
mod metrics;
mod output;
mod place;
mod plural;
mod reading;
mod remote;
mod schema;
mod serve;
mod show;
mod token;
mod verify;

use std::process::ExitCode;

use clap::Parser;

use crate::{
    cli::{Cli, Command, Source},
    exit::Stop,
};

fn main() -> ExitCode {
    let Cli { source, command } = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return exit::wrong_usage(&error),
    };
    let command = match command {
        Command::Mcp(mcp) => mcp.into_command(),
        other => other,
    };
    // The service works on all cores; everything else starts faster on one.
    let mut runtime = match command {
        Command::Serve(_) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = match runtime.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit::report(&Stop::Failed(anyhow::Error::from(error).context("starting the runtime"))),
    };
    match runtime.block_on(run(command, source)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => exit::report(&stop),
    }
}

async fn run(command: Command, source: Source) -> Result<(), Stop> {
    match command {
        Command::List(list) => list::run(list, &source).await,
        Command::Show(show) => show::run(show, &source).await,
        Command::Events(events) => events::run(events, &source).await,
        Command::End(end) => end::run(end, &source).await,
        Command::Analytics(analytics) => analytics::run(analytics, &source).await,
        Command::Health(health) => health::run(health, &source).await,
        Command::Metrics(metrics) => metrics::run(metrics, &source).await,
        Command::Doctor(doctor) => doctor::run(doctor, &source).await,
        Command::Verify(verify) => verify::run(verify, &source).await,
        Command::Journal(journal) => journal::run(journal, &source).await,
        Command::Schema(schema) => schema::run(schema),
        Command::Serve(serve) => serve::run(serve, &source).await,
        Command::Token(token) => token::run(token).await,
        Command::Mcp(mcp) => mcp::run(mcp, &source).await,
        Command::Completions(completions) => completions::run(completions),
    }
}
