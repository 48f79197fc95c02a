//! Helpers that look: `ps`, `top`, `errors`, `show`, `logs`.

use admin_shell::{Cx, Helpers, Result};
use jiff::Timestamp;

use super::{Orchestrator, engine, ids, masked, say_if_held, told};
use crate::{
    engine::Wanted,
    run::{Active, Failure, Run},
};

const GROUP: &str = "Looking at runs";

pub(super) fn register(helpers: &mut Helpers<Orchestrator>) {
    helpers
        .read("ps", "All runs, the newest first.")
        .group(GROUP)
        .example("ps()")
        .example(r#"ps().filter(|run| run.status == "failed")"#)
        .run(ps);
    helpers
        .read("top", "The runs that are not at their end (queued, running, retrying), with the time they take so far.")
        .group(GROUP)
        .example("top()")
        .run(top);
    helpers
        .read(
            "errors",
            "What went wrong lately, the latest first: exit status, and the last line of the standard error.",
        )
        .group(GROUP)
        .param("limit", "How many at most.")
        .default(20)
        .example("errors()")
        .example("errors(5)")
        .run(errors);
    helpers
        .read("show", "One run: what was asked for, and how it stands.")
        .group(GROUP)
        .param("id", "A run, its id, or the beginning of its id.")
        .field("id")
        .values(|cx, typed| ids(cx, typed, Wanted::ALL))
        .example("show(ps()[0])")
        .run(show);
    helpers
        .read("logs", "What a run wrote: its last lines, each with the output it came from. The last 1 MiB of each output is kept.")
        .group(GROUP)
        .param("id", "A run, its id, or the beginning of its id.")
        .field("id")
        .values(|cx, typed| ids(cx, typed, Wanted::ALL))
        .param("lines", "How many lines at most, counted from the end.")
        .default(1000)
        .example("logs(ps()[0])")
        .example("logs(ps()[0], 20)")
        .run(logs);
}

async fn ps(cx: Cx<Orchestrator>) -> Result<Vec<Run>> {
    let runs = told(engine(&cx).runs(Wanted::ALL).await)?;
    say_if_held(&cx).await;
    Ok(runs.into_iter().map(|run| masked(&cx, run)).collect())
}

async fn top(cx: Cx<Orchestrator>) -> Result<Vec<Active>> {
    let runs = told(engine(&cx).runs(Wanted::ACTIVE).await)?;
    say_if_held(&cx).await;
    let now = Timestamp::now();
    Ok(runs.into_iter().filter_map(|run| Active::of(masked(&cx, run), now)).collect())
}

async fn errors(cx: Cx<Orchestrator>, limit: u32) -> Result<Vec<Failure>> {
    let runs = told(engine(&cx).runs(Wanted::failures(limit)).await)?;
    Ok(runs.into_iter().map(|run| Failure::from(masked(&cx, run))).collect())
}

async fn show(cx: Cx<Orchestrator>, id: String) -> Result<Run> {
    told(engine(&cx).get(&id).await).map(|run| masked(&cx, run))
}

async fn logs(cx: Cx<Orchestrator>, id: String, lines: u32) -> Result<String> {
    told(engine(&cx).logs(&id).await).map(|text| tail(text, lines))
}

/// The last lines of a text, and a line in front that says how many are missing.
fn tail(text: String, lines: u32) -> String {
    let all = text.lines().count();
    let dropped = all.saturating_sub(usize::try_from(lines).unwrap_or(usize::MAX));
    if dropped == 0 {
        return text;
    }
    let rest: String = text.split_inclusive('\n').skip(dropped).collect();
    format!("--- {dropped} earlier lines are not shown; logs(id, {all}) shows them ---\n{rest}")
}
