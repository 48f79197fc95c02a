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
    let shown = place.victim().args(["--sink", "stdout:", "-c", "exit()"]).run();
    let printed: Vec<Event> = shown.out.lines().map(|line| Event::parse(line).unwrap()).collect();
    assert_eq!(printed.last().unwrap().kind().as_str(), "session_end");
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
}
