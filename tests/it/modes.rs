//! The ways to use a shell without a prompt: what goes in, what comes out, with which exit code, and what is recorded.

use std::os::unix::fs::PermissionsExt;

use admin_shell::event::{CommandStart, EndReason, EventKind, SessionEnd, SessionStart};

use crate::fixture::{PROMPT, Place, bodies, eventually, kinds, program};

const MISSING: &str = "error: the input ends too early\n --> stdin:2:4\n  |\n2 | a +\n  |    ^\n  |\n  = help: \
     close what is open: brackets, braces, quotes\n";

#[test]
fn code_on_the_command_line() {
    let place = Place::new();
    place.victim().args(["-c", "let a = 40; a + 2"]).prints("42\n");
    let session = place.session();
    assert_eq!(session.mode.as_deref(), Some("command"));
    assert_eq!((session.end_reason, session.inferred), (Some(EndReason::Done), false));
    assert_eq!((session.commands, session.failed_commands), (1, 0));
    let events = place.events(&session.session_id);
    assert_eq!(kinds(&events), ["session_start", "command_start", "command_end", "session_end"]);
    let start: &CommandStart = &bodies(&events, EventKind::CommandStart)[0];
    assert_eq!((start.input.as_deref(), start.source.as_str()), (Some("let a = 40; a + 2"), "-c"));
}

#[test]
fn code_may_be_in_command_style_and_begin_with_a_dash() {
    let place = Place::new();
    place.victim().args(["-c", "-1 + 3"]).prints("2\n");
    place.victim().args(["-c", "echo hello"]).prints("hello\n");
    place.victim().args(["-c", ""]).prints("");
}

#[test]
fn a_script_file() {
    let place = Place::new();
    let script = place.file("script.rhai", "let a = 3;\nprint(\"a is \" + a);\na * 2\n");
    place.victim().arg("-f").arg(&script).prints("a is 3\n6\n");
    place.victim().arg(&script).prints("a is 3\n6\n");
    for session in place.sessions() {
        assert_eq!(session.mode.as_deref(), Some("file"));
        let starts: Vec<CommandStart> = bodies(&place.events(&session.session_id), EventKind::CommandStart);
        assert_eq!(starts[0].source, script.display().to_string());
    }
    let command_style = place.file("style.rhai", "echo hello\n");
    let ran = place.victim().arg(&command_style).run();
    assert_eq!(ran.code(), Some(1), "command style is for people: {ran:?}");
}

#[test]
fn a_file_that_runs_itself() {
    let place = Place::new();
    let shell = program("victim");
    let script = place.file("run-me", format!("#!{}\necho(\"from a file\")\n", shell.display()));
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    place.program(&script).prints("from a file\n");
    let with_mark = place.file("with-mark", format!("\u{feff}#!{}\r\n1 + 1\r\n", shell.display()));
    place.victim().arg(&with_mark).prints("2\n");
}

#[test]
fn a_script_on_standard_input() {
    let place = Place::new();
    place.victim().input("let a = 3;\na + 1").prints("4\n");
    place.victim().args(["-f", "-"]).input("let a = 3;\na + 1\n").prints("4\n");
    place.victim().arg("-").input("").prints("");
    let modes: Vec<_> = place.sessions().into_iter().map(|session| session.mode.unwrap()).collect();
    assert_eq!(modes, ["stdin", "stdin", "stdin"]);
}

#[test]
fn an_incomplete_last_statement_is_an_error() {
    let place = Place::new();
    place.victim().input("let a = bump();\na +").fails(1, MISSING);
    place.victim().args(["-f", "-"]).input("print(1);\na +").fails(1, MISSING);
    for session in place.sessions() {
        assert_eq!((session.commands, session.failed_commands, session.write_calls), (1, 1, 0), "nothing of it runs");
    }
}

