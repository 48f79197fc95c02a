//! `journal rebuild`: makes the lists and counts anew from the events, and says what differed.

use admin_shell::journal::Journal;
use clap::Args;

use super::writable;
use crate::{answer, cli::Source, exit::Stop, output::Output, plural::counted};

#[derive(Debug, Args)]
pub(super) struct Rebuild {
    #[command(flatten)]
    output: Output,
}

pub(super) async fn run(rebuild: Rebuild, source: &Source) -> Result<(), Stop> {
    let place = writable(source).await?;
    let rebuilt = place.journal.rebuild().await?;
    answer::one(&rebuild.output, &rebuilt, |_| {
        let (sessions, corrected) = (counted(rebuilt.sessions, "session"), &rebuilt.corrected);
        match corrected.len() {
            0 => format!("Rebuilt {}; nothing differed.", sessions),
            count => format!("Rebuilt {}; {count} differed:\n  {}", sessions, corrected.join("\n  ")),
        }
    })
}
