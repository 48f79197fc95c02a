//! `schema validate`: sealed events, one a line, checked against the schema of their type and against their own hash.

use std::path::PathBuf;

use clap::Args;

use crate::exit::Stop;

#[derive(Debug, Args)]
pub(super) struct Validate {
    /// A file of JSON lines; `-` is standard input.
    file: PathBuf,
}

pub(super) fn run(_validate: Validate) -> Result<(), Stop> {
    Err(Stop::failed("not there yet"))
}
