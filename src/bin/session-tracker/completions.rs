//! `completions`: a script that teaches a shell to complete our command line.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use crate::{cli::Cli, exit::Stop, output::Sheet};

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell to complete in.
    shell: Shell,
}

pub(crate) fn run(completions: Completions) -> Result<(), Stop> {
    let mut script = Vec::new();
    generate(completions.shell, &mut Cli::command(), "session-tracker", &mut script);
    let mut sheet = Sheet::stdout();
    sheet.text(&String::from_utf8_lossy(&script))?;
    sheet.finish()
}
