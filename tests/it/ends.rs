//! Every way in which a session ends: a real end with its reason and exit code in the journal, and a terminal that is as
//! it was. `Terminal::wait` compares the terminal's modes each time.

use std::time::{Duration, Instant};

use admin_shell::{
    event::{CommandEnd, EndReason, EventKind, SessionEnd},
    journal::{Journal, SessionStatus},
    recorder::{Ended, end_session, sweep},
};
use rustix::process::Signal;

use crate::fixture::{CTRL_D, PROMPT, Place, Ran, Terminal, bodies, eventually};

fn open(place: &Place) -> Terminal {
    let terminal = place.victim().on_terminal(80, 50);
    terminal.ends_with(PROMPT);
    terminal
}

/// The reason and exit code that the only session recorded itself.
#[track_caller]
fn ended(place: &Place) -> (EndReason, i32) {
    let session = place.session();
    assert!(!session.inferred && session.status == SessionStatus::Ended, "{session:#?}");
    let mut ends: Vec<SessionEnd> = bodies(&place.events(&session.session_id), EventKind::SessionEnd);
    let end = ends.pop().expect("an end");
    assert!(ends.is_empty(), "it ends once");
    assert_eq!(session.end_reason, Some(end.reason));
    (end.reason, end.exit_code)
}

/// What a session can be doing when its end comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Waiting,
    Typing,
    Looping,
    Awaiting,
    Blocking,
    Asking,
    AskingSecret,
}

impl Doing {
    const ALL: [Self; 7] =
        [Self::Waiting, Self::Typing, Self::Looping, Self::Awaiting, Self::Blocking, Self::Asking, Self::AskingSecret];

    /// A shell on a terminal that does it.
    #[track_caller]
    fn begin(self, place: &Place) -> Terminal {
        let terminal = open(place);
        match self {
            Self::Waiting => terminal.until_raw(),
            Self::Typing => terminal.keys("let half_a_li").shows("half_a_li"),
            Self::Looping => terminal.enter("print(\"looping\"); loop { bump() }", "\nlooping"),
            Self::Awaiting => terminal.enter("slow(1000)", "\nslow begins"),
            Self::Blocking => terminal.enter("block(1000)", "\nblock begins"),
            Self::Asking => terminal.enter("wipe()", "Type yes to run it:").until_raw(),
            Self::AskingSecret => terminal.enter("ask_secret()", "\nToken:").until_raw(),
        };
        terminal
    }
}

#[test]
fn control_d_and_exit() {
    for (line, code, reason) in [
        ("", 0, EndReason::Eof),
        ("exit()", 0, EndReason::Exit),
        ("exit", 0, EndReason::Exit),
        ("exit(3)", 3, EndReason::Exit),
    ] {
        let place = Place::new();
        let terminal = open(&place);
        if line.is_empty() {
            terminal.keys(CTRL_D)
        } else {
            terminal.line(line)
        };
        terminal.leaves(code);
        assert_eq!(ended(&place), (reason, code), "{line}");
    }
}

#[test]
fn sigterm_whatever_it_is_doing() {
    for doing in Doing::ALL {
        let place = Place::new();
        let terminal = doing.begin(&place);
        terminal.signal(Signal::TERM);
        let ran = terminal.leaves(143);
        assert!(ran.out.contains("error: ended by SIGTERM"), "{doing:?}: {}", ran.out);
        assert_eq!(ended(&place), (EndReason::Signal, 143), "{doing:?}");
    }
}

#[test]
fn other_signals() {
    for (signal, code, reason) in [(Signal::QUIT, 131, EndReason::Signal), (Signal::HUP, 129, EndReason::Hangup)] {
        for doing in [Doing::Waiting, Doing::Looping] {
            let place = Place::new();
            let terminal = doing.begin(&place);
            terminal.signal(signal);
            terminal.leaves(code);
            assert_eq!(ended(&place), (reason, code), "{doing:?}");
        }
    }
    // At a prompt, SIGINT from elsewhere has nothing to interrupt.
    let place = Place::new();
    let terminal = open(&place);
    terminal.signal(Signal::INT);
    // It may reach the next command instead, which is not what this is about.
    terminal.run("0");
    assert_eq!(terminal.run("1 + 1"), "2\n");
    terminal.keys(CTRL_D);
    terminal.leaves(0);
}

