//! What the shell does when something fails around it: a session that is not recorded, a disk that takes nothing, a script
//! that is over before its runs are.

use std::process::{Output, Stdio};

use admin_shell::{
    Shell,
    testing::{Faults, TestShell},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use orchestrator::{Engine, Orchestrator, Run, Status, engine::Wanted};
use serde_json::Value;

use crate::bench::{Bench, left_of, until};

/// The program, after a shell has done something first; its journal is `journal.db` in the bench's `data`.
fn program_after(bench: &Bench, first: &str) -> tokio::process::Command {
    std::fs::create_dir_all(bench.path("data")).unwrap();
    let mut command = tokio::process::Command::new("sh");
    let script = format!("{first}; exec \"$0\" \"$@\"");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_orchestrator-shell"), "--database"]);
    command.arg(bench.path("data/journal.db")).current_dir(bench.path("")).kill_on_drop(true);
    command
}

fn program(bench: &Bench) -> tokio::process::Command {
    program_after(bench, ":")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_begins_while_the_session_is_not_recorded() {
    let faults = Faults::new();
    let shell = TestShell::with_faults(Shell::new(Orchestrator::new()), &faults).await;
    let long: Run = shell.run(r#"submit("long", "sleep", ["600"])"#).await.value();
    let status = async |id: &Run| shell.run(&format!("show(\"{}\").status", id.id)).await.value::<Status>();
    until("it runs", async || (status(&long).await == Status::Running).then_some(())).await;

    faults.break_down();
    // The command that finds out.
    shell.run("1").await;
    // Somebody queues a run from elsewhere: the engine here is told by its queue, not by a command.
    let elsewhere = Bench::at(shell.directory());
    let engine = elsewhere.engine();
    let waiting = engine.submit(elsewhere.script("waiting", "true").cwd(shell.directory())).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(status(&waiting).await, Status::Queued, "no record, no change");
    assert_eq!(status(&long).await, Status::Running, "what runs goes on");
    let ran = shell.run("top()").await;
    assert!(ran.printed().contains("note: no run begins here, because the session is not recorded: "), "{ran:?}");

    faults.mend();
    until("it runs again", async || {
        (engine.get(waiting.id.as_str()).await.unwrap().status == Status::Succeeded).then_some(())
    })
    .await;
    let ran = shell.run("top()").await;
    assert_eq!(ran.printed(), "", "the note is gone");
    engine.close().await;
    shell.close().await;
}

#[tokio::test]
async fn runs_can_be_looked_at_on_a_disk_that_takes_nothing() {
    let bench = Bench::new();
    let submitted = program(&bench).args(["-c", r#"submit("kept", "true")"#]).output().await.unwrap();
    assert!(submitted.status.success(), "{submitted:?}");
    // No file may grow: what a full disk is, by means that every user has.
    let full = async |code: &str| {
        let Output { stdout, stderr, .. } =
            program_after(&bench, "ulimit -f 0").args(["--json", "-c", code]).output().await.unwrap();
        serde_json::from_slice::<Value>(&stdout).unwrap_or_else(|_| panic!("{code}: {}", text(&stderr)))
    };
    assert_eq!(full("ps()[0].name").await, "kept");
    assert_eq!(full("logs(ps()[0])").await, "");
    let refused = full(r#"submit("more", "true")"#).await;
    assert_eq!(refused["error"]["kind"], "unrecorded", "{refused}");
}

#[tokio::test]
async fn a_script_waits_for_what_it_has_begun_and_begins_no_more() {
    let bench = Bench::new();
    let code = r#"submit("begun", "sh", ["-c", "echo up > up; sleep 2; echo over > over"], #{attempts: 1});
        let up = || top().some(|run| run.status == "running");
        while !up.call() { sleep(0.05); }
        submit("later", "touch", ["later"]); ()"#;
    let Output { stderr, status, .. } = program(&bench).args(["-c", code]).output().await.unwrap();
    assert!(status.success(), "{}", text(&stderr));
    assert_eq!(bench.lines("over"), ["over"], "it was not cut short");
    assert!(text(&stderr).contains(" under way: waiting for the end (Ctrl-C stops"), "{}", text(&stderr));
    let reader = bench.engine();
    let runs = reader.runs(Wanted::ALL).await.unwrap();
    assert_eq!(runs.iter().find(|run| run.name == "begun").unwrap().status, Status::Succeeded);
    for run in runs {
        assert!(run.status == Status::Queued && run.attempts == 0 || run.status == Status::Succeeded, "{run:?}");
    }
    reader.close().await;
}

#[tokio::test]
async fn ctrl_c_ends_the_waiting() {
    let bench = Bench::new();
    let code = r#"submit("long", "sh", ["-c", "echo up > up; sleep 600"]);
        while !top().some(|run| run.status == "running") { sleep(0.05); } print("over")"#;
    let mut shell = program(&bench).args(["-c", code]).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut stderr = shell.stderr.take().unwrap();
    let mut said = vec![0; 60];
    tokio::io::AsyncReadExt::read_exact(&mut stderr, &mut said).await.unwrap();
    assert!(text(&said).contains("1 run is under way: waiting for the end"), "{}", text(&said));
    kill(Pid::from_raw(shell.id().unwrap().cast_signed()), Signal::SIGINT).unwrap();
    assert_eq!(shell.wait().await.unwrap().code(), Some(128 + 2));
    let reader = bench.engine();
    let runs = reader.runs(Wanted::ALL).await.unwrap();
    assert_eq!((runs[0].status, runs[0].attempts), (Status::Queued, 1));
    assert_eq!(left_of(&runs[0], None), [0; 0]);
    reader.close().await;
}
