//! Programs of others: a server that offers only the two older tools, a client, and the official conformance suite. All of
//! them are installed by `scripts/foreign`; a test that can not have them fails.

use std::{
    collections::BTreeSet,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use admin_shell::{
    delivery::{EventSink, Sender, SinkError},
    event::Event,
    journal::{Journal, Verdict},
    sinks::{Credentials, McpSink},
};
use serde_json::{Value, json};

use crate::{
    cli::process::Home,
    service::fixture::{SECRET, Service, elsewhere, session},
};

/// Where something of others is.
fn foreign(what: &str) -> String {
    let ran = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/foreign")).arg(what).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap().trim().to_owned()
}

fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign").join(name)
}

/// Somebody else's server on a port, killed when the test is over.
struct Server {
    child: Child,
    url: String,
    calls: PathBuf,
}

impl Server {
    fn start(home: &Home) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let calls = home.path("calls");
        let mut command = Command::new(foreign("python"));
        command.arg(program("server.py")).arg(&calls).arg(port.to_string()).stdin(Stdio::null());
        let child = command.spawn().expect("Python starts");
        let url = format!("mcp+http://127.0.0.1:{port}/mcp");
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "the server does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        Self { child, url, calls }
    }

    fn calls(&self) -> Vec<Value> {
        calls(&self.calls)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn calls(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn sink(url: &str, journal: &impl Journal, home: &Home) -> McpSink {
    let mut sink = McpSink::open(url, &Credentials::default()).unwrap();
    let keep = Some(home.path("locks"));
    sink.introduce(&Sender { journal: journal.id().clone(), component: Some("orchestrator".to_owned()), keep });
    sink
}

/// The verdicts on events, in their order.
async fn delivered(sink: &mut McpSink, events: &[Event]) -> Vec<Verdict> {
    let receipt = sink.deliver(events).await.unwrap();
    let ids: Vec<_> = receipt.verdicts.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, events.iter().map(Event::event_id).collect::<Vec<_>>());
    receipt.verdicts.into_iter().map(|(_, verdict)| verdict).collect()
}

#[tokio::test]
async fn our_sink_tells_somebody_elses_server() {
    let (home, shell) = (Home::new(), elsewhere().await);
    let server = Server::start(&home);
    let mut first = sink(&server.url, &shell, &home).await;
    assert_eq!(first.name(), server.url);
    let events = session(&shell, "orchestrator", 2).await;
    let (last, before) = events.split_last().unwrap();
    assert!(delivered(&mut first, before).await.iter().all(|verdict| *verdict == Verdict::Accepted));
    // The start is told again after a crash: the server knows its event_id, and so do we its name.
    assert_eq!(delivered(&mut first, &before[..1]).await, [Verdict::Accepted]);
    // Another process delivers the end.
    drop(first);
    let mut second = sink(&server.url, &shell, &home).await;
    assert_eq!(delivered(&mut second, std::slice::from_ref(last)).await, [Verdict::Accepted]);
    let told = server.calls();
    let names: Vec<&str> = told.iter().map(|call| call["tool"].as_str().unwrap()).collect();
    assert_eq!(names, ["track_session_start", "track_session_start", "track_session_end"]);
    assert_eq!(told[0]["arguments"]["event_id"], json!(before[0].event_id()));
    assert_eq!(told[0]["arguments"]["component_name"], "orchestrator");
    assert_eq!(told[2]["arguments"]["session_id"], told[0]["answer"]["session_id"]);
    assert_eq!(told[2]["arguments"]["timestamp"], json!(format!("{:.6}", last.timestamp())));
    // What it says is what is recorded: a refusal is one, and so is a session that it has lost.
    let refused = session(&shell, "refused", 0).await;
    let verdicts = delivered(&mut second, &refused).await;
    assert!(matches!(&verdicts[0], Verdict::Rejected(why) if why.contains("component_name: not here")), "{verdicts:?}");
    assert!(matches!(&verdicts[1], Verdict::Rejected(why) if why.contains("never told")), "{verdicts:?}");
    let forgotten = delivered(&mut second, &session(&shell, "forgotten", 0).await).await;
    assert_eq!(forgotten[0], Verdict::Accepted);
    assert!(matches!(&forgotten[1], Verdict::Rejected(why) if why.contains("not_found")), "{forgotten:?}");
    // With the server gone nothing is settled; when it is back, it goes on.
    drop(server);
    let error = second.deliver(&events[..1]).await.unwrap_err();
    assert!(matches!(error, SinkError::Unavailable { .. }) && !error.to_string().contains("127.0.0.1:"), "{error}");
}

#[tokio::test]
async fn our_sink_starts_somebody_elses_server() {
    let (home, shell) = (Home::new(), elsewhere().await);
    let file = home.path("calls");
    let url = format!("mcp+stdio:{} {} {}", foreign("python"), program("server.py").display(), file.display());
    let mut sink = sink(&url, &shell, &home).await;
    let events = session(&shell, "orchestrator", 1).await;
    assert!(delivered(&mut sink, &events).await.iter().all(|verdict| *verdict == Verdict::Accepted));
    assert_eq!(calls(&file).len(), 2);
}

#[tokio::test]
async fn our_sink_brings_everything_to_our_tracker() {
    let service = Service::with_secret();
    let (home, shell) = (Home::new(), elsewhere().await);
    let events = session(&shell, "orchestrator", 3).await;
    let url = service.url.replace("http://", "mcp+http://");
    let credentials = Credentials { secret: Some(SECRET.to_owned()), ..Credentials::default() };
    let mut over_http = McpSink::open(&url, &credentials).unwrap();
    let sender = Sender { journal: shell.id().clone(), component: Some("orchestrator".to_owned()), keep: None };
    over_http.introduce(&sender);
    let receipt = over_http.deliver(&events).await.unwrap();
    assert!(receipt.verdicts.iter().all(|(_, verdict)| *verdict == Verdict::Accepted), "{receipt:?}");
    over_http.quote(receipt.head.as_ref());
    let again = over_http.deliver(&events).await.unwrap();
    assert!(again.verdicts.iter().all(|(_, verdict)| *verdict == Verdict::Duplicate), "{again:?}");
    assert_eq!(over_http.beat(&[]).await.unwrap().len(), 0);
    assert_eq!(service.stored().await, events.len() as u64);
    // A receipt of some other tracker.
    let mut head = receipt.head.unwrap();
    head.position += 1_000;
    over_http.quote(Some(&head));
    assert!(matches!(over_http.deliver(&events).await, Err(SinkError::UnknownReceipt)));
    let mut stranger = McpSink::open(&url, &Credentials::default()).unwrap();
    stranger.introduce(&sender);
    let error = stranger.deliver(&events).await.unwrap_err().to_string();
    assert!(error.contains("token"), "{error}");
    // The same over the streams of a child, into its own journal.
    let program = env!("CARGO_BIN_EXE_session-tracker");
    let database = home.path("other.db");
    let url = format!("mcp+stdio:{program} --database {} mcp", database.display());
    let mut over_stdio = sink(&url, &shell, &home).await;
    assert!(delivered(&mut over_stdio, &events).await.iter().all(|verdict| *verdict == Verdict::Accepted));
    let id = events[0].stream().as_str();
    let stored =
        home.tracker(&["--database", database.to_str().unwrap(), "events", id, "--format", "json"]).run().json();
    let sent: Vec<Value> = events.iter().map(|event| serde_json::from_str(event.text()).unwrap()).collect();
    assert_eq!(stored, json!(sent));
}

#[test]
fn a_shell_delivers_to_somebody_elses_server() {
    let home = Home::new();
    let server = Server::start(&home);
    home.greeter(&["--sink", &server.url, "-c", "greet(\"Ada\")"]).run().succeeds();
    let begun = Instant::now();
    while server.calls().len() < 2 && begun.elapsed() < Duration::from_secs(20) {
        // What is left when the shell's flush is over is brought by hand.
        home.tracker(&["journal", "deliver", "--sink", &server.url]).run();
    }
    let told = server.calls();
    assert_eq!(told[0]["arguments"]["component_name"], "greeter");
    assert_eq!(told[1]["answer"]["status"], "ended", "{told:?}");
}

/// What somebody else's client was answered.
fn asked(mode: &str, place: &[&str]) -> Value {
    let mut client = Command::new(foreign("python"));
    client.arg(program("client.py")).arg(mode).args(place).env_remove("ADMIN_SHELL_DATABASE");
    let ran = client.output().unwrap();
    assert!(ran.status.success(), "{mode}: {}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).unwrap()
}

#[test]
fn somebody_elses_client_works_with_our_tracker() {
    let service = Service::open();
    let home = Home::new();
    let database = home.path("client.db");
    let url = format!("{}/mcp", service.url);
    let program = env!("CARGO_BIN_EXE_session-tracker");
    let stdio = ["stdio", program, "--database", database.to_str().unwrap(), "mcp"];
    for mode in ["legacy", "auto", "2026-07-28"] {
        for place in [&["http", &url][..], &stdio] {
            let said = asked(mode, place);
            let what = format!("{mode} {}: {said}", place[0]);
            assert_eq!(said["tools"].as_array().unwrap().len(), 10, "{what}");
            assert_eq!(said["began"]["answer"]["status"], "tracked", "{what}");
            assert_eq!(said["again"]["answer"], said["began"]["answer"], "{what}");
            assert_eq!(said["refused"]["answer"]["status"], "error", "{what}");
            assert_eq!(said["ended"]["answer"]["status"], "ended", "{what}");
            assert_eq!(said["unknown"]["answer"]["status"], "not_found", "{what}");
            assert_eq!(said["shown"]["answer"]["duration_seconds"], 60.0, "{what}");
            assert_eq!(said["shown"]["answer"]["events"].as_array().unwrap().len(), 2, "{what}");
            assert!(!said["listed"]["answer"]["sessions"].as_array().unwrap().is_empty(), "{what}");
            assert_eq!(said["health"]["answer"]["status"], "healthy", "{what}");
            assert!(said["metrics"]["answer"]["metrics"].as_str().unwrap().contains("session_start_total"), "{what}");
            assert_eq!(said["wrong"]["error"], true, "{what}");
            for name in ["began", "refused", "unknown", "stats", "beaten"] {
                assert_eq!(said[name]["error"], false, "{name}: {what}");
            }
        }
    }
}

/// Which checks of a suite fail, as `scenario check`.
fn failing(suite: &str, args: &[&str], url: &str, home: &Home) -> BTreeSet<String> {
    let place = foreign("conformance");
    let results = home.path(suite);
    std::fs::create_dir(&results).unwrap();
    let ran = Command::new(format!("{place}/node_modules/.bin/node"))
        .arg(format!("{place}/node_modules/{suite}/dist/index.js"))
        .args(["server", "--url", url, "--output-dir", results.to_str().unwrap()])
        .args(args)
        .output()
        .unwrap();
    let said = [ran.stdout, ran.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let mut failing = BTreeSet::new();
    let mut checked = 0;
    for entry in std::fs::read_dir(&results).unwrap_or_else(|_| panic!("{said}")) {
        let directory = entry.unwrap();
        let name = directory.file_name().into_string().unwrap();
        // server-<scenario>-2026-01-01T00-00-00-000Z
        let scenario = &name["server-".len()..name.len() - "-2026-01-01T00-00-00-000Z".len()];
        let checks = std::fs::read_to_string(directory.path().join("checks.json")).unwrap();
        for check in serde_json::from_str::<Vec<Value>>(&checks).unwrap() {
            checked += 1;
            if check["status"] == "FAILURE" {
                failing.insert(format!("{scenario} {}", check["id"].as_str().unwrap()));
            }
        }
    }
    assert!(checked > 20, "the suite did not run: {said}");
    failing
}

#[test]
fn the_official_conformance_suite() {
    let service = Service::start(Home::new(), &["--rate", "0"], &[]);
    let (url, home) = (format!("{}/mcp", service.url), Home::new());
    let expected = include_str!("../../foreign/conformance.txt");
    let mut sections: Vec<(String, BTreeSet<String>)> = Vec::new();
    for line in expected.lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix("# ") {
            Some(suite) => sections.push((suite.split(' ').next().unwrap().to_owned(), BTreeSet::new())),
            None => {
                let check: Vec<&str> = line.split_whitespace().take(2).collect();
                sections.last_mut().unwrap().1.insert(check.join(" "));
            }
        }
    }
    for ((suite, wanted), args) in sections.iter().zip([&[][..], &["--requirements", "2026-07-28"]]) {
        let failing = failing(suite, args, &url, &home);
        let (new, mended): (Vec<_>, Vec<_>) =
            (failing.difference(wanted).collect(), wanted.difference(&failing).collect());
        assert!(
            new.is_empty() && mended.is_empty(),
            "{suite}: failing beside those listed: {new:#?}\nlisted and passing: {mended:#?}"
        );
    }
}
