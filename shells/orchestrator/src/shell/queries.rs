//! Helpers that look: `ps`, `top`, `errors`, `show`, `logs`.

use admin_shell::{Cx, Helpers, Result};
use jiff::Timestamp;

use super::{Orchestrator, engine, ids};
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
        .read("logs", "What a run wrote: both outputs, each line with its own, the last 1 MiB of each.")
        .group(GROUP)
        .param("id", "A run, its id, or the beginning of its id.")
        .field("id")
        .values(|cx, typed| ids(cx, typed, Wanted::ALL))
        .example("logs(ps()[0])")
        .run(logs);
}

async fn ps(cx: Cx<Orchestrator>) -> Result<Vec<Run>> {
    Ok(engine(&cx).runs(Wanted::ALL).await?)
}

async fn top(cx: Cx<Orchestrator>) -> Result<Vec<Active>> {
    let runs = engine(&cx).runs(Wanted::ACTIVE).await?;
    let now = Timestamp::now();
    Ok(runs.into_iter().filter_map(|run| Active::of(run, now)).collect())
}

async fn errors(cx: Cx<Orchestrator>, limit: u32) -> Result<Vec<Failure>> {
    let runs = engine(&cx).runs(Wanted::failures(limit)).await?;
    Ok(runs.into_iter().map(Failure::from).collect())
}

async fn show(cx: Cx<Orchestrator>, id: String) -> Result<Run> {
    Ok(engine(&cx).get(&id).await?)
}

async fn logs(cx: Cx<Orchestrator>, id: String) -> Result<String> {
    Ok(engine(&cx).logs(&id).await?)
}
