//! Where the projection is not what the events give: table by table, with the key of each row.
//!
//! `verify` reports these as faults, `rebuild` puts them right and reports what it has put right. Both look with what is
//! here, so neither can be blind to what the other one sees.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Difference, JournalError,
    cells::Cells,
    pages::{StreamPage, StreamRow},
    projection::{Counters, Totals},
    replay::{Command, Drawn},
    shown::timestamp,
    source::{Source, Statement},
};
use crate::event::{Event, Observation, SessionId};

/// Sums by day and component.
type Sums = BTreeMap<(i64, String), Totals>;

/// A row of a session that differs.
fn of_session(table: &str, name: &str) -> Difference {
    Difference { table: table.to_owned(), key: name.to_owned(), stream: Some(name.to_owned()), position: None }
}

/// A row that is found by its position.
pub(super) fn at_position(table: &str, position: i64, stream: Option<&str>) -> Difference {
    Difference {
        table: table.to_owned(),
        key: format!("position {position}"),
        stream: stream.map(str::to_owned),
        position: u64::try_from(position).ok(),
    }
}

/// What differs in the projection of a stream; `drawn` is what its events give, and nothing for one that has none.
pub(super) fn of_stream(page: &StreamPage, stream: &StreamRow, drawn: Option<&Drawn>) -> Vec<Difference> {
    let name = stream.name.as_str();
    let mut differences = Vec::new();
    let session_is_right = match (page.sessions.get(&stream.id), drawn) {
        (None, None) => true,
        (Some(row), Some(drawn)) => {
            row.class_is_right
                && row.name == name
                && row.component == drawn.picture.component
                && row.span == drawn.picture.span
                && row.facts == drawn.facts
        }
        _ => false,
    };
    if !session_is_right {
        differences.push(of_session("sessions", name));
    }
    let counters_are_right = match drawn {
        Some(Drawn { picture, .. }) => {
            (stream.counters, stream.running, stream.last_us) == (picture.counters, picture.running, picture.last_us)
        }
        None => stream.counters == Counters::default() && stream.running.is_none(),
    };
    if !counters_are_right {
        differences.push(of_session("streams", name));
    }
    let by_position = |commands: &[Command]| -> BTreeMap<i64, Command> {
        commands.iter().map(|command| (command.position, command.clone())).collect()
    };
    let stored = by_position(page.commands.get(&stream.id).map_or(&[], Vec::as_slice));
    let given = by_position(drawn.map_or(&[], |drawn| &drawn.commands));
    let positions: BTreeSet<i64> = stored.keys().chain(given.keys()).copied().collect();
    for position in positions {
        if stored.get(&position) != given.get(&position) || page.misplaced.contains(&position) {
            differences.push(at_position("commands", position, Some(name)));
        }
    }
    differences
}

/// Rows of sessions and commands that belong to no event.
pub(super) async fn of_nobody<S: Source>(source: &mut S) -> Result<Vec<Difference>, JournalError> {
    let sessions = "SELECT p.session_id FROM sessions p LEFT JOIN streams s ON s.id = p.stream \
         WHERE s.id IS NULL OR s.pruned <> 0 OR s.name < 'sess_' OR s.name >= 'sess`'";
    let commands = "SELECT c.position FROM commands c LEFT JOIN events e ON e.position = c.position \
         LEFT JOIN streams s ON s.id = e.stream \
         WHERE s.id IS NULL OR s.pruned <> 0 OR e.type <> 'command_start' ORDER BY c.position";
    let mut differences = Vec::new();
    for row in source.rows(Statement::new(sessions)).await? {
        differences.push(of_session("sessions", row.cell(0)?));
    }
    for row in source.rows(Statement::new(commands)).await? {
        differences.push(at_position("commands", row.cell(0)?, None));
    }
    Ok(differences)
}

/// What was said about sessions, by the position where it was said: about whom, what, and when.
pub(super) type Observations = BTreeMap<i64, (String, String, i64)>;

/// What an observation says about whom, from its text or from what scrubbing left of it.
pub(super) fn heard(text: Option<&str>, residue: Option<&str>) -> Option<(String, String)> {
    if let Some(text) = text {
        let observation: Observation = Event::parse(text).ok()?.decode()?;
        return Some((observation.about?.to_string(), observation.what));
    }
    let residue: serde_json::Value = serde_json::from_str(residue?).ok()?;
    let about: SessionId = residue.get("about")?.as_str()?.parse().ok()?;
    Some((about.to_string(), residue.get("what")?.as_str()?.to_owned()))
}