#[test]
fn a_terminal_that_is_closed_whatever_it_is_doing() {
    for doing in Doing::ALL {
        let place = Place::new();
        let ran = doing.begin(&place).hang_up();
        assert_eq!(ran.code(), Some(129), "{doing:?}: {ran:?}");
        assert_eq!(ended(&place), (EndReason::Hangup, 129), "{doing:?}");
    }
}

#[test]
fn a_command_that_was_stopped_has_its_outcome() {
    let place = Place::new();
    let terminal = Doing::Awaiting.begin(&place);
    terminal.signal(Signal::TERM);
    terminal.leaves(143);
    let session = place.session();
    let ends: Vec<CommandEnd> = bodies(&place.events(&session.session_id), EventKind::CommandEnd);
    assert_eq!(ends.iter().map(|end| end.status.as_str()).collect::<Vec<_>>(), ["cancelled"]);
}

#[test]
fn a_terminal_that_is_held_does_not_hold_the_end() {
    const CTRL_S: &str = "\x13";
    let place = Place::new();
    let terminal = open(&place);
    terminal.enter("spew(3); slow(1000)", "slow begins").keys(CTRL_S);
    terminal.signal(Signal::TERM);
    let begun = Instant::now();
    terminal.leaves(143);
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert_eq!(ended(&place), (EndReason::Signal, 143));
}

#[test]
fn signals_without_a_terminal() {
    let code = |place: &Place, code: &str, signal| {
        let go = place.path("go");
        let running = place.victim().args(["-c", &format!("append_nonce(\"here\"); {code}")]).start();
        eventually("it runs", || (!place.nonces().is_empty()).then_some(()));
        drop(go);
        running.signal(signal);
        running.wait()
    };
    for (signal, exit, reason) in [
        (Signal::TERM, 143, EndReason::Signal),
        (Signal::INT, 130, EndReason::Signal),
        (Signal::QUIT, 131, EndReason::Signal),
        (Signal::HUP, 129, EndReason::Hangup),
    ] {
        for busy in ["slow(1000)", "loop { }", "block(1000)"] {
            let place = Place::new();
            let ran = code(&place, busy, signal);
            assert_eq!(ran.code(), Some(exit), "{signal:?} {busy}: {ran:?}");
            assert_eq!(ended(&place), (reason, exit), "{signal:?} {busy}");
        }
    }
}

#[test]
fn signals_while_a_script_is_still_read() {
    for (signal, exit) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let place = Place::new();
        let running = place.victim().arg("--json").waiting_for_input().start();
        eventually("it is open", || place.sessions_if_any().pop());
        running.signal(signal);
        let ran = running.wait();
        assert_eq!(ran.code(), Some(exit), "{ran:?}");
        let document: serde_json::Value = serde_json::from_str(&ran.out).expect("one document");
        assert_eq!(document["error"]["kind"], "signal");
        assert_eq!(ended(&place), (EndReason::Signal, exit));
    }
}

#[test]
fn a_signal_that_was_ignored_stays_ignored() {
    let place = Place::new();
    let go = place.path("go");
    let code = format!("append_nonce(\"here\"); wait_for({:?}); 42", go.to_str().unwrap());
    let running = place.victim().ignoring("HUP INT QUIT").args(["-c", &code]).start();
    eventually("it runs", || (!place.nonces().is_empty()).then_some(()));
    for signal in [Signal::HUP, Signal::INT, Signal::QUIT] {
        running.signal(signal);
    }
    std::fs::write(go, "").unwrap();
    let ran = running.wait();
    assert_eq!((ran.code(), ran.out.as_str()), (Some(0), "wait begins\n42\n"), "{ran:?}");
}

