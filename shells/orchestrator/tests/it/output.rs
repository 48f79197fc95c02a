//! Output: bounded, whole, and kept over attempts.

use orchestrator::{Engine, Status};

use crate::bench::{Bench, reaches};

#[tokio::test]
async fn a_flood_is_bounded_and_its_end_is_kept() {
    let bench = Bench::new();
    let engine = bench.working();
    // 20 MB on one stream, 8 MB on the other.
    let script = "head -c 20000000 /dev/zero | tr '\\0' x; echo; head -c 8000000 /dev/zero | tr '\\0' y >&2; echo last out; echo last err >&2";
    let run = engine.submit(bench.script("flood", script)).await.unwrap();
    let run = reaches(&engine, &run, Status::Succeeded).await;
    assert_eq!(run.last_line.map(|line| line.len()), Some(300), "a long line is cut");
    let logs = engine.logs(run.id.as_str()).await.unwrap();
    assert!(logs.contains("stdout | last out\n"));
    assert!(logs.contains("last err\n"));
    let limit = 1024 * 1024;
    assert!(
        logs.contains(&format!("stdout | ({} bytes came before; the last {limit} are kept)", 20_000_010 - limit)),
        "{}",
        &logs[..200]
    );
    assert!(logs.len() < 2 * limit + 1000);
    engine.close().await;
    let stored: u64 = std::fs::metadata(bench.database()).unwrap().len();
    assert!(stored < 16 * limit as u64, "{stored}");
}

#[tokio::test]
async fn bytes_that_are_no_text_do_no_harm() {
    let bench = Bench::new();
    let engine = bench.working();
    let run = engine
        .submit(bench.script("binary", "printf 'a\\377b\\000c\\n'; printf 'h\\303'; sleep 1; printf '\\251\\n'"))
        .await
        .unwrap();
    let run = reaches(&engine, &run, Status::Succeeded).await;
    let logs = engine.logs(run.id.as_str()).await.unwrap();
    assert_eq!(logs, "--- attempt 1 ---\nstdout | a\u{fffd}b\0c\nstdout | hé\n");
    engine.close().await;
}

#[tokio::test]
async fn each_attempt_has_its_part() {
    let bench = Bench::new();
    let engine = bench.working();
    let run = engine.submit(bench.script("twice", "echo try $ORCHESTRATOR_ATTEMPT; exit 1").attempts(2)).await.unwrap();
    reaches(&engine, &run, Status::Failed).await;
    let logs = engine.logs(run.id.as_str()).await.unwrap();
    assert_eq!(logs, "--- attempt 1 ---\nstdout | try 1\n--- attempt 2 ---\nstdout | try 2\n");
    engine.close().await;
}

#[tokio::test]
async fn a_daemon_that_keeps_the_pipe_holds_nobody_up() {
    let bench = Bench::new();
    let engine = bench.working();
    let run = engine
        .submit(bench.script(
            "daemon",
            "setsid sh -c 'echo $$ > daemon; exec sleep 600' & while [ ! -s daemon ]; do sleep 0.05; done; echo up",
        ))
        .await
        .unwrap();
    let run = reaches(&engine, &run, Status::Succeeded).await;
    assert_eq!(engine.logs(run.id.as_str()).await.unwrap(), "--- attempt 1 ---\nstdout | up\n");
    // It was set free on purpose, so it lives; the test ends it.
    let daemon = bench.lines("daemon")[0].parse().unwrap();
    assert_eq!(crate::bench::left_of(&run, None), [daemon]);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(daemon), nix::sys::signal::Signal::SIGKILL).unwrap();
    engine.close().await;
}
