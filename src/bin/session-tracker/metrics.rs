//! `metrics`: what a tracker tells Prometheus, as it tells it.

use std::path::PathBuf;

use clap::Args;

use crate::{cli::Source, exit::Stop, health::tracker, output::Output};

#[derive(Debug, Args)]
pub(crate) struct Metrics {
    /// Write to this file instead of standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) async fn run(metrics: Metrics, source: &Source) -> Result<(), Stop> {
    let text = tracker(source)?.metrics().await?;
    let mut sheet = Output::at(metrics.output).open()?;
    sheet.text(&text)?;
    sheet.finish()
}
