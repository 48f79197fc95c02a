//! What is on record when the journal fails: nothing that changes runs unrecorded, nothing is told twice, and what is
//! missing is counted.

use admin_shell::{
    WhenUnrecorded,
    event::{CallEnd, CommandEnd, CommandStart, EventKind, Hash, Status},
    session::Source,
    testing::{Faults, FaultySink, TestShell},
};
use serde_json::Value;

use super::desk::{Log, desk, shell, words};

async fn faulty() -> (TestShell, Log, Faults) {
    let (log, faults) = (Log::default(), Faults::new());
    let shell = TestShell::with_faults(shell(&log), &faults).await;
    shell.confirms("a test");
    (shell, log, faults)
}

#[tokio::test]
async fn reads_are_summed_and_changes_are_recorded_one_by_one() {
    let (shell, _) = desk().await;
    shell
        .run("for n in 0..3 { ps(); note(\"x\"); } try { show(\"r9\") } catch { } show(\"r1\"); print(\"four\")")
        .await
        .value::<Value>();
    let events = shell.events().await;
    let end: CommandEnd = events.last().and_then(admin_shell::Event::decode).expect("a command's end");
    let reads: Vec<_> = end.reads.iter().map(|(name, total)| (name.as_str(), total.calls, total.errors)).collect();
    assert_eq!(reads, [("ps", 3, 0), ("show", 2, 1)]);
    assert_eq!(words(&events).iter().filter(|word| word.starts_with("call_start note run")).count(), 3);
    let numbers: Vec<u64> = events.iter().filter_map(|event| event.decode::<CallEnd>()).map(|call| call.call).collect();
    assert_eq!(numbers, [2, 4, 6], "calls are numbered in their command, reads too");
}

#[tokio::test]
async fn the_digest_is_of_the_redacted_output() {
    let (shell, _) = desk().await;
    let ran = shell.run("print(\"password=hunter2\"); print(1); #{a: 1}").await;
    assert_eq!(ran.printed(), "password=hunter2\n1\n", "a person sees what was printed");
    let end: CommandEnd = shell.events().await.last().and_then(admin_shell::Event::decode).expect("a command's end");
    let output = "password=[redacted]\n1\n{\"a\":1}";
    assert_eq!((end.output_bytes, end.output_digest), (output.len() as u64, Hash::of(output.as_bytes()).to_string()));
}

/// Broken before anything: reads run with a warning, changes do not, and a gap says how much is missing.
#[tokio::test]
async fn without_a_journal_reads_run_and_changes_do_not() {
    let (shell, log, faults) = faulty().await;
    shell.run("1").await.value::<i64>();
    faults.break_down();
    let read = shell.run("ps().len").await;
    assert_eq!(read.outcome.warnings, ["not recorded: the disk that holds the journal is full"]);
    assert_eq!(read.value::<i64>(), 3);
    for code in ["note(\"x\")", "try { cancel(\"r1\") } catch { } note(\"x\")", "[2, 1].sort(|a, b| { sync(); a - b })"]
    {
        let change = shell.run(code).await;
        assert_eq!(change.status, Status::Refused, "{code}");
        assert_eq!(change.outcome.failure.as_ref().map(|failure| failure.kind.as_str()), Some("unrecorded"));
        assert!(change.fails().contains("changes something, and can not be recorded"), "{code}");
    }
    assert!(shell.asked().is_empty() || log.all().is_empty());
    faults.mend();
    shell.run("note(\"y\")").await.value::<Value>();
    assert_eq!(log.all(), ["note y"]);
    // Four commands without start and end, three of them with a change that was not even tried.
    let expected = [
        "session_start",
        "command_start",
        "command_end ok",
        "gap 11",
        "command_start",
        "call_start note run",
        "call_end note ok",
        "command_end ok",
    ];
    assert_eq!(words(&shell.events().await), expected);
}

#[tokio::test]
async fn nothing_runs_when_the_shell_says_so() {
    let (log, faults) = (Log::default(), Faults::new());
    let shell = TestShell::with_faults(shell(&log).when_unrecorded(WhenUnrecorded::RefuseAll), &faults).await;
    assert_eq!(shell.run("ps().len").await.value::<i64>(), 3);
    faults.break_down();
    let ran = shell.run("ps().len").await;
    assert_eq!(ran.status, Status::Refused);
    assert!(ran.fails().contains("nothing runs that can not be recorded: the disk that holds the journal is full"));
    faults.mend();
    assert_eq!(shell.run("ps().len").await.value::<i64>(), 3);
    let expected = ["session_start", "command_start", "command_end ok", "gap 2", "command_start", "command_end ok"];
    assert_eq!(words(&shell.events().await), expected);
}

