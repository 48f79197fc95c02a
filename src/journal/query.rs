//! Pages of sessions, newest first, by any filter.
//!
//! The planner is not left to guess: each filter has an index that is ordered as lists are, the query names the one to
//! walk, and every other filter is a condition on what is met on the way. Where several filters compete, those that
//! match few sessions go first; where one matches many, walking in the order of the list finds a page soon.
//!
//! A page is made of one or more *walks*, each giving its newest sessions; the page is the newest of them all.

use jiff::Timestamp;

use super::{
    Cursor, Filter, JournalError, Page, SessionStatus, Sessions,
    cells::{Cells, number},
    projection::duration_class,
    shown,
    source::{Search, Source, Statement, Value, WithText},
};

/// A filter that matches fewer sessions than this is looked up and sorted.
const FEW: i64 = 4_000;

/// One way through the sessions: an index (or none), and what it is entered with.
#[derive(Clone)]
struct Walk {
    index: Option<&'static str>,
    by: Statement,
}

pub(super) async fn sessions<S: Search>(
    source: &mut S,
    filter: &Filter,
    page: &Page,
) -> Result<Sessions, JournalError> {
    let now_us = Timestamp::now().as_microsecond();
    let mut plan = Plan { source, now_us, walks: Vec::new(), rest: Vec::new() };
    plan.make(filter).await?;
    if let Some(Cursor { start_us, session_id }) = &page.after {
        let place = Statement::new("(p.order_us, p.session_id) < (?, ?)");
        plan.rest.push(place.bind(*start_us).bind(session_id.as_str()));
    }
    // One more than asked for tells whether there is another page.
    let wanted = i64::from(page.limit) + 1;
    let statement = plan.statement(wanted);
    let mut rows = source.rows(statement).await?;
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let is_last = rows.len() <= limit;
    rows.truncate(limit);
    let records = rows.iter().map(|row| shown::session(row, now_us)).collect::<Result<Vec<_>, _>>()?;
    let next = rows.last().filter(|_| !is_last);
    let next = match next {
        Some(row) => Some(Cursor { start_us: row.cell(2)?, session_id: row.cell(0)? }),
        None => None,
    };
    Ok(Sessions { records, next })
}

/// How a page is found.
struct Plan<'s, S> {
    source: &'s mut S,
    now_us: i64,
    walks: Vec<Walk>,
    rest: Vec<Statement>,
}