#[test]
fn exit_codes() {
    let place = Place::new();
    for (code, arguments) in [
        (0, &["-c", "1"][..]),
        (1, &["-c", "fail()"]),
        (1, &["-c", "panic()"]),
        (1, &["-c", "forbidden"]),
        (1, &["-c", "let x ="]),
        (0, &["-c", "exit()"]),
        (0, &["-c", "exit(0)"]),
        (7, &["-c", "exit(7); fail()"]),
        (255, &["-c", "try { exit(255) } catch { 1 }"]),
        (1, &["-c", "exit(256)"]),
        (1, &["-c", "exit(-1)"]),
        (2, &["--bogus"]),
        (2, &["-c"]),
        (2, &["-c", "1", "-f", "x"]),
        (2, &["-c", "1", "x"]),
        (2, &["a", "b"]),
        (2, &["-c", "1", "--yes"]),
        (2, &["-c", "1", "--reason", ""]),
        (2, &["-c", "1", "--reason", " \t "]),
        (2, &["-c", "1", "--database", ""]),
        (2, &["-c", "1", "--database", ":memory:"]),
        (2, &["-c", "1", "--database", "mysql://host/db"]),
        (2, &["-c", "1", "--log", "a=b=c"]),
        (2, &["-c", "1", "--log", "bad[["]),
        (2, &["-c", "1", "--log", "admin_shell=loud"]),
        (0, &["-c", "1", "--log", "warn,admin_shell::journal=debug"]),
        (3, &["-f", "not-there"]),
        (3, &["not-there"]),
        (1, &["-f", "/"]),
    ] {
        let ran = place.victim().args(arguments).run();
        assert_eq!(ran.code(), Some(code), "{arguments:?}: {ran:?}");
        assert_eq!(ran.err.is_empty(), code == 0 || code == 7 || code == 255, "{arguments:?}: {ran:?}");
    }
    let long = "x".repeat(500);
    place.victim().args(["-c", "1", "--reason", &long]).prints("1\n");
    let ran = place.victim().args(["-c", "1", "--reason", &(long + "y")]).run();
    assert_eq!(ran.code(), Some(2));
    assert!(ran.err.contains("reason: must be 1 to 500 characters, not all blank"), "{ran:?}");
}

#[test]
fn the_end_says_how_the_program_ended() {
    for (code, reason, exit_code) in [
        ("1", EndReason::Done, 0),
        ("fail()", EndReason::Done, 1),
        ("exit(7)", EndReason::Exit, 7),
        ("exit()", EndReason::Exit, 0),
    ] {
        let place = Place::new();
        place.victim().args(["-c", code]).run();
        let ends: Vec<SessionEnd> = bodies(&place.events(&place.session().session_id), EventKind::SessionEnd);
        assert_eq!((ends[0].reason, ends[0].exit_code), (reason, exit_code), "{code}");
        assert_eq!((ends[0].commands, ends[0].failed_commands), (1, u64::from(code == "fail()")));
    }
}

#[test]
fn json_is_one_document() {
    let place = Place::new();
    let json = |code: &str| place.victim().args(["--json", "-c", code]).run();
    for (code, out, err) in [
        ("1 + 1", "2\n", ""),
        ("print(\"aside\"); #{b: 1, a: [(), true]}", "{\"a\":[null,true],\"b\":1}\n", "aside\n"),
        ("[0.0 / 0.0, 1.0 / 0.0, 1.5]", "[null,null,1.5]\n", ""),
        ("nan()", "[null,null,1.5]\n", ""),
        ("let a = 1;", "null\n", ""),
        ("", "null\n", ""),
        ("exit(0)", "null\n", ""),
        ("\"\\x1b[2J\\u202e\"", "\"\\u001b[2J\\u202e\"\n", ""),
        ("help()", "null\n", "help"),
    ] {
        let ran = json(code);
        assert_eq!((ran.code(), ran.out.as_str()), (Some(0), out), "{code}: {ran:?}");
        assert!(if err == "help" { !ran.err.is_empty() } else { ran.err == err }, "{code}: {ran:?}");
        serde_json::from_str::<serde_json::Value>(&ran.out).expect("one document");
    }
    for (code, kind) in [
        ("fail()", "helper"),
        ("let x =", "syntax"),
        ("wipe()", "refused"),
        ("nothing()", "unknown_function"),
        ("panic()", "panic"),
    ] {
        let ran = json(code);
        assert_eq!((ran.code(), ran.err.as_str()), (Some(1), ""), "{code}");
        let document: serde_json::Value = serde_json::from_str(&ran.out).expect("one document");
        assert_eq!(document["error"]["kind"], kind, "{code}: {document}");
        assert_eq!(ran.out.lines().count(), 1);
    }
}

