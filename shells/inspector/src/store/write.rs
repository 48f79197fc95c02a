//! A run from its beginning to its end.

use std::time::Duration;

use admin_shell::Result;
use jiff::Timestamp;
use serde_json::json;

use super::{KEPT_RUNS, Store};
use crate::{
    finding::{Finding, Kind},
    report::{Checked, Verdict},
};

/// What a run is begun with.
#[derive(Clone, Debug)]
pub struct Begun<'a> {
    /// The tree.
    pub tree: &'a str,
    /// What was asked for.
    pub what: &'a str,
    /// The revision that is looked at, instead of the files.
    pub revision: Option<&'a str>,
    /// The branch that is checked out.
    pub branch: Option<&'a str>,
    /// The commit.
    pub commit: Option<&'a str>,
}

/// A finding on its way in.
#[derive(Clone, Debug)]
pub struct Row {
    /// The finding.
    pub finding: Finding,
    /// What makes it the same in another run.
    pub fingerprint: String,
}

impl Store {
    /// Begins a run.
    ///
    /// # Errors
    /// When the file can not be written.
    pub async fn begin(&self, begun: Begun<'_>) -> Result<i64> {
        let mut change = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let id = sqlx::query_scalar(
            "INSERT INTO runs (tree, what, revision, branch, commit_id, began) VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
        )
        .bind(begun.tree)
        .bind(begun.what)
        .bind(begun.revision)
        .bind(begun.branch)
        .bind(begun.commit)
        .bind(format!("{:.3}", Timestamp::now()))
        .fetch_one(&mut *change)
        .await?;
        sqlx::query(
            "DELETE FROM runs WHERE tree = ?1 AND id NOT IN (SELECT id FROM runs WHERE tree = ?1 ORDER BY id DESC LIMIT ?2)",
        )
        .bind(begun.tree)
        .bind(KEPT_RUNS)
        .execute(&mut *change)
        .await?;
        change.commit().await?;
        Ok(id)
    }

    /// Begins one adapter's part of a run.
    ///
    /// # Errors
    /// When the file can not be written.
    pub async fn begin_check(&self, run: i64, adapter: &str, at: &str, kind: Kind) -> Result<i64> {
        let query = sqlx::query_scalar("INSERT INTO checks (run, adapter, at, kind) VALUES (?, ?, ?, ?) RETURNING id");
        Ok(query.bind(run).bind(adapter).bind(at).bind(kind as i64).fetch_one(&self.pool).await?)
    }

