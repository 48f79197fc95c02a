//! `schema`: the JSON Schemas of events, and files checked against them. Needs no journal.

mod export;
mod list;
mod show;
mod validate;

use clap::{Args, Subcommand};

use crate::exit::Stop;

#[derive(Debug, Args)]
pub(crate) struct Schema {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the event types that have a schema.
    List(list::List),
    /// Print the schema of one event type.
    Show(show::Show),
    /// Write every schema to a file of its own.
    Export(export::Export),
    /// Check sealed events, one a line, against their schemas and hashes.
    Validate(validate::Validate),
}

pub(crate) fn run(schema: Schema) -> Result<(), Stop> {
    match schema.command {
        Command::List(list) => list::run(list),
        Command::Show(show) => show::run(show),
        Command::Export(export) => export::run(export),
        Command::Validate(validate) => validate::run(validate),
    }
}
