//! Helpers that change something: `submit`, `retry`, `sync`, and `cancel`, which asks first.

use admin_shell::{Approved, Cx, Helpers, Result, Timespan};

use super::{Orchestrator, engine, ids, masked, told, work_soon};
use crate::{
    engine::{EngineError, GoneWrong, Wanted},
    run::{Change, Run, Status, Submission},
};

const GROUP: &str = "Changing runs";

const RETRYABLE: Wanted = Wanted {
    statuses: &[Status::Failed, Status::TimedOut, Status::Cancelled, Status::Retrying],
    gone_wrong: GoneWrong::Any,
    limit: u32::MAX,
};

pub(super) fn register(helpers: &mut Helpers<Orchestrator>) {
    helpers
        .write(
            "submit",
            "Queues a run of a program. An open shell starts it; a failure is tried again after a growing wait.",
        )
        .group(GROUP)
        .param("name", "What to call the run: 1 to 255 characters.")
        .param("program", "The program: a path, or a name that is found in PATH. No shell reads it.")
        .param("args", "Its arguments, each a text.")
        .default(Vec::<String>::new())
        .param(
            "timeout",
            "How long one attempt may take: seconds, or text such as \"1h30m\". Without it, as long as it takes.",
        )
        .param(
            "attempts",
            "How often it may be started, 1 to 100; 3 without it. With 1 it is never started again by itself.",
        )
        .example(r#"submit("greeting", "echo", ["hello"])"#)
        .example(r#"submit("backup", "tar", ["-cf", "/dev/null", "."], #{timeout: "10m"})"#)
        .run(submit);
    helpers
        .write("retry", "Queues a run again that failed, timed out or was cancelled; its attempts are counted on.")
        .group(GROUP)
        .param("id", "A run, its id, or the beginning of its id.")
        .field("id")
        .values(|cx, typed| ids(cx, typed, RETRYABLE))
        .example("retry(errors(1)[0])")
        .run(retry);
    helpers
        .destroy("cancel", "Stops a run and everything that it started.")
        .group(GROUP)
        .param("id", "A run, its id, or the beginning of its id.")
        .field("id")
        .values(|cx, typed| ids(cx, typed, Wanted::ACTIVE))
        .example(r#"cancel(submit("nap", "sleep", ["600"]))"#)
        .preview(what_cancel_stops)
        .run(cancel);
    helpers
        .write("sync", "Refreshes the picture of all runs, clears up after shells that died, and says what changed since the last time.")
        .group(GROUP)
        .example("sync()")
        .run(sync);
}

async fn submit(
    cx: Cx<Orchestrator>,
    name: String,
    program: String,
    args: Vec<String>,
    timeout: Option<Timespan>,
    attempts: Option<u32>,
) -> Result<Run> {
    let mut submission = Submission::new(name, program).args(args);
    if let Some(Timespan(limit)) = timeout {
        submission = submission.timeout(limit);
    }
    if let Some(attempts) = attempts {
        submission = submission.attempts(attempts);
    }
    let run = told(engine(&cx).submit(submission).await)?;
    work_soon(&cx);
    Ok(masked(&cx, run))
}

async fn retry(cx: Cx<Orchestrator>, id: String) -> Result<Run> {
    let run = told(engine(&cx).retry(&id).await)?;
    work_soon(&cx);
    Ok(masked(&cx, run))
}

async fn what_cancel_stops(cx: Cx<Orchestrator>, id: String) -> Result<String> {
    let run = masked(&cx, told(engine(&cx).get(&id).await)?);
    if run.status.is_final() {
        // Nobody has to confirm what can not be done.
        return told(Err(EngineError::AlreadyOver { id: run.id, status: run.status }));
    }
    let since = match (run.status, run.duration_seconds) {
        (Status::Running, Some(seconds)) => format!(", running for {seconds:.0} s"),
        _ => String::new(),
    };
    Ok(format!("{} `{}` ({} {}{since})", run.id, run.name, run.status, run.program))
}

async fn cancel(cx: Cx<Orchestrator>, _approved: Approved, id: String) -> Result<Run> {
    told(engine(&cx).cancel(&id).await).map(|run| masked(&cx, run))
}

async fn sync(cx: Cx<Orchestrator>) -> Result<Vec<Change>> {
    told(engine(&cx).sync().await)
}
