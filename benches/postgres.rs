//! The journal in Postgres, against its budget: durable ingest. Starts a server of its own, whose commits are synced.
//!
//! Prints one line a measurement: name, what was measured, the limit where there is one, and `ok` or `OVER`.

#[path = "../tests/it/postgres.rs"]
#[allow(dead_code, reason = "tests do more with a server")]
mod postgres;
#[path = "material/session.rs"]
mod session;

use std::{
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use admin_shell::{
    event::{Event, SessionId, StreamId},
    journal::{Journal, PostgresJournal, SqliteJournal, Stream},
};
use jiff::Timestamp;

use postgres::{Disk, Server};

/// Events in a batch; sessions of 20 events each.
const BATCH: usize = 500;
/// Events in a run.
const EVENTS: usize = 80_000;

fn main() -> ExitCode {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let server = Server::start(Disk::Synced);
    let is_kept = runtime.block_on(async {
        line(1, ingest(&server, 1).await, None);
        let is_kept = line(8, ingest(&server, 8).await, Some(10_000.0));
        line(32, ingest(&server, 32).await, None);
        recording(&server).await;
        is_kept
    });
    if is_kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints a line of the report. False when the budget is not kept.
fn line(clients: usize, rate: f64, limit: Option<f64>) -> bool {
    let name = format!("Postgres: ingest, {clients} clients, batches of {BATCH}, events/s");
    let is_kept = limit.is_none_or(|limit| rate >= limit);
    match limit {
        Some(limit) => println!("{name:<56} {rate:>10.0} {limit:>10.0} {}", if is_kept { "ok" } else { "OVER" }),
        None => println!("{name:<56} {rate:>10.0}"),
    }
    is_kept
}

/// Batches of sealed events from some clients.
async fn ingest(server: &Server, clients: usize) -> f64 {
    let source = SqliteJournal::in_memory().await.expect("a journal");
    let mut texts: Vec<Vec<Vec<String>>> = vec![Vec::new(); clients];
    for number in 0..EVENTS / BATCH {
        let mut batch = Vec::with_capacity(BATCH);
        for _ in 0..BATCH / 20 {
            let stream = Stream { id: StreamId::Session(SessionId::new()), component: "orchestrator".into() };
            let events = source.record(&stream, &session::whole()).await.expect("recorded");
            batch.extend(events.iter().map(|event| event.text().to_owned()));
        }
        texts[number % clients].push(batch);
    }
    drop(source);
    let journal = PostgresJournal::open(&server.url(&server.database().await)).await.expect("opens");
    let journal = Arc::new(journal);
    let begun = Instant::now();
    let clients_at_work: Vec<_> = texts
        .into_iter()
        .map(|batches| {
            let journal = Arc::clone(&journal);
            tokio::spawn(async move {
                for batch in batches {
                    // What arrives is text: reading it, with the check of its hash, is part of taking it in.
                    let events: Vec<Event> = batch.iter().map(|text| Event::parse(text).expect("an event")).collect();
                    journal.append(&events).await.expect("appended");
                }
            })
        })
        .collect();
    for client in clients_at_work {
        client.await.expect("the client ends");
    }
    let rate = EVENTS as f64 / begun.elapsed().as_secs_f64();
    journal.close().await;
    rate
}

/// A command's two commits, from one shell.
async fn recording(server: &Server) {
    let journal = PostgresJournal::open(&server.url(&server.database().await)).await.expect("opens");
    let stream = Stream { id: StreamId::Session(SessionId::new()), component: "orchestrator".into() };
    journal.record(&stream, &[session::start(Timestamp::now())]).await.expect("recorded");
    let mut times: Vec<Duration> = Vec::new();
    for command in 1..=500 {
        let now = Timestamp::now();
        let begun = Instant::now();
        journal.record(&stream, &[session::command_start(now, command)]).await.expect("recorded");
        journal.record(&stream, &[session::command_end(now, command)]).await.expect("recorded");
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    for (name, part) in [("p50", 0.5), ("p99", 0.99)] {
        let at = ((times.len() - 1) as f64 * part).round() as usize;
        let name = format!("Postgres: recording a command, {name}, ms");
        println!("{name:<56} {:>10.2}", times[at].as_secs_f64() * 1_000.0);
    }
    journal.close().await;
}