/// Reads rows of `observations`: position, about, what, time_us.
pub(super) fn observations<R: Cells>(rows: &[R]) -> Result<Observations, JournalError> {
    rows.iter().map(|row| Ok((row.cell(0)?, (row.cell(1)?, row.cell(2)?, row.cell(3)?)))).collect()
}

/// A stretch of positions: what its events say about sessions, and where the rows differ from it.
pub(super) struct Stretch {
    /// The last position of it.
    pub upto: i64,
    /// What the events say.
    pub given: Observations,
    /// Where the rows differ.
    pub differences: Vec<Difference>,
}

/// Compares what comes after a position, a number of observations at a time.
pub(super) async fn stretch<S: Source>(source: &mut S, last: i64, rows: u32) -> Result<Stretch, JournalError> {
    let said = Statement::new(format!(
        "SELECT e.position, e.text, e.residue, e.time_us FROM streams s {} events e ON e.stream = s.id \
         WHERE s.name >= 'jrnl_' AND s.name < 'jrnl`' AND e.type = 'observation' AND e.position > ? \
         ORDER BY e.position LIMIT ?",
        S::JOIN_IN_ORDER
    ));
    let found = source.rows(said.bind(last).bind(rows)).await?;
    let upto = match found.last() {
        Some(row) if found.len() >= rows as usize => row.cell(0)?,
        _ => i64::MAX,
    };
    let mut given = Observations::new();
    for row in &found {
        let (position, time_us): (i64, i64) = (row.cell(0)?, row.cell(3)?);
        let heard = heard(row.cell(1)?, row.cell(2)?);
        given.extend(heard.map(|(about, what)| (position, (about, what, time_us))));
    }
    let stored =
        Statement::new("SELECT position, about, what, time_us FROM observations WHERE position > ? AND position <= ?");
    let stored = observations(&source.rows(stored.bind(last).bind(upto)).await?)?;
    let differences = of_observations(&given, &stored);
    Ok(Stretch { upto, given, differences })
}

/// Removes a row of nobody. Rows are of nobody only while nobody has come for them: that is asked again here.
pub(super) fn removal(row: &Difference) -> Statement {
    match (&row.stream, row.position.and_then(|position| i64::try_from(position).ok())) {
        (Some(name), _) => Statement::new(
            "DELETE FROM sessions WHERE session_id = ? AND stream NOT IN (SELECT id FROM streams WHERE pruned = 0 \
             AND name >= 'sess_' AND name < 'sess`')",
        )
        .bind(name.as_str()),
        (None, position) => Statement::new(
            "DELETE FROM commands WHERE position = ? AND NOT EXISTS (SELECT 1 FROM events e \
             JOIN streams s ON s.id = e.stream WHERE e.position = commands.position \
             AND e.type = 'command_start' AND s.pruned = 0)",
        )
        .bind(position.unwrap_or(0)),
    }
}

/// Where the rows of observations are not what the events give.
pub(super) fn of_observations(given: &Observations, stored: &Observations) -> Vec<Difference> {
    let positions: BTreeSet<i64> = given.keys().chain(stored.keys()).copied().collect();
    let differs = positions.into_iter().filter(|position| given.get(position) != stored.get(position));
    differs.map(|position| at_position("observations", position, None)).collect()
}

/// The sums of a day and component.
pub(super) fn of_day(day: i64, component: &str) -> Difference {
    let date = timestamp(day.saturating_mul(86_400_000_000)).strftime("%F").to_string();
    Difference { table: "rollups".to_owned(), key: format!("{date} {component}"), stream: None, position: None }
}

/// Days whose sums are not the expected ones.
pub(super) fn of_sums(expected: &Sums, stored: &Sums) -> Vec<Difference> {
    let nothing = Totals::default();
    let days: BTreeSet<_> = expected.keys().chain(stored.keys()).collect();
    days.into_iter()
        .filter(|day| expected.get(day).unwrap_or(&nothing) != stored.get(day).unwrap_or(&nothing))
        .map(|(day, component)| of_day(*day, component))
        .collect()
}