impl<S: Search> Plan<'_, S> {
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
            let walk = if let [walk] = self.walks.as_slice() { Some(walk.clone()) } else { None };
            let walked = match walk {
                Some(walk) => self.size(&walk).await? < FEW,
                None => false,
            };
            let classes = if walked { None } else { Some(self.classes(filter).await?) };
            self.durations(filter, classes);
        }
        self.text(filter).await
    }

    /// Conditions on the place in the list: every index is ordered by it.
    fn bound(&mut self, filter: &Filter) {
        if let Some(after) = filter.after {
            self.rest.push(Statement::new("p.order_us >= ?").bind(after.as_microsecond()));
        }
        if let Some(before) = filter.before {
            self.rest.push(Statement::new("p.order_us < ?").bind(before.as_microsecond()));
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
                let by = Statement::new(format!("p.{column} = ?")).bind(value.as_str());
                walks.push(Walk { index: Some(index), by });
            }
        }
        let now = self.now_us;
        let beat = |sql: &str| {
            let sql = format!("p.status = 'open' AND {sql}");
            let marks = sql.matches('?').count();
            Statement { sql, values: vec![Value::Number(now); marks] }
        };
        let by_status = match filter.status {
            None => None,
            Some(SessionStatus::Ended) => Some(Statement::new("p.status = 'ended'")),
            Some(SessionStatus::Crashed) => Some(Statement::new("p.status = 'crashed'")),
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
            let by = Statement::new("p.own_end = 0");
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
        let mut ended = Statement::new("p.duration_us IS NOT NULL");
        let mut open = Statement::new("p.status = 'open'");
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
            self.rest.push(Statement { sql: format!("({} OR {})", open.sql, ended.sql), values });
            return;
        };
        self.rest.extend(self.walks.drain(..).map(|walk| walk.by));
        self.walks.push(Walk { index: Some("sessions_by_status"), by: open });
        for class in classes {
            let sql = format!("p.duration_class = ? AND {}", ended.sql);
            let by = Statement::new(sql).bind(class).bind_all(&ended.values);
            self.walks.push(Walk { index: Some("sessions_by_duration"), by });
        }
    }

    /// The classes of durations that occur and that the filter may match.
    async fn classes(&mut self, filter: &Filter) -> Result<Vec<i64>, JournalError> {
        let class =
            |duration: std::time::Duration| duration_class(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX));
        let statement = Statement::new(
            "WITH RECURSIVE classes (class) AS (SELECT min(duration_class) FROM sessions WHERE duration_class >= ? \
             UNION ALL SELECT (SELECT min(duration_class) FROM sessions WHERE duration_class > class) FROM classes \
             WHERE class IS NOT NULL) SELECT class FROM classes WHERE class <= ?",
        );
        let statement =
            statement.bind(filter.longer_than.map_or(0, class)).bind(filter.shorter_than.map_or(i64::MAX, class));
        self.source.rows(statement).await?.iter().map(|row| row.cell(0)).collect()
    }

    /// How many sessions a walk meets, counted no further than is worth knowing.
    async fn size(&mut self, walk: &Walk) -> Result<i64, JournalError> {
        let from = indexed::<S>(walk.index);
        let sql =
            format!("SELECT count(*) FROM (SELECT 1 FROM sessions p {from} WHERE {} LIMIT {FEW}) few", walk.by.sql);
        let statement = Statement::new(sql).bind_all(&walk.by.values);
        number(self.source.rows(statement).await?.first(), 0)
    }

    /// Filters by a part of a command: looked up when it is rare, tried on the way when it is common.
    async fn text(&mut self, filter: &Filter) -> Result<(), JournalError> {
        let Some(text) = filter.text.as_deref().filter(|text| !text.is_empty()) else { return Ok(()) };
        match self.source.find_text(text, FEW).await? {
            WithText::Streams(streams) if streams.is_empty() => {
                self.walks = vec![Walk { index: None, by: Statement::new("p.stream IN (NULL)") }];
            }
            WithText::Streams(streams) => {
                let list: Vec<String> = streams.iter().map(ToString::to_string).collect();
                let by = Statement::new(format!("p.stream IN ({})", list.join(",")));
                self.rest.extend(self.walks.drain(..).map(|walk| walk.by));
                self.walks.push(Walk { index: None, by });
            }
            WithText::TooMany(condition) => self.rest.push(condition),
        }
        Ok(())
    }

    fn statement(self, wanted: i64) -> Statement {
        let walks = if self.walks.is_empty() {
            vec![Walk { index: Some("sessions_by_start"), by: Statement::new("1 = 1") }]
        } else {
            self.walks
        };
        let rest: String = self.rest.iter().map(|condition| format!(" AND {}", condition.sql)).collect();
        let order = "ORDER BY p.order_us DESC, p.session_id DESC";
        let parts: Vec<String> = walks
            .iter()
            .map(|walk| {
                let from = indexed::<S>(walk.index);
                let by = &walk.by.sql;
                format!(
                    "SELECT * FROM (SELECT p.stream, p.order_us, p.session_id FROM sessions p {from} \
                     WHERE {by}{rest} {order} LIMIT {wanted}) walk"
                )
            })
            .collect();
        let mut statement = Statement::new(format!(
            "SELECT {} FROM (SELECT stream FROM ({}) walks ORDER BY order_us DESC, session_id DESC LIMIT {wanted}) k \
             {} sessions p ON p.stream = k.stream {} {order}",
            shown::COLUMNS,
            parts.join(" UNION ALL "),
            S::JOIN_IN_ORDER,
            shown::JOINS
        ));
        for walk in &walks {
            statement = statement.bind_all(&walk.by.values);
            for condition in &self.rest {
                statement = statement.bind_all(&condition.values);
            }
        }
        statement
    }
}

const LOST: &str =
    "EXISTS (SELECT 1 FROM presence b WHERE b.session_id = p.session_id AND ? - b.heard_us > 3 * b.lease_us)";

/// The position of the start of a component's oldest session that nobody has ended.
pub(super) async fn oldest_open<S: Source>(source: &mut S, component: &str) -> Result<Option<u64>, JournalError> {
    let statement = Statement::new(format!(
        "SELECT min(e.position) FROM sessions p {} {} events e ON e.stream = p.stream AND e.seq = 0 \
         WHERE p.status = 'open' AND p.component = ?",
        S::by_index("sessions_by_status"),
        S::JOIN_IN_ORDER
    ));
    let rows = source.rows(statement.bind(component)).await?;
    rows.first().map_or(Ok(None), |row| row.cell::<Option<i64>>(0)).map(|position| position.map(shown::count))
}

/// How many sessions of each component are open and not lost.
pub(super) async fn active_sessions<S: Source>(source: &mut S) -> Result<Vec<(String, u64)>, JournalError> {
    let statement = Statement::new(format!(
        "SELECT p.component, count(*) FROM sessions p {} WHERE p.status = 'open' AND NOT {LOST} GROUP BY p.component \
         ORDER BY p.component",
        S::by_index("sessions_by_status")
    ));
    let rows = source.rows(statement.bind(Timestamp::now().as_microsecond())).await?;
    rows.iter().map(|row| Ok((row.cell(0)?, shown::count(row.cell(1)?)))).collect()
}

fn indexed<S: Source>(index: Option<&str>) -> String {
    index.map(S::by_index).unwrap_or_default()
}
