//! Shells that are killed at a random moment while they change things, over and over on one journal.
//!
//! The victim appends a nonce to a file with each call, so that the file says what really happened. After every kill:
//!
//! - each nonce on disk has a committed `call_start` that names it, and each `call_end` its nonce;
//! - the stream of the killed session is whole: no hole, each event bound to the one before;
//! - after the next start no session is open: each has ended or was observed as crashed.
//!
//! At the end the whole journal verifies. `scripts/crash 1000` is the long run. The moment of a kill is told by what it
//! left behind, and a table says how many fell into each phase: a test that always kills at the same place shows it.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    time::{Duration, Instant},
};

use admin_shell::{
    event::{CallEnd, CallStart, Event, EventKind, SessionId, Status},
    journal::SessionStatus,
};
use rustix::process::Signal;

use crate::fixture::{Place, bodies, eventually, many, random::Random, verify};

/// Where a kill struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Before the first command was announced.
    Start,
    /// After a command was announced, or a call had its outcome, and before the next intent.
    BeforeIntent,
    /// The intent is committed, and the effect has not happened.
    Running,
    /// The effect has happened, and its outcome is not committed.
    BeforeOutcome,
    /// After the outcome of the command.
    End,
}

impl Phase {
    const ALL: [(Self, &str); 5] = [
        (Self::Start, "start"),
        (Self::BeforeIntent, "before intent"),
        (Self::Running, "running"),
        (Self::BeforeOutcome, "before outcome"),
        (Self::End, "end"),
    ];

    fn of(events: &[Event], nonces: &HashSet<String>) -> Self {
        let Some(last) = events.last() else { return Self::Start };
        match last.kind() {
            EventKind::SessionStart => Self::Start,
            EventKind::CallStart => {
                let call: CallStart = last.decode().expect("its body");
                if nonces.contains(&call.args["nonce"]) { Self::BeforeOutcome } else { Self::Running }
            }
            EventKind::CommandEnd | EventKind::SessionEnd => Self::End,
            _ => Self::BeforeIntent,
        }
    }
}

/// When a round kills, as a part of a second from the moment that it waits for.
struct Plan {
    calls: u32,
    after_first_effect: bool,
    delay: Duration,
}

impl Plan {
    /// Spread over the whole life of a shell: right after it was spawned, while it comes up, while it calls, at its end.
    fn draw(random: &mut Random, whole: Duration) -> Self {
        const ENDLESS: u32 = 1_000_000;
        let part = |random: &mut Random, from: f64, to: f64| whole.mul_f64(from + (to - from) * random.unit());
        match random.below(5) {
            0 => Self { calls: ENDLESS, after_first_effect: false, delay: part(random, 0.0, 0.8) },
            1 => Self { calls: 1 + random.below(3), after_first_effect: false, delay: part(random, 0.6, 1.1) },
            2 => Self { calls: 1, after_first_effect: true, delay: part(random, 0.0, 0.2) },
            _ => Self { calls: ENDLESS, after_first_effect: true, delay: part(random, 0.0, 1.0) },
        }
    }
}

#[test]
fn no_effect_without_an_intent() {
    let rounds = many("ADMIN_SHELL_CRASH_ROUNDS", 25);
    let mut random = Random::seeded("ADMIN_SHELL_CRASH_SEED");
    let place = Place::new();
    let whole = measure(&place);
    println!("seed {}, {rounds} kills, a whole life takes {whole:?}", random.seed());

    let mut known: BTreeSet<SessionId> = place.sessions().into_iter().map(|session| session.session_id).collect();
    let mut kills: BTreeMap<Phase, u32> = BTreeMap::new();
    let mut too_late = 0;
    while kills.values().sum::<u32>() < rounds {
        let round = kills.values().sum::<u32>() + too_late;
        assert!(round < 5 * rounds + 50, "most kills come too late");
        let plan = Plan::draw(&mut random, whole);
        let _ = std::fs::remove_file(place.effects());
        let was_killed = kill(&place, round, &plan);

        place.victim().args(["-c", "1"]).prints("1\n");
        let nonces: HashSet<String> = place.nonces().into_iter().collect();
        let mut seen = Vec::new();
        for session in place.sessions_since(&known) {
            let status = session.status;
            assert!(matches!(status, SessionStatus::Ended | SessionStatus::Crashed), "round {round}: {session:#?}");
            let events = place.events(&session.session_id);
            known.insert(session.session_id);
            if events.iter().any(|event| event.text().contains(&format!("r{round}-")))
                || status == SessionStatus::Crashed
            {
                seen = events;
            }
        }
        check(&seen, &nonces, round);
        if was_killed {
            *kills.entry(Phase::of(&seen, &nonces)).or_default() += 1;
        } else {
            too_late += 1;
        }
    }
    verify(&place.database());
    for (phase, name) in Phase::ALL {
        println!("{name:>15} {:>6}", kills.get(&phase).copied().unwrap_or(0));
    }
    println!("{:>15} {too_late:>6}", "(too late)");
}

/// How long the life of a shell with a few calls is, when nothing else holds it up.
fn measure(place: &Place) -> Duration {
    let lives = (0..5).map(|n| {
        let begun = Instant::now();
        place.victim().args(["-c", &script(n, 3)]).prints("");
        begun.elapsed()
    });
    lives.min().expect("some lives").max(Duration::from_millis(10))
}

fn script(round: u32, calls: u32) -> String {
    format!("for i in 0..{calls} {{ append_nonce(\"r{round}-\" + i) }}")
}

/// Lets a shell live as planned and kills it; false when it had ended by itself.
fn kill(place: &Place, round: u32, plan: &Plan) -> bool {
    let running = place.victim().args(["-c", &script(round, plan.calls)]).start();
    if plan.after_first_effect {
        eventually("its first effect", || (!place.nonces().is_empty()).then_some(()));
    }
    std::thread::sleep(plan.delay);
    running.signal(Signal::KILL);
    let ran = running.wait();
    assert!(ran.signal().is_some() || ran.code() == Some(0), "round {round}: {ran:?}");
    ran.signal().is_some()
}

/// The stream is whole, and it and the file say the same.
#[track_caller]
fn check(events: &[Event], nonces: &HashSet<String>, round: u32) {
    for (seq, event) in events.iter().enumerate() {
        assert_eq!(event.seq(), seq as u64, "round {round}");
        assert_eq!(event.prev(), seq.checked_sub(1).map(|before| events[before].hash()), "round {round}");
    }
    let starts: Vec<CallStart> = bodies(events, EventKind::CallStart);
    let announced: HashSet<String> = starts.iter().map(|call| call.args["nonce"].clone()).collect();
    let unannounced: Vec<_> = nonces.difference(&announced).collect();
    assert!(unannounced.is_empty(), "round {round}: happened without an intent: {unannounced:?}");
    let ends: Vec<CallEnd> = bodies(events, EventKind::CallEnd);
    for end in ends {
        let start = starts.iter().find(|start| start.call == end.call).expect("an outcome has an intent");
        assert_eq!(end.status, Status::Ok, "round {round}");
        assert!(nonces.contains(&start.args["nonce"]), "round {round}: said to have happened: {start:?}");
    }
}
