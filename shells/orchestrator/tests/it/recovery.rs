//! Shells that die: SIGKILL while runs are under way.

use std::{path::Path, process::Stdio, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use orchestrator::{Embedded, Engine, Status, engine::Gate};

use crate::bench::{Bench, engine_on, left_of, reaches, until};

const DATABASE: &str = "ORCHESTRATOR_TEST_DATABASE";

/// Another process with a working engine on this bench: this very test program, asked for the test below.
fn shell(bench: &Bench) -> tokio::process::Child {
    tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "recovery::worker_process", "--ignored", "--nocapture"])
        .env(DATABASE, bench.database())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

#[tokio::test]
#[ignore = "the other process of the tests here"]
async fn worker_process() {
    if let Some(database) = std::env::var_os(DATABASE) {
        engine_on(Path::new(&database)).start(Duration::ZERO, Gate::open());
        std::future::pending::<()>().await;
    }
}

async fn killed(mut shell: tokio::process::Child) {
    kill(Pid::from_raw(shell.id().unwrap().cast_signed()), Signal::SIGKILL).unwrap();
    shell.wait().await.unwrap();
}

/// Notes its attempt, its place in time, and that nobody else of the run is alive.
const SCRIPT: &str = "echo start $ORCHESTRATOR_ATTEMPT >> log
    (setsid sh -c 'while :; do sleep 1; done' &)
    [ $ORCHESTRATOR_ATTEMPT -ge 2 ] || while :; do sleep 1; done
    echo end $ORCHESTRATOR_ATTEMPT >> log";

async fn begun(bench: &Bench, reader: &Embedded, submission: orchestrator::Submission) -> orchestrator::Run {
    let run = reader.submit(submission).await.unwrap();
    until("the other process runs it", async || (bench.lines("log") == ["start 1"]).then_some(())).await;
    let run = reaches(reader, &run, Status::Running).await;
    until("its family is up", async || (left_of(&run, None).len() >= 3).then_some(())).await;
    run
}

#[tokio::test]
async fn the_runs_of_a_killed_shell_are_cleared_and_run_again_once() {
    let bench = Bench::new();
    let (reader, other) = (bench.engine(), shell(&bench));
    let run = begun(&bench, &reader, bench.script("survivor", SCRIPT)).await;
    killed(other).await;
    assert!(left_of(&run, None).len() >= 3, "the program outlives its shell");

    let (first, second) = (bench.working(), bench.working());
    let run = reaches(&first, &run, Status::Succeeded).await;
    assert_eq!(run.attempts, 2);
    assert_eq!(bench.lines("log"), ["start 1", "start 2", "end 2"]);
    for engine in [reader, first, second] {
        engine.close().await;
    }
    for daemon in left_of(&run, None) {
        kill(Pid::from_raw(daemon), Signal::SIGKILL).unwrap();
    }
}

#[tokio::test]
async fn what_a_killed_shell_left_is_stopped_before_the_run_is_put_back() {
    let bench = Bench::new();
    let (reader, other) = (bench.engine(), shell(&bench));
    let run = begun(&bench, &reader, bench.script("orphan", SCRIPT)).await;
    killed(other).await;
    let changes = reader.sync().await.unwrap();
    assert_eq!((&changes[0].id, changes[0].status), (&run.id, Status::Queued));
    assert_eq!(changes[0].error.as_deref(), Some("interrupted: the shell that ran it died"));
    assert_eq!(left_of(&run, run.pid), [0; 0]);
    assert!(reader.sync().await.unwrap().is_empty(), "it is put back once");
    reader.close().await;
}

#[tokio::test]
async fn a_single_attempt_of_a_killed_shell_has_failed() {
    let bench = Bench::new();
    let (reader, other) = (bench.engine(), shell(&bench));
    let run = begun(&bench, &reader, bench.script("single", SCRIPT).attempts(1)).await;
    killed(other).await;
    reader.sync().await.unwrap();
    let run = reader.get(run.id.as_str()).await.unwrap();
    assert_eq!((run.status, run.attempts), (Status::Failed, 1));
    assert_eq!(left_of(&run, run.pid), [0; 0]);
    reader.close().await;
}

#[tokio::test]
async fn cancel_reaches_the_run_of_a_killed_shell() {
    let bench = Bench::new();
    let (reader, other) = (bench.engine(), shell(&bench));
    let run = begun(&bench, &reader, bench.script("orphan", SCRIPT)).await;
    killed(other).await;
    let run = reader.cancel(run.id.as_str()).await.unwrap();
    assert_eq!(run.status, Status::Cancelled);
    assert_eq!(left_of(&run, run.pid), [0; 0]);
    reader.close().await;
}

#[tokio::test]
async fn a_shell_that_only_sleeps_keeps_its_runs() {
    let bench = Bench::new();
    let (reader, other) = (bench.engine(), shell(&bench));
    let run = begun(&bench, &reader, bench.script("paused", SCRIPT)).await;
    let pid = Pid::from_raw(other.id().unwrap().cast_signed());
    kill(pid, Signal::SIGSTOP).unwrap();
    assert!(reader.sync().await.unwrap().iter().all(|change| change.status == Status::Running));
    assert_eq!(reader.get(run.id.as_str()).await.unwrap().status, Status::Running);
    kill(pid, Signal::SIGCONT).unwrap();
    let run = reader.cancel(run.id.as_str()).await.unwrap();
    assert_eq!(run.status, Status::Cancelled);
    killed(other).await;
    reader.close().await;
}

/// Shells come, work and are killed at any moment. Whatever the moment: no attempt runs twice, no two attempts of a run
/// overlap, and in the end every run has succeeded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_often_shells_are_killed_no_attempt_runs_twice() {
    // An attempt holds a directory while it works: mkdir fails when another attempt of the same run still does. What is
    // left of a killed attempt is the directory with its number, which the next one takes away. (A zombie runs nothing.)
    let script = "id=$ORCHESTRATOR_RUN_ID; n=$ORCHESTRATOR_ATTEMPT
        echo $id/$n >> nonces
        for other in held-$id-*; do
            [ -d \"$other\" ] || continue
            grep -q '^State:.[^Z]' /proc/$(cat $other/pid)/status && echo \"$other $id/$n\" >> overlaps
            rm -rf \"$other\"
        done
        mkdir held-$id-$n; echo $$ > held-$id-$n/pid
        sleep 1; rm -rf held-$id-$n; echo $id >> done";
    let bench = Bench::new();
    let reader = bench.engine();
    for number in 0..12 {
        reader.submit(bench.script(&format!("run {number}"), script).attempts(100)).await.unwrap();
    }
    for _ in 0..8 {
        let shells = [shell(&bench), shell(&bench)];
        let moment = 100 + uuid::Uuid::new_v4().as_u128() % 900;
        tokio::time::sleep(Duration::from_millis(u64::try_from(moment).unwrap())).await;
        for shell in shells {
            killed(shell).await;
        }
    }
    let last = bench.working();
    until("all have succeeded", async || {
        let runs = last.runs(orchestrator::engine::Wanted::ALL).await.unwrap();
        runs.iter().all(|run| run.status == Status::Succeeded).then_some(())
    })
    .await;
    let mut nonces = bench.lines("nonces");
    let count = nonces.len();
    nonces.sort_unstable();
    nonces.dedup();
    assert_eq!(nonces.len(), count, "an attempt ran twice");
    assert!(bench.lines("overlaps").is_empty(), "{:?}", bench.lines("overlaps"));
    assert!(bench.lines("done").len() >= 12);
    last.close().await;
    reader.close().await;
}
