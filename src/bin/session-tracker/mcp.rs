//! `mcp`: the tracker's tools over standard streams, for a client that starts this program itself.
//!
//! Whoever may start it on a journal may read that journal's file: no token is asked for.

use admin_shell::{
    journal,
    tracker::{Gate, Tracker, serve_stdio},
};
use anyhow::Context;
use clap::{Args, Subcommand};

use crate::{
    cli::{Command, Source},
    exit::Stop,
    serve::{self, Serve},
};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Mcp {
    #[command(subcommand)]
    older: Option<Older>,
    /// What is logged, on standard error: a level, or `target=level`, comma separated.
    #[arg(long, value_name = "FILTER", env = "ADMIN_SHELL_LOG", default_value = "warn")]
    log: String,
}

/// What older programs call the service, which is `serve` here.
#[derive(Debug, Subcommand)]
enum Older {
    #[command(hide = true, alias = "restart")]
    Start(Serve),
}

impl Mcp {
    /// This command, or the service when it is asked for by its older name.
    pub(crate) fn into_command(self) -> Command {
        match self.older {
            Some(Older::Start(serve)) => Command::Serve(serve),
            None => Command::Mcp(self),
        }
    }
}

pub(crate) async fn run(mcp: Mcp, source: &Source) -> Result<(), Stop> {
    serve::log::start(&mcp.log, None)?;
    let database = source.database()?;
    let journal = journal::open(database.opening()).await?;
    if let Some(error) = journal.read_only() {
        return Err(error.clone().into());
    }
    let tracker = Tracker::new(journal, Some(database.place().to_owned()), Gate::open());
    let served = serve_stdio(tracker.clone()).await.context("speaking MCP on the standard streams");
    tracker.journal().close().await;
    served.map_err(Stop::Failed)
}
