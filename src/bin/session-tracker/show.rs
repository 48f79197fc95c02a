//! `show`: one session, every field of it; for people also its commands and what others said about it.

mod changes;
mod commands;

use admin_shell::{
    Width,
    event::Observation,
    journal::{CommandFilter, CommandRecord, SessionRecord},
    render::{render, table, visible},
};
use clap::Args;
use serde_json::{Value, json};

use self::changes::Change;
use crate::{
    answer,
    cli::Source,
    clock,
    exit::Stop,
    output::{Format, Output},
    place::Place,
    reading::Reading,
};

/// Commands that the text form shows; `events` shows all.
const COMMANDS: u32 = 200;

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The session: its id, or the beginning of it.
    id: String,
    #[command(flatten)]
    output: Output,
}

pub(crate) async fn run(show: Show, source: &Source) -> Result<(), Stop> {
    let place = source.reading().await?;
    let record = place.session(&show.id).await?;
    let more = match show.output.format() {
        Format::Table => Some(More::of(&place, &record).await?),
        Format::Json | Format::Ndjson | Format::Csv => None,
    };
    answer::one(&show.output, &record, |sheet| {
        let width = sheet.width();
        let mut parts = vec![render(&readable(&record), width)];
        parts.extend(more.into_iter().flat_map(|more| more.parts(&record, width)));
        parts.join("\n\n")
    })
}

/// The record with times and lengths of time as people read them.
fn readable(record: &SessionRecord) -> Value {
    let mut fields = json!(record);
    for (name, at) in
        [("start_time", record.start_time), ("end_time", record.end_time), ("last_seen", record.last_seen)]
    {
        fields[name] = json!(at.map(clock::full));
    }
    let seconds = record
        .duration_seconds
        .map(|seconds| format!("{} ({} s)", clock::length(seconds), (seconds * 100.0).round() / 100.0));
    fields["duration_seconds"] = json!(seconds);
    fields["quality_score"] = json!(record.quality_score.map(|score| format!("{score:.0} of 100")));
    fields
}

/// What the record only counts.
struct More {
    commands: Vec<CommandRecord>,
    changes: Vec<Change>,
    observations: Vec<Observation>,
}

impl More {
    async fn of(place: &Reading, record: &SessionRecord) -> Result<Self, Stop> {
        let session = &record.session_id;
        let commands = match place {
            Reading::Here(Place { journal, .. }) => {
                let filter =
                    CommandFilter { session: Some(session.clone()), limit: COMMANDS, ..CommandFilter::default() };
                let mut commands = journal.commands(&filter).await?;
                commands.reverse();
                commands
            }
            Reading::There(_) => commands::of(place, record, COMMANDS as usize).await?,
        };
        let observations = place.observations(session).await?;
        let observations = observations.iter().filter_map(|event| event.decode()).collect();
        Ok(Self { commands, changes: changes::of(place, session).await?, observations })
    }

    fn parts(self, record: &SessionRecord, width: Width) -> Vec<String> {
        let mut parts = Vec::new();
        if !self.commands.is_empty() {
            let rows: Vec<Vec<Value>> = self.commands.iter().map(row).collect();
            let mut text = String::from("Commands");
            let shown = self.commands.len() as u64;
            if record.commands > shown {
                text.push_str(&format!(" (the last {shown} of {}; `events` has all)", record.commands));
            }
            text.push('\n');
            text.push_str(&table(&["#", "time", "status", "took", "input", "error"], &rows, width));
            parts.push(text);
        }
        let failed: Vec<String> = self.commands.iter().filter_map(failure).collect();
        if !failed.is_empty() {
            parts.push(visible(&format!("Failed\n{}", failed.join("\n"))));
        }
        if !self.changes.is_empty() {
            parts.push(changes::table(&self.changes, width));
        }
        if !self.observations.is_empty() {
            let rows: Vec<Vec<Value>> =
                self.observations.iter().map(|said| vec![json!(said.what), json!(said.by), json!(said.why)]).collect();
            parts.push(format!("Said by others\n{}", table(&["what", "by", "why"], &rows, width)));
        }
        parts
    }
}

/// A command that failed and its error, whole: the table above has room for a part of it.
fn failure(command: &CommandRecord) -> Option<String> {
    let error = command.error.as_ref()?;
    let lines: Vec<String> = error.lines().map(|line| format!("    {line}")).collect();
    Some(format!("  #{} {}\n{}", command.command, command.status, lines.join("\n")))
}

fn row(command: &CommandRecord) -> Vec<Value> {
    vec![
        json!(command.command),
        json!(clock::of_day(command.start_time)),
        json!(command.status),
        json!(command.duration_us.map(clock::length_us)),
        json!(command.input.as_deref().unwrap_or("(not kept)")),
        json!(command.error),
    ]
}
