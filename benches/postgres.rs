//! The journal in Postgres, against its budget: durable ingest.
//! Starts a server of its own, whose commits are synced.

#[path = "../tests/it/postgres.rs"]
#[allow(dead_code, reason = "tests do more with a server")]
mod postgres;
#[path = "material/report.rs"]
#[allow(dead_code, reason = "not every bench has limits of both kinds")]
mod report;
#[path = "material/session.rs"]
mod session;

use std::{process::ExitCode, sync::Arc, time::Instant};

use admin_shell::{
    event::{Event, SessionId, StreamId},
    journal::{Journal, PostgresJournal, SqliteJournal, Stream},
};
use jiff::Timestamp;

use postgres::{Disk, Server};
use report::{Report, quantile};

/// Events in a batch; sessions of 20 events each.
const BATCH: usize = 500;
/// Events in a run.
const EVENTS: usize = 80_000;

fn main() -> ExitCode {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let server = Server::start(Disk::Synced);
    let mut report = Report::new();
    runtime.block_on(async {
        for clients in [1, 8, 32] {
            let name = format!("Postgres: ingest, {clients} clients, batches of {BATCH}, events/s");
            let rate = ingest(&server, clients).await;
            if clients == 8 { report.at_least(&name, rate, 10_000.0) } else { report.note(&name, rate) }
        }
        recording(&server, &report).await;
    });
    report.exit()
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
async fn recording(server: &Server, report: &Report) {
    let journal = PostgresJournal::open(&server.url(&server.database().await)).await.expect("opens");
    let stream = Stream { id: StreamId::Session(SessionId::new()), component: "orchestrator".into() };
    journal.record(&stream, &[session::start(Timestamp::now())]).await.expect("recorded");
    let mut times = Vec::new();
    for command in 1..=500 {
        let now = Timestamp::now();
        let begun = Instant::now();
        journal.record(&stream, &[session::command_start(now, command)]).await.expect("recorded");
        journal.record(&stream, &[session::command_end(now, command)]).await.expect("recorded");
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    for (name, part) in [("p50", 0.5), ("p99", 0.99)] {
        report.note(&format!("Postgres: recording a command, {name}, ms"), quantile(&mut times, part));
    }
    journal.close().await;
}
