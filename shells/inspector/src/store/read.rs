//! Runs, findings, and how two runs differ.

use admin_shell::Result;
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, FromRow, Row as _, sqlite::SqliteRow};

use super::Store;
use crate::{
    finding::{Kind, Severity},
    report::{Checked, Kept, RunRow, Verdict},
};

/// Which findings of a run.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Only as grave as this.
    pub severity: Option<Severity>,
    /// Only of this tool.
    pub tool: Option<String>,
    /// Only of this kind.
    pub kind: Option<Kind>,
    /// Only in files whose path holds this.
    pub file: Option<String>,
    /// Only of this rule.
    pub rule: Option<String>,
    /// Only those whose message holds this.
    pub text: Option<String>,
    /// Only those that were, or were not, there before.
    pub is_new: Option<bool>,
    /// Only this one.
    pub n: Option<u32>,
    /// How many are passed over.
    pub offset: u64,
    /// At most so many.
    pub limit: u64,
}

const KINDS: [Kind; 5] = [Kind::Type, Kind::Test, Kind::Security, Kind::Lint, Kind::Format];
const SEVERITIES: [Severity; 3] = [Severity::Error, Severity::Warning, Severity::Note];

/// The findings of run ?1 whose adapter came to its end there and in run ?2.
const IN_ONE: &str = "FROM findings f JOIN checks c ON c.id = f.check_id
    JOIN checks o ON o.run = ?2 AND o.adapter = c.adapter AND o.at = c.at AND o.complete
    WHERE f.run = ?1 AND c.complete";
/// Whether such a finding is there too.
const IN_OTHER: &str = "EXISTS (SELECT 1 FROM findings p WHERE p.check_id = o.id AND p.fingerprint = f.fingerprint)";

fn kind(number: i64) -> Kind {
    usize::try_from(number).ok().and_then(|at| KINDS.get(at)).copied().unwrap_or(Kind::Lint)
}

impl FromRow<'_, SqliteRow> for Kept {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let severity: i64 = row.try_get("severity")?;
        let severity = usize::try_from(severity).ok().and_then(|at| SEVERITIES.get(at)).copied();
        Ok(Self {
            n: row.try_get("n")?,
            severity: severity.unwrap_or(Severity::Warning),
            tool: row.try_get("tool")?,
            file: row.try_get("file")?,
            line: row.try_get("line")?,
            rule: row.try_get("rule")?,
            message: row.try_get("message")?,
            added: row.try_get("new")?,
            kind: kind(row.try_get("kind")?),
            column: row.try_get("col")?,
            end_line: row.try_get("end_line")?,
            end_column: row.try_get("end_col")?,
            help: row.try_get("help")?,
            url: row.try_get("url")?,
            fingerprint: row.try_get("fingerprint")?,
        })
    }
}

impl FromRow<'_, SqliteRow> for RunRow {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let began: String = row.try_get("began")?;
        let verdict: Option<String> = row.try_get("verdict")?;
        Ok(Self {
            run: row.try_get("id")?,
            began: began.parse().unwrap_or(Timestamp::UNIX_EPOCH),
            what: row.try_get("what")?,
            // Begun and never ended.
            verdict: verdict.map_or(Verdict::Cancelled, |word| Verdict::of_word(&word)),
            errors: count(row, "errors")?,
            warnings: count(row, "warnings")?,
            notes: count(row, "notes")?,
            added: count(row, "new")?,
            fixed: count(row, "fixed")?,
            duration_seconds: seconds(row)?,
            branch: row.try_get("branch")?,
            commit: row.try_get("commit_id")?,
        })
    }
}

impl FromRow<'_, SqliteRow> for Checked {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let verdict: String = row.try_get("verdict")?;
        Ok(Self {
            adapter: row.try_get("adapter")?,
            at: row.try_get("at")?,
            kind: kind(row.try_get("kind")?),
            verdict: Verdict::of_word(&verdict),
            errors: count(row, "errors")?,
            warnings: count(row, "warnings")?,
            notes: count(row, "notes")?,
            duration_seconds: seconds(row)?,
            note: row.try_get("note")?,
            complaint: row.try_get("complaint")?,
            output: row.try_get("output")?,
        })
    }
}

fn count(row: &SqliteRow, column: &str) -> sqlx::Result<u64> {
    row.try_get::<i64, _>(column).map(i64::unsigned_abs)
}

#[allow(clippy::cast_precision_loss, reason = "milliseconds of a run")]
fn seconds(row: &SqliteRow) -> sqlx::Result<f64> {
    Ok(row.try_get::<i64, _>("duration_ms")? as f64 / 1000.0)
}

impl Store {
    /// Runs of a tree, the latest first.
    ///
    /// # Errors
    /// When the file can not be read.
    pub async fn runs(&self, tree: &str, limit: u32) -> Result<Vec<RunRow>> {
        let query = sqlx::query_as("SELECT * FROM runs WHERE tree = ? ORDER BY id DESC LIMIT ?");
        Ok(query.bind(tree).bind(limit).fetch_all(&self.pool).await?)
    }

    /// One run of a tree.
    ///
    /// # Errors
    /// When the file can not be read.
    pub async fn run(&self, tree: &str, run: i64) -> Result<Option<RunRow>> {
        let query = sqlx::query_as("SELECT * FROM runs WHERE tree = ? AND id = ?");
        Ok(query.bind(tree).bind(run).fetch_optional(&self.pool).await?)
    }

