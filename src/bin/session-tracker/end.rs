//! `end`: a live session is asked to end and its own shell obeys; for a dead one an operator's end is recorded.

use std::time::{Duration, Instant};

use admin_shell::{
    event::check_reason,
    journal::{SessionRecord, SessionStatus},
    recorder::{Ended, end_session},
};
use clap::Args;
use serde::Serialize;

use crate::{
    answer::{Records, value},
    cli::Source,
    exit::{Stop, report},
    output::{Format, Output},
    place::me,
    reading::Reading,
};

/// A shell looks once a second whether it was asked to end; one that has not obeyed by then is busy.
const PATIENCE: Duration = Duration::from_secs(4);
const LOOK_EVERY: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub(crate) struct End {
    /// The sessions: their ids, or the beginnings of them.
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// Why; kept in the record and shown at the prompt that is ended.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: Option<String>,
    #[command(flatten)]
    output: Output,
}

fn reason(text: &str) -> Result<String, String> {
    check_reason(text).map(|()| text.to_owned()).map_err(|invalid| invalid.rule().to_owned())
}

/// What became of one session.
#[derive(Serialize)]
struct Outcome {
    session_id: String,
    component_name: String,
    outcome: &'static str,
}

pub(crate) async fn run(end: End, source: &Source) -> Result<(), Stop> {
    let place = source.reading().await?;
    if let Reading::Here(place) = &place
        && let Some(error) = place.journal.read_only()
    {
        return Err(error.clone().into());
    }
    // Every id is looked up before anything ends: a mistyped one must not leave half of the work done.
    let mut sessions = Vec::new();
    for id in &end.ids {
        sessions.push(place.session(id).await?);
    }
    let by = me();
    let why = end.reason.unwrap_or_else(|| format!("{by} ended it from the command line"));
    let mut outcomes = Vec::new();
    let mut failed = false;
    for session in &sessions {
        match end_one(&place, session, &by, &why).await {
            Ok(outcome) => outcomes.push(outcome),
            Err(stop) => {
                report(&stop);
                failed = true;
            }
        }
    }
    let format = end.output.format();
    let mut sheet = end.output.open()?;
    if format == Format::Table {
        for ended in &outcomes {
            sheet.lines(&format!("{} ({}): {}", ended.session_id, ended.component_name, ended.outcome))?;
        }
    } else {
        let columns = ["session_id", "component_name", "outcome"].map(str::to_owned).into();
        let mut records = Records::begin(&mut sheet, format, columns)?;
        for ended in &outcomes {
            records.push(&value(ended)?)?;
        }
        records.end()?;
    }
    sheet.finish()?;
    if failed { Err(Stop::Said) } else { Ok(()) }
}

async fn end_one(place: &Reading, session: &SessionRecord, by: &str, why: &str) -> Result<Outcome, Stop> {
    let ended = match place {
        Reading::Here(place) => end_session(&*place.journal, place.database.place(), session, by, why).await?,
        Reading::There(remote) => match remote.end(session.session_id.as_str(), why).await?.as_str() {
            "requested" => Ended::Requested,
            "recorded" => Ended::Recorded,
            _ => Ended::Already,
        },
    };
    let outcome = match ended {
        Ended::Recorded => "it was dead, an operator's end is recorded",
        Ended::Already => "it had ended before, nothing changed",
        Ended::Requested if obeys(place, session).await? => "asked to end, and ended",
        Ended::Requested => "asked to end, and will when its shell comes to it",
    };
    Ok(Outcome { session_id: session.session_id.to_string(), component_name: session.component_name.clone(), outcome })
}

/// Waits until the session has ended; false when it takes too long.
async fn obeys(place: &Reading, session: &SessionRecord) -> Result<bool, Stop> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = place.again(session.session_id.as_str()).await?;
        if now.is_some_and(|record| matches!(record.status, SessionStatus::Ended | SessionStatus::Crashed)) {
            return Ok(true);
        }
    }
    Ok(false)
}
