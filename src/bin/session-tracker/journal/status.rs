//! `journal status`: size, counts, and what wants attention.

use admin_shell::{journal::JournalStatus, render::render};
use clap::Args;
use serde_json::{Value, json};

use super::sinks::row;
use crate::{answer, cli::Source, clock, exit::Stop, output::Output};

#[derive(Debug, Args)]
pub(super) struct Status {
    #[command(flatten)]
    output: Output,
}

pub(super) async fn run(status: Status, source: &Source) -> Result<(), Stop> {
    let place = source.open().await?;
    let answer = place.journal.status().await?;
    let sinks = place.journal.deliveries().await?;
    let mut record = answer::value(&answer)?;
    record["sinks"] = json!(sinks);
    answer::one(&status.output, &record, |sheet| {
        let mut text = render(&readable(&answer), sheet.width());
        if !sinks.is_empty() {
            text.push_str("\n\n");
            text.push_str(&render(&json!(sinks.iter().map(row).collect::<Vec<_>>()), sheet.width()));
        }
        text
    })
}

fn readable(status: &JournalStatus) -> Value {
    let mut fields = json!(status);
    fields["bytes"] = json!(size(status.bytes));
    fields["free_bytes"] = json!(status.free_bytes.map(size));
    fields["oldest"] = json!(status.oldest.map(clock::full));
    fields["warnings"] = match status.warnings.as_slice() {
        [] => json!("none"),
        warnings => json!(warnings.join("\n")),
    };
    fields
}

/// `4096 (4.0 KiB)`.
fn size(bytes: u64) -> String {
    let mut amount = bytes as f64;
    for unit in ["bytes", "KiB", "MiB", "GiB"] {
        if amount < 1024.0 {
            return if unit == "bytes" { format!("{bytes} bytes") } else { format!("{amount:.1} {unit}") };
        }
        amount /= 1024.0;
    }
    format!("{amount:.1} TiB")
}
