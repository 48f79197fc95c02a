//! Several shells on one database.

use std::collections::HashSet;

use orchestrator::{Embedded, Engine, Status, engine::Wanted};

use crate::bench::{Bench, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_engines_never_run_a_run_twice() {
    let bench = Bench::new();
    let engines: Vec<Embedded> = (0..3).map(|_| bench.working()).collect();
    let script = "echo $ORCHESTRATOR_RUN_ID/$ORCHESTRATOR_ATTEMPT >> nonces; [ $ORCHESTRATOR_ATTEMPT -ge $1 ]";
    let mut expected = HashSet::new();
    for number in 0..30 {
        let attempts = 1 + number % 3;
        let submission =
            bench.script(&format!("run {number}"), script).args(["-c", script, "sh", &attempts.to_string()]);
        let run = engines[number % 3].submit(submission).await.unwrap();
        expected.extend((1..=attempts).map(|attempt| format!("{}/{attempt}", run.id)));
    }
    until("all have succeeded", async || {
        let runs = engines[0].runs(Wanted::ALL).await.unwrap();
        runs.iter().all(|run| run.status == Status::Succeeded).then_some(())
    })
    .await;
    let nonces = bench.lines("nonces");
    assert_eq!(nonces.len(), expected.len(), "each attempt ran exactly once");
    assert_eq!(nonces.into_iter().collect::<HashSet<_>>(), expected);
    for engine in engines {
        engine.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_first_opens_at_once_get_along() {
    for _ in 0..5 {
        let bench = Bench::new();
        let opened = (0..8).map(|number| {
            let engine = bench.working();
            let submission = bench.script(&format!("run {number}"), "true");
            tokio::spawn(async move {
                engine.submit(submission).await.unwrap();
                engine
            })
        });
        let opened: Vec<_> = opened.collect();
        let mut engines = Vec::new();
        for engine in opened {
            engines.push(engine.await.unwrap());
        }
        assert_eq!(engines[0].runs(Wanted::ALL).await.unwrap().len(), 8);
        for engine in engines {
            engine.close().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaving_one_shell_hands_its_runs_to_the_other() {
    let bench = Bench::new();
    let first = bench.working();
    let script = "echo $ORCHESTRATOR_ATTEMPT >> tries; [ $ORCHESTRATOR_ATTEMPT -ge 2 ] || exec sleep 600";
    let run = first.submit(bench.script("moves", script)).await.unwrap();
    until("it has begun", async || (bench.lines("tries") == ["1"]).then_some(())).await;
    let second = bench.working();
    first.close().await;
    crate::bench::reaches(&second, &run, Status::Succeeded).await;
    assert_eq!(bench.lines("tries"), ["1", "2"]);
    second.close().await;
}
