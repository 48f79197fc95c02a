//! What a transaction has to write, as one statement: an array a column, unnested into rows, and all the tables in one
//! `WITH`. However many events there are, writing them is one trip to the server.
//!
//! The parts of such a statement do not see each other's rows, so each row is written once.

use sqlx::{Arguments, AssertSqlSafe, Encode, PgConnection, Postgres, Type, postgres::PgArguments};

use super::source::without_nul;
use crate::{
    event::Observation,
    journal::{
        Parcel,
        loaded::{Differences, EventRow, Gathered, Loaded},
        projection::{Change, Facts, Picture, duration_class},
        replay::Command,
    },
};

/// One statement in the making.
#[derive(Default)]
pub(super) struct Batch {
    parts: Vec<String>,
    arguments: PgArguments,
    count: usize,
}

/// The columns of [`Batch::sessions`] that an event's own words fill.
const FACTS: &str = "component_type, component_version, shell_type, mode, pid, username, home, uid, actor_kind, verified, \
     hostname, platform, runtime, python_version, working_directory, reason, metadata";
const SPAN: &str = "order_us, start_us, end_us, duration_us, duration_class, status, end_reason, own_end, inferred";
const COUNTERS: [&str; 10] = [
    "next_seq",
    "head_hash",
    "head_position",
    "heard_us",
    "last_us",
    "commands",
    "outcomes",
    "failed",
    "writes",
    "destroys",
];
const TOTALS: [&str; 9] =
    ["sessions", "ended", "inferred", "duration_us", "commands", "outcomes", "failed", "writes", "destroys"];

impl Batch {
    /// An array as an argument, with its type.
    fn array<T>(&mut self, kind: &str, values: Vec<T>) -> String
    where
        Vec<T>: for<'t> Encode<'t, Postgres> + Type<Postgres>,
    {
        self.arguments.add(values).expect("numbers, text and bytes can be encoded");
        self.count += 1;
        format!("${}::{kind}[]", self.count)
    }

    fn numbers(&mut self, values: impl IntoIterator<Item = impl Into<Option<i64>>>) -> String {
        self.array("int8", values.into_iter().map(Into::into).collect::<Vec<Option<i64>>>())
    }

