//! What comes out and what stays behind: no colours in pipes, no secrets in files, no files for others.

use std::os::unix::fs::PermissionsExt;

use admin_shell::event::{CommandStart, EventKind, SessionStart};

use crate::fixture::{PROMPT, Place, bodies, eventually, program};

#[test]
fn bytes_that_are_no_text_are_recorded_and_refused() {
    let place = Place::new();
    let bytes = |bytes: &'static [u8]| -> &std::ffi::OsStr { std::os::unix::ffi::OsStrExt::from_bytes(bytes) };
    let error = |what: &str| format!("error: the input holds {what}\n  help: scripts are UTF-8 text\n");
    let not_utf8 = error("bytes that are not UTF-8");
    let said = place.victim().arg("-c").arg(bytes(b"bump(); // \xff\xfe")).run();
    assert_eq!((said.code(), said.out.as_str()), (Some(1), ""));
    assert!(said.err.contains("the input holds bytes that are not UTF-8"), "{said:?} {not_utf8}");
    let file = place.file("latin1.rhai", b"print(\"gr\xfcn\")");
    assert_eq!(place.victim().arg(&file).run().code(), Some(1));
    assert_eq!(place.victim().input(&b"print(1)\0"[..]).run().code(), Some(1));
    assert_eq!(place.victim().input(&b"print(1)\rprint(2)"[..]).run().code(), Some(1));
    let inputs: Vec<String> = place
        .sessions()
        .iter()
        .map(|session| {
            assert_eq!((session.commands, session.failed_commands, session.write_calls), (1, 1, 0));
            let starts: Vec<CommandStart> = bodies(&place.events(&session.session_id), EventKind::CommandStart);
            starts[0].input.clone().unwrap()
        })
        .collect();
    assert_eq!(inputs, ["bump(); // \\xff\\xfe", "print(\"gr\\xfcn\")", "print(1)\\u{0}", "print(1)\\rprint(2)"]);
    place.victim().input(&b"\xef\xbb\xbfprint(1);\r\nprint(2);\r\n"[..]).prints("1\n2\n");
}

#[test]
fn output_to_a_pipe_has_no_colour_and_is_not_cut() {
    let place = Place::new();
    for run in [
        place.victim(),
        place.victim().arg("--no-color"),
        place.victim().env("NO_COLOR", "1").env("TERM", "xterm-256color"),
    ] {
        let ran = run.args(["-c", "rows(); fail()"]).run();
        assert!(!ran.err.contains('\x1b') && !ran.out.contains('\x1b'), "{ran:?}");
    }
    let ran = place.victim().args(["-c", "rows()"]).run();
    assert!(ran.out.lines().next().unwrap().starts_with("ID     NAME     STATE    ATTEMPTS  NOTE"), "{}", ran.out);
    assert!(ran.out.lines().all(|line| line == line.trim_end()) && ran.out.contains("narrow a note"), "{}", ran.out);
}

#[test]
fn what_is_printed_can_not_command_a_terminal() {
    let place = Place::new();
    place.victim().args(["-c", "print(\"a\\x1b[31mb\\rc\\u202e\")"]).prints("a\\u{1b}[31mb\\u{d}c\\u{202e}\n");
    place.victim().args(["-c", "echo(\"a\\x1b[31mb\")"]).prints("a\\u{1b}[31mb\n");
}

#[test]
fn secrets_are_in_no_file() {
    const SECRETS: [&str; 4] =
        ["correct-horse-battery", "Tr0ub4dor-and-3", "AKIAIOSFODNN7EXAMPLE", "sk_live_4eC39HqLyjWDarjtT1zdp7dc"];
    let place = Place::new();
    let [password, panicked, key, token] = SECRETS;
    let code = format!(
        "login(\"ada\", \"{password}\");\nlet key = \"{key}\"; let t = #{{api_key: \"{token}\"}};\nlogin(\"ada\", \"{panicked}\");\npanic(\"no {panicked} for {password}\")"
    );
    let script = place.file("script.rhai", &code);
    place.victim().args(["--log", "trace", "-c", &code]).run();
    place.victim().args(["--log", "trace"]).arg(&script).run();
    place.victim().args(["--log", "trace"]).input(code.clone()).run();
    let terminal = place.victim().args(["--log", "trace"]).on_terminal(100, 30);
    terminal.ends_with(PROMPT);
    for line in code.lines() {
        terminal.run(line);
    }
    terminal.keys(crate::fixture::CTRL_D);
    terminal.leaves(0);
    let files = place.files();
    assert!(files.iter().any(|file| file.ends_with("victim.history")), "{files:?}");
    assert!(files.iter().any(|file| file.ends_with("victim-shell.log")), "{files:?}");
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        for secret in SECRETS {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {}", file.display());
        }
    }
    assert_eq!(place.sessions().len(), 4);
}

#[test]
fn what_is_made_is_for_its_owner_only() {
    let place = Place::new();
    place.victim().args(["-c", "1"]).prints("1\n");
    assert!(!place.files().iter().any(|file| file.extension().is_some_and(|name| name == "log")), "no news, no log");
    let terminal = place.victim().on_terminal(80, 24);
    terminal.ends_with(PROMPT).enter("panic()", "panicked").ends_with(PROMPT);
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    // While it runs: locks, `-wal` and `-shm` are there too.
    let files = eventually("the log", || {
        Some(place.files()).filter(|files| files.iter().any(|f| f.ends_with("victim-shell.log")))
    });
    assert!(files.len() >= 6, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
        for directory in file.ancestors().skip(1).take_while(|directory| *directory != place.path("")) {
            assert_eq!(mode(directory), 0o700, "{}", directory.display());
            if directory.parent() == Some(place.path("").as_path()) {
                break;
            }
        }
    }
    terminal.line("exit()");
    terminal.leaves(0);
}

#[test]
fn a_result_that_can_not_be_written_is_a_failure() {
    let place = Place::new();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    // Only Linux has a device that is always full.
    let Ok(full) = full else { return };
    let mut run = std::process::Command::new(program("victim"));
    run.args(["-c", "1", "--database"]).arg(place.database()).env("XDG_STATE_HOME", place.path("state"));
    let ran = run.stdout(full).output().unwrap();
    assert_eq!(ran.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("the output could not be written"), "{ran:?}");
}

#[test]
fn who_and_where_is_recorded() {
    let place = Place::new();
    place.victim().args(["--reason", "a test", "-c", "1"]).prints("1\n");
    let session = place.session();
    let start: &SessionStart = &bodies(&place.events(&session.session_id), EventKind::SessionStart)[0];
    assert_eq!(start.shell_type, "Victim");
    assert_eq!(start.component_version.as_deref(), Some("1.2.3"));
    assert_eq!(start.reason.as_deref(), Some("a test"));
    assert_eq!(start.user.uid, Some(rustix::process::geteuid().as_raw()));
    assert_eq!(start.environment.cwd, place.path("").canonicalize().unwrap().display().to_string());
    assert!(start.actor.verified && start.pid > 0);
    assert_eq!(session.component_type.as_deref(), Some("victim"));
}
