//! A person at a prompt: what is seen on a real terminal while lines are typed, stopped, asked about and recalled.

use admin_shell::event::{CallStart, CommandEnd, CommandStart, EndReason, EventKind, Status};

use crate::fixture::{CTRL_C, CTRL_D, ENTER, PROMPT, Place, TAB, Terminal, UP, bodies};

fn open(place: &Place) -> Terminal {
    // Tall: what scrolls away can not be compared.
    let terminal = place.victim().on_terminal(80, 100);
    terminal.ends_with(PROMPT);
    terminal
}

#[track_caller]
fn answers(terminal: &Terminal, line: &str, expected: &str) {
    let answer = terminal.run(line);
    assert_eq!(answer, expected, "in\n{}", terminal.screen());
}

#[test]
fn the_banner_says_what_this_is() {
    let place = Place::new();
    let terminal = open(&place);
    let screen = terminal.screen();
    terminal.keys(CTRL_D);
    terminal.leaves(0);
    let session = place.session();
    for line in [
        "victim 1.2.3 admin shell (type: victim)\nThis one is here to be killed.\nAdapters: disk (ready)\n".to_owned(),
        "Session Tracking: ✓ Enabled (local journal".to_owned(),
        format!("Session ID: {}\n", session.session_id),
        "Try: rows()  count()  echo()  nan()   Help: help()   Leave: exit() or Ctrl-D\n".to_owned(),
    ] {
        assert!(screen.contains(&line), "{line:?} is not in\n{screen}");
    }
    assert_eq!((session.mode.as_deref(), session.actor_kind.as_deref()), (Some("interactive"), Some("human")));
    let read_only = place.victim().arg("--read-only").on_terminal(80, 24);
    read_only.ends_with(PROMPT).shows("Mode: read-only, changes are refused\n");
    read_only.line("exit(3)");
    read_only.leaves(3);
}

#[test]
fn an_adapter_that_does_not_answer_holds_nobody_up() {
    let place = Place::new();
    let terminal = place.victim().env("VICTIM_HANG", "adapters").on_terminal(80, 24);
    terminal.ends_with(PROMPT).shows("Adapters: (no answer yet)\n");
    terminal.keys(CTRL_D);
    terminal.leaves(0);
    let terminal = place.victim().env("VICTIM_PANIC", "adapters").on_terminal(80, 24);
    terminal.ends_with(PROMPT).shows("failed to say how they are");
    terminal.keys(CTRL_D);
    terminal.leaves(0);
}

#[test]
fn state_is_kept_from_line_to_line() {
    let place = Place::new();
    let terminal = open(&place);
    answers(&terminal, "let a = 40;", "");
    answers(&terminal, "fn twice(x) { x * 2 }", "");
    answers(&terminal, "twice(a) + 4", "84\n");
    answers(&terminal, "echo hello", "hello\n");
    answers(&terminal, "print(\"no newline\"); ()", "no newline\n");
    answers(
        &terminal,
        "a +* 2",
        "error: `*` means nothing here\n --> repl:6:1:4\n  |\n1 | a +* 2\n  |    ^\n  |\n  = help: leave it out, or write it in quotes\n",
    );
    answers(&terminal, "a", "40\n");
    answers(
        &terminal,
        "panic()",
        "error: `panic` panicked: on purpose\n --> repl:8:1:1\n  |\n1 | panic()\n  | ^^^^^\n  |\n  = help: the session goes on; please report it\n",
    );
    answers(&terminal, "bump() + bump()", "3\n");
    terminal.line("exit()");
    terminal.leaves(0);
    let session = place.session();
    assert_eq!((session.commands, session.failed_commands, session.write_calls), (10, 2, 2));
    assert_eq!((session.end_reason, session.inferred), (Some(EndReason::Exit), false));
}

#[test]
fn an_input_goes_on_until_it_is_whole() {
    let place = Place::new();
    let terminal = open(&place);
    terminal.run("let total = 0;");
    terminal.line("for i in 0..4 {").keys("  total += i;").keys(ENTER);
    terminal.shows("Victim> for i in 0..4 {\n   ...>   total += i;\n   ...>").line("}");
    terminal.until("the next prompt", |screen| screen.matches(PROMPT).count() == 3 && screen.ends_with(PROMPT));
    answers(&terminal, "total", "6\n");
    terminal.keys(CTRL_D);
    terminal.leaves(0);
    let starts: Vec<CommandStart> = bodies(&place.events(&place.session().session_id), EventKind::CommandStart);
    assert_eq!(starts[1].input.as_deref(), Some("for i in 0..4 {\n  total += i;\n}"));
}

