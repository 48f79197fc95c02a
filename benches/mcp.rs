//! The budgets of calls over MCP: a tracker on loopback in this process, clients that keep their connections open, and a
//! call that does nothing in the same run. Every recorded call is a commit that is synced to the disk.

#[path = "material/report.rs"]
#[allow(dead_code, reason = "not every bench has limits of both kinds")]
mod report;

use std::{net::TcpListener, process::ExitCode, sync::Arc, time::Instant};

use admin_shell::{
    journal::SqliteJournal,
    tracker::{Gate, Limits, Names, Tracker, server::Server},
};
use reqwest::Client;
use serde_json::{Value, json};

use report::{Report, quantile};

const CALLS: usize = 2_000;
const CLIENTS: usize = 8;

fn main() -> ExitCode {
    let directory = match std::env::var_os("BENCH_DIR") {
        Some(directory) => tempfile::tempdir_in(directory),
        None => tempfile::tempdir(),
    };
    let directory = directory.expect("a directory to work in");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let path = directory.path().join("journal.db");
    runtime.block_on(async {
        let journal = SqliteJournal::open(path.to_str().expect("a path in UTF-8")).await.expect("a journal");
        let tracker = Tracker::new(Arc::new(journal), Some(path.clone()), Gate::open());
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/mcp", listener.local_addr().expect("an address"));
        let limits = Limits { rate: None, ..Limits::default() };
        let server = Server { listener, tls: None, metrics: None, limits, names: Names::default() };
        tokio::spawn(async move { server.serve(tracker, std::future::pending()).await });
        measure(&url).await.exit()
    })
}

async fn measure(url: &str) -> Report {
    let client = client();
    let mut idle = Vec::with_capacity(CALLS);
    let mut started = Vec::with_capacity(CALLS);
    // In turns, so that whatever else the machine does strikes both.
    for _ in 0..CALLS {
        idle.push(timed(&client, url, "health_check", json!({})).await);
        started.push(timed(&client, url, "track_session_start", start()).await);
    }
    let (idle, started) = (quantile(&mut idle, 0.5), quantile(&mut started, 0.5));
    let began = Instant::now();
    let clients = (0..CLIENTS).map(|_| {
        let (client, url) = (self::client(), url.to_owned());
        tokio::spawn(async move {
            for _ in 0..CALLS {
                timed(&client, &url, "track_session_start", start()).await;
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.expect("the client does its calls");
    }
    let rate = (CLIENTS * CALLS) as f64 / began.elapsed().as_secs_f64();
    let mut report = Report::new();
    report.note("a call over MCP that does nothing, median, ms", idle);
    report.at_most("track_session_start, one client, median, ms", started, 0.8);
    report.at_most("the same, as a ratio to doing nothing", started / idle, 2.0);
    report.at_least("track_session_start, 8 clients, calls/s", rate, 5_000.0);
    report
}

fn client() -> Client {
    Client::builder().tcp_nodelay(true).no_proxy().build().expect("a client")
}

/// Calls a tool: milliseconds until all of the answer was there.
async fn timed(client: &Client, url: &str, tool: &str, arguments: Value) -> f64 {
    let body =
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}});
    let body = body.to_string();
    let began = Instant::now();
    let request = client
        .post(url)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2025-11-25")
        .body(body);
    let text = request.send().await.expect("an answer").text().await.expect("all of it");
    let took = began.elapsed().as_secs_f64() * 1e3;
    assert!(text.contains("\"tracked\"") || text.contains("\"healthy\""), "{text}");
    took
}

fn start() -> Value {
    json!({
        "event_id": uuid::Uuid::now_v7(), "event_type": "session_start", "component_name": "orchestrator",
        "shell_type": "OrchestratorShell", "timestamp": "2026-02-06T10:30:00Z", "pid": 12345,
        "user": {"username": "les", "home": "/home/les"}, "hostname": "mbp-local",
        "environment": {"python_version": "3.13.0", "platform": "macOS-15.2-arm64", "cwd": "/home/les/project"},
        "metadata": {"component_version": "1.0.0", "adapters": ["prefect"]},
    })
}