#[test]
fn json_is_one_document_also_before_there_is_a_session() {
    let place = Place::new();
    let error = |arguments: &[&str], code: i32| {
        let ran = place.victim().args(arguments).arg("--json").run();
        assert_eq!((ran.code(), ran.err.as_str()), (Some(code), ""), "{arguments:?}: {ran:?}");
        let document: serde_json::Value = serde_json::from_str(&ran.out).expect("one document");
        assert_eq!(document["error"]["hint"].is_string(), document["error"]["kind"] == "usage", "{document}");
        document["error"]["kind"].as_str().expect("a kind").to_owned()
    };
    assert_eq!(error(&["-f", "not-there"], 3), "script");
    assert_eq!(error(&["--bogus"], 2), "usage");
    assert_eq!(error(&["--yes", "-c", "1"], 2), "usage");
    assert_eq!(error(&["-c", "1", "--log", "a=b=c"], 2), "configuration");
    let ran = place.victim().args(["-c", "1", "--log", "bad[["]).run();
    assert_eq!(
        ran.err,
        "error: log (`--log`, `ADMIN_SHELL_LOG`): `bad[[` is no filter: it is a level (error, warn, info, debug, trace, off), or target=level, with commas between them\n"
    );
    let ran = place.victim().args(["--json", "-c", "1"]).env("VICTIM_ERROR", "open").run();
    assert_eq!((ran.code(), ran.err.as_str()), (Some(1), ""));
    let document: serde_json::Value = serde_json::from_str(&ran.out).expect("one document");
    assert_eq!(
        document["error"],
        serde_json::json!({
            "kind": "start", "message": "opening `victim`: asked to fail in open",
            "hint": null, "source": null, "line": null, "column": null,
        })
    );
}

#[test]
fn what_destroys_wants_a_terminal_or_yes_and_a_reason() {
    let place = Place::new();
    place.file("effects", "something\n");
    let ran = place.victim().args(["-c", "wipe()"]).run();
    assert_eq!((ran.code(), ran.out.as_str()), (Some(1), ""));
    assert!(ran.err.starts_with("error: `wipe` was not confirmed"), "{ran:?}");
    assert!(ran.err.contains("help: a script confirms what it destroys with --yes --reason TEXT"), "{ran:?}");
    let ran = place.victim().args(["--reason", "because", "-c", "wipe()"]).run();
    assert_eq!(ran.code(), Some(1), "a reason alone confirms nothing");
    let ran = place.victim().input("wipe()\nyes\nbecause\n").run();
    assert_eq!(ran.code(), Some(1), "standard input is a script, not an answer");
    assert_eq!(place.nonces(), ["something"]);
    place
        .victim()
        .args(["--yes", "--reason", "the disk is full", "-c", "wipe()"])
        .prints("everything is wiped: the disk is full\n");
    assert!(place.nonces().is_empty());
    let last = place.sessions().pop().unwrap();
    assert_eq!((last.destroy_calls, last.reason.as_deref()), (1, Some("the disk is full")));
    let call: &admin_shell::event::CallStart = &bodies(&place.events(&last.session_id), EventKind::CallStart)[0];
    assert_eq!(call.decision.verdict, "confirmed");
    assert_eq!(call.decision.reason.as_deref(), Some("the disk is full"));
}

#[test]
fn read_only_refuses_every_change() {
    let place = Place::new();
    place.victim().args(["--read-only", "-c", "count()"]).prints("0\n");
    for (code, name) in [("bump()", "bump"), ("try { bump() } catch { 1 }", "bump"), ("wipe()", "wipe")] {
        let expected = format!("error: `{name}` changes something, and this session is read-only\n");
        let ran = place.victim().args(["--read-only", "--yes", "--reason", "x", "-c", code]).run();
        assert_eq!((ran.code(), ran.out.as_str()), (Some(1), ""), "{code}");
        assert!(ran.err.starts_with(&expected), "{ran:?}");
    }
    let ran = place.victim().env("VICTIM_FORBIDS", "bump").args(["-c", "bump()"]).run();
    assert_eq!(ran.code(), Some(1));
    assert!(ran.err.starts_with("error: the test forbids it\n"), "{ran:?}");
}

