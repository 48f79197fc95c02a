//! `events`: what one stream holds, event by event, in the order of `seq`.

mod words;

use std::time::Duration;

use admin_shell::{
    event::StreamId,
    journal::{Entry, SessionStatus},
    render::table,
};
use clap::Args;
use serde_json::{Value, json};

use crate::{
    answer::Records,
    cli::Source,
    clock,
    exit::Stop,
    output::{Format, Output, Sheet},
    reading::Reading,
};

/// Events read at once.
const PAGE: u32 = 1_000;
/// How often `--follow` looks for more.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// The fields of an envelope, as they stand in its text.
const COLUMNS: [&str; 11] = [
    "event_version",
    "event_id",
    "event_type",
    "session_id",
    "journal_id",
    "component_name",
    "seq",
    "prev",
    "timestamp",
    "body",
    "hash",
];

#[derive(Debug, Args)]
pub(crate) struct Events {
    /// The session: its id, or the beginning of it; a journal's id for its own observations.
    id: String,
    /// Wait for more until the session ends; as a table or as ndjson.
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    output: Output,
}

pub(crate) async fn run(events: Events, source: &Source) -> Result<(), Stop> {
    let format = events.output.format();
    if events.follow && matches!(format, Format::Json | Format::Csv) {
        return Err(Stop::Usage("--follow: must go with --format table or ndjson".to_owned()));
    }
    let place = source.reading().await?;
    let stream = place.stream(&events.id).await?;
    let mut sheet = events.output.open()?;
    let mut writer = Writer::begin(&mut sheet, format)?;
    let mut next = 0;
    loop {
        // Asked before the events are read: what was said until its end is then among them.
        let is_over = !events.follow || has_ended(&place, &stream).await?;
        next = copy(&place, &stream, next, &mut writer).await?;
        if is_over {
            break;
        }
        writer.flush()?;
        tokio::time::sleep(LOOK_EVERY).await;
    }
    writer.end()?;
    if next == 0 {
        return Err(Stop::NotFound(format!("nothing is stored of {stream}")));
    }
    sheet.finish()
}

/// Writes what there is from `from` on; the `seq` to go on with.
async fn copy(place: &Reading, stream: &StreamId, mut from: u64, writer: &mut Writer<'_>) -> Result<u64, Stop> {
    loop {
        let page = place.events(stream, from, PAGE).await?;
        writer.page(stream, &page)?;
        match page.last() {
            Some(last) => from = seq(last) + 1,
            None => return Ok(from),
        }
    }
}

async fn has_ended(place: &Reading, stream: &StreamId) -> Result<bool, Stop> {
    let StreamId::Session(id) = stream else { return Ok(false) };
    let record = place.again(id.as_str()).await?;
    Ok(record.is_none_or(|record| matches!(record.status, SessionStatus::Ended | SessionStatus::Crashed)))
}

/// Writes entries as they come.
enum Writer<'s> {
    People { sheet: &'s mut Sheet, has_header: bool },
    Programs(Records<'s>),
}

impl<'s> Writer<'s> {
    fn begin(sheet: &'s mut Sheet, format: Format) -> Result<Self, Stop> {
        Ok(match format {
            Format::Table => Self::People { sheet, has_header: false },
            Format::Json | Format::Ndjson | Format::Csv => {
                Self::Programs(Records::begin(sheet, format, COLUMNS.map(str::to_owned).into())?)
            }
        })
    }

    fn page(&mut self, stream: &StreamId, entries: &[Entry]) -> Result<(), Stop> {
        if entries.is_empty() {
            return Ok(());
        }
        match self {
            Self::Programs(records) => entries.iter().try_for_each(|entry| records.push(&envelope(stream, entry)?)),
            Self::People { sheet, has_header } => {
                let rows: Vec<Vec<Value>> = entries.iter().map(row).collect();
                let table = table(&["seq", "time", "type", "what"], &rows, sheet.width());
                let text = if *has_header { table.split_once('\n').map_or("", |(_, rows)| rows) } else { &table };
                *has_header = true;
                sheet.lines(text)
            }
        }
    }

    fn flush(&mut self) -> Result<(), Stop> {
        match self {
            Self::Programs(records) => records.flush(),
            Self::People { sheet, .. } => sheet.flush(),
        }
    }

    fn end(self) -> Result<(), Stop> {
        match self {
            Self::Programs(records) => records.end(),
            Self::People { .. } => Ok(()),
        }
    }
}

fn seq(entry: &Entry) -> u64 {
    match entry {
        Entry::Whole(event) => event.seq(),
        Entry::Pruned { seq, .. } => *seq,
    }
}

/// The sealed envelope; of a pruned event, what is left of it.
fn envelope(stream: &StreamId, entry: &Entry) -> Result<Value, Stop> {
    Ok(match entry {
        Entry::Whole(event) => serde_json::from_str(event.text()).map_err(anyhow::Error::from)?,
        Entry::Pruned { seq, event_id, event_type, timestamp, hash } => json!({
            "event_id": event_id,
            "event_type": event_type,
            "session_id": stream,
            "seq": seq,
            "timestamp": format!("{timestamp:.6}"),
            "body": null,
            "hash": hash,
            "pruned": true,
        }),
    })
}

fn row(entry: &Entry) -> Vec<Value> {
    let (seq, time, kind, what) = match entry {
        Entry::Whole(event) => (event.seq(), event.timestamp(), event.kind().to_string(), words::of(event)),
        Entry::Pruned { seq, event_type, timestamp, .. } => {
            (*seq, *timestamp, event_type.clone(), "(its body was removed)".to_owned())
        }
    };
    // Padded to the longest type: the columns of a second page, or of what is followed, stand below the first's.
    vec![json!(seq), json!(clock::exact(time)), json!(format!("{kind:13}")), json!(what)]
}
