//! A run from its submission to its end: success, failure, retries, what is kept and what survives.

use std::{os::unix::fs::PermissionsExt, time::Duration};

use orchestrator::{
    Embedded, Engine, EngineError, State, Status, Submission,
    engine::{Gate, Wanted},
};

use crate::bench::{Bench, reaches, until};

#[tokio::test]
async fn a_program_runs_and_its_end_is_kept() {
    let bench = Bench::new();
    let engine = bench.working();
    let run = engine.submit(bench.script("hello", "echo out; echo err >&2")).await.unwrap();
    assert_eq!((run.status, run.attempts), (Status::Queued, 0));

    let run = reaches(&engine, &run, Status::Succeeded).await;
    assert_eq!((run.exit_code, run.attempts, &run.error, run.pid), (Some(0), 1, &None, None));
    assert!(run.started.unwrap() >= run.created && run.finished.unwrap() >= run.started.unwrap());
    let logs = engine.logs(run.id.as_str()).await.unwrap();
    assert!(logs.contains("stdout | out\n") && logs.contains("stderr | err\n"), "{logs}");
    engine.close().await;
}

#[tokio::test]
async fn a_failure_is_retried_and_then_final() {
    let bench = Bench::new();
    let engine = bench.working();
    let script = "echo $ORCHESTRATOR_ATTEMPT >> tries; echo 'no such table' >&2; exit 3";
    let run = engine.submit(bench.script("broken", script).attempts(3)).await.unwrap();
    let run = reaches(&engine, &run, Status::Failed).await;
    assert_eq!(bench.lines("tries"), ["1", "2", "3"]);
    assert_eq!((run.attempts, run.exit_code), (3, Some(3)));
    assert_eq!(run.error.as_deref(), Some("exited with status 3"));

    let failures = engine.runs(Wanted::failures(20)).await.unwrap();
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].last_line.as_deref(), Some("no such table"));

    // Tried again by hand it gets as many attempts once more, and the count goes on.
    engine.retry(run.id.as_str()).await.unwrap();
    let run = until("the attempts are used up again", async || {
        Some(engine.get(run.id.as_str()).await.unwrap()).filter(|run| run.attempts == 6 && run.status == Status::Failed)
    })
    .await;
    assert_eq!(bench.lines("tries").len(), 6);
    assert!(matches!(engine.cancel(run.id.as_str()).await, Err(EngineError::AlreadyOver { .. })));
    engine.close().await;
}

#[tokio::test]
async fn a_run_that_recovers_succeeds() {
    let bench = Bench::new();
    let engine = bench.working();
    let run = engine.submit(bench.script("flaky", "[ $ORCHESTRATOR_ATTEMPT -ge 2 ]")).await.unwrap();
    let run = reaches(&engine, &run, Status::Succeeded).await;
    assert_eq!(run.attempts, 2);
    assert!(matches!(engine.retry(run.id.as_str()).await, Err(EngineError::NotRetryable { .. })));
    engine.close().await;
}

#[tokio::test]
async fn a_program_that_is_not_there_fails_at_once() {
    let bench = Bench::new();
    let engine = bench.working();
    let missing = engine.submit(Submission::new("typo", "/no/such/program")).await.unwrap();
    let missing = reaches(&engine, &missing, Status::Failed).await;
    assert_eq!(missing.attempts, 1);
    assert!(missing.error.unwrap().starts_with("could not start: "));
    let nowhere = engine.submit(Submission::new("lost", "true").cwd("/no/such/place")).await.unwrap();
    let nowhere = reaches(&engine, &nowhere, Status::Failed).await;
    assert!(nowhere.error.unwrap().contains("/no/such/place is not there"));
    engine.close().await;
}

#[tokio::test]
async fn a_signal_is_named() {
    let bench = Bench::new();
    let engine = bench.working();
    let run = engine.submit(bench.script("suicide", "kill -KILL $$").attempts(1)).await.unwrap();
    let run = reaches(&engine, &run, Status::Failed).await;
    assert_eq!((run.exit_code, run.signal.as_deref()), (None, Some("SIGKILL")));
    engine.close().await;
}

#[tokio::test]
async fn ids_may_be_shortened_while_they_are_clear() {
    let bench = Bench::new();
    let engine = bench.engine();
    let first = engine.submit(bench.script("a", "true")).await.unwrap();
    let second = engine.submit(bench.script("b", "true")).await.unwrap();
    let short = &first.id.as_str()[..29];
    assert_eq!(engine.get(short).await.unwrap().id, first.id);
    assert_eq!(engine.get(&short["run_".len()..]).await.unwrap().id, first.id);
    match engine.get("run_").await {
        Err(EngineError::Ambiguous { candidates, .. }) => assert_eq!(candidates, [second.id, first.id]),
        other => panic!("{other:?}"),
    }
    for nonsense in ["", "   ", "run_zzzz", "sess_01", "%", "run_'; DROP TABLE runs; --"] {
        assert!(matches!(engine.get(nonsense).await, Err(EngineError::Unknown { .. })), "{nonsense}");
    }
    engine.close().await;
}

