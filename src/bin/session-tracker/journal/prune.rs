//! `journal prune`: removes the bodies of sessions that ended long ago, and writes them to an archive first.

use std::path::PathBuf;

use admin_shell::journal::{self, Journal};
use clap::Args;
use jiff::Timestamp;

use super::writable;
use crate::{answer, cli::Source, clock, exit::Stop, output::Output, place::me, plural::counted};

#[derive(Debug, Args)]
pub(super) struct Prune {
    /// Prune sessions that ended before this time.
    #[arg(long, value_name = "TIME", default_value = "90d", value_parser = clock::time)]
    before: Timestamp,
    /// First write what is removed to this file, as JSON lines that --database can read.
    #[arg(long, value_name = "FILE", value_parser = archive)]
    archive: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// An archive is known by its name: --database would take any other for a database.
fn archive(path: &str) -> Result<PathBuf, String> {
    match path.rsplit_once('.') {
        Some((_, "jsonl" | "ndjson")) => Ok(path.into()),
        _ => Err("its name must end in .jsonl".to_owned()),
    }
}

pub(super) async fn run(prune: Prune, source: &Source) -> Result<(), Stop> {
    let place = writable(source).await?;
    let plan = journal::Prune { before: prune.before, archive: prune.archive.clone(), by: me() };
    let pruned = place.journal.prune(&plan).await?;
    answer::one(&prune.output, &pruned, |_| {
        let before = clock::full(prune.before);
        if pruned.sessions == 0 {
            return format!("Nothing to prune: no session ended before {before} and still has its events.");
        }
        let mut text = format!(
            "Pruned {} that ended before {before}: {}, {} bytes of what they said.",
            counted(pruned.sessions, "session"),
            counted(pruned.events, "event"),
            pruned.bytes
        );
        if let Some(archive) = &plan.archive {
            text.push_str(&format!("\nWhat was removed is in {0}; read it with --database {0}", archive.display()));
        }
        text
    })
}
