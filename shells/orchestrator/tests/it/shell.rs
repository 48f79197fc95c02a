//! The shell's helpers through a session, and the program from outside.

use std::{
    process::{Output, Stdio},
    sync::{Arc, Mutex},
};

use admin_shell::{Actor, Console, Effect, Question, Session, Shell, Status as Ended};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use orchestrator::{Engine, Orchestrator, Run, Status};
use serde_json::{Value, json};

use crate::bench::{Bench, left_of, reaches, until};

/// Confirms everything, and remembers what it was asked.
#[derive(Clone, Default)]
struct Yes(Arc<Mutex<Vec<Question>>>);

impl Console for Yes {
    fn print(&mut self, _: &str) {}

    fn ask(&mut self, question: &Question) -> Option<String> {
        self.0.lock().unwrap().push(question.clone());
        Some("a test".to_owned())
    }

    fn secret(&mut self, _: &str) -> Option<String> {
        None
    }

    fn progress(&mut self, _: &str, _: Option<f64>) {}
}

async fn session(bench: &Bench) -> Session {
    std::fs::create_dir_all(bench.path("data")).unwrap();
    Shell::new(Orchestrator::new()).database(bench.path("data/journal.db")).open(Actor::current()).await.unwrap()
}

async fn value(session: &Session, code: &str) -> Value {
    let outcome = session.execute(code, Yes::default()).await.unwrap();
    assert_eq!(outcome.status, Ended::Ok, "{code}: {:?}", outcome.failure);
    outcome.value
}

/// What is said, and what to do next.
async fn failure(session: &Session, code: &str) -> String {
    let outcome = session.execute(code, Yes::default()).await.unwrap();
    let failure = outcome.failure.unwrap_or_else(|| panic!("{code} answered {}", outcome.value));
    format!("{} | {}", failure.message, failure.hint.unwrap_or_default())
}

async fn run(session: &Session, code: &str) -> Run {
    serde_json::from_value(value(session, code).await).unwrap()
}

