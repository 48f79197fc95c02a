//! `journal prune`: removes the bodies of sessions that ended long ago, and writes them to an archive first.

use std::{
    io::{IsTerminal, stdin},
    path::PathBuf,
};

use admin_shell::{
    event::check_reason,
    journal::{self, Holder, Journal, Pruned},
    redact::Redactor,
};
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::writable;
use crate::{
    answer,
    cli::Source,
    clock,
    exit::{Stop, say},
    output::Output,
    place::me,
    plural::counted,
};

#[derive(Debug, Args)]
pub(super) struct Prune {
    /// Prune sessions that ended before this time.
    #[arg(long, value_name = "TIME", default_value = "90d", value_parser = clock::time)]
    before: Timestamp,
    /// First write what is removed to this file, as JSON lines that --database can read.
    #[arg(long, value_name = "FILE", value_parser = archive)]
    archive: Option<PathBuf>,
    /// Why; kept in the record [default: the rule and its date].
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: Option<String>,
    /// Do not ask, also at a terminal.
    #[arg(long)]
    yes: bool,
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

fn reason(text: &str) -> Result<String, String> {
    check_reason(text).map(|()| text.to_owned()).map_err(|invalid| invalid.rule().to_owned())
}

/// At a terminal somebody may not know what is about to go: they are asked. A script says what it means.
async fn confirmed(prune: &Prune, journal: &dyn Journal) -> Result<bool, Stop> {
    if prune.yes || !stdin().is_terminal() {
        return Ok(true);
    }
    let before = clock::full(prune.before);
    let question = match journal.prunable(prune.before).await? {
        Some(Pruned { sessions: 0, .. }) => return Ok(true),
        Some(all) => format!(
            "{} ({}) that ended before {before}",
            counted(all.sessions, "session"),
            counted(all.events, "event")
        ),
        None => format!("Sessions that ended before {before}"),
    };
    let archive = match &prune.archive {
        Some(path) => format!("They are written to {} first.", path.display()),
        None => "There will be no archive of them.".to_owned(),
    };
    say(&format!("{question} will be removed for good. {archive}\nType yes to go on:"));
    let mut answer = String::new();
    stdin().read_line(&mut answer).map_err(anyhow::Error::from)?;
    Ok(answer.trim() == "yes")
}

pub(super) async fn run(prune: Prune, source: &Source) -> Result<(), Stop> {
    let place = writable(source).await?;
    if !confirmed(&prune, &*place.journal).await? {
        return Err(Stop::failed("nothing was pruned"));
    }
    let rule = || format!("retention: ended and not heard of since {}", clock::full(prune.before));
    let why = prune.reason.as_ref().map_or_else(rule, |text| Redactor::default().text(text).into_string());
    let plan = journal::Prune { before: prune.before, archive: prune.archive.clone(), by: me(), why };
    let pruned = place.journal.prune(&plan).await?;
    let held = place.journal.holders(prune.before).await?;
    answer::one(&prune.output, &Outcome { pruned: &pruned, held: &held }, |_| {
        let before = clock::full(prune.before);
        let waited_for: String = held.iter().map(|holder| format!("\n{}", kept(holder))).collect();
        if pruned.sessions == 0 && waited_for.is_empty() {
            return format!("Nothing to prune: no session ended before {before} and still has its events.");
        }
        if pruned.sessions == 0 {
            return format!(
                "Nothing was pruned: what ended before {before} and still has its events is waited for.{waited_for}"
            );
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
        text + waited_for.as_str()
    })
}

/// What was pruned, and what a sink kept from it.
#[derive(Serialize)]
struct Outcome<'p> {
    #[serde(flatten)]
    pruned: &'p Pruned,
    held: &'p [Holder],
}

/// Which sink keeps sessions, and what to do about it.
fn kept(holder: &Holder) -> String {
    let Holder { sink, waiting, refused, changed } = holder;
    let mut ways = Vec::new();
    let mut text = format!("Kept for {sink}");
    if *waiting > 0 {
        let since = changed.map(|at| format!(" since {}", clock::full(at))).unwrap_or_default();
        text.push_str(&format!(": it has got nothing{since}, and {} wait", counted(*waiting, "session")));
        ways.push("deliver them (`session-tracker journal deliver --sink URL`)");
    }
    if *refused > 0 {
        text.push_str(&format!(": it has refused events of {}", counted(*refused, "session")));
        ways.push("offer them again (`session-tracker journal buried --retry`)");
    }
    format!(
        "{text}. To go on, {}, or give the sink up: `session-tracker journal sinks remove '{sink}'`",
        ways.join(", ")
    )
}