    /// The run that a run was compared with when it ended.
    ///
    /// # Errors
    /// When the file can not be read.
    pub async fn since(&self, run: i64) -> Result<Option<i64>> {
        Ok(sqlx::query_scalar("SELECT since FROM runs WHERE id = ?")
            .bind(run)
            .fetch_optional(&self.pool)
            .await?
            .flatten())
    }

    /// A run of a revision that was looked at before, to its end.
    ///
    /// # Errors
    /// When the file can not be read.
    pub async fn of_revision(&self, tree: &str, commit: &str, what: &str) -> Result<Option<i64>> {
        let query = sqlx::query_scalar(
            "SELECT id FROM runs WHERE tree = ? AND revision IS NOT NULL AND commit_id = ? AND what = ?
             AND verdict IN ('pass', 'warn', 'fail') ORDER BY id DESC LIMIT 1",
        );
        Ok(query.bind(tree).bind(commit).bind(what).fetch_optional(&self.pool).await?)
    }

    /// The adapters of a run.
    ///
    /// # Errors
    /// When the file can not be read.
    pub async fn checks(&self, run: i64) -> Result<Vec<Checked>> {
        let query = sqlx::query_as("SELECT * FROM checks WHERE run = ? ORDER BY kind, adapter, at");
        Ok(query.bind(run).fetch_all(&self.pool).await?)
    }

    /// The last time an adapter ran: its verdict and how long it took.
    ///
    /// # Errors
    /// When the file can not be read.
    pub async fn last_of(&self, tree: &str, adapter: &str, at: &str) -> Result<Option<Checked>> {
        let query = sqlx::query_as(
            "SELECT c.* FROM checks c JOIN runs r ON r.id = c.run
             WHERE c.adapter = ?2 AND c.at = ?3 AND r.tree = ?1 AND r.revision IS NULL ORDER BY c.run DESC LIMIT 1",
        );
        Ok(query.bind(tree).bind(adapter).bind(at).fetch_optional(&self.pool).await?)
    }

    /// Findings of a run, the first thing to mend first.
    ///
    /// # Errors
    /// When the file can not be read.
    pub async fn findings(&self, run: i64, query: &Query) -> Result<Vec<Kept>> {
        let found = sqlx::query_as(
            "SELECT * FROM findings WHERE run = ?1
               AND (?2 IS NULL OR severity = ?2) AND (?3 IS NULL OR tool = ?3) AND (?4 IS NULL OR kind = ?4)
               AND (?5 IS NULL OR instr(file, ?5)) AND (?6 IS NULL OR rule = ?6)
               AND (?7 IS NULL OR instr(message, ?7)) AND (?8 IS NULL OR new = ?8) AND (?9 IS NULL OR n = ?9)
             ORDER BY n LIMIT ?10 OFFSET ?11",
        );
        Ok(found
            .bind(run)
            .bind(query.severity.map(|severity| severity as i64))
            .bind(&query.tool)
            .bind(query.kind.map(|kind| kind as i64))
            .bind(&query.file)
            .bind(&query.rule)
            .bind(&query.text)
            .bind(query.is_new)
            .bind(query.n)
            .bind(query.limit.cast_signed())
            .bind(query.offset.cast_signed())
            .fetch_all(&self.pool)
            .await?)
    }

    /// How many findings a run has.
    ///
    /// # Errors
    /// When the file can not be read.
    pub async fn count(&self, run: i64) -> Result<u64> {
        let count: i64 =
            sqlx::query_scalar("SELECT count(*) FROM findings WHERE run = ?").bind(run).fetch_one(&self.pool).await?;
        Ok(count.unsigned_abs())
    }

    /// What one run found and another did not, of adapters that came to their end in both.
    ///
    /// # Errors
    /// When the file can not be read.
    pub async fn only_in(&self, run: i64, other: i64, offset: u64, limit: u64) -> Result<Vec<Kept>> {
        let query = format!("SELECT f.* {IN_ONE} AND NOT {IN_OTHER} ORDER BY f.n LIMIT ?3 OFFSET ?4");
        let query = sqlx::query_as(AssertSqlSafe(query)).bind(run).bind(other);
        Ok(query.bind(limit.cast_signed()).bind(offset.cast_signed()).fetch_all(&self.pool).await?)
    }

    /// How many findings one run has and another has not, and how many both have.
    ///
    /// # Errors
    /// When the file can not be read.
    pub async fn counts(&self, run: i64, other: i64) -> Result<(u64, u64)> {
        let query = format!("SELECT count(*), coalesce(sum({IN_OTHER}), 0) {IN_ONE}");
        let query = sqlx::query_as(AssertSqlSafe(query)).bind(run).bind(other);
        let (all, same): (i64, i64) = query.fetch_one(&self.pool).await?;
        Ok(((all - same).unsigned_abs(), same.unsigned_abs()))
    }

    /// Adapters of either run that did not come to their end in both.
    ///
    /// # Errors
    /// When the file can not be read.
    pub async fn not_in_both(&self, run: i64, other: i64) -> Result<Vec<String>> {
        let query = sqlx::query_scalar(
            "SELECT adapter || CASE at WHEN '.' THEN '' ELSE ' (' || at || ')' END AS name FROM checks
             WHERE run IN (?1, ?2) GROUP BY adapter, at HAVING sum(complete) < 1 + (?1 <> ?2) ORDER BY name",
        );
        Ok(query.bind(run).bind(other).fetch_all(&self.pool).await?)
    }
}
