//! Delivery as a shell's user sees it: flags, banner, `session()`, and a prompt that waits for nobody.

#[cfg(feature = "http")]
use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use admin_shell::event::Event;

use crate::fixture::Place;
#[cfg(feature = "http")]
use crate::fixture::{CTRL_D, PROMPT};

/// Somebody who takes calls and never answers.
#[cfg(feature = "http")]
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// An address where nobody listens.
#[cfg(feature = "http")]
fn nobody() -> String {
    silent().1
}

#[test]
fn an_unknown_scheme_is_wrong_usage() {
    let place = Place::new();
    let ran = place.victim().args(["--sink", "gopher://hole", "-c", "1"]).run();
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    assert!(ran.err.contains("nobody knows the scheme `gopher:`; known are "), "{ran:?}");
    assert!(ran.err.contains("jsonl:"), "{ran:?}");
    assert!(place.sessions_if_any().is_empty());
    let ran = place.victim().env("ADMIN_SHELL_SINK", "tracker.example").args(["-c", "1"]).run();
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    let ran = place.victim().args(["--sink", "stdout:", "--json", "-c", "1"]).run();
    assert_eq!(ran.code(), Some(2), "{ran:?}");
}

#[test]
fn lines_in_a_file_and_on_standard_output() {
    let place = Place::new();
    let file = place.path("events.jsonl");
    let url = format!("jsonl:{}", file.display());
    let ran = place.victim().env("ADMIN_SHELL_SINK", &url).args(["-c", "bump()"]).run();
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    let session = place.session();
    let delivered: Vec<Event> =
        std::fs::read_to_string(&file).unwrap().lines().map(|line| Event::parse(line).unwrap()).collect();
    assert_eq!(delivered, place.events(&session.session_id));
    // What was left behind by a session without a sink is found by the next one that has it.
    place.victim().args(["-c", "bump()"]).run();
    place.victim().env("ADMIN_SHELL_SINK", &url).args(["-c", "bump()"]).run();
    let lines = std::fs::read_to_string(&file).unwrap().lines().count();
    assert_eq!(lines, place.sessions().iter().map(|one| place.events(&one.session_id).len()).sum::<usize>());
    // Nothing but events on standard output, also for a program behind a pipe that reads them: results stand beside.
    let shown = place.victim().args(["--sink", "stdout:", "-c", "bump(); print(7); bump()"]).run();
    let printed: Vec<Event> = shown.out.lines().map(|line| Event::parse(line).unwrap()).collect();
    assert_eq!(printed.last().unwrap().kind().as_str(), "session_end");
    assert_eq!((shown.code(), shown.err.as_str()), (Some(0), "7\n2\n"), "{shown:?}");
    let id = printed[0].stream().to_string().parse().unwrap();
    assert_eq!(printed, place.events(&id));
}

#[test]
fn lines_on_a_terminal_do_not_tear_what_is_typed_and_are_not_obeyed() {
    let place = Place::new();
    let terminal = place.victim().args(["--sink", "stdout:"]).on_terminal(200, 40);
    let ran = terminal.leaves(2);
    assert!(ran.out.contains("stdout: is for -c, -f and scripts on standard input"), "{ran:?}");
    assert!(place.sessions_if_any().is_empty());
    let code = "print(\"\u{9b}31m \u{202e}\")";
    let ran = place.victim().args(["--sink", "stdout:", "-c", code]).on_terminal(200, 40).leaves(0);
    assert!(ran.out.contains("\\u009b31m \\u202e"), "{ran:?}");
    assert!(!ran.out.contains('\u{9b}') && !ran.out.contains('\u{202e}'), "{ran:?}");
}

#[test]
fn a_sink_that_is_named_for_the_first_time_begins_at_the_beginning_of_a_session() {
    let mut random = crate::fixture::random::Random::seeded("ADMIN_SHELL_BEGINNINGS_SEED");
    println!("ADMIN_SHELL_BEGINNINGS_SEED={}", random.seed());
    for _ in 0..4 {
        let place = Place::new();
        let file = place.path("events.jsonl");
        let url = format!("jsonl:{}", file.display());
        // One has no sink, and goes on while the others come.
        let beside = place.victim().on_terminal(120, 40);
        beside.ends_with(crate::fixture::PROMPT);
        let killed: Vec<_> = (0..4)
            .map(|_| {
                let shell = place.victim().args(["--sink", &url, "-f", "-"]).waiting_for_input().start();
                std::thread::sleep(std::time::Duration::from_millis(random.below(60).into()));
                shell.signal(rustix::process::Signal::KILL);
                shell
            })
            .collect();
        beside.run("bump()");
        let last = place.victim().args(["--sink", &url, "-c", "bump()"]).run();
        assert_eq!(last.code(), Some(0), "{last:?}");
        beside.run("bump()");
        beside.keys(crate::fixture::CTRL_D);
        beside.leaves(0);
        drop(killed);
        let delivered = std::fs::read_to_string(&file).unwrap();
        let mut next = std::collections::BTreeMap::new();
        for event in delivered.lines().map(|line| Event::parse(line).unwrap()) {
            let next = next.entry(event.stream().clone()).or_insert(0);
            if event.stream().as_str().starts_with("sess_") {
                assert!(event.seq() <= *next, "{} begins with, or goes on at, seq {}", event.stream(), event.seq());
                *next = event.seq() + 1;
            }
        }
        let ended =
            place.sessions().into_iter().find(|session| session.end_reason == Some(admin_shell::EndReason::Done));
        let ended = ended.expect("the last one").session_id;
        assert_eq!(next[&ended.clone().into()], place.events(&ended).len() as u64);
    }
}