#[test]
fn an_input_that_is_not_whole_can_be_dropped() {
    let place = Place::new();
    let terminal = open(&place);
    for (before, key) in [CTRL_C, CTRL_D].into_iter().enumerate() {
        terminal.line("bump(");
        terminal.until("another line", |screen| screen.matches("\n   ...>").count() == before + 1);
        terminal.keys(key).ends_with(PROMPT);
        answers(&terminal, "1 + 1", "2\n");
    }
    terminal.keys(CTRL_D);
    terminal.leaves(0);
    assert_eq!(place.session().commands, 2);
}

/// What is pasted arrives as one input, its lines without the `;` that the language wants between them.
#[test]
fn the_statements_of_a_paste_are_commands() {
    let place = Place::new();
    let terminal = open(&place);
    let paste = |text: &str| terminal.keys("\u{1b}[200~").keys(text).keys("\u{1b}[201~").keys(ENTER);
    paste("let part = 20\n// a remark\nfor i in 0..2 {\n  part += i\n}\npart\n  + 21\necho hello");
    terminal.shows("\n42\nhello\n").ends_with(PROMPT);
    paste("let a = 1;\nlet b = 2;\na + b");
    terminal.shows("\n3\n").ends_with(PROMPT);
    paste("bump()\nfail_here()\nbump()\nbump()");
    terminal.shows("there is no function `fail_here`").shows("The 2 statements after it were not run.\n");
    terminal.ends_with(PROMPT);
    paste("bump()\nlet = 4\nbump()");
    terminal.shows(":2:5\n").ends_with(PROMPT);
    terminal.keys(CTRL_D);
    terminal.leaves(0);
    let starts: Vec<CommandStart> = bodies(&place.events(&place.session().session_id), EventKind::CommandStart);
    let inputs: Vec<&str> = starts.iter().filter_map(|start| start.input.as_deref()).collect();
    assert_eq!(
        inputs,
        [
            "let part = 20",
            "for i in 0..2 {\n  part += i\n}",
            "part\n  + 21",
            "echo hello",
            "let a = 1;\nlet b = 2;\na + b",
            "bump()",
            "fail_here()",
            "bump();\nlet = 4\nbump()",
        ]
    );
}

#[test]
fn results_fit_the_terminal() {
    let place = Place::new();
    let terminal = place.victim().on_terminal(50, 30);
    terminal.ends_with(PROMPT);
    answers(
        &terminal,
        "rows()",
        "ID     NAME     STATE    ATTEMPTS  NOTE\n\
         run_1  nightly  done            1  a note that is…\n\
         run_2  import   failed          2  a note that is…\n\
         run_3  report   running         3  a note that is…\n",
    );
    terminal.resize(120, 30);
    terminal.line("rows()");
    terminal
        .until("a wider table", |screen| screen.contains("a note that is long enough to be cut where the terminal"));
    terminal.resize(20, 30);
    terminal.run("rows()");
    terminal.keys(CTRL_D);
    terminal.leaves(0);
}

#[test]
fn tab_completes() {
    let place = Place::new();
    let terminal = open(&place);
    terminal.keys("appe").keys(TAB).shows("Victim> append_nonce");
    terminal.keys(CTRL_C).ends_with(PROMPT);
    terminal.run("let quantity = 3;");
    terminal.keys("quan").keys(TAB).shows("> quantity");
    terminal.keys(ENTER).shows("\n3\n").ends_with(PROMPT);
    // The fields of what was answered last, in their order.
    terminal.run("rows()");
    terminal.keys("rows()[0].no").keys(TAB).shows("rows()[0].note");
    terminal.keys(CTRL_C).ends_with(PROMPT);
    terminal.run("let first = rows()[0];");
    terminal.keys("first.na").keys(TAB).shows("> first.name");
    terminal.keys(CTRL_C).ends_with(PROMPT);
    terminal.keys(CTRL_D);
    terminal.leaves(0);
}