#[test]
fn trouble_before_the_first_command() {
    for (variable, place_of, reason, message) in [
        ("VICTIM_PANIC", "open", EndReason::Panic, "`victim` panicked while it opened; the log says where"),
        ("VICTIM_ERROR", "open", EndReason::Error, "opening `victim`: asked to fail in open"),
        (
            "VICTIM_PANIC",
            "redact",
            EndReason::Panic,
            "`victim` panicked while its session was opened; the log says where",
        ),
        ("VICTIM_PANIC", "on_start", EndReason::Panic, "`victim` panicked while it started; the log says where"),
        ("VICTIM_ERROR", "on_start", EndReason::Error, "starting `victim`: asked to fail in on_start"),
    ] {
        let place = Place::new();
        let expected = format!("error: {message}\n");
        place.victim().env(variable, place_of).args(["-c", "bump()"]).fails(1, &expected);
        assert_eq!(ended(&place), (reason, 1), "{variable}={place_of}");
        assert_eq!(place.session().commands, 0);
        let place = Place::new();
        let ran = place.victim().env(variable, place_of).on_terminal(80, 24).leaves(1);
        assert!(ran.out.contains(message), "{}", ran.out);
        assert_eq!(ended(&place), (reason, 1), "{variable}={place_of} on a terminal");
        if variable == "VICTIM_PANIC" {
            let log = std::fs::read_to_string(place.home("state").join("victim-shell.log")).unwrap();
            assert!(log.contains("tests/programs/victim.rs") && log.contains("asked to panic"), "{log}");
        }
    }
}

#[test]
fn helpers_that_are_wrong_are_a_failed_start() {
    let place = Place::new();
    let expected =
        "error: the helpers of `victim` are not right:\n  `eval` is a word of the language or of the shell\n";
    place.victim().env("VICTIM_ERROR", "helpers").args(["-c", "1"]).fails(1, expected);
    assert_eq!(ended(&place), (EndReason::Error, 1));
}

#[test]
fn a_panic_of_the_shell_itself() {
    for place_of in ["prompt", "banner"] {
        let place = Place::new();
        let ran = place.victim().env("VICTIM_PANIC", place_of).on_terminal(80, 24).leaves(1);
        assert!(
            ran.out.contains("error: `victim` panicked; the session is over, and the log says where"),
            "{}",
            ran.out
        );
        assert_eq!(ended(&place), (EndReason::Panic, 1), "{place_of}");
    }
}

#[test]
fn a_renderer_that_panics_is_left_out() {
    let place = Place::new();
    let terminal = open(&place);
    let shown = terminal.run("\"renderer\"");
    assert_eq!(shown, "warning: the component's renderer panicked; the log says where\nrenderer\n");
    assert_eq!(terminal.run("1 + 1"), "2\n");
    terminal.keys(CTRL_D);
    terminal.leaves(0);
}

#[test]
fn a_start_that_hangs_can_be_ended() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let place = Place::new();
        let terminal = place.victim().env("VICTIM_HANG", "on_start").on_terminal(80, 24);
        eventually("its start is recorded", || place.sessions_if_any().pop());
        terminal.signal(signal);
        terminal.leaves(code);
        assert_eq!(ended(&place), (EndReason::Signal, code));
    }
}

#[test]
fn a_hook_that_hangs_at_the_end_is_left_behind() {
    let place = Place::new();
    let terminal = place.victim().env("VICTIM_HANG", "end").on_terminal(80, 24);
    terminal.ends_with(PROMPT).keys(CTRL_D);
    terminal.leaves(0);
    assert_eq!(ended(&place), (EndReason::Eof, 0));
}

/// Asks the only session to end, as somebody else.
#[track_caller]
fn ask_to_end(place: &Place, why: &str) -> Ended {
    let session = eventually("an open session", || place.sessions_if_any().pop());
    let database = place.database();
    place.ask(async |journal| end_session(journal, &database, &session, "grace@desk", why).await.expect("it is asked"))
}

