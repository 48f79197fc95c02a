//! Commands that fail most. Runs of one command are those whose inputs have one [`pattern`]; its failures in one way are
//! those whose messages have one. Said from 3 failures in one way on, when they are 1 in 10 of the runs or more.
//!
//! Only `error` and `timeout` are failures: what was refused or interrupted did what it should, and a command without an
//! outcome belongs to a crash.

use std::collections::HashMap;

use super::{Insight, Kind, pattern::pattern};
use crate::journal::CommandRecord;

const LEAST: usize = 3;
const ONE_IN: usize = 10;
/// As much of an input or a message as a line of a table can bear.
const SHOWN: usize = 80;

#[derive(Default)]
struct Runs<'c> {
    finished: usize,
    failed: HashMap<String, Vec<&'c CommandRecord>>,
}

pub(super) fn find(commands: &[CommandRecord]) -> Vec<Insight> {
    let mut runs: HashMap<(&str, String), Runs<'_>> = HashMap::new();
    for command in commands.iter().filter(|command| command.status != "unknown") {
        let Some(input) = &command.input else { continue };
        let runs = runs.entry((&command.component_name, pattern(input))).or_default();
        runs.finished += 1;
        if matches!(command.status.as_str(), "error" | "timeout") {
            let message = command.error.as_deref().unwrap_or(&command.status);
            runs.failed.entry(pattern(message)).or_default().push(command);
        }
    }
    let mut found = Vec::new();
    for ((component, input), runs) in &runs {
        let often = |failed: &&Vec<_>| failed.len() >= LEAST && failed.len() * ONE_IN >= runs.finished;
        found.extend(runs.failed.values().filter(often).filter_map(|failed| of_group(component, input, runs, failed)));
    }
    found
}

fn of_group(component: &str, input: &str, runs: &Runs<'_>, failed: &[&CommandRecord]) -> Option<Insight> {
    let last = failed.iter().max_by_key(|command| (command.start_time, command.command))?;
    let since = failed.iter().map(|command| command.start_time).min()?;
    let (count, of) = (failed.len() as u64, runs.finished as u64);
    let message = last.error.as_deref().unwrap_or(&last.status);
    Some(Insight {
        kind: Kind::Failures,
        component: component.to_owned(),
        what: format!("{} failed {count} of {of} times: {}", shorten(input), shorten(message)),
        count,
        of,
        since,
        last: last.start_time,
        session_id: last.session_id.clone(),
    })
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
