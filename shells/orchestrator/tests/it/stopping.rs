//! Stopping a program with everything that it started.

use std::time::Duration;

use orchestrator::{Engine, Run, Status, embedded::Waits, engine::Gate};

use crate::bench::{Bench, left_of, reaches, until};

/// A program with a child and a grandchild in its group, and one child that made a session of its own. All ignore SIGTERM.
const FAMILY: &str = "trap '' TERM
    setsid sh -c 'trap \"\" TERM; echo escaped >> up; while :; do sleep 1; done' &
    sh -c 'trap \"\" TERM; sh -c \"trap \\\"\\\" TERM; echo grandchild >> up; while :; do sleep 1; done\" & echo child >> up; wait; while :; do sleep 1; done' &
    echo leader >> up
    while :; do sleep 1; done";

async fn begun(bench: &Bench, engine: &orchestrator::Embedded, run: &Run) -> i32 {
    until("the whole family is up", async || (bench.lines("up").len() == 4).then_some(())).await;
    until("its process is noted", async || engine.get(run.id.as_str()).await.unwrap().pid).await
}

#[tokio::test]
async fn cancel_stops_children_grandchildren_and_who_left_the_group() {
    let bench = Bench::new();
    let engine = bench.working();
    let run = engine.submit(bench.script("family", FAMILY)).await.unwrap();
    let group = begun(&bench, &engine, &run).await;
    assert!(left_of(&run, Some(group)).len() >= 4);

    let run = engine.cancel(run.id.as_str()).await.unwrap();
    assert_eq!((run.status, run.attempts), (Status::Cancelled, 1));
    assert_eq!(left_of(&run, Some(group)), [0; 0]);
    engine.close().await;
}

#[tokio::test]
async fn another_shell_can_cancel() {
    let bench = Bench::new();
    let (engine, other) = (bench.working(), bench.engine());
    let run = engine.submit(bench.script("family", FAMILY)).await.unwrap();
    let group = begun(&bench, &engine, &run).await;
    let run = other.cancel(run.id.as_str()).await.unwrap();
    assert_eq!(run.status, Status::Cancelled);
    assert_eq!(left_of(&run, Some(group)), [0; 0]);
    // Once cancelled it can be tried again, by hand only.
    other.retry(run.id.as_str()).await.unwrap();
    let run = reaches(&engine, &run, Status::Running).await;
    assert_eq!(run.attempts, 2);
    engine.close().await;
    other.close().await;
}

#[tokio::test]
async fn a_timeout_leaves_nothing_behind() {
    let bench = Bench::new();
    let engine = bench.working();
    let run = engine.submit(bench.script("slow", FAMILY).timeout(Duration::from_secs(2)).attempts(1)).await.unwrap();
    let group = begun(&bench, &engine, &run).await;
    let run = reaches(&engine, &run, Status::TimedOut).await;
    assert_eq!(run.error.as_deref(), Some("took longer than 2 s"));
    assert_eq!(left_of(&run, Some(group)), [0; 0]);
    engine.close().await;
}

#[tokio::test]
async fn leaving_stops_everything() {
    let bench = Bench::new();
    let engine = bench.working();
    let run = engine.submit(bench.script("family", FAMILY)).await.unwrap();
    let group = begun(&bench, &engine, &run).await;
    engine.close().await;
    assert_eq!(left_of(&run, Some(group)), [0; 0]);
}

#[tokio::test]
async fn what_a_program_leaves_in_its_group_ends_with_it() {
    let bench = Bench::new();
    let engine = bench.working();
    let run = engine.submit(bench.script("untidy", "sleep 600 & sleep 600 & echo $$ > group")).await.unwrap();
    let run = reaches(&engine, &run, Status::Succeeded).await;
    let group = bench.lines("group")[0].parse().unwrap();
    assert_eq!(left_of(&run, Some(group)), [0; 0]);
    engine.close().await;
}

#[tokio::test]
async fn a_run_that_waits_is_cancelled_without_ever_running() {
    let bench = Bench::new();
    let engine = bench.engine();
    let run = engine.submit(bench.script("never", "touch ran")).await.unwrap();
    let run = engine.cancel(run.id.as_str()).await.unwrap();
    assert_eq!((run.status, run.attempts), (Status::Cancelled, 0));
    engine.start(Duration::ZERO, Gate::open());
    let after = engine.submit(bench.script("after", "true")).await.unwrap();
    reaches(&engine, &after, Status::Succeeded).await;
    assert!(!bench.path("ran").exists());
    engine.close().await;
}

#[tokio::test]
async fn a_run_between_attempts_is_cancelled_for_good() {
    let bench = Bench::new();
    let long = Duration::from_secs(3600);
    let options =
        orchestrator::Options { waits: Waits { first: long, ceiling: long }, ..orchestrator::Options::default() };
    let engine = orchestrator::Embedded::new(bench.database(), options);
    engine.start(Duration::ZERO, Gate::open());
    let run = engine.submit(bench.script("later", "exit 1")).await.unwrap();
    let waiting = reaches(&engine, &run, Status::Retrying).await;
    assert!(waiting.next_attempt.unwrap() > waiting.finished.unwrap());
    let run = engine.cancel(run.id.as_str()).await.unwrap();
    assert_eq!((run.status, run.next_attempt), (Status::Cancelled, None));
    engine.close().await;
}
