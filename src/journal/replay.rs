//! Drawing a session again from what is stored, to compare it with its projection or to put that right.

use serde_json::Value;

use super::projection::{Change, Facts, Picture};
use crate::event::EventKind;

/// A stored event, as far as drawing it needs.
pub(super) struct Line {
    pub position: i64,
    pub kind: EventKind,
    pub time_us: i64,
    /// The body, or what scrubbing left of it.
    pub body: Value,
}

/// What an observer said about a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub position: i64,
    pub what: String,
    pub time_us: i64,
}

/// A row of the commands, as it ought to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Command {
    pub position: i64,
    pub command: i64,
    pub start_us: i64,
    pub input: Option<String>,
    pub status: Option<String>,
    pub duration_us: Option<i64>,
    pub error: Option<String>,
}

/// A session as its events draw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Drawn {
    pub picture: Picture,
    pub facts: Facts,
    /// In the order of their positions.
    pub commands: Vec<Command>,
}

/// Draws a session from its events and from what was said about it, both in the order of their positions. `None` when
/// it has no events.
pub(super) fn draw(component: &str, lines: &[Line], said: &[Said]) -> Option<Drawn> {
    let first = lines.first()?;
    let mut drawn =
        Drawn { picture: Picture::new(component, first.time_us), facts: Facts::default(), commands: Vec::new() };
    let mut said = said.iter().peekable();
    for (at, line) in lines.iter().enumerate() {
        if at > 0 {
            while let Some(said) = said.next_if(|said| said.position < line.position) {
                drawn.picture.observe(&said.what, said.time_us);
            }
        }
        if let Some(change) = drawn.picture.apply(&line.kind, line.position, line.time_us, &line.body) {
            drawn.change(line, change);
        }
    }
    for said in said {
        drawn.picture.observe(&said.what, said.time_us);
    }
    Some(drawn)
}

impl Drawn {
    fn change(&mut self, line: &Line, change: Change) {
        match change {
            Change::Facts(facts) => self.facts = *facts,
            Change::Started { command, input } => self.commands.push(Command {
                position: line.position,
                command,
                start_us: line.time_us,
                input,
                status: None,
                duration_us: None,
                error: None,
            }),
            Change::Finished { command, at, status, duration_us, error } => {
                let is_it = |row: &&mut Command| match at {
                    Some(at) => row.position == at,
                    None => row.command == command,
                };
                if let Some(row) = self.commands.iter_mut().rev().find(is_it) {
                    row.status = Some(status);
                    row.duration_us = duration_us;
                    row.error = error;
                }
            }
        }
    }
}