#[cfg(feature = "http")]
#[test]
fn nobody_waits_for_a_tracker_that_is_not_there() {
    let (_listener, hanging) = silent();
    for (url, at_most) in [(nobody(), 2), (hanging, 4)] {
        let place = Place::new();
        let begun = Instant::now();
        let ran = place.victim().args(["--sink", &url, "-c", "bump()"]).run();
        assert_eq!((ran.code(), ran.out.as_str()), (Some(0), "1\n"), "{ran:?}");
        assert!(begun.elapsed() < Duration::from_secs(at_most), "{url}: {:?}", begun.elapsed());
        assert_eq!(place.session().end_reason, Some(admin_shell::EndReason::Done));
    }
}

#[cfg(feature = "http")]
#[test]
fn the_banner_says_how_it_is_and_corrects_itself() {
    let place = Place::new();
    let terminal = place.victim().args(["--sink", &nobody()]).on_terminal(160, 40);
    terminal.ends_with(PROMPT);
    terminal.shows("Session Tracking: ✓ Enabled (local journal; ");
    terminal.shows("tracker unavailable: it can not be reached");
    let shown = terminal.run("session().sinks[0].state");
    assert!(shown.contains("unavailable") || shown.contains("open"), "{shown}");
    terminal.keys(CTRL_D);
    terminal.leaves(0);
}

#[cfg(feature = "tracker")]
#[test]
fn delivery_from_outside() {
    let place = Place::new();
    let tracker = || place.program(std::path::Path::new(env!("CARGO_BIN_EXE_session-tracker")));
    place.victim().args(["-c", "bump()"]).run();
    let url = format!("jsonl:{}", place.path("events.jsonl").display());
    let ran = tracker().args(["journal", "deliver"]).run();
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    tracker().args(["journal", "deliver", "--sink", &url]).prints(&format!("{url}: 6 events delivered\n"));
    // The older name of the same.
    tracker().args(["event-buffer", "replay", "--sink", &url]).prints(&format!("{url}: 0 events delivered\n"));
    let listed = tracker().args(["journal", "sinks", "--format", "json"]).run();
    let listed: serde_json::Value = serde_json::from_str(&listed.out).unwrap();
    let of = |component: &str| {
        let sinks = listed.as_array().unwrap();
        sinks.iter().find(|one| one["component"] == component).map(|one| (one["sink"].clone(), one["backlog"].clone()))
    };
    assert_eq!(of("victim"), Some((url.as_str().into(), 0.into())), "{listed}");
    let status = tracker().args(["journal", "status", "--format", "json"]).run();
    let status: serde_json::Value = serde_json::from_str(&status.out).unwrap();
    assert!(!status["sinks"].as_array().unwrap().is_empty(), "{status}");
    let ran = tracker().args(["journal", "buried"]).run();
    assert_eq!((ran.code(), ran.err.as_str()), (Some(0), "Nothing is buried.\n"));
    assert_eq!(tracker().args(["journal", "sinks", "remove", &url]).run().code(), Some(0));
    assert_eq!(tracker().args(["journal", "sinks", "remove", &url]).run().code(), Some(3));
    // Nothing is pruned that a sink waits for, and it is said which one that is.
    let gone = "http://127.0.0.1:9";
    place.victim().args(["--sink", gone, "-c", "bump()"]).run();
    let prune = || tracker().args(["journal", "prune", "--before", "2100-01-01"]);
    let held = prune().args(["--format", "json"]).run();
    let held: serde_json::Value = serde_json::from_str(&held.out).unwrap();
    assert_eq!((&held["sessions"], &held["held"][0]["sink"]), (&1.into(), &gone.into()), "{held}");
    assert_eq!((&held["held"][0]["waiting"], &held["held"][0]["refused"]), (&1.into(), &0.into()), "{held}");
    let said = prune().run().out;
    assert!(said.starts_with("Nothing was pruned: "), "{said}");
    assert!(said.contains("Kept for http://127.0.0.1:9: it has got nothing since "), "{said}");
    assert!(
        said.contains("and 1 session wait") && said.contains("`session-tracker journal deliver --sink URL`"),
        "{said}"
    );
    assert!(
        said.ends_with("or give the sink up: `session-tracker journal sinks remove 'http://127.0.0.1:9'`\n"),
        "{said}"
    );
    assert_eq!(tracker().args(["journal", "sinks", "remove", gone]).run().code(), Some(0));
    assert!(prune().run().out.starts_with("Pruned 1 session "));
}
