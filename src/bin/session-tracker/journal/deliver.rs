//! `journal deliver`: brings the sinks what waits, now and from outside a shell.

use admin_shell::{
    delivery::{Plan, deliver_now, locks_of},
    journal::OWN_COMPONENT,
};
use clap::Args;
use serde_json::json;
use std::sync::Arc;

use super::{sinks::Wanted, writable};
use crate::{
    answer,
    cli::Source,
    exit::{Stop, say},
    output::Output,
    plural::counted,
};

#[derive(Debug, Args)]
pub(super) struct Deliver {
    #[command(flatten)]
    wanted: Wanted,
    /// Only the events of this component.
    #[arg(long, value_name = "NAME")]
    component: Option<String>,
    #[command(flatten)]
    output: Output,
}

pub(super) async fn run(deliver: Deliver, source: &Source) -> Result<(), Stop> {
    let names: Vec<String> = deliver.wanted.open(source)?.iter().map(|sink| sink.name().to_owned()).collect();
    if names.is_empty() {
        return Err(Stop::Usage("no sink is configured: set ADMIN_SHELL_SINK or give --sink URL".to_owned()));
    }
    let place = writable(source).await?;
    let mut components: Vec<String> = match &deliver.component {
        Some(component) => vec![component.clone()],
        None => place.journal.components().await?,
    };
    components.retain(|component| component != OWN_COMPONENT);
    let mut rounds = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let (mut delivered, mut buried, mut elsewhere, mut failed) = (0, 0, Vec::new(), None);
        for (number, component) in components.iter().enumerate() {
            // A sink for each component: a token is for one.
            let Some(sink) = deliver.wanted.open(source)?.into_iter().nth(at) else { continue };
            let mut lanes = vec![component.clone()];
            lanes.extend((number == 0).then(|| OWN_COMPONENT.to_owned()));
            let locks = locks_of(place.database.place());
            let plan = Plan { journal: Arc::clone(&place.journal), components: lanes, locks, session: None };
            let round = deliver_now(&plan, sink).await?;
            delivered += round.delivered;
            buried += round.buried;
            elsewhere.extend(round.elsewhere);
            failed = round.failed;
            if failed.is_some() {
                break;
            }
        }
        rounds.push(json!({
            "sink": name, "delivered": delivered, "buried": buried, "elsewhere": elsewhere, "failed": failed,
        }));
    }
    let waiting: u64 = place.journal.deliveries().await?.iter().map(|one| one.backlog).sum();
    let has_failed = rounds.iter().any(|round| !round["failed"].is_null());
    let whole = json!({"sinks": rounds, "backlog": waiting});
    answer::one(&deliver.output, &whole, |_| {
        let line = |round: &serde_json::Value| {
            let count = |key: &str| round[key].as_u64().unwrap_or(0);
            let mut line = format!(
                "{}: {} delivered",
                round["sink"].as_str().unwrap_or_default(),
                counted(count("delivered"), "event")
            );
            if count("buried") > 0 {
                line.push_str(&format!(", {} refused (see `session-tracker journal buried`)", count("buried")));
            }
            let elsewhere: Vec<&str> =
                round["elsewhere"].as_array().into_iter().flatten().filter_map(|name| name.as_str()).collect();
            if !elsewhere.is_empty() {
                line.push_str(&format!(", {} delivered by an open shell", elsewhere.join(" and ")));
            }
            line
        };
        rounds.iter().map(line).collect::<Vec<_>>().join("\n")
    })?;
    for round in &rounds {
        if let Some(why) = round["failed"].as_str() {
            say(&format!("error: {}: {why}", round["sink"].as_str().unwrap_or_default()));
        }
    }
    if has_failed { Err(Stop::Said) } else { Ok(()) }
}
