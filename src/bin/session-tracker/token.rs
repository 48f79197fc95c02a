//! `token`: mints bearer tokens from the shared secret, and says what one is worth.

mod inspect;
mod issue;

use clap::{Args, Subcommand};

use crate::exit::Stop;

#[derive(Debug, Args)]
pub(crate) struct Token {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Mint a token from the secret, and print it.
    Issue(issue::Issue),
    /// Say what a token says, and whether it is good.
    Inspect(inspect::Inspect),
}

pub(crate) async fn run(token: Token) -> Result<(), Stop> {
    match token.command {
        Command::Issue(issue) => issue::run(issue),
        Command::Inspect(inspect) => inspect::run(inspect).await,
    }
}
