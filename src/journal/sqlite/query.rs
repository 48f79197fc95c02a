//! Pages of sessions, newest first, by any filter.
//!
//! The planner is not left to guess: each filter has an index that is ordered as lists are, the query names the one to
//! walk, and every other filter is a condition on what is met on the way. Where several filters compete, those that
//! match few sessions go first; where one matches many, walking in the order of the list finds a page soon.
//!
//! A page is made of one or more *walks*, each giving its newest sessions; the page is the newest of them all.

use super::{
    SqliteJournal,
    column::{Cells, number},
    record,
    script::Script,
};
use crate::journal::{Cursor, Filter, JournalError, Page, SessionStatus, Sessions, projection::duration_class};
use jiff::Timestamp;

/// A filter that matches fewer sessions than this is looked up and sorted.
const FEW: i64 = 4_000;

/// A condition, and the values of its question marks.
#[derive(Clone)]
pub(super) struct Condition {
    pub sql: String,
    pub values: Vec<Value>,
}

#[derive(Clone)]
pub(super) enum Value {
    Text(String),
    Number(i64),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl Condition {
    pub(super) fn new(sql: impl Into<String>, values: Vec<Value>) -> Self {
        Self { sql: sql.into(), values }
    }
}

/// One way through the sessions: an index (or none), and what it is entered with.
struct Walk {
    index: Option<&'static str>,
    by: Condition,
}

pub(super) async fn sessions(journal: &SqliteJournal, filter: &Filter, page: &Page) -> Result<Sessions, JournalError> {
    let now_us = Timestamp::now().as_microsecond();
    let mut plan = Plan { journal, now_us, walks: Vec::new(), rest: Vec::new() };
    plan.make(filter).await?;
    if let Some(Cursor { start_us, session_id }) = &page.after {
        let values = vec![(*start_us).into(), session_id.as_str().into()];
        plan.rest.push(Condition::new("(p.order_us, p.session_id) < (?, ?)", values));
    }
    // One more than asked for tells whether there is another page.
    let wanted = i64::from(page.limit) + 1;
    let mut rows = journal.rows(plan.script(wanted)).await?;
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let is_last = rows.len() <= limit;
    rows.truncate(limit);
    let records = rows.iter().map(|row| record::session(row, now_us)).collect::<Result<Vec<_>, _>>()?;
    let next = rows.last().filter(|_| !is_last);
    let next = match next {
        Some(row) => Some(Cursor { start_us: row.cell(2)?, session_id: row.cell(0)? }),
        None => None,
    };
    Ok(Sessions { records, next })
}

/// How a page is found.
struct Plan<'j> {
    journal: &'j SqliteJournal,
    now_us: i64,
    walks: Vec<Walk>,
    rest: Vec<Condition>,
}