/// The journal of a session that can not even record its start.
#[tokio::test]
async fn the_start_is_recorded_when_the_journal_comes_back() {
    let faults = Faults::new();
    faults.break_down();
    let log = Log::default();
    let shell = TestShell::with_faults(shell(&log), &faults).await;
    assert_eq!(shell.run("ps().len").await.value::<i64>(), 3);
    shell.run("sync()").await.fails();
    faults.mend();
    shell.run("sync()").await.value::<Value>();
    let expected =
        ["session_start", "gap 5", "command_start", "call_start sync run", "call_end sync ok", "command_end ok"];
    assert_eq!(words(&shell.events().await), expected);
    assert_eq!(log.all(), ["sync"]);
}

/// Its sinks begin then, and not never.
#[tokio::test]
async fn delivery_begins_when_the_journal_comes_back() {
    let (faults, sink) = (Faults::new(), FaultySink::new("faulty:"));
    faults.break_down();
    let shell = TestShell::with_faults(shell(&Log::default()).sink(sink.clone()), &faults).await;
    shell.run("ps().len").await.value::<i64>();
    faults.mend();
    shell.run("ps().len").await.value::<i64>();
    sink.until_called(1).await;
    shell.close().await;
    let kinds: Vec<String> = sink.taken().iter().map(|parcel| parcel.kind().as_str().to_owned()).collect();
    assert_eq!(kinds, ["session_start", "gap", "command_start", "command_end", "session_end"]);
}

#[tokio::test]
async fn a_call_whose_intent_is_not_stored_does_not_run() {
    let (shell, log, faults) = faulty().await;
    faults.break_down_at(EventKind::CallStart);
    assert!(
        shell
            .run("note(\"x\"); note(\"y\")")
            .await
            .fails()
            .contains("`note` changes something, and can not be recorded")
    );
    assert_eq!(log.all(), [""; 0]);
    faults.mend();
    shell.run("1").await.value::<i64>();
    // The command was announced before, so its end waits; the call is what is missing.
    let expected =
        ["session_start", "command_start", "command_end refused", "gap 1", "command_start", "command_end ok"];
    assert_eq!(words(&shell.events().await), expected);
}

/// Between a change and its outcome: the outcome waits, and no other change runs before it is written.
#[tokio::test]
async fn an_outcome_waits_and_changes_stop() {
    let (shell, log, faults) = faulty().await;
    faults.break_down_at(EventKind::CallEnd);
    let ran = shell.run("for n in 0..10 { note(`${n}`) }").await;
    assert_eq!(ran.status, Status::Refused);
    assert!(
        ran.outcome.warnings.iter().any(|warning| warning.starts_with("the outcome of `note` is not recorded yet")),
        "{:?}",
        ran.outcome.warnings
    );
    assert_eq!(log.all(), ["note 0"]);
    assert_eq!(shell.run("note(\"x\")").await.status, Status::Refused);
    assert_eq!(shell.run("ps().len").await.value::<i64>(), 3);
    faults.mend();
    shell.run("note(\"y\")").await.value::<Value>();
    assert_eq!(log.all(), ["note 0", "note y"]);
    let expected = [
        "session_start",
        "command_start",
        "call_start note run",
        "call_end note ok",
        "command_end refused",
        "gap 6",
        "command_start",
        "call_start note run",
        "call_end note ok",
        "command_end ok",
    ];
    assert_eq!(words(&shell.events().await), expected);
}

/// A fault that is gone at the next try stops nothing.
#[tokio::test]
async fn a_short_fault_stops_nothing() {
    let (shell, log, faults) = faulty().await;
    shell.run("1").await.value::<i64>();
    // command_start, call_start; the call_end fails once.
    faults.fail_after(2);
    shell.run("note(\"a\"); note(\"b\")").await.value::<Value>();
    assert_eq!(log.all(), ["note a", "note b"]);
    let expected = [
        "command_start",
        "call_start note run",
        "call_end note ok",
        "call_start note run",
        "call_end note ok",
        "command_end ok",
    ];
    assert_eq!(words(&shell.events().await)[3..], expected);
}

