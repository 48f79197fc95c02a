//! A session from line to line: what it keeps, whom it serves, and how it ends.

use std::time::{Duration, Instant};

use admin_shell::{
    Actor, EndReason, Session,
    event::{ActorKind, SessionEnd, Status},
    session::{Check, Console, Question},
    testing::TestShell,
};
use serde_json::Value;

use super::desk::{Log, desk, shell, until, words};

struct Silent;

impl Console for Silent {
    fn print(&mut self, _: &str) {}

    fn ask(&mut self, _: &Question) -> Option<String> {
        None
    }

    fn secret(&mut self, _: &str) -> Option<String> {
        None
    }

    fn progress(&mut self, _: &str, _: Option<f64>) {}
}

#[tokio::test]
async fn variables_functions_and_imports_are_kept() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("tools.rhai"), "fn twice(n) { n * 2 }\nexport const ANSWER = 42;")
        .expect("a module");
    let log = Log::default();
    let shell = TestShell::of(shell(&log).scripts(directory.path())).await;
    for line in [
        "let x = 1;",
        "let x = x + 1; let y = 10;",
        "fn add(a, b) { a + b }",
        "const LIMIT = 3;",
        "import \"tools\" as tools;",
        "let later = |n| n + x;",
        "{ let inside = 1; }",
    ] {
        shell.run(line).await.value::<Value>();
    }
    for (code, expected) in [
        ("x", 2),
        ("add(x, y)", 12),
        ("tools::twice(LIMIT)", 6),
        ("tools::ANSWER", 42),
        ("later.call(5)", 7),
        ("x = 5; later.call(5)", 10),
        ("fn add(a, b) { a - b } add(3, 1)", 2),
        ("add(3, 1)", 2),
        ("each([1], |n| add(n, 1))[0]", 0),
    ] {
        assert_eq!(shell.run(code).await.value::<i64>(), expected, "{code}");
    }
    shell.run("inside").await.fails();
    shell.run("LIMIT = 4").await.fails();
}

#[tokio::test]
async fn a_line_that_fails_keeps_what_came_before_its_failure() {
    let (shell, _) = desk().await;
    shell
        .run("let kept = 1; fn defined(n) { n + kept_not(n) } let f = |n| n + 1; show(\"r9\"); let lost = 2;")
        .await
        .fails();
    assert_eq!(shell.run("kept").await.value::<i64>(), 1);
    assert_eq!(shell.run("f.call(1)").await.value::<i64>(), 2);
    shell.run("lost").await.fails();
    // An error in a function of an earlier line is shown there.
    assert_eq!(
        shell.run("let a = 1;\ndefined(a)").await.fails(),
        "error: there is no function `kept_not`
 --> repl:1:1:35
  |
1 | let kept = 1; fn defined(n) { n + kept_not(n) } let f = |n| n + 1; show(\"r9\"); let lost = 2;
  |                                   ^^^^^^^^
  |
  = help: help() lists the helpers; for a function of the language, check what it is called on"
    );
    shell.run("fn broken( {").await.fails();
    assert_eq!(shell.run("kept").await.value::<i64>(), 1);
}

#[tokio::test]
async fn whether_a_text_is_a_whole_input() {
    let (shell, _) = desk().await;
    let session = shell.session();
    for text in ["1 + 1", "ps", "errors 2", "fn f() { }", "", "// a comment", "errors \"2"] {
        assert_eq!(session.check(text), Check::Complete, "{text}");
    }
    for text in
        ["fn f(", "fn f() {", "let x = [1,", "if true {", "show(", "let s = `a", "1 +", "#{a: 1", "login(\"ada\","]
    {
        assert_eq!(session.check(text), Check::Incomplete, "{text}");
    }
    for text in ["1 + )", "let = 1", "\"abc", "eval(\"1\")", "go(1)"] {
        assert!(matches!(session.check(text), Check::Wrong(_)), "{text}");
    }
    let Check::Wrong(failure) = session.check("login(\"ada\", \"hunter2\") )") else { panic!("it is wrong") };
    assert!(!format!("{failure:?}").contains("hunter2"), "{failure:?}");
}

#[tokio::test]
async fn exit_codes() {
    let (shell, _) = desk().await;
    for (code, exit) in
        [("exit", 0), ("exit()", 0), ("exit(0)", 0), ("exit(255)", 255), ("let f = || exit(7); f.call()", 7)]
    {
        let ran = shell.run(code).await;
        assert_eq!((ran.status, ran.outcome.exit), (Status::Ok, Some(exit)), "{code}");
    }
    assert_eq!(shell.run("exit(256)").await.outcome.exit, None);
}

/// One session, many tasks: commands take turns, and each is recorded as a whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_share_a_session() {
    let (shell, log) = desk().await;
    let tasks: Vec<_> = (0..20)
        .map(|n| {
            let session = shell.session().clone();
            tokio::spawn(async move { session.execute(&format!("note(\"{n}\"); wait(0.002); {n}"), Silent).await })
        })
        .collect();
    let mut numbers = Vec::new();
    for (n, task) in tasks.into_iter().enumerate() {
        let outcome = task.await.expect("no task panics").expect("the session is open");
        assert_eq!(outcome.value, Value::from(n));
        numbers.push(outcome.command);
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=20).collect::<Vec<u64>>());
    assert_eq!(log.all().len(), 20);
    let events = words(&shell.events().await);
    assert!(
        events[1..]
            .chunks(4)
            .all(|command| command == ["command_start", "call_start note run", "call_end note ok", "command_end ok"]),
        "{events:?}"
    );
}

