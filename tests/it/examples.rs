//! Every example runs: each file of `examples/`, each script of `examples/scripts/`. One without a test here fails.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
};

use admin_shell::event::EndReason;
use rustix::process::Signal;

use crate::fixture::{CTRL_D, Place, Terminal, eventually, program};

fn named(directory: &str, extension: &str) -> BTreeSet<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let wanted = files.filter(|file| file.extension().is_some_and(|found| found == extension));
    wanted.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn each_has_a_test() {
    assert_eq!(
        named("examples", "rs"),
        ["custom_sink", "embedded", "greeter", "mail_queue", "many_sessions"].map(String::from).into()
    );
    assert_eq!(
        named("examples/scripts", "rhai"),
        ["be-careful", "greet-team", "no-new-findings"].map(String::from).into()
    );
}

#[test]
fn greeter() {
    let place = Place::new();
    place.program(&program("greeter")).args(["-c", "greet(\"Ada\")"]).prints("Hello, Ada!\n");
    let session = place.session();
    assert_eq!((session.component_name.as_str(), session.commands), ("greeter", 1));
}

#[test]
fn custom_sink() {
    let place = Place::new();
    let summary = place.path("summary.txt");
    let shell = || place.program(&program("custom_sink"));
    shell().args(["--sink", &format!("summary:{}", summary.display()), "-c", "greet(\"Ada\")"]).prints("Hello, Ada!\n");
    let session = place.session();
    let lines = std::fs::read_to_string(&summary).unwrap();
    let kinds: Vec<&str> = lines.lines().filter_map(|line| line.rsplit(' ').next()).collect();
    assert_eq!(kinds, ["session_start", "command_start", "command_end", "session_end"]);
    assert!(lines.lines().all(|line| line.contains(session.session_id.as_str())), "{lines}");
    let ran = shell().args(["--sink", "summary:", "-c", "1"]).run();
    assert_eq!((ran.code(), ran.err.contains("summary: wants a path")), (Some(2), true), "{ran:?}");
}

#[test]
fn scripts() {
    let script = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/scripts").join(name);
    let place = Place::new();
    let greeter = || place.program(&program("greeter"));
    greeter().arg(script("greet-team.rhai")).prints("Hello, Ada!\nHello, Grace!\naway     1\ngreeted  2\n");
    let ran = greeter().arg("--json").arg(script("greet-team.rhai")).run();
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("{\"away\":1,\"greeted\":2}\n", "Hello, Ada!\nHello, Grace!\n"));
    let careful = greeter().arg(script("be-careful.rhai")).run();
    assert_eq!(careful.code(), Some(0), "{careful:?}");
    assert!(
        careful.out.contains("Hello, Ada!") && careful.out.contains("could not greet: `name` of `greet` wants"),
        "{careful:?}"
    );
}

/// What a page says, and with which status.
fn page(address: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[test]
fn embedded() {
    for arguments in [&[][..], &["--single-threaded"]] {
        let place = Place::new();
        let start = || -> (Terminal, String) {
            let terminal = place.program(&program("embedded")).args(arguments).on_terminal(100, 40);
            terminal.ends_with("Greeting-service>");
            let address = eventually("its address", || {
                let screen = terminal.screen();
                screen.lines().find_map(|line| Some(line.strip_prefix("http://")?.strip_suffix('/')?.to_owned()))
            });
            (terminal, address)
        };
        let (terminal, address) = start();
        assert_eq!(page(&address), (200, "hello\n".to_owned()));
        assert_eq!(page(&address), (200, "hello\n".to_owned()));
        terminal.enter("status()", "maintenance  false\nserved       2\n");
        terminal.enter("maintenance(true)", "maintenance  true\n");
        assert_eq!(page(&address), (503, "back soon\n".to_owned()));
        // The service answers while a command runs, and Ctrl-C reaches the command.
        terminal.ends_with("Greeting-service>").enter("print(\"busy\"); sleep(1000)", "\nbusy");
        assert_eq!(page(&address).0, 503);
        terminal.keys(crate::fixture::CTRL_C).shows("interrupted").ends_with("Greeting-service>");
        terminal.enter("maintenance(false).served", "\n2\n").ends_with("Greeting-service>");
        assert_eq!(page(&address).0, 200);
        terminal.keys(CTRL_D);
        let ran = terminal.leaves(0);
        assert!(ran.out.contains("the shell was left (eof), and the service ends with it"), "{}", ran.out);

        let (terminal, _) = start();
        terminal.signal(Signal::TERM);
        let ran = terminal.leaves(0);
        assert!(ran.out.contains("the shell was left (signal)"), "{}", ran.out);
        // Where there is no terminal, standard input is a script.
        let ran =
            place.program(&program("embedded")).args(arguments).input("maintenance(true); status().maintenance").run();
        assert!(ran.out.contains("\ntrue\nthe shell was left (done)"), "{ran:?}");
        let waiting = place.program(&program("embedded")).args(arguments).waiting_for_input().start();
        eventually("its session", || (place.sessions().len() == 4).then_some(()));
        waiting.signal(Signal::TERM);
        assert!(waiting.wait().out.contains("the shell was left (signal)"));

        let sessions = place.sessions();
        let ends: Vec<_> = sessions.iter().filter_map(|session| session.end_reason).collect();
        assert_eq!(ends, [EndReason::Eof, EndReason::Signal, EndReason::Done, EndReason::Signal]);
        assert_eq!((sessions[0].write_calls, sessions[0].component_name.as_str()), (2, "greeting-service"));
    }
}