#[test]
fn history_is_recalled_kept_and_redacted() {
    let place = Place::new();
    let terminal = open(&place);
    answers(&terminal, "let b = 1; b + 1", "2\n");
    answers(&terminal, "login(\"ada\", \"correct-horse\")", "ada is in\n");
    terminal.keys(UP).shows("login(\"ada\", [redacted])");
    terminal.keys(CTRL_C).ends_with(PROMPT);
    assert!(!terminal.screen().contains("login(\"ada\", \"[redacted]\")"));
    terminal.keys(UP).keys(UP).until("the line before", |screen| screen.ends_with("Victim> let b = 1; b + 1"));
    terminal.keys(ENTER).ends_with(PROMPT);
    terminal.keys(CTRL_D);
    terminal.leaves(0);

    let again = open(&place);
    again.keys(UP).until("a line of the session before", |screen| screen.ends_with("Victim> let b = 1; b + 1"));
    // Two shells at once lose nothing of each other.
    let other = open(&place);
    answers(&other, "1 + 10", "11\n");
    again.keys(CTRL_C).ends_with(PROMPT);
    answers(&again, "1 + 20", "21\n");
    for terminal in [other, again] {
        terminal.keys(CTRL_D);
        terminal.leaves(0);
    }
    let kept = std::fs::read_to_string(place.home("state").join("victim.history")).unwrap();
    let lines: Vec<&str> = kept.lines().collect();
    assert_eq!(lines, ["let b = 1; b + 1", "login(\"ada\", [redacted])", "let b = 1; b + 1", "1 + 10", "1 + 20"]);
}

#[test]
fn control_c_at_the_prompt_drops_the_line() {
    let place = Place::new();
    let terminal = open(&place);
    terminal.keys("bump(").keys(CTRL_C);
    terminal.until("a new prompt", |screen| screen.matches(PROMPT).count() == 2 && screen.ends_with(PROMPT));
    terminal.line("fn f() {").keys(CTRL_C);
    terminal.until("a new prompt", |screen| screen.matches(PROMPT).count() == 3 && screen.ends_with(PROMPT));
    answers(&terminal, "count()", "0\n");
    terminal.keys(CTRL_D);
    terminal.leaves(0);
    assert_eq!(place.session().commands, 1);
}

#[test]
fn control_c_stops_what_runs_and_the_session_lives_on() {
    let place = Place::new();
    let terminal = open(&place);
    for (line, begins, status) in [
        ("print(\"loop begins\"); loop { }", "loop begins", Status::Cancelled),
        ("slow(1000)", "slow begins", Status::Cancelled),
        ("print(\"sleep begins\"); sleep(1000)", "sleep begins", Status::Cancelled),
        ("print(\"try begins\"); loop { try { slow(1000) } catch { } }", "try begins", Status::Cancelled),
        ("block(1000)", "block begins", Status::Unknown),
    ] {
        // From a clean screen: what stands there from before must not be taken for an answer.
        terminal.clear();
        terminal.line(line);
        terminal
            .until(begins, |screen| screen.matches(begins).count() == 2 || screen.lines().any(|line| line == begins));
        let begun = std::time::Instant::now();
        terminal.keys(CTRL_C);
        terminal.until("the prompt again", |screen| screen.ends_with(PROMPT));
        let took = begun.elapsed();
        assert!(took.as_secs() < 5, "{line}: stopping took {took:?}");
        let _ = status;
    }
    answers(&terminal, "1 + 1", "2\n");
    terminal.keys(CTRL_D);
    terminal.leaves(0);
    let ends: Vec<CommandEnd> = bodies(&place.events(&place.session().session_id), EventKind::CommandEnd);
    let statuses: Vec<&str> = ends.iter().map(|end| end.status.as_str()).collect();
    assert_eq!(statuses, ["cancelled", "cancelled", "cancelled", "cancelled", "cancelled", "ok"]);
}

#[test]
fn what_destroys_is_asked_about() {
    let place = Place::new();
    place.file("effects", "something\n");
    let terminal = open(&place);
    let ask = |answers: &[&str]| {
        terminal.clear();
        terminal
            .line("wipe(\"the file\")")
            .shows("wipe(\"the file\")\n  `wipe` destroys something\nType yes to run it:");
        terminal.until_raw();
        for answer in answers {
            terminal.until_raw();
            terminal.keys(answer);
        }
        terminal.ends_with(PROMPT);
        terminal.screen()
    };
    for answers in [&["no\r"][..], &["\r"], &["y\r"], &[CTRL_C], &[CTRL_D]] {
        let screen = ask(answers);
        assert!(screen.contains("\nNot run.\nerror: `wipe` was not confirmed\n"), "{answers:?}: {screen}");
        assert_eq!(place.nonces(), ["something"]);
    }
    let line = |answer: &str, next: &str| {
        terminal.line(answer).shows(next);
        terminal.until_raw();
    };
    for reason in ["", "  "] {
        terminal.clear();
        line("wipe(\"the file\")", "Type yes to run it:");
        line("yes", "Reason, for the record:");
        terminal.line(reason).shows("Not run.").ends_with(PROMPT);
    }
    terminal.clear();
    line("wipe(\"the file\")", "Type yes to run it:");
    line("yes", "Reason, for the record:");
    terminal.line("the disk is full").shows("the file is wiped: the disk is full\n").ends_with(PROMPT);
    assert!(place.nonces().is_empty());
    terminal.keys(UP).until("the line, not the answers", |screen| screen.ends_with("Victim> wipe(\"the file\")"));
    terminal.keys(CTRL_C).ends_with(PROMPT).keys(CTRL_D);
    terminal.leaves(0);

    let session = place.session();
    assert_eq!((session.commands, session.destroy_calls, session.failed_commands), (8, 1, 7));
    let calls: Vec<CallStart> = bodies(&place.events(&session.session_id), EventKind::CallStart);
    let verdicts: Vec<&str> = calls.iter().map(|call| call.decision.verdict.as_str()).collect();
    assert_eq!(verdicts, ["refused", "refused", "refused", "refused", "refused", "refused", "refused", "confirmed"]);
}