/// The journal can not say whether it has stored something: nothing is told twice, and nothing is lost.
#[tokio::test]
async fn an_unknown_commit_is_looked_up() {
    for stored in [true, false] {
        for (kind, ran, expected) in [
            (
                EventKind::SessionStart,
                true,
                vec!["command_start", "call_start note run", "call_end note ok", "command_end ok"],
            ),
            // Announced, perhaps; so it has an end. Nothing that changes may run in it.
            (EventKind::CommandStart, false, vec!["command_start", "command_end refused", "gap 1"]),
            // It was announced that it runs, perhaps; then it has to say that it did not.
            (
                EventKind::CallStart,
                false,
                vec!["command_start", "call_start note run", "call_end note refused", "command_end refused"],
            ),
            (
                EventKind::CallEnd,
                true,
                vec!["command_start", "call_start note run", "call_end note ok", "command_end ok"],
            ),
            (
                EventKind::CommandEnd,
                true,
                vec!["command_start", "call_start note run", "call_end note ok", "command_end ok"],
            ),
        ] {
            let faults = Faults::new();
            if stored {
                faults.unknown_stored_at(kind.clone());
            } else {
                faults.unknown_lost_at(kind.clone());
            }
            let log = Log::default();
            let shell = TestShell::with_faults(shell(&log), &faults).await;
            let outcome = shell.run("note(\"x\")").await;
            assert_eq!(outcome.status == Status::Ok, ran, "{kind} stored: {stored}: {:?}", outcome.failure());
            assert_eq!(log.all().len(), usize::from(ran), "{kind} stored: {stored}");
            shell.run("1").await.value::<i64>();
            let mut whole = vec!["session_start"];
            whole.extend(expected);
            whole.extend(["command_start", "command_end ok"]);
            let events = shell.events().await;
            assert_eq!(words(&events), whole, "{kind} stored: {stored}");
            let ids: std::collections::BTreeSet<_> = events.iter().map(admin_shell::Event::event_id).collect();
            assert_eq!(ids.len(), events.len(), "nothing is there twice");
            assert!(events.iter().enumerate().all(|(place, event)| event.seq() == place as u64));
        }
    }
}

/// Text of others can not make an event too large, which would stand in the way of all that follow.
#[tokio::test]
async fn words_of_others_are_cut() {
    let (shell, log) = desk().await;
    let long = "let s = \"\\x01\"; s.pad(1000000, \"\\x01\"); ";
    shell.run(&format!("{long} throw s")).await.fails();
    shell.run(&format!("{long} show(s)")).await.fails();
    assert_eq!(shell.run(&format!("{long} apply(|| {{ throw s }})")).await.status, Status::Error);
    shell.run("note(\"x\")").await.value::<Value>();
    assert_eq!(log.all(), ["note x"]);
    let events = shell.events().await;
    assert!(!words(&events).iter().any(|word| word.starts_with("gap")), "{:?}", words(&events));
}

#[tokio::test]
async fn text_as_it_comes() {
    let (shell, _) = desk().await;
    let recorded = async || {
        let events = shell.events().await;
        let start = events.iter().rev().find(|event| event.kind() == &EventKind::CommandStart).expect("a command");
        start.decode::<CommandStart>().expect("its body")
    };
    let cases: [(&[u8], Option<&str>, &str); 8] = [
        (b"1 + 1", None, "1 + 1"),
        (b"\xEF\xBB\xBF1 + 1", None, "1 + 1"),
        (b"1 +\r\n 1", None, "1 +\r\n 1"),
        (b"1 + \0 1", Some("a NUL character"), "1 + \\u{0} 1"),
        (b"1 + 1\r2", Some("a carriage return without a line feed"), "1 + 1\\r2"),
        (b"\"\xff\xfe\"", Some("bytes that are not UTF-8"), "\"\\xff\\xfe\""),
        (b"1 +", Some("ends too early"), "1 +"),
        (b"", None, ""),
    ];
    for (bytes, fault, text) in cases {
        for source in [Source::argument(bytes), Source::script("x.rhai", bytes)] {
            let ran = shell.run_source(source).await;
            match fault {
                None => assert_eq!(ran.status, Status::Ok, "{text}"),
                Some(fault) => assert!(ran.fails().contains(fault), "{text}"),
            }
            assert_eq!(recorded().await.input.as_deref(), Some(text));
        }
    }
    // A script file may begin with the program that runs it.
    let ran = shell.run_source(Source::script("x.rhai", &b"#!/usr/bin/env desk-shell\n1 + 1"[..])).await;
    assert_eq!(ran.value::<i64>(), 2);
    shell.run_source(Source::argument(&b"#!/usr/bin/env desk-shell\n1 + 1"[..])).await.fails();
    // Command style belongs to the prompt and to -c.
    shell.run_source(Source::argument(&b"errors 2"[..])).await.value::<Value>();
    shell.run_source(Source::script("x.rhai", &b"errors 2"[..])).await.fails();
    assert_eq!(recorded().await.source, "x.rhai");
}

#[tokio::test]
async fn input_that_no_event_can_hold() {
    let (shell, log) = desk().await;
    for filler in ["x", "\u{1}", "ä", "\""] {
        let text = format!("note(`{}`)", filler.repeat(300 * 1024 / filler.len()));
        let ran = shell.run(&text).await;
        assert!(ran.fails().contains("larger than an event may be (256 KiB)"));
        let events = shell.events().await;
        let start: CommandStart = events[events.len() - 2].decode().expect("a command's start");
        assert_eq!((start.input, start.input_bytes), (None, Some(text.len() as u64)));
        assert_eq!(start.input_digest, Some(Hash::of(text.as_bytes()).to_string()));
    }
    // What just fits runs.
    let text = format!("note(`{}`)", "x".repeat(190 * 1024));
    shell.run(&text).await.value::<Value>();
    assert_eq!(log.all().len(), 1);
}
