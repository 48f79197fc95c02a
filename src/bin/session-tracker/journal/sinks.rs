//! `journal sinks`: where events are delivered to, and how far. A sink that is not coming back can be removed, so that
//! nothing waits for it.

use admin_shell::{
    config::{Config, Overrides},
    delivery::EventSink,
    journal::DeliveryStatus,
    render::render,
    sinks::{Credentials, Schemes},
};
use clap::{Args, Subcommand};
use serde_json::json;

use super::writable;
use crate::{
    answer::{Records, columns, value},
    cli::Source,
    clock,
    exit::{Stop, say},
    output::{Format, Output},
};

/// The sinks that are meant.
#[derive(Debug, Default, Args)]
pub(crate) struct Wanted {
    /// The sinks, separated by commas [env: ADMIN_SHELL_SINK; or `sink` in config.toml].
    #[arg(long, value_name = "URL")]
    sink: Option<String>,
}

impl Wanted {
    /// Makes them.
    pub(crate) fn open(&self, source: &Source) -> Result<Vec<Box<dyn EventSink>>, Stop> {
        let flags = Overrides { database: source.database.clone(), sink: self.sink.clone(), ..Overrides::default() };
        let config = Config::load(&flags).map_err(|error| Stop::Usage(format!("{error:#}")))?;
        let text = |hidden: &Option<admin_shell::config::Hidden>| hidden.as_ref().map(|one| one.expose().to_owned());
        let credentials = Credentials { token: text(&config.token), secret: text(&config.secret), forwards: false };
        let sinks = Schemes::built_in(&credentials).open(config.sink.as_deref().unwrap_or_default());
        sinks.map_err(|error| Stop::Usage(error.to_string()))
    }
}

#[derive(Debug, Args)]
pub(super) struct Sinks {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Forget a sink: how far it got, its receipts, and what it refused.
    Remove {
        /// Its name, as it is listed.
        name: String,
    },
}

pub(super) async fn run(sinks: Sinks, source: &Source) -> Result<(), Stop> {
    if let Some(Command::Remove { name }) = &sinks.command {
        let place = writable(source).await?;
        if !place.journal.forget_sink(name).await? {
            return Err(Stop::NotFound(format!(
                "no sink is called {name}: `session-tracker journal sinks` lists them"
            )));
        }
        say(&format!("{name} is forgotten. Where it is still configured, it begins anew at the oldest event."));
        return Ok(());
    }
    let place = source.open().await?;
    let records = place.journal.deliveries().await?;
    let format = sinks.output.format();
    let mut sheet = sinks.output.open()?;
    if format == Format::Table {
        if !records.is_empty() {
            let text = render(&json!(records.iter().map(row).collect::<Vec<_>>()), sheet.width());
            sheet.lines(&text)?;
        }
    } else {
        let mut answer = Records::begin(&mut sheet, format, columns::<DeliveryStatus>())?;
        for record in &records {
            answer.push(&value(record)?)?;
        }
        answer.end()?;
    }
    sheet.finish()?;
    if records.is_empty() && format == Format::Table {
        say("Nothing was delivered yet: no shell has had a sink.");
    }
    Ok(())
}

/// A line of the list.
pub(super) fn row(record: &DeliveryStatus) -> serde_json::Value {
    json!({
        "sink": record.sink, "component": record.component, "backlog": record.backlog, "buried": record.buried,
        "changed": clock::full(record.changed),
    })
}