    /// Takes some findings in. They are numbered as they come, and again when the run ends: one that never does, since its
    /// shell was killed, has numbers too.
    ///
    /// # Errors
    /// When the file can not be written.
    pub async fn add(&self, run: i64, check: i64, tool: &str, kind: Kind, rows: &[Row]) -> Result<()> {
        let rows: Vec<_> = rows
            .iter()
            .map(|Row { finding, fingerprint }| {
                json!([
                    finding.severity as i64,
                    finding.kind.unwrap_or(kind) as i64,
                    finding.file,
                    finding.line,
                    finding.column,
                    finding.end_line,
                    finding.end_column,
                    finding.rule,
                    finding.message,
                    finding.help,
                    finding.url,
                    fingerprint,
                ])
            })
            .collect();
        // One statement a page: a statement a row costs ten times as much.
        sqlx::query(
            "INSERT INTO findings (run, n, check_id, tool, severity, kind, file, line, col, end_line, end_col, rule, message,
                                   help, url, fingerprint)
             SELECT ?1, key + 1 + (SELECT coalesce(max(n), 0) FROM findings WHERE run = ?1), ?2, ?3, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
                    value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11
             FROM json_each(?4)",
        )
        .bind(run)
        .bind(check)
        .bind(tool)
        .bind(serde_json::to_string(&rows)?)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Ends one adapter's part. `complete`: what it did not find is not there.
    ///
    /// # Errors
    /// When the file can not be written.
    pub async fn end_check(&self, check: i64, checked: &Checked, complete: bool) -> Result<()> {
        sqlx::query(
            "UPDATE checks SET verdict = ?2, complete = ?3, errors = ?4, warnings = ?5, notes = ?6, duration_ms = ?7,
                    note = ?8, complaint = ?9, output = ?10 WHERE id = ?1",
        )
        .bind(check)
        .bind(checked.verdict.as_str())
        .bind(complete)
        .bind(checked.errors.cast_signed())
        .bind(checked.warnings.cast_signed())
        .bind(checked.notes.cast_signed())
        .bind(milliseconds(Duration::from_secs_f64(checked.duration_seconds)))
        .bind(&checked.note)
        .bind(&checked.complaint)
        .bind(&checked.output)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Ends a run: its findings are numbered, and compared with what each adapter found the time before.
    ///
    /// # Errors
    /// When the file can not be written.
    pub async fn finish(&self, run: i64, verdict: Verdict, took: Duration) -> Result<()> {
        let mut change = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "UPDATE findings SET n = ranked.place
             FROM (SELECT id, ROW_NUMBER() OVER (
                       ORDER BY severity, kind, file IS NULL, file, line, col, rule, id) AS place
                   FROM findings WHERE run = ?1) AS ranked
             WHERE findings.id = ranked.id",
        )
        .bind(run)
        .execute(&mut *change)
        .await?;
        let checks: Vec<(i64, Option<i64>, Option<i64>)> = sqlx::query_as(
            "SELECT c.id, p.id, p.run FROM checks c JOIN runs r ON r.id = c.run LEFT JOIN checks p ON p.id = (
                 SELECT e.id FROM checks e JOIN runs s ON s.id = e.run
                 WHERE e.adapter = c.adapter AND e.at = c.at AND e.complete AND e.run < c.run
                   AND s.tree = r.tree AND s.revision IS NULL
                 ORDER BY e.run DESC LIMIT 1)
             WHERE c.run = ?1 AND c.complete AND r.revision IS NULL",
        )
        .bind(run)
        .fetch_all(&mut *change)
        .await?;
        let (mut fixed, mut since) = (0_i64, None);
        for (check, before, before_run) in checks {
            let Some(before) = before else { continue };
            since = since.max(before_run);
            sqlx::query(
                "UPDATE findings SET new = 1 WHERE check_id = ?1 AND NOT EXISTS (
                     SELECT 1 FROM findings p WHERE p.check_id = ?2 AND p.fingerprint = findings.fingerprint)",
            )
            .bind(check)
            .bind(before)
            .execute(&mut *change)
            .await?;
            fixed += sqlx::query_scalar::<_, i64>(
                "SELECT count(*) FROM findings p WHERE p.check_id = ?2 AND NOT EXISTS (
                     SELECT 1 FROM findings f WHERE f.check_id = ?1 AND f.fingerprint = p.fingerprint)",
            )
            .bind(check)
            .bind(before)
            .fetch_one(&mut *change)
            .await?;
        }
        sqlx::query(
            "UPDATE runs SET verdict = ?2, duration_ms = ?3, fixed = ?4, since = ?5,
                 errors = (SELECT count(*) FROM findings WHERE run = ?1 AND severity = 0),
                 warnings = (SELECT count(*) FROM findings WHERE run = ?1 AND severity = 1),
                 notes = (SELECT count(*) FROM findings WHERE run = ?1 AND severity = 2),
                 new = (SELECT count(*) FROM findings WHERE run = ?1 AND new)
             WHERE id = ?1",
        )
        .bind(run)
        .bind(verdict.as_str())
        .bind(milliseconds(took))
        .bind(fixed)
        .bind(since)
        .execute(&mut *change)
        .await?;
        change.commit().await?;
        Ok(())
    }
}

fn milliseconds(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}