/// Whoever drops the future interrupts the command; its outcome is recorded all the same.
#[tokio::test]
async fn a_dropped_future_interrupts() {
    let (shell, log) = desk().await;
    tokio::select! {
        _ = shell.session().execute("note(\"x\"); wait(100); note(\"y\")", Silent) => panic!("it waits"),
        () = until(|| !log.all().is_empty()) => {}
    }
    // One that waits for its turn is given up as well, and is not recorded.
    let session = shell.session().clone();
    let busy = tokio::spawn(async move { session.execute("note(\"busy\"); wait(0.5)", Silent).await });
    until(|| log.all().len() == 2).await;
    let waiting = tokio::time::timeout(Duration::from_millis(20), shell.session().execute("note(\"z\")", Silent)).await;
    assert!(waiting.is_err());
    busy.await.expect("no panic").expect("the session is open");
    assert_eq!(shell.run("1 + 1").await.value::<i64>(), 2);
    assert_eq!(log.all(), ["note x", "note busy"]);
    let expected = [
        "session_start",
        "command_start",
        "call_start note run",
        "call_end note ok",
        "command_end cancelled",
        "command_start",
        "call_start note run",
        "call_end note ok",
        "command_end ok",
        "command_start",
        "command_end ok",
    ];
    assert_eq!(words(&shell.events().await), expected);
}

#[tokio::test]
async fn it_ends_once_and_takes_nothing_after() {
    let (shell, log) = desk().await;
    let running = shell.session().clone();
    let running = tokio::spawn(async move { running.execute("note(\"x\"); wait(100)", Silent).await });
    until(|| !log.all().is_empty()).await;
    let started = Instant::now();
    let ends = (0..3).map(|n| {
        let session: Session = shell.session().clone();
        async move { session.close(if n == 0 { EndReason::Terminated } else { EndReason::Exit }).await }
    });
    futures_util::future::join_all(ends).await.into_iter().for_each(|ended| ended.expect("it is recorded"));
    assert!(started.elapsed() < Duration::from_secs(2));
    assert_eq!(running.await.expect("no panic").expect("it was taken").status, Status::Cancelled);
    let error = shell.session().execute("note(\"y\")", Silent).await.expect_err("the session has ended");
    assert_eq!(error.to_string(), "the session has ended (terminated)");
    assert_eq!(log.all(), ["note x", "end terminated"]);
    let events = shell.events().await;
    assert_eq!(words(&events).last().map(String::as_str), Some("session_end"));
    let end: SessionEnd = events.last().and_then(admin_shell::Event::decode).expect("the end");
    assert_eq!((end.reason, end.commands, end.failed_commands), (EndReason::Terminated, 1, 1));
}

/// Somebody is asked, and the session ends meanwhile: a late yes runs nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_yes_runs_nothing() {
    struct Late(std::sync::Arc<std::sync::atomic::AtomicBool>, std::sync::mpsc::Receiver<()>);

    impl Console for Late {
        fn print(&mut self, _: &str) {}

        fn ask(&mut self, _: &Question) -> Option<String> {
            self.0.store(true, std::sync::atomic::Ordering::Relaxed);
            let _ = self.1.recv();
            Some("too late".to_owned())
        }

        fn secret(&mut self, _: &str) -> Option<String> {
            None
        }

        fn progress(&mut self, _: &str, _: Option<f64>) {}
    }

    let (shell, log) = desk().await;
    let (answer, late) = std::sync::mpsc::channel();
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let late = Late(std::sync::Arc::clone(&asked), late);
    let asking = shell.session().clone();
    let asking = tokio::spawn(async move { asking.execute("cancel(\"r1\")", late).await });
    until(|| asked.load(std::sync::atomic::Ordering::Relaxed)).await;
    shell.close().await;
    answer.send(()).expect("it waits");
    assert_ne!(asking.await.expect("no panic").expect("it was taken").status, Status::Ok);
    assert_eq!(log.all(), ["end exit"]);
    let events = words(&shell.events().await);
    assert_eq!(events, ["session_start", "command_start", "session_end"], "nothing comes after the end");
}

/// A host program's own sessions, on one thread and on many, several at once over one component.
#[test]
fn a_host_opens_sessions() {
    let directory = tempfile::tempdir().expect("a directory");
    let log = Log::default();
    let serve = async {
        let shell = shell(&log).database(directory.path().join("journal.db"));
        let mut sessions = Vec::new();
        for name in ["ada", "grace"] {
            sessions.push(shell.open(Actor::stated(name, ActorKind::Agent)).await.expect("it opens"));
        }
        for session in &sessions {
            let outcome =
                session.execute("let mine = session().user; note(mine); each([1, 2], |n| note(`${n}`)); mine", Silent);
            let outcome = outcome.await.expect("it is open");
            assert_eq!(outcome.value, session.info().actor.user.username.as_str(), "{:?}", outcome.failure);
        }
        for session in sessions {
            session.close(EndReason::Done).await.expect("it ends");
        }
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(serve);
    assert_eq!(log.all(), ["note ada", "note 1", "note 2", "note grace", "note 1", "note 2", "end done", "end done"]);
}
