//! `journal rebuild`: makes the lists and counts anew from the events, and says what differed.

use admin_shell::{journal::Rebuilt, render::visible};
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
    answer::one(&rebuild.output, &rebuilt, |_| in_words(&rebuilt))
}

fn in_words(rebuilt: &Rebuilt) -> String {
    let sessions = counted(rebuilt.sessions, "session");
    if rebuilt.differences.is_empty() {
        return format!("Rebuilt {sessions}; nothing differed.");
    }
    let count = counted(rebuilt.differences.len() as u64, "row");
    let mut lines = vec![format!("Rebuilt {sessions}; {count} not what the events give, now made anew:")];
    lines.extend(rebuilt.differences.iter().map(|difference| {
        let stream = difference.stream.as_deref().filter(|stream| *stream != difference.key);
        let stream = stream.map(|stream| format!(" of {stream}")).unwrap_or_default();
        format!("  {}: {}{stream}", difference.table, difference.key)
    }));
    visible(&lines.join("\n"))
}