impl Plan<'_> {
    async fn make(&mut self, filter: &Filter) -> Result<(), JournalError> {
        self.bound(filter);
        let mut exact = self.exact(filter);
        // Of several exact filters the rarest is walked; of several common ones the first, so those go first that are
        // seldom as common as they can be.
        if exact.len() > 1 {
            let mut sizes = Vec::with_capacity(exact.len());
            for walk in &exact {
                sizes.push(self.size(walk).await?);
            }
            let rarest = (0..exact.len()).min_by_key(|&at| sizes[at]).unwrap_or(0);
            exact.swap(0, rarest);
            let rare_enough = sizes.iter().min().is_some_and(|size| *size < FEW);
            self.walk_one(exact);
            if rare_enough {
                self.durations(filter, None);
                return self.text(filter).await;
            }
        } else if !exact.is_empty() {
            self.walk_one(exact);
        }
        if filter.longer_than.is_some() || filter.shorter_than.is_some() {
            let walked = match self.walks.as_slice() {
                [walk] => self.size(walk).await? < FEW,
                _ => false,
            };
            let classes = if walked { None } else { Some(self.classes(filter).await?) };
            self.durations(filter, classes);
        }
        self.text(filter).await
    }

    /// Conditions on the place in the list: every index is ordered by it.
    fn bound(&mut self, filter: &Filter) {
        if let Some(after) = filter.after {
            self.rest.push(Condition::new("p.order_us >= ?", vec![after.as_microsecond().into()]));
        }
        if let Some(before) = filter.before {
            self.rest.push(Condition::new("p.order_us < ?", vec![before.as_microsecond().into()]));
        }
    }

    fn exact(&self, filter: &Filter) -> Vec<Walk> {
        let mut walks = Vec::new();
        for (value, column, index) in [
            (&filter.component, "component", "sessions_by_component"),
            (&filter.user, "username", "sessions_by_user"),
            (&filter.host, "hostname", "sessions_by_host"),
            (&filter.component_type, "component_type", "sessions_by_type"),
        ] {
            if let Some(value) = value {
                let by = Condition::new(format!("p.{column} = ?"), vec![value.as_str().into()]);
                walks.push(Walk { index: Some(index), by });
            }
        }
        let now = self.now_us;
        let beat = |sql: &str| {
            let sql = format!("p.status = 'open' AND {sql}");
            let marks = sql.matches('?').count();
            Condition::new(sql, vec![now.into(); marks])
        };
        let by_status = match filter.status {
            None => None,
            Some(SessionStatus::Ended) => Some(Condition::new("p.status = 'ended'", vec![])),
            Some(SessionStatus::Crashed) => Some(Condition::new("p.status = 'crashed'", vec![])),
            Some(SessionStatus::Active) => Some(beat(
                "NOT EXISTS (SELECT 1 FROM presence b WHERE b.session_id = p.session_id AND ? - b.heard_us > b.lease_us)",
            )),
            Some(SessionStatus::Stale) => Some(beat(
                "EXISTS (SELECT 1 FROM presence b WHERE b.session_id = p.session_id AND ? - b.heard_us > b.lease_us \
                 AND ? - b.heard_us <= 3 * b.lease_us)",
            )),
            Some(SessionStatus::Lost) => Some(beat(LOST)),
        };
        let place = if filter.status == Some(SessionStatus::Ended) { walks.len() } else { 0 };
        if let Some(by) = by_status {
            walks.insert(place, Walk { index: Some("sessions_by_status"), by });
        }
        if filter.active {
            walks.insert(0, Walk { index: Some("sessions_by_status"), by: beat(&format!("NOT {LOST}")) });
        }
        if filter.incomplete {
            let by = Condition::new("p.own_end = 0", vec![]);
            walks.insert(0, Walk { index: Some("sessions_without_own_end"), by });
        }
        walks
    }

    /// Walks by the first, and takes the others as conditions.
    fn walk_one(&mut self, walks: Vec<Walk>) {
        let mut walks = walks.into_iter();
        self.walks.extend(walks.next());
        self.rest.extend(walks.map(|walk| walk.by));
    }

    /// Filters by duration. With classes: one walk each, and one for those that are open. Without: conditions.
    fn durations(&mut self, filter: &Filter, classes: Option<Vec<i64>>) {
        let us = |duration: std::time::Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        let (longer, shorter) = (filter.longer_than.map(us), filter.shorter_than.map(us));
        if longer.is_none() && shorter.is_none() {
            return;
        }
        let mut ended = Condition::new("p.duration_us IS NOT NULL", vec![]);
        let mut open = Condition::new("p.status = 'open'", vec![]);
        for (limit, sign, opposite) in [(longer, ">", "<"), (shorter, "<", ">")] {
            if let Some(limit) = limit {
                ended.sql.push_str(&format!(" AND p.duration_us {sign} ?"));
                ended.values.push(limit.into());
                open.sql.push_str(&format!(" AND p.start_us {opposite} ?"));
                open.values.push(self.now_us.saturating_sub(limit).into());
            }
        }
        let Some(classes) = classes else {
            let values = [open.values, ended.values].concat();
            self.rest.push(Condition::new(format!("({} OR {})", open.sql, ended.sql), values));
            return;
        };
        self.rest.extend(self.walks.drain(..).map(|walk| walk.by));
        self.walks.push(Walk { index: Some("sessions_by_status"), by: open });
        for class in classes {
            let sql = format!("p.duration_class = ? AND {}", ended.sql);
            let values = std::iter::once(class.into()).chain(ended.values.iter().cloned()).collect();
            self.walks.push(Walk { index: Some("sessions_by_duration"), by: Condition::new(sql, values) });
        }
    }

    /// The classes of durations that occur and that the filter may match.
    async fn classes(&self, filter: &Filter) -> Result<Vec<i64>, JournalError> {
        let class =
            |duration: std::time::Duration| duration_class(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX));
        let mut script = Script::default();
        script.add(
            "WITH RECURSIVE classes (class) AS (SELECT min(duration_class) FROM sessions WHERE duration_class >= ? \
             UNION ALL SELECT (SELECT min(duration_class) FROM sessions WHERE duration_class > class) FROM classes \
             WHERE class IS NOT NULL) SELECT class FROM classes WHERE class <= ?",
        );
        script.bind(filter.longer_than.map_or(0, class)).bind(filter.shorter_than.map_or(i64::MAX, class));
        self.journal.rows(script).await?.iter().map(|row| row.cell(0)).collect()
    }

    /// How many sessions a walk meets, counted no further than is worth knowing.
    async fn size(&self, walk: &Walk) -> Result<i64, JournalError> {
        let mut script = Script::default();
        let from = indexed(walk.index);
        script
            .add(&format!("SELECT count(*) FROM (SELECT 1 FROM sessions p {from} WHERE {} LIMIT {FEW})", walk.by.sql));
        bind(&mut script, &walk.by.values);
        number(self.journal.rows(script).await?.first(), 0)
    }

    /// Filters by a part of a command: looked up when it is rare, tried on the way when it is common.
    async fn text(&mut self, filter: &Filter) -> Result<(), JournalError> {
        let Some(text) = filter.text.as_deref().filter(|text| !text.is_empty()) else { return Ok(()) };
        let found = super::text::find(self.journal, text, FEW).await?;
        match found {
            super::text::Found::Streams(streams) => {
                let list: Vec<String> = streams.iter().map(ToString::to_string).collect();
                let by = Condition::new(format!("p.stream IN ({})", list.join(",")), vec![]);
                self.rest.extend(self.walks.drain(..).map(|walk| walk.by));
                self.walks.push(Walk { index: None, by });
            }
            super::text::Found::TooMany(condition) => self.rest.push(condition),
        }
        Ok(())
    }

    fn script(self, wanted: i64) -> Script {
        let mut script = Script::default();
        let walks = if self.walks.is_empty() {
            vec![Walk { index: Some("sessions_by_start"), by: Condition::new("1", vec![]) }]
        } else {
            self.walks
        };
        let rest: String = self.rest.iter().map(|condition| format!(" AND {}", condition.sql)).collect();
        let order = "ORDER BY p.order_us DESC, p.session_id DESC";
        let parts: Vec<String> = walks
            .iter()
            .map(|walk| {
                let from = indexed(walk.index);
                let by = &walk.by.sql;
                format!(
                    "SELECT * FROM (SELECT p.stream, p.order_us, p.session_id FROM sessions p {from} \
                     WHERE {by}{rest} {order} LIMIT {wanted})"
                )
            })
            .collect();
        script.add(&format!(
            "SELECT {} FROM (SELECT stream FROM ({}) ORDER BY order_us DESC, session_id DESC LIMIT {wanted}) k \
             CROSS JOIN sessions p ON p.stream = k.stream {} {order}",
            record::COLUMNS,
            parts.join(" UNION ALL "),
            record::JOINS
        ));
        for walk in &walks {
            bind(&mut script, &walk.by.values);
            for condition in &self.rest {
                bind(&mut script, &condition.values);
            }
        }
        script
    }
}

const LOST: &str =
    "EXISTS (SELECT 1 FROM presence b WHERE b.session_id = p.session_id AND ? - b.heard_us > 3 * b.lease_us)";

fn indexed(index: Option<&str>) -> String {
    index.map(|index| format!("INDEXED BY {index}")).unwrap_or_default()
}

pub(super) fn bind(script: &mut Script, values: &[Value]) {
    for value in values {
        match value {
            Value::Text(text) => script.bind(text.as_str()),
            Value::Number(number) => script.bind(*number),
        };
    }
}