#[test]
fn an_end_that_somebody_else_asks_for() {
    for doing in Doing::ALL {
        let place = Place::new();
        let terminal = doing.begin(&place);
        assert_eq!(ask_to_end(&place, "the machine\x1b[31m goes down"), Ended::Requested, "{doing:?}");
        let begun = Instant::now();
        let ran = terminal.leaves(1);
        assert!(begun.elapsed() < Duration::from_secs(15), "{doing:?}: {:?}", begun.elapsed());
        assert!(
            ran.out.contains("this session was ended by grace@desk: the machine\\u{1b}[31m goes down"),
            "{}",
            ran.out
        );
        assert_eq!(ended(&place), (EndReason::Operator, 1), "{doing:?}");
        assert_eq!(place.observed(&place.session().session_id), ["end_requested"]);
        assert_eq!(ask_to_end(&place, "again"), Ended::Already);
    }
    let place = Place::new();
    let running = place.victim().args(["--json", "-c", "slow(1000)"]).start();
    assert_eq!(ask_to_end(&place, "enough"), Ended::Requested);
    let ran: Ran = running.wait();
    assert_eq!(ran.code(), Some(1));
    let document: serde_json::Value = serde_json::from_str(&ran.out).expect("one document");
    assert_eq!(document["error"]["message"], "this session was ended by grace@desk: enough");
}

#[test]
fn who_dies_without_a_word_is_observed_by_the_next() {
    let place = Place::new();
    let ran = place.victim().args(["-c", "bump(); abort()"]).run();
    assert!(ran.signal().is_some(), "{ran:?}");
    let terminal = Doing::Blocking.begin(&place);
    terminal.kill();
    let alive = open(&place);
    // A session of one short command sweeps as well.
    place.victim().args(["-c", "1"]).prints("1\n");
    let crashed = (SessionStatus::Crashed, Some(EndReason::Crashed));
    let done = (SessionStatus::Ended, Some(EndReason::Done));
    let expected = [crashed, crashed, (SessionStatus::Active, None), done];
    // Whichever of the two sweeps takes the lock of a dead one, it needs a moment to say so.
    eventually("all is said", || {
        let statuses = place.sessions().into_iter().map(|session| (session.status, session.end_reason));
        statuses.eq(expected).then_some(())
    });
    for session in &place.sessions()[..2] {
        assert_eq!(place.observed(&session.session_id), ["crashed"], "once");
    }
    alive.keys(CTRL_D);
    alive.leaves(0);
    let left: Vec<_> = std::fs::read_dir(place.home("data").join("live")).unwrap().collect();
    assert!(left.is_empty(), "no lock is left: {left:?}");
}

#[test]
fn a_lock_without_a_session_is_cleared_away() {
    let place = Place::new();
    place.victim().args(["-c", "1"]).prints("1\n");
    let session = place.session().session_id;
    let live = place.home("data").join("live");
    // Ended just before it could remove its lock; never recorded; no session at all; being made at this moment.
    for name in [session.as_str(), admin_shell::event::SessionId::new().as_str(), "notes", ".new-sess_x"] {
        std::fs::write(live.join(name), "").unwrap();
    }
    let database = place.database();
    let crashed = place.ask(async |journal| sweep(journal as &dyn Journal, &database, "a test").await.unwrap());
    assert!(crashed.is_empty());
    let mut left: Vec<_> = std::fs::read_dir(live).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, [".new-sess_x", "notes"]);
    assert!(place.observed(&session).is_empty());
}

#[test]
fn whoever_leaves_hears_what_is_cut_short_and_leaves_at_the_second_try() {
    let place = Place::new();
    let terminal = place.victim().env("VICTIM_HANG", "leaving").on_terminal(80, 50);
    terminal.ends_with(PROMPT);
    let again = "1 import is under way here, leaving stops it.\n\
        To leave all the same, press Ctrl-D or call exit() once more.\n";
    terminal.keys(CTRL_D).shows(again).ends_with(PROMPT);
    // Whoever goes on working is told again.
    assert_eq!(terminal.run("1 + 1"), "2\n");
    assert_eq!(terminal.run("exit(3)"), again);
    terminal.line("exit(3)");
    terminal.leaves(3);
    assert_eq!(ended(&place), (EndReason::Exit, 3));
}

#[test]
fn a_component_that_panics_when_asked_keeps_nobody() {
    let place = Place::new();
    let terminal = place.victim().env("VICTIM_PANIC", "unfinished").on_terminal(80, 50);
    terminal.ends_with(PROMPT);
    terminal.keys(CTRL_D);
    terminal.leaves(0);
    assert_eq!(ended(&place), (EndReason::Eof, 0));
}
