//! `journal buried`: what sinks have refused, and another try.

use admin_shell::{
    delivery::{Plan, locks_of, retry_buried},
    journal::Buried as Record,
    render::render,
};
use clap::Args;
use serde_json::json;
use std::sync::Arc;

use super::{sinks::Wanted, writable};
use crate::{
    answer::{Records, columns, value},
    cli::Source,
    exit::{Stop, say},
    output::{Format, Output},
    plural::counted,
};

#[derive(Debug, Args)]
pub(super) struct Buried {
    /// Offer them to their sinks once more.
    #[arg(long)]
    retry: bool,
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    output: Output,
}

pub(super) async fn run(buried: Buried, source: &Source) -> Result<(), Stop> {
    let still = if buried.retry { retry(&buried, source).await? } else { false };
    let place = source.open().await?;
    let records = place.journal.buried(None).await?;
    let format = buried.output.format();
    let mut sheet = buried.output.open()?;
    if format == Format::Table {
        if !records.is_empty() {
            let rows: Vec<_> = records
                .iter()
                .map(|record| {
                    json!({
                        "sink": record.sink, "session": record.session_id, "seq": record.seq,
                        "type": record.event_type, "reason": record.reason,
                    })
                })
                .collect();
            let text = render(&json!(rows), sheet.width());
            sheet.lines(&text)?;
        }
    } else {
        let mut answer = Records::begin(&mut sheet, format, columns::<Record>())?;
        for record in &records {
            answer.push(&value(record)?)?;
        }
        answer.end()?;
    }
    sheet.finish()?;
    if records.is_empty() && format == Format::Table {
        say("Nothing is buried.");
    }
    if still { Err(Stop::Said) } else { Ok(()) }
}

/// Offers them once more. True when something was refused again.
async fn retry(buried: &Buried, source: &Source) -> Result<bool, Stop> {
    let place = writable(source).await?;
    let mut waiting = place.journal.buried(None).await?;
    waiting.dedup_by(|a, b| (&a.sink, &a.component_name) == (&b.sink, &b.component_name));
    let mut still = false;
    for one in &waiting {
        let sink = buried.wanted.open(source)?.into_iter().find(|sink| sink.name() == one.sink);
        let Some(sink) = sink else {
            say(&format!("{} is not configured any more: name it with --sink, or remove it", one.sink));
            still = true;
            continue;
        };
        let plan = Plan {
            journal: Arc::clone(&place.journal),
            components: vec![one.component_name.clone()],
            locks: locks_of(place.database.place()),
            session: None,
        };
        let (taken, refused) = retry_buried(&plan, sink).await?;
        if taken > 0 {
            say(&format!("{}: {} delivered after all", one.sink, counted(taken, "event")));
        }
        for (id, why) in refused {
            still = true;
            say(&format!("{}: event {id}: {why}", one.sink));
        }
    }
    Ok(still)
}
