//! The ways to use a shell without a prompt: what goes in, what comes out, with which exit code, and what is recorded.

mod output;

use std::os::unix::fs::PermissionsExt;

use admin_shell::event::{CommandStart, EndReason, EventKind, SessionEnd};

use crate::fixture::{Place, bodies, kinds, program};

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
