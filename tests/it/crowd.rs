//! Many shells at once on one journal. All of it is recorded, and nobody hears of a locked database.

use admin_shell::event::{CommandStart, EndReason, EventKind};

use crate::fixture::{CTRL_D, PROMPT, Place, bodies, many, verify};

const SHELLS: usize = 8;

#[track_caller]
fn nobody_heard_of_locks(place: &Place, shown: &str) {
    let logs = place.files().into_iter().filter(|file| file.extension().is_some_and(|name| name == "log"));
    let logged: String = logs.map(|log| std::fs::read_to_string(log).unwrap()).collect();
    for text in [shown, &logged] {
        assert!(!text.contains("locked") && !text.contains("busy"), "{text}");
    }
}

#[test]
fn eight_prompts_at_once() {
    let inputs = many("ADMIN_SHELL_CROWD_INPUTS", 40);
    let place = Place::new();
    std::thread::scope(|scope| {
        let shells: Vec<_> = (0..SHELLS)
            .map(|shell| {
                let place = &place;
                scope.spawn(move || {
                    let terminal = place.victim().on_terminal(100, 40);
                    terminal.ends_with(PROMPT);
                    for n in 0..inputs {
                        let (line, expected) = match n % 4 {
                            0 => (format!("bump()  // {shell} {n}"), format!("{}\n", n / 4 + 1)),
                            1 => (format!("append_nonce(\"{shell}-{n}\")"), String::new()),
                            _ => (format!("{shell} * 1000 + {n}"), format!("{}\n", shell as u32 * 1000 + n)),
                        };
                        assert_eq!(terminal.run(&line), expected, "{line}");
                    }
                    terminal.keys(CTRL_D);
                    terminal.leaves(0).out
                })
            })
            .collect();
        for shell in shells {
            nobody_heard_of_locks(&place, &shell.join().expect("the shell works"));
        }
    });
    let sessions = place.sessions();
    assert_eq!(sessions.len(), SHELLS);
    let mut all = Vec::new();
    for session in &sessions {
        assert_eq!((session.end_reason, session.inferred), (Some(EndReason::Eof), false));
        assert_eq!((session.commands, session.failed_commands), (u64::from(inputs), 0));
        let starts: Vec<CommandStart> = bodies(&place.events(&session.session_id), EventKind::CommandStart);
        all.extend(starts.into_iter().filter_map(|start| start.input));
    }
    all.sort();
    all.dedup();
    assert_eq!(all.len(), SHELLS * inputs as usize, "every input of every shell is there");
    assert_eq!(place.nonces().len(), SHELLS * (0..inputs).filter(|n| n % 4 == 1).count());
    verify(&place.database());
}

#[test]
fn eight_first_opens_at_once() {
    for round in 0..many("ADMIN_SHELL_CROWD_ROUNDS", 10) {
        let place = Place::new();
        let shells: Vec<_> =
            (0..SHELLS).map(|shell| place.victim().args(["-c", &format!("bump(); {shell}")]).start()).collect();
        for (shell, running) in shells.into_iter().enumerate() {
            let ran = running.wait();
            assert_eq!((ran.code(), ran.out, ran.err.as_str()), (Some(0), format!("{shell}\n"), ""), "round {round}");
        }
        nobody_heard_of_locks(&place, "");
        let sessions = place.sessions();
        assert_eq!(sessions.len(), SHELLS, "round {round}");
        assert!(sessions.iter().all(|session| session.end_reason == Some(EndReason::Done) && session.write_calls == 1));
        verify(&place.database());
    }
}