#[test]
fn the_journal_is_where_flags_environment_and_file_say() {
    let place = Place::new();
    let [flag, variable, file] = ["flag.db", "variable.db", "file.db"].map(|name| place.path(name));
    let run = || place.victim().args(["-c", "1"]);
    run().prints("1\n");
    assert!(place.database().exists());

    let config = place.file("config/admin-shell/config.toml", format!("database = {:?}\n", file.to_str().unwrap()));
    run().prints("1\n");
    assert!(file.exists());
    run().env("ADMIN_SHELL_DATABASE", "").prints("1\n");
    assert!(!variable.exists());
    run().env("ADMIN_SHELL_DATABASE", format!("sqlite://{}", variable.display())).prints("1\n");
    assert!(variable.exists());
    run().env("ADMIN_SHELL_DATABASE", &variable).arg("--database").arg(&flag).prints("1\n");
    assert!(flag.exists());
    std::fs::remove_file(config).unwrap();
    run().args(["--database", "here/relative.db"]).prints("1\n");
    assert!(place.path("here/relative.db").exists());
    for database in [place.database(), flag, variable, file] {
        let sessions = crate::fixture::ask(&database, async |journal| {
            use admin_shell::journal::Journal;
            journal.sessions(&Default::default(), &Default::default()).await.unwrap().records.len()
        });
        assert!(sessions >= 1, "{}", database.display());
    }
}

#[test]
fn a_broken_configuration_is_named() {
    let place = Place::new();
    let path = place.home("config").join("config.toml");
    for (text, expected) in [
        ("database = \n", "config.toml"),
        ("datbase = \"x.db\"\n", "there is no setting `datbase`; there are `database`, `log`"),
        ("database = 5\n", "`database`: "),
        ("[database]\npath = 1\n", "`database`: "),
        ("token = 123456789012\n", "`token`: a text in quotes is wanted"),
        ("secret = hunter2hunter2\n", "config.toml"),
    ] {
        place.file("config/admin-shell/config.toml", text);
        let ran = place.victim().args(["-c", "1"]).run();
        assert_eq!((ran.code(), ran.out.as_str()), (Some(2), ""), "{text}");
        assert!(ran.err.starts_with("error: configuration"), "{ran:?}");
        assert!(ran.err.contains(expected) && ran.err.contains("config.toml"), "{text}: {ran:?}");
        assert!(!ran.err.contains("123456789012") && !ran.err.contains("hunter2"), "{ran:?}");
    }
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let ran = place.victim().args(["-c", "1"]).run();
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    assert!(place.sessions_if_any().is_empty(), "wrong usage opens no session");
}

#[test]
fn variables_are_text() {
    let place = Place::new();
    // A token of nothing but digits is no number, and a path may look like one.
    place
        .victim()
        .env("ADMIN_SHELL_TOKEN", "1234567890")
        .env("ADMIN_SHELL_SECRET", "true")
        .env("ADMIN_SHELL_DATABASE", "2026")
        .args(["-c", "1"])
        .prints("1\n");
    assert!(place.path("2026").exists());
    let bytes: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"x\xff");
    let expected = "error: configuration: ADMIN_SHELL_DATABASE is not UTF-8 text\n";
    place.victim().env("ADMIN_SHELL_DATABASE", bytes).args(["-c", "1"]).fails(2, expected);
}

#[test]
fn help_and_version() {
    let place = Place::new();
    let ran = place.victim().arg("--help").run();
    assert_eq!((ran.code(), ran.err.as_str()), (Some(0), ""));
    assert!(
        ran.out.starts_with("The admin shell of victim. Every session and every command is recorded.\n"),
        "{}",
        ran.out
    );
    for flag in
        ["-c <CODE>", "-f <FILE>", "--json", "--read-only", "--yes", "--reason", "--database", "--no-color", "--log"]
    {
        assert!(ran.out.contains(flag), "{flag} is not in\n{}", ran.out);
    }
    place.victim().arg("--version").prints("victim-shell 1.2.3\n");
    assert!(place.files().is_empty(), "asking for help leaves nothing behind");
}

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