#[tokio::test]
async fn a_submission_that_breaks_a_rule_stores_nothing() {
    let bench = Bench::new();
    let engine = bench.engine();
    assert!(matches!(
        engine.submit(Submission::new("", "true")).await,
        Err(EngineError::Invalid { field: "name", .. })
    ));
    assert!(engine.runs(Wanted::ALL).await.unwrap().is_empty());
    engine.close().await;
}

#[tokio::test]
async fn runs_survive_leaving_and_reopening() {
    let bench = Bench::new();
    let engine = bench.working();
    let script = "echo $ORCHESTRATOR_ATTEMPT >> tries; [ -e go ] || exec sleep 600";
    let long = engine.submit(bench.script("long", script)).await.unwrap();
    let once = engine.submit(bench.script("once", "echo x >> once; exec sleep 600").attempts(1)).await.unwrap();
    for run in [&long, &once] {
        reaches(&engine, run, Status::Running).await;
    }
    until("both programs have begun", async || {
        (bench.lines("tries").len() + bench.lines("once").len() == 2).then_some(())
    })
    .await;
    engine.close().await;
    assert_eq!(engine.state(), State::Closed);
    assert!(matches!(engine.get(long.id.as_str()).await, Err(EngineError::Closed)));

    // Nobody works: what was left waits.
    let reader = bench.engine();
    let found = reader.get(long.id.as_str()).await.unwrap();
    assert_eq!((found.status, found.attempts), (Status::Queued, 1));
    assert_eq!(found.error.as_deref(), Some("interrupted: its shell was left"));
    assert_eq!(reader.get(once.id.as_str()).await.unwrap().status, Status::Failed, "a single attempt is not repeated");
    reader.close().await;

    std::fs::write(bench.path("go"), "").unwrap();
    let again = bench.working();
    let run = reaches(&again, &long, Status::Succeeded).await;
    assert_eq!(run.attempts, 2);
    assert_eq!(bench.lines("tries"), ["1", "2"]);
    assert_eq!(bench.lines("once"), ["x"]);
    again.close().await;
}

#[tokio::test]
async fn sync_says_what_changed_since_the_last_time() {
    let bench = Bench::new();
    let engine = bench.engine();
    assert!(engine.sync().await.unwrap().is_empty());
    let elsewhere = bench.working();
    let run = elsewhere.submit(bench.script("other", "true")).await.unwrap();
    reaches(&elsewhere, &run, Status::Succeeded).await;
    let changes = engine.sync().await.unwrap();
    assert_eq!(changes.len(), 1);
    assert_eq!((&changes[0].id, changes[0].before, changes[0].status), (&run.id, None, Status::Succeeded));
    assert!(engine.sync().await.unwrap().is_empty());
    engine.close().await;
    elsewhere.close().await;
}

#[tokio::test]
async fn its_files_are_private_and_nothing_is_made_before_it_is_needed() {
    let bench = Bench::new();
    let engine = bench.engine();
    assert_eq!(engine.state(), State::Idle);
    assert!(!bench.database().exists());
    engine.start(Duration::ZERO, Gate::open());
    engine.submit(bench.script("x", "true")).await.unwrap();
    until("the worker works", async || matches!(engine.state(), State::Working { .. }).then_some(())).await;
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(bench.database().parent().unwrap()), 0o700);
    for entry in std::fs::read_dir(bench.database().parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
    }
    engine.close().await;
    let leases = bench.database().with_file_name("orchestrator.db.live");
    assert_eq!(std::fs::read_dir(leases).unwrap().count(), 0);
}

#[tokio::test]
async fn a_database_that_can_not_be_opened_is_reported_and_tried_again() {
    let bench = Bench::new();
    let blocked = bench.path("data");
    std::fs::write(&blocked, "a file where the directory should be").unwrap();
    let engine = bench.engine();
    assert!(matches!(engine.runs(Wanted::ALL).await, Err(EngineError::Unavailable { .. })));
    assert!(matches!(engine.state(), State::Broken(_)));
    std::fs::remove_file(&blocked).unwrap();
    assert!(engine.runs(Wanted::ALL).await.unwrap().is_empty());
    assert_eq!(engine.state(), State::Open);
    engine.close().await;
}

#[tokio::test]
async fn programs_inherit_no_secret_and_no_input() {
    let bench = Bench::new();
    let engine: Embedded = bench.working();
    // The variables themselves are checked where they are removed; here, what a program sees.
    let run = engine.submit(bench.script("env", "env; cat; echo end").timeout(Duration::from_secs(30))).await.unwrap();
    reaches(&engine, &run, Status::Succeeded).await;
    let logs = engine.logs(run.id.as_str()).await.unwrap();
    assert!(!logs.contains("ADMIN_SHELL_") && !logs.contains("SESSION_TRACKER_"), "{logs}");
    assert!(
        logs.contains(&format!("stdout | ORCHESTRATOR_RUN_ID={}\n", run.id)) && logs.contains("stdout | end\n"),
        "{logs}"
    );
    engine.close().await;
}