#[test]
fn what_is_typed_ahead_confirms_nothing() {
    let place = Place::new();
    place.file("effects", "something\n");
    let terminal = open(&place);
    let go = place.path("go");
    terminal.line(&format!("wait_for({:?}); wipe()", go.to_str().unwrap())).shows("\nwait begins");
    terminal.line("yes").enter("I did not read it", "\nI did not read it");
    std::fs::write(go, "").unwrap();
    terminal.shows("Type yes to run it:").until_raw();
    terminal.keys(CTRL_C).shows("Not run.");
    terminal.ends_with(PROMPT).keys(CTRL_D);
    terminal.leaves(0);
    assert_eq!(place.nonces(), ["something"]);
}

#[test]
fn a_secret_is_asked_for_without_echo() {
    let place = Place::new();
    let terminal = open(&place);
    terminal.line("ask_secret()").shows("Token:").until_raw();
    terminal.line("hunter2-hunter2").shows("given, 15 characters\n").ends_with(PROMPT);
    answers(&terminal, "echo(\"hunter2-hunter2\")", "hunter2-hunter2\n");
    terminal.clear().line("ask_secret()").shows("Token:").until_raw();
    terminal.keys("half").keys(CTRL_C).shows("not given\n").ends_with(PROMPT);
    terminal.keys(CTRL_D);
    terminal.leaves(0);
    let journal: Vec<u8> = place.files().iter().flat_map(|file| std::fs::read(file).unwrap()).collect();
    assert!(!journal.windows(7).any(|window| window == b"hunter2"));
}

#[test]
fn a_hook_that_panics_refuses_and_the_session_lives_on() {
    let place = Place::new();
    let terminal = place.victim().env("VICTIM_PANIC", "before,after,end").on_terminal(80, 24);
    terminal.ends_with(PROMPT);
    answers(&terminal, "bump()", "error: the check before the command failed: it panicked; the log says where\n");
    answers(&terminal, "bump()", "error: the check before the command failed: it panicked; the log says where\n");
    terminal.keys(CTRL_D);
    terminal.leaves(0);
    let session = place.session();
    assert_eq!((session.end_reason, session.commands, session.write_calls), (Some(EndReason::Eof), 2, 0));
}

#[test]
fn colours_are_for_those_who_want_them() {
    let place = Place::new();
    let colours = |terminal: Terminal| {
        terminal.ends_with(PROMPT).line("fail()").shows("it did not work").ends_with(PROMPT);
        terminal.keys(CTRL_D);
        terminal.leaves(0).out.contains("\x1b[1m\x1b[91m")
    };
    let plain = colours(place.victim().env("NO_COLOR", "").arg("--no-color").on_terminal(80, 24));
    let unwanted = colours(place.victim().on_terminal(80, 24));
    let coloured = colours(place.victim().env("NO_COLOR", "").on_terminal(80, 24));
    assert_eq!((plain, unwanted, coloured), (false, false, true));
}

#[test]
fn a_terminal_that_knows_nothing_is_enough() {
    let place = Place::new();
    let terminal = place.victim().env("TERM", "dumb").on_terminal(80, 24);
    terminal.shows(PROMPT);
    terminal.line("1 + 1").shows("\n2\n");
    for (before, line) in ["for i in 0..2 {", "print(i)"].into_iter().enumerate() {
        terminal.line(line).until("another line", |screen| screen.matches("   ...>").count() == before + 1);
    }
    terminal.line("}").shows("\n0\n1\n");
    terminal.keys(CTRL_D);
    terminal.leaves(0);
}