async fn comes_to(session: &Session, run: &Run, status: Status) -> Run {
    until(&format!("{} is {status}", run.id), async || {
        Some(self::run(session, &format!(r#"show("{}")"#, run.id)).await).filter(|run| run.status == status)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_example_runs() {
    let bench = Bench::new();
    let session = session(&bench).await;
    // Some examples speak of the latest run, or of the latest failure.
    let failed = run(&session, r#"submit("broken", "false", #{attempts: 1})"#).await;
    comes_to(&session, &failed, Status::Failed).await;
    let registry = session.registry();
    for spec in registry.iter() {
        assert!(!spec.examples.is_empty(), "`{}` has no example", spec.name);
        for example in &spec.examples {
            value(&session, example).await;
        }
    }
    session.close(admin_shell::EndReason::Exit).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_helpers_are_those_of_the_contract() {
    let bench = Bench::new();
    let session = session(&bench).await;
    let registry = session.registry();
    let expected = [
        ("ps", Effect::Read),
        ("top", Effect::Read),
        ("errors", Effect::Read),
        ("show", Effect::Read),
        ("logs", Effect::Read),
        ("submit", Effect::Write),
        ("retry", Effect::Write),
        ("cancel", Effect::Destroy),
        ("sync", Effect::Write),
    ];
    let found: Vec<_> = registry.iter().map(|spec| (spec.name.as_ref(), spec.effect)).collect();
    assert_eq!(found, expected);
    assert_eq!(registry.get("errors").unwrap().params[0].default, Some(json!(20)));
    assert_eq!(registry.get("submit").unwrap().params[2].default, Some(json!([])));
    session.close(admin_shell::EndReason::Exit).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_with_the_shell() {
    let bench = Bench::new();
    let session = session(&bench).await;
    assert_eq!(value(&session, "ps()").await, json!([]));

    let hello = run(&session, r#"submit("hello", "echo", ["hi"])"#).await;
    assert_eq!((hello.status, hello.attempts, hello.name.as_str()), (Status::Queued, 0, "hello"));
    comes_to(&session, &hello, Status::Succeeded).await;
    assert_eq!(value(&session, "logs(ps()[0])").await, json!("--- attempt 1 ---\nstdout | hi\n"));
    assert_eq!(value(&session, &format!(r#"show("{}").status"#, &hello.id.as_str()[..29])).await, json!("succeeded"));

    let bad =
        run(&session, r#"submit("bad", "sh", ["-c", "echo why >&2; exit 7"], #{attempts: 1, timeout: "1m"})"#).await;
    assert_eq!((bad.max_attempts, bad.timeout_seconds), (1, Some(60.0)));
    comes_to(&session, &bad, Status::Failed).await;
    let errors = value(&session, "errors()").await;
    assert_eq!((&errors[0]["exit_code"], &errors[0]["last_line"]), (&json!(7), &json!("why")));
    assert_eq!(value(&session, "errors(#{limit: 0})").await, json!([]));
    assert_eq!(run(&session, "retry(errors()[0])").await.status, Status::Queued);
    comes_to(&session, &bad, Status::Failed).await;

    let nap = run(&session, r#"submit("nap", "sleep", ["600"])"#).await;
    comes_to(&session, &nap, Status::Running).await;
    let top = value(&session, "top()").await;
    assert_eq!((top.as_array().unwrap().len(), &top[0]["name"]), (1, &json!("nap")));
    assert!(top[0]["elapsed_seconds"].as_f64().is_some());

    let console = Yes::default();
    let outcome = session.execute("cancel(top()[0])", console.clone()).await.unwrap();
    assert_eq!(outcome.value["status"], json!("cancelled"), "{:?}", outcome.failure);
    let asked = console.0.lock().unwrap().clone();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].call, format!(r#"cancel("{}")"#, nap.id));
    assert!(asked[0].preview.as_ref().unwrap().contains("`nap` (running sleep, running for"), "{asked:?}");
    assert_eq!(left_of(&nap, None), [0; 0]);

    assert!(!value(&session, "sync()").await.as_array().unwrap().is_empty());
    assert_eq!(value(&session, "sync()").await, json!([]));
    session.close(admin_shell::EndReason::Exit).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mistakes_are_explained() {
    let bench = Bench::new();
    let session = session(&bench).await;
    let done = run(&session, r#"submit("done", "true")"#).await;
    comes_to(&session, &done, Status::Succeeded).await;
    let id = done.id.as_str();
    for (code, expected) in [
        (r#"submit("", "true")"#.to_owned(), "`name` must have 1 to 255 characters, not all blank | help(\"submit\")"),
        (r#"submit("x", "")"#.to_owned(), "`program` must name a program"),
        (r#"submit("x", "true", #{attempts: 0})"#.to_owned(), "`attempts` must be 1 to 100 | "),
        (
            r#"submit("x", "true", #{timeout: "0s"})"#.to_owned(),
            "`timeout` must be between a millisecond and a year | ",
        ),
        (r#"submit("x", "true", #{tries: 3})"#.to_owned(), "tries"),
        (r#"show("nothing")"#.to_owned(), "there is no run `nothing` | ps() lists all runs"),
        (r#"show("dune")"#.to_owned(), &format!("there is no run `dune` | did you mean {id} (`done`)?")),
        (r#"logs("done")"#.to_owned(), &format!("there is no run `done` | did you mean {id} (`done`)?")),
        (format!(r#"cancel("{id}")"#), &format!("run {id} is succeeded already: there is nothing to cancel | show(")),
        (format!(r#"retry("{id}")"#), "is succeeded, which is nothing to try again | submit it again"),
    ] {
        let message = failure(&session, &code).await;
        assert!(message.contains(expected), "{code}: {message}");
    }
    let console = Yes::default();
    session.execute(&format!(r#"cancel("{id}")"#), console.clone()).await.unwrap();
    assert!(console.0.lock().unwrap().is_empty(), "nobody has to confirm what can not be done");
    session.close(admin_shell::EndReason::Exit).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_output_is_shown_from_its_end() {
    let bench = Bench::new();
    let session = session(&bench).await;
    let many = run(&session, r#"submit("many", "seq", ["3000"])"#).await;
    comes_to(&session, &many, Status::Succeeded).await;
    let shown = value(&session, "logs(ps()[0])").await;
    let shown = shown.as_str().unwrap();
    assert!(shown.starts_with("--- 2001 earlier lines are not shown; logs(id, 3001) shows them ---\nstdout | 2001\n"));
    assert!(shown.ends_with("stdout | 3000\n"));
    let last = value(&session, "logs(ps()[0], 1)").await;
    assert_eq!(last, "--- 3000 earlier lines are not shown; logs(id, 3001) shows them ---\nstdout | 3000\n");
    assert!(value(&session, "logs(ps()[0], 3001)").await.as_str().unwrap().starts_with("--- attempt 1 ---\n"));
    session.close(admin_shell::EndReason::Exit).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_narrow_terminal_shows_what_went_wrong_and_whole_times() {
    let bench = Bench::new();
    let session = session(&bench).await;
    let bad = run(&session, r#"submit("bad", "sh", ["-c", "echo why >&2; exit 7"], #{attempts: 1})"#).await;
    let bad = comes_to(&session, &bad, Status::Failed).await;
    let width = admin_shell::Width::Columns(80);
    let errors = admin_shell::render::render(&value(&session, "errors()").await, width);
    assert!(errors.contains("exited with") && errors.contains("why"), "{errors}");
    let runs = admin_shell::render::render(&value(&session, "ps()").await, width);
    let created = bad.created.to_string();
    assert!(runs.contains(&format!(" {}Z", &created[.."2026-11-20T14:01:10".len()])), "{runs}");
    session.close(admin_shell::EndReason::Exit).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_in_arguments_are_not_shown() {
    let bench = Bench::new();
    let session = session(&bench).await;
    let code = r#"submit("dump", "echo", ["--user", "ada", "--password", "hunter2-is-long", "postgres://ada:s3cr3t-pass@db/x"], #{attempts: 1})"#;
    let submitted = value(&session, code).await;
    let shown = [submitted, value(&session, "ps()").await, value(&session, "show(ps()[0])").await];
    for shown in shown.map(|value| value.to_string()) {
        assert!(!shown.contains("hunter2") && !shown.contains("s3cr3t"), "{shown}");
        assert!(shown.contains("ada") && shown.contains("--password"), "{shown}");
    }
    session.close(admin_shell::EndReason::Exit).await.unwrap();
}

/// The program, on the bench's journal.
fn program(bench: &Bench) -> tokio::process::Command {
    std::fs::create_dir_all(bench.path("data")).unwrap();
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_orchestrator-shell"));
    command.arg("--database").arg(bench.path("data/journal.db")).current_dir(bench.path("")).kill_on_drop(true);
    command
}

async fn json_of(bench: &Bench, code: &str) -> Value {
    let Output { stdout, stderr, .. } = program(bench).args(["--json", "-c", code]).output().await.unwrap();
    serde_json::from_slice(&stdout).unwrap_or_else(|_| panic!("{code}: {}", String::from_utf8_lossy(&stderr)))
}

#[tokio::test]
async fn a_script_that_ends_at_once_leaves_its_runs_whole() {
    let bench = Bench::new();
    // On a machine that is busy enough even this script takes long; once is enough to see the intention.
    let submitted = until("a script ends before its run begins", async || {
        let submitted = json_of(&bench, r#"submit("later", "touch", ["ran"])"#).await;
        let found = json_of(&bench, "ps()[0]").await;
        assert_eq!(found["id"], submitted["id"]);
        (found["status"] == "queued" && found["attempts"] == 0).then_some(submitted)
    })
    .await;
    let engine = bench.working();
    let run: Run = serde_json::from_value(submitted).unwrap();
    reaches(&engine, &run, Status::Succeeded).await;
    assert!(bench.path("ran").exists(), "it runs in the directory that it was submitted from");
    engine.close().await;
}

#[tokio::test]
async fn a_script_that_waits_sees_its_run_end() {
    let bench = Bench::new();
    let code =
        r#"let run = submit("now", "true"); while show(run).status != "succeeded" { sleep(0.1); } show(run).attempts"#;
    assert_eq!(json_of(&bench, code).await, json!(1));
}

#[tokio::test]
async fn a_read_only_session_runs_nothing() {
    let bench = Bench::new();
    json_of(&bench, r#"submit("later", "touch", ["ran"])"#).await;
    let looked =
        program(&bench).args(["--read-only", "--json", "-c", "sleep(1); ps()[0].status"]).output().await.unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&looked.stdout).unwrap(), json!("queued"));
    assert!(!bench.path("ran").exists());
}

#[tokio::test]
async fn a_shell_that_is_told_to_end_stops_its_runs_and_puts_them_back() {
    let bench = Bench::new();
    let code = r#"submit("long", "sh", ["-c", "echo up >> up; sleep 600 & wait"]); sleep(600)"#;
    let shell = program(&bench).args(["-c", code]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("its run is up", async || (bench.lines("up") == ["up"]).then_some(())).await;
    let pid = Pid::from_raw(shell.id().unwrap().cast_signed());
    kill(pid, Signal::SIGTERM).unwrap();
    let mut shell = shell;
    assert_eq!(shell.wait().await.unwrap().code(), Some(128 + 15));

    let reader = bench.engine();
    let runs = reader.runs(orchestrator::engine::Wanted::ALL).await.unwrap();
    assert_eq!((runs[0].status, runs[0].attempts), (Status::Queued, 1));
    assert_eq!(left_of(&runs[0], None), [0; 0]);
    reader.close().await;
}

#[tokio::test]
async fn a_shell_that_is_killed_leaves_none_of_its_processes() {
    let bench = Bench::new();
    // In its group, in a session of its own without its parent, and without anything that it inherited.
    let script = "trap '' TERM; (setsid sh -c 'echo $$ >> up; sleep 600' &)
        env -i sh -c 'echo $$ >> up; sleep 600; true' & echo $$ >> up; while :; do sleep 1; done";
    let code = format!(
        "submit(#{{name: \"again\", program: \"sh\", args: [\"-c\", `{script}`]}});
        submit(#{{name: \"once\", program: \"sh\", args: [\"-c\", `{script}`], attempts: 1}}); sleep(600)"
    );
    let mut shell = program(&bench).args(["-c", &code]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("both families are up", async || (bench.lines("up").len() == 6).then_some(())).await;
    kill(Pid::from_raw(shell.id().unwrap().cast_signed()), Signal::SIGKILL).unwrap();
    let killed = std::time::Instant::now();
    shell.wait().await.unwrap();
    let runs = |pid: &String| {
        let state = procfs::process::Process::new(pid.parse().unwrap()).and_then(|process| process.stat());
        state.is_ok_and(|stat| stat.state != 'Z')
    };
    until("they are gone", async || (!bench.lines("up").iter().any(runs)).then_some(())).await;
    assert!(killed.elapsed() < std::time::Duration::from_secs(1), "{:?}", killed.elapsed());

    // Whoever looks next is told what happened.
    let shown = json_of(&bench, "ps().map(|run| [run.name, run.status, show(run).error])").await;
    let why = "interrupted: the shell that ran it died";
    assert_eq!(shown, json!([["once", "failed", why], ["again", "queued", why]]));
}

#[tokio::test]
async fn secrets_of_the_shell_reach_no_program() {
    let bench = Bench::new();
    let code = r#"let run = submit("env", "env"); while show(run).status != "succeeded" { sleep(0.1); } logs(run)"#;
    let secrets = ["ADMIN_SHELL_TOKEN", "ADMIN_SHELL_SECRET", "SESSION_TRACKER_SECRET"];
    let secret = "thirty-two-characters-of-a-secret";
    let output = program(&bench)
        .args(["--json", "-c", code])
        .envs(secrets.map(|name| (name, secret)))
        .env("ORDINARY", "kept")
        .output();
    let output = output.await.unwrap();
    let logs: String = serde_json::from_slice(&output.stdout).unwrap();
    assert!(logs.contains("stdout | ORDINARY=kept\n"), "{logs}");
    assert!(!logs.contains("ADMIN_SHELL_") && !logs.contains("SESSION_TRACKER_"), "{logs}");
}
