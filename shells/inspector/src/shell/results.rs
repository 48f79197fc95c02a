//! Helpers that look at what was found: `findings`, `finding`, `runs`, `compare`, `trend`.

use admin_shell::{Cx, HelperError, Helpers, Result};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Inspector, checks::MOST_FINDINGS, run_of, settled};
use crate::{
    finding::{Kind, Severity},
    report::{Comparison, Kept, RunRow, Verdict},
    source,
    store::Query,
};

const GROUP: &str = "Results";

pub(super) fn register(helpers: &mut Helpers<Inspector>) {
    helpers
        .read("findings", "What the last run found, the first thing to mend first.")
        .group(GROUP)
        .param("filter", "Only these: severity, tool, kind, file, rule, text, added; run, limit and offset choose the run and the page.")
        .example("findings()")
        .example(r#"findings(#{severity: "error", tool: "ruff"})"#)
        .example("findings(#{added: true})")
        .run(findings);
    helpers
        .read("finding", "One finding of the last run, with the source and what the tool suggests.")
        .group(GROUP)
        .param("n", "Its number, or the finding itself.")
        .field("n")
        .param("run", "Of this run instead of the last one.")
        .example("finding(1)")
        .run(finding);
    helpers
        .read("runs", "The runs in this tree, the latest first.")
        .group(GROUP)
        .param("limit", "How many at most, 1 to 200.")
        .default(20)
        .example("runs()")
        .run(runs);
    helpers
        .read(
            "compare",
            "How two runs differ: new, fixed and same findings. A line that moved does not make a finding new.",
        )
        .group(GROUP)
        .param("before", "The earlier run; the last but one without it.")
        .field("run")
        .param("after", "The later run; the last one without it.")
        .field("run")
        .param(
            "offset",
            "So many new, and so many fixed, findings are passed over: a page has the first 2,000 of each.",
        )
        .default(0)
        .example("compare()")
        .example("compare(runs()[1], runs()[0])")
        .run(compare);
    helpers
        .read("trend", "How the number of findings went, run by run, the latest last. Runs of everything only.")
        .group(GROUP)
        .param("limit", "How many runs at most, 1 to 200.")
        .default(20)
        .example("trend()")
        .run(trend);
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Filter {
    /// error, warning or note.
    severity: Option<Severity>,
    /// The tool.
    tool: Option<String>,
    /// type, test, security, lint or format.
    kind: Option<Kind>,
    /// Part of the path.
    file: Option<String>,
    /// The rule.
    rule: Option<String>,
    /// Part of the message.
    text: Option<String>,
    /// Whether it was not there before.
    added: Option<bool>,
    /// The run.
    run: Option<i64>,
    /// At most so many.
    limit: Option<u64>,
    /// So many are passed over.
    offset: Option<u64>,
}

async fn findings(cx: Cx<Inspector>, filter: Option<Filter>) -> Result<Vec<Kept>> {
    let filter = filter.unwrap_or_default();
    let run = run_of(&cx, filter.run).await?.run;
    let limit = filter.limit.unwrap_or(MOST_FINDINGS);
    anyhow::ensure!((1..=MOST_FINDINGS).contains(&limit), "`limit` must be 1 to {MOST_FINDINGS}, got {limit}");
    let offset = filter.offset.unwrap_or_default();
    anyhow::ensure!(i64::try_from(offset).is_ok(), "`offset` is too large");
    let query = Query {
        severity: filter.severity,
        tool: filter.tool,
        kind: filter.kind,
        file: filter.file,
        rule: filter.rule,
        text: filter.text,
        is_new: filter.added,
        n: None,
        offset,
        limit,
    };
    settled(&cx).await?.findings(run, &query).await
}

/// A finding with its source.
#[derive(Debug, Serialize)]
struct Shown {
    finding: Kept,
    /// The text of the file; absent when it lies outside of the tree, or is no text that can be shown.
    source: Option<String>,
}

async fn finding(cx: Cx<Inspector>, n: u32, run: Option<i64>) -> Result<Shown> {
    let finding = numbered(&cx, n, run).await?;
    let path = finding.file.as_deref().and_then(|file| source::inside(&cx.tree, file));
    let text = path.and_then(|path| source::read_bounded(&path));
    let source = text.and_then(|text| around(&text, finding.line?)).map(|text| cx.redacted(&text));
    Ok(Shown { finding, source })
}

/// The text as far as the line; what comes after it is not shown.
fn around(text: &str, line: u32) -> Option<String> {
    let lines: Vec<&str> = text.lines().take(usize::try_from(line).ok()?).collect();
    (lines.len() == usize::try_from(line).ok()?).then(|| lines.join("\n"))
}

pub(super) async fn numbered(cx: &Cx<Inspector>, n: u32, run: Option<i64>) -> Result<Kept> {
    let run = run_of(cx, run).await?.run;
    let query = Query { n: Some(n), limit: 1, ..Query::default() };
    let found = settled(cx).await?.findings(run, &query).await?.pop();
    found.ok_or_else(|| {
        let message = format!("run {run} has no finding {n}");
        HelperError::new("not_found", message).hint("findings() lists them").into()
    })
}

async fn runs(cx: Cx<Inspector>, limit: u32) -> Result<Vec<RunRow>> {
    settled(&cx).await?.runs(&cx.tree_name(), in_range(limit)?).await
}

async fn compare(cx: Cx<Inspector>, before: Option<i64>, after: Option<i64>, offset: u64) -> Result<Comparison> {
    anyhow::ensure!(i64::try_from(offset).is_ok(), "`offset` is too large");
    let after = run_of(&cx, after).await?.run;
    let store = settled(&cx).await?;
    let before = match before {
        Some(before) => run_of(&cx, Some(before)).await?.run,
        None => {
            let earlier = store.runs(&cx.tree_name(), 200).await?.into_iter().find(|row| row.run < after);
            earlier.map(|row| row.run).ok_or_else(|| {
                HelperError::new("not_found", format!("there is no run before run {after}"))
                    .hint("crack() makes another one")
            })?
        }
    };
    let (added_count, same) = store.counts(after, before).await?;
    let (fixed_count, _) = store.counts(before, after).await?;
    Ok(Comparison {
        before,
        after,
        offset,
        added: store.only_in(after, before, offset, MOST_FINDINGS).await?,
        fixed: store.only_in(before, after, offset, MOST_FINDINGS).await?,
        added_count,
        fixed_count,
        same,
        not_compared: store.not_in_both(before, after).await?,
    })
}

/// One run in the course of things.
#[derive(Debug, Serialize)]
struct Point {
    run: i64,
    began: Timestamp,
    verdict: Verdict,
    errors: u64,
    warnings: u64,
    notes: u64,
    added: u64,
    fixed: u64,
    /// As long as there are errors and warnings, against the most of these runs.
    bar: String,
}

async fn trend(cx: Cx<Inspector>, limit: u32) -> Result<Vec<Point>> {
    const BAR: u64 = 30;
    let limit = usize::try_from(in_range(limit)?)?;
    let runs = settled(&cx).await?.runs(&cx.tree_name(), 200).await?;
    let mut runs: Vec<RunRow> = runs.into_iter().filter(|row| row.what == "crack").take(limit).collect();
    runs.reverse();
    let most = runs.iter().map(|row| row.errors + row.warnings).max().unwrap_or(0).max(1);
    let point = |row: RunRow| {
        let filled = ((row.errors + row.warnings) * BAR).div_ceil(most);
        Point {
            run: row.run,
            began: row.began,
            verdict: row.verdict,
            errors: row.errors,
            warnings: row.warnings,
            notes: row.notes,
            added: row.added,
            fixed: row.fixed,
            bar: "#".repeat(usize::try_from(filled).unwrap_or(0)),
        }
    };
    Ok(runs.into_iter().map(point).collect())
}

fn in_range(limit: u32) -> Result<u32> {
    anyhow::ensure!((1..=200).contains(&limit), "`limit` must be 1 to 200, got {limit}");
    Ok(limit)
}
