//! `journal scrub`: removes the body of one event, for good. Its header, its hash and its place stay, and an observation
//! says who removed it and why.

use admin_shell::{
    event::{EventKind, Observation, check_reason},
    journal::JournalError,
    redact::Redactor,
};
use clap::Args;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::writable;
use crate::{answer, cli::Source, exit::Stop, output::Output, place::me};

#[derive(Debug, Args)]
pub(super) struct Scrub {
    /// The event's id, as `events --format json` shows it.
    event: Uuid,
    /// Why; kept in the record. Do not repeat what is removed.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: String,
    #[command(flatten)]
    output: Output,
}

fn reason(text: &str) -> Result<String, String> {
    check_reason(text).map(|()| text.to_owned()).map_err(|invalid| invalid.rule().to_owned())
}

pub(super) async fn run(scrub: Scrub, source: &Source) -> Result<(), Stop> {
    let place = writable(source).await?;
    let body = Observation {
        about: None,
        what: "scrubbed".to_owned(),
        by: me(),
        why: scrub.reason.clone(),
        detail: [("event_id".to_owned(), json!(scrub.event))].into_iter().collect(),
    };
    let observation = Redactor::default().draft(EventKind::Observation, Timestamp::now(), &body);
    match place.journal.scrub(scrub.event, &observation).await {
        Err(JournalError::Invalid(invalid)) if invalid.field() == "event_id" => {
            return Err(Stop::NotFound(format!("{} {}", scrub.event, invalid.rule())));
        }
        outcome => outcome?,
    }
    let answer = json!({"event_id": scrub.event, "scrubbed": true, "reason": scrub.reason});
    answer::one(&scrub.output, &answer, |_| {
        format!("The body of event {} is removed. Copies in archives, backups and trackers are not.", scrub.event)
    })
}