    fn texts<'t>(&mut self, values: impl IntoIterator<Item = impl Into<Option<&'t str>>>) -> String {
        let clean = |text: &str| without_nul(text).into_owned();
        self.array("text", values.into_iter().map(|text| text.into().map(clean)).collect::<Vec<Option<String>>>())
    }

    fn bytes(&mut self, values: impl IntoIterator<Item = impl AsRef<[u8]>>) -> String {
        self.array("bytea", values.into_iter().map(|bytes| bytes.as_ref().to_vec()).collect::<Vec<Vec<u8>>>())
    }

    fn insert(&mut self, into: &str, arrays: &[String], on_conflict: &str) {
        self.parts.push(format!("INSERT INTO {into} SELECT * FROM unnest({}){on_conflict}", arrays.join(", ")));
    }

    pub(super) fn events(&mut self, rows: &[EventRow], now_us: i64) {
        if rows.is_empty() {
            return;
        }
        let seq = |row: &EventRow| i64::try_from(row.parcel.seq()).unwrap_or(i64::MAX);
        let residues: Vec<Option<String>> = rows
            .iter()
            .map(|row| match &row.parcel {
                Parcel::Whole(_) => None,
                Parcel::Stub(stub) => Some(stub.residue().to_string()),
            })
            .collect();
        let arrays = [
            self.numbers(rows.iter().map(|row| row.position)),
            self.bytes(rows.iter().map(|row| row.parcel.event_id().into_bytes())),
            self.numbers(rows.iter().map(|row| row.stream)),
            self.numbers(rows.iter().map(seq)),
            self.texts(rows.iter().map(|row| row.parcel.kind().as_str())),
            self.numbers(rows.iter().map(|row| row.parcel.timestamp().as_microsecond())),
            self.numbers(rows.iter().map(|_| now_us)),
            self.bytes(rows.iter().map(|row| *row.parcel.hash().as_bytes())),
            self.bytes(rows.iter().map(|row| *row.link.as_bytes())),
            self.texts(residues.iter().map(Option::as_deref)),
            self.texts(rows.iter().map(|row| row.parcel.text())),
        ];
        let into = "events (position, event_id, stream, seq, type, time_us, recorded_us, hash, link, residue, text)";
        self.insert(into, &arrays, "");
    }

    /// Changes of commands. Ends that have to be looked for come after, see [`finish_elsewhere`].
    pub(super) fn commands(&mut self, gathered: &Gathered) {
        self.insert_commands(&gathered.started);
        let at = |change: &Change| match change {
            Change::Finished { at, .. } => *at,
            Change::Facts(_) | Change::Started { .. } => None,
        };
        let known: Vec<_> = gathered.finished.iter().filter(|(.., change)| at(change).is_some()).collect();
        if known.is_empty() {
            return;
        }
        let ends: Vec<_> = known.iter().map(|(.., change)| end(change)).collect();
        let arrays = [
            self.numbers(known.iter().map(|(.., change)| at(change))),
            self.texts(ends.iter().map(|end| end.0)),
            self.numbers(ends.iter().map(|end| end.1)),
            self.texts(ends.iter().map(|end| end.2)),
        ];
        self.parts.push(format!(
            "UPDATE commands c SET status = f.status, duration_us = f.duration_us, error = f.error \
             FROM unnest({}) AS f (position, status, duration_us, error) WHERE c.position = f.position",
            arrays.join(", ")
        ));
    }

    pub(super) fn insert_commands(&mut self, rows: &[(i64, Command)]) {
        if rows.is_empty() {
            return;
        }
        let arrays = [
            self.numbers(rows.iter().map(|(_, row)| row.position)),
            self.numbers(rows.iter().map(|(stream, _)| *stream)),
            self.numbers(rows.iter().map(|(_, row)| row.command)),
            self.numbers(rows.iter().map(|(_, row)| row.start_us)),
            self.texts(rows.iter().map(|(_, row)| row.input.as_deref())),
            self.texts(rows.iter().map(|(_, row)| row.status.as_deref())),
            self.numbers(rows.iter().map(|(_, row)| row.duration_us)),
            self.texts(rows.iter().map(|(_, row)| row.error.as_deref())),
        ];
        let into = "commands (position, stream, command, start_us, input, status, duration_us, error)";
        self.insert(into, &arrays, "");
    }

    pub(super) fn streams(&mut self, rows: &[(&str, &Loaded)]) {
        if rows.is_empty() {
            return;
        }
        let counters = |at: usize| {
            rows.iter().map(move |(_, row)| {
                let counters = row.picture.as_ref().map(|picture| picture.counters).unwrap_or_default();
                [counters.commands, counters.outcomes, counters.failed, counters.writes, counters.destroys][at]
            })
        };
        let last_us = |row: &Loaded| row.picture.as_ref().map_or(row.heard_us, |picture| picture.last_us);
        let running = |row: &Loaded| row.picture.as_ref().and_then(|picture| picture.running);
        let arrays = [
            self.numbers(rows.iter().map(|(_, row)| row.id)),
            self.texts(rows.iter().map(|(name, _)| *name)),
            self.texts(rows.iter().map(|(_, row)| row.component.as_str())),
            self.numbers(rows.iter().map(|(_, row)| i64::from(row.own))),
            self.numbers(rows.iter().map(|(_, row)| row.base)),
            self.numbers(rows.iter().map(|(_, row)| row.next_seq)),
            self.array(
                "bytea",
                rows.iter().map(|(_, row)| row.head_hash.map(|hash| hash.as_bytes().to_vec())).collect(),
            ),
            self.numbers(rows.iter().map(|(_, row)| row.head_position)),
            self.numbers(rows.iter().map(|(_, row)| row.heard_us)),
            self.numbers(rows.iter().map(|(_, row)| last_us(row))),
            self.numbers(counters(0)),
            self.numbers(counters(1)),
            self.numbers(counters(2)),
            self.numbers(counters(3)),
            self.numbers(counters(4)),
            self.numbers(rows.iter().map(|(_, row)| running(row).map(|(command, _)| command))),
            self.numbers(rows.iter().map(|(_, row)| running(row).map(|(_, position)| position))),
        ];
        let columns = COUNTERS.join(", ");
        let into = format!("streams (id, name, component, own, base, {columns}, running, running_position)");
        let sets: Vec<String> = COUNTERS
            .iter()
            .chain(&["running", "running_position"])
            .map(|column| format!("{column} = excluded.{column}"))
            .collect();
        self.insert(&into, &arrays, &format!(" ON CONFLICT (id) DO UPDATE SET {}", sets.join(", ")));
    }

    /// Writes sessions whole: new ones, and those whose start came after other events.
    pub(super) fn sessions(&mut self, rows: &[(i64, &str, &Picture, &Facts)]) {
        if rows.is_empty() {
            return;
        }
        let facts = |f: fn(&Facts) -> Option<&str>| rows.iter().map(move |(.., facts)| f(facts));
        let mut arrays = vec![
            self.numbers(rows.iter().map(|(stream, ..)| *stream)),
            self.texts(rows.iter().map(|(_, name, ..)| *name)),
            self.texts(rows.iter().map(|(.., picture, _)| picture.component.as_str())),
        ];
        let pictures: Vec<&Picture> = rows.iter().map(|(.., picture, _)| *picture).collect();
        arrays.extend(self.spans(&pictures));
        arrays.extend([
            self.texts(facts(|facts| facts.component_type.as_deref())),
            self.texts(facts(|facts| facts.component_version.as_deref())),
            self.texts(facts(|facts| facts.shell_type.as_deref())),
            self.texts(facts(|facts| facts.mode.as_deref())),
            self.numbers(rows.iter().map(|(.., facts)| facts.pid)),
            self.texts(facts(|facts| facts.username.as_deref())),
            self.texts(facts(|facts| facts.home.as_deref())),
            self.numbers(rows.iter().map(|(.., facts)| facts.uid)),
            self.texts(facts(|facts| facts.actor_kind.as_deref())),
            self.numbers(rows.iter().map(|(.., facts)| facts.verified.map(i64::from))),
            self.texts(facts(|facts| facts.hostname.as_deref())),
            self.texts(facts(|facts| facts.platform.as_deref())),
            self.texts(facts(|facts| facts.runtime.as_deref())),
            self.texts(facts(|facts| facts.python_version.as_deref())),
            self.texts(facts(|facts| facts.working_directory.as_deref())),
            self.texts(facts(|facts| facts.reason.as_deref())),
            self.texts(facts(|facts| facts.metadata.as_deref())),
        ]);
        let columns = format!("component, {SPAN}, {FACTS}");
        let sets: Vec<String> = columns.split(", ").map(|column| format!("{column} = excluded.{column}")).collect();
        let on_conflict = format!(" ON CONFLICT (stream) DO UPDATE SET {}", sets.join(", "));
        self.insert(&format!("sessions (stream, session_id, {columns})"), &arrays, &on_conflict);
    }

    /// Writes what a session's end changes.
    pub(super) fn session_spans(&mut self, rows: &[(i64, &Picture)]) {
        if rows.is_empty() {
            return;
        }
        let pictures: Vec<&Picture> = rows.iter().map(|(_, picture)| *picture).collect();
        let mut arrays = vec![self.numbers(rows.iter().map(|(stream, _)| *stream))];
        arrays.extend(self.spans(&pictures));
        let sets: Vec<String> = SPAN.split(", ").map(|column| format!("{column} = n.{column}")).collect();
        self.parts.push(format!(
            "UPDATE sessions p SET {} FROM unnest({}) AS n (stream, {SPAN}) WHERE p.stream = n.stream",
            sets.join(", "),
            arrays.join(", ")
        ));
    }

    fn spans(&mut self, rows: &[&Picture]) -> [String; 9] {
        [
            self.numbers(rows.iter().map(|row| row.span.order_us)),
            self.numbers(rows.iter().map(|row| row.span.start_us)),
            self.numbers(rows.iter().map(|row| row.span.end_us)),
            self.numbers(rows.iter().map(|row| row.span.duration_us)),
            self.numbers(rows.iter().map(|row| row.span.duration_us.map(duration_class))),
            self.texts(rows.iter().map(|row| row.span.state.as_str())),
            self.texts(rows.iter().map(|row| row.span.end_reason.as_deref())),
            self.numbers(rows.iter().map(|row| i64::from(row.span.own_end))),
            self.numbers(rows.iter().map(|row| i64::from(row.span.inferred))),
        ]
    }

    pub(super) fn observations(&mut self, rows: &[(i64, Observation, i64)]) {
        let about = |row: &(i64, Observation, i64)| row.1.about.as_ref().map(|about| about.as_str().to_owned());
        let rows: Vec<_> = rows.iter().filter_map(|row| Some((about(row)?, row))).collect();
        if rows.is_empty() {
            return;
        }
        let arrays = [
            self.numbers(rows.iter().map(|(_, row)| row.0)),
            self.texts(rows.iter().map(|(about, _)| about.as_str())),
            self.texts(rows.iter().map(|(_, row)| row.1.what.as_str())),
            self.numbers(rows.iter().map(|(_, row)| row.2)),
        ];
        self.insert("observations (position, about, what, time_us)", &arrays, "");
    }

    /// Adds to the sums of days, in `rollups` or `rollups_base`.
    pub(super) fn sums(&mut self, table: &str, sums: &Differences) {
        if sums.is_empty() {
            return;
        }
        let mut arrays =
            vec![self.numbers(sums.keys().map(|(day, _)| *day)), self.texts(sums.keys().map(|key| key.1.as_str()))];
        for at in 0..TOTALS.len() {
            arrays.push(self.numbers(sums.values().map(|totals| totals.columns()[at])));
        }
        let sets: Vec<String> =
            TOTALS.iter().map(|column| format!("{column} = {table}.{column} + excluded.{column}")).collect();
        let on_conflict = format!(" ON CONFLICT (day, component) DO UPDATE SET {}", sets.join(", "));
        self.insert(&format!("{table} (day, component, {})", TOTALS.join(", ")), &arrays, &on_conflict);
    }

    pub(super) fn opened(&mut self, streams: i64) {
        let array = self.numbers([streams]);
        self.parts.push(format!("UPDATE journal SET streams = ({array})[1]"));
    }

    /// Runs it.
    pub(super) async fn run(self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let Some((last, others)) = self.parts.split_last() else { return Ok(()) };
        let mut sql = String::new();
        for (at, part) in others.iter().enumerate() {
            sql.push_str(if at == 0 { "WITH " } else { ", " });
            sql.push_str(&format!("part_{at} AS ({part})"));
        }
        sql.push(' ');
        sql.push_str(last);
        sqlx::query_with(AssertSqlSafe(sql), self.arguments).execute(connection).await.map(drop)
    }
}

/// Ends of commands that are not the last ones of their sessions: found by way of their sessions' events.
pub(super) async fn finish_elsewhere(connection: &mut PgConnection, gathered: &Gathered) -> Result<(), sqlx::Error> {
    for (position, stream, change) in &gathered.finished {
        let Change::Finished { command, at: None, .. } = change else { continue };
        let (status, duration_us, error) = end(change);
        let sql = "UPDATE commands SET status = $1, duration_us = $2, error = $3 WHERE position = \
                   (SELECT c.position FROM events e JOIN commands c ON c.position = e.position \
                   WHERE e.stream = $4 AND c.command = $5 AND e.position < $6 ORDER BY e.seq DESC LIMIT 1)";
        let query = sqlx::query(sql).bind(status.map(without_nul)).bind(duration_us).bind(error.map(without_nul));
        query.bind(stream).bind(command).bind(position).execute(&mut *connection).await?;
    }
    Ok(())
}

fn end(change: &Change) -> (Option<&str>, Option<i64>, Option<&str>) {
    match change {
        Change::Finished { status, duration_us, error, .. } => (Some(status), *duration_us, error.as_deref()),
        Change::Facts(_) | Change::Started { .. } => (None, None, None),
    }
}
