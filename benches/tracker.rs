//! The tracker's budgets, measured from outside: a process that is started, and clients over REST.
//!
//! Ingest is durable: every batch is hashed, chained, projected and synced before it is answered. The clients run in this
//! process and on the same cores.
//!
//! `cargo bench --bench tracker -- [start] [ingest] [metrics]` runs some of it; `BENCH_DIR` says on which disk.

#[path = "material/report.rs"]
#[allow(dead_code, reason = "not every bench has limits of both kinds")]
mod report;

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
    time::Instant,
};

use admin_shell::{
    event::{CommandEnd, CommandStart, EventKind, Hash, SessionId, Status},
    journal::{Journal, SqliteJournal, Stream},
    redact::Redactor,
};
use jiff::Timestamp;
use serde_json::json;

use report::{Report, quantile};

const EVENTS: usize = 48_000;
const BATCH: usize = 500;

fn main() -> ExitCode {
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let wants = |name: &str| asked.is_empty() || asked.iter().any(|argument| argument == name);
    let directory = match std::env::var_os("BENCH_DIR") {
        Some(directory) => tempfile::tempdir_in(directory),
        None => tempfile::tempdir(),
    };
    let directory = directory.expect("a directory to work in");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let mut report = Report::new();
    runtime.block_on(async {
        if wants("start") {
            starting(&directory.path().join("start.db"), &mut report).await;
        }
        for clients in [1, 8, 32] {
            if wants("ingest") {
                let rate = ingest(&directory.path().join(format!("ingest-{clients}.db")), clients).await;
                let name = format!("durable ingest, {clients} clients, events/s");
                if clients == 8 { report.at_least(&name, rate, 20_000.0) } else { report.note(&name, rate) }
            }
        }
        if wants("metrics") {
            metrics(&directory.path().join("metrics.db"), &mut report).await;
        }
    });
    report.exit()
}

/// A tracker; killed when it is dropped.
struct Tracker {
    child: Child,
    url: String,
}

impl Tracker {
    fn start(database: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_session-tracker"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--rate", "0", "--log", "warn", "--database"]).arg(database);
        command.env_remove("SESSION_TRACKER_SECRET").stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the tracker starts");
        let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let line = lines.next().expect("it says where it listens").expect("UTF-8");
        let url = line.split("listens on ").nth(1).and_then(|rest| rest.split(',').next()).expect("a URL").to_owned();
        // What it says later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url }
    }
}

impl Drop for Tracker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().tcp_nodelay(true).build().expect("a client")
}

async fn starting(database: &Path, report: &mut Report) {
    drop(Tracker::start(database));
    let mut times = Vec::new();
    let mut resident = 0.0_f64;
    for _ in 0..20 {
        let begun = Instant::now();
        let tracker = Tracker::start(database);
        let answer = client().get(format!("{}/ready", tracker.url)).send().await.expect("it answers");
        assert!(answer.status().is_success());
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        resident = resident.max(resident_mib(tracker.child.id()));
    }
    report.at_most("tracker start to healthy, p50, ms", quantile(&mut times, 0.5), 50.0);
    report.at_most("tracker resident memory, idle, MiB", resident, 30.0);
}

fn resident_mib(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1_024.0
}

/// Sealed events of one client's journal, as bodies of requests.
async fn batches(events: usize) -> Vec<String> {
    let journal = SqliteJournal::in_memory().await.expect("a journal in memory");
    let redactor = Redactor::default();
    let mut batches = Vec::new();
    for _ in 0..events / BATCH {
        let stream = Stream { id: SessionId::new().into(), component: "bench".to_owned() };
        let mut drafts = Vec::with_capacity(BATCH);
        for command in 1..=BATCH as u64 / 2 {
            let start = CommandStart {
                command,
                input: Some(format!("show({command})")),
                source: "prompt".to_owned(),
                input_bytes: None,
                input_digest: None,
            };
            let end = CommandEnd {
                command,
                status: Status::Ok,
                duration_us: 1_500,
                error: None,
                reads: Default::default(),
                output_bytes: 12,
                output_digest: Hash::of(b"").to_string(),
                notes: Vec::new(),
            };
            let now = Timestamp::now();
            drafts.push(redactor.draft(EventKind::CommandStart, now, &start));
            drafts.push(redactor.draft(EventKind::CommandEnd, now, &end));
        }
        let events = journal.record(&stream, &drafts).await.expect("recorded");
        let texts: Vec<&str> = events.iter().map(|event| event.text()).collect();
        batches.push(json!({ "events": texts }).to_string());
    }
    batches
}

async fn send(client: &reqwest::Client, url: &str, batch: String) {
    let request = client.post(format!("{url}/api/v1/events")).header("content-type", "application/json").body(batch);
    let answer = request.send().await.expect("it answers");
    assert!(answer.status().is_success(), "{}", answer.status());
    let text = answer.text().await.expect("the whole answer");
    assert!(!text.contains("rejected"), "{text}");
}

/// Events a second.
async fn ingest(database: &Path, clients: usize) -> f64 {
    let tracker = Tracker::start(database);
    let mut work = Vec::new();
    for _ in 0..clients {
        work.push(batches(EVENTS / clients).await);
    }
    let sent: usize = work.iter().map(|batches| batches.len() * BATCH).sum();
    let begun = Instant::now();
    let senders = work.into_iter().map(|batches| {
        let (client, url) = (client(), tracker.url.clone());
        tokio::spawn(async move {
            for batch in batches {
                send(&client, &url, batch).await;
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.expect("it sends everything");
    }
    sent as f64 / begun.elapsed().as_secs_f64()
}

async fn metrics(database: &Path, report: &mut Report) {
    let tracker = Tracker::start(database);
    let client = client();
    for batch in batches(EVENTS / 4).await {
        send(&client, &tracker.url, batch).await;
    }
    let mut times = Vec::new();
    for _ in 0..50 {
        let begun = Instant::now();
        let answer = client.get(format!("{}/metrics", tracker.url)).send().await.expect("it answers");
        assert!(answer.text().await.expect("the whole answer").contains("session_tracker_events_total"));
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    report.at_most("metrics export, p95, ms", quantile(&mut times, 0.95), 20.0);
}
