//! The sums per day and component, read whole.

use std::collections::BTreeMap;

use super::{
    JournalError,
    cells::Cells,
    projection::Totals,
    source::{Source, Statement},
};

/// Sums by day and component.
pub(super) type Sums = BTreeMap<(i64, String), Totals>;

/// What pruned sessions made of them.
pub(super) async fn base<S: Source>(source: &mut S) -> Result<Sums, JournalError> {
    read(source, "rollups_base").await
}

/// The sums as they are kept.
pub(super) async fn kept<S: Source>(source: &mut S) -> Result<Sums, JournalError> {
    read(source, "rollups").await
}

async fn read<S: Source>(source: &mut S, table: &str) -> Result<Sums, JournalError> {
    let statement = Statement::new(format!(
        "SELECT day, component, sessions, ended, inferred, duration_us, commands, outcomes, failed, writes, destroys \
         FROM {table}"
    ));
    let mut sums = Sums::new();
    for row in &source.rows(statement).await? {
        let mut columns = [0; 9];
        for (at, column) in columns.iter_mut().enumerate() {
            *column = row.cell(at + 2)?;
        }
        sums.insert((row.cell(0)?, row.cell(1)?), Totals::from_columns(columns));
    }
    Ok(sums)
}

const DAY_US: i64 = 86_400_000_000;

/// Days and components that have sums, or sessions that sums should be of.
pub(super) async fn days<S: Source>(source: &mut S) -> Result<Vec<(i64, String)>, JournalError> {
    // Division that rounds down, also before 1970.
    let day = format!("(order_us - ((order_us % {DAY_US}) + {DAY_US}) % {DAY_US}) / {DAY_US}");
    let statement = Statement::new(format!(
        "SELECT {day}, component FROM sessions UNION SELECT day, component FROM rollups \
         UNION SELECT day, component FROM rollups_base"
    ));
    source.rows(statement).await?.iter().map(|row| Ok((row.cell(0)?, row.cell(1)?))).collect()
}

/// What the sums of a day lack: those of its sessions and of what pruning left as their base, less those that are kept.
pub(super) async fn lacking<S: Source>(source: &mut S, day: i64, component: &str) -> Result<Totals, JournalError> {
    let ended =
        |what: &str| format!("CAST(coalesce(sum(CASE WHEN p.status <> 'open' THEN {what} ELSE 0 END), 0) AS BIGINT)");
    let sessions = Statement::new(format!(
        "SELECT count(*), {}, CAST(coalesce(sum(p.inferred), 0) AS BIGINT), {}, {}, {}, {}, {}, {} FROM sessions p {} \
         JOIN streams s ON s.id = p.stream WHERE p.component = ? AND p.order_us >= ? AND p.order_us < ?",
        ended("1"),
        ended("coalesce(p.duration_us, 0)"),
        ended("s.commands"),
        ended("s.outcomes"),
        ended("s.failed"),
        ended("s.writes"),
        ended("s.destroys"),
        S::by_index("sessions_by_component")
    ));
    let from = day.saturating_mul(DAY_US);
    let sessions = sessions.bind(component).bind(from).bind(from.saturating_add(DAY_US));
    let of = |table: &str| {
        let sql = "SELECT sessions, ended, inferred, duration_us, commands, outcomes, failed, writes, destroys FROM";
        Statement::new(format!("{sql} {table} WHERE day = ? AND component = ?")).bind(day).bind(component)
    };
    let mut totals = [Totals::default(); 3];
    for (totals, statement) in totals.iter_mut().zip([sessions, of("rollups_base"), of("rollups")]) {
        let rows = source.rows(statement).await?;
        let Some(row) = rows.first() else { continue };
        let mut columns = [0; 9];
        for (at, column) in columns.iter_mut().enumerate() {
            *column = row.cell(at)?;
        }
        *totals = Totals::from_columns(columns);
    }
    let [sessions, base, kept] = totals;
    Ok(sessions.zip(base, |a, b| a + b).zip(kept, |a, b| a - b))
}
