//! The journal in Postgres, against its budgets: durable ingest, and lists at 1,000,000 sessions, which are filled in by
//! SQL. Starts a server of its own, whose commits are synced.
//!
//! Prints one line a measurement: name, what was measured, the limit where there is one, and `ok` or `OVER`.
//! `cargo bench --bench postgres -- [ingest] [lists]` runs some of it.

#[path = "material/lists.rs"]
mod lists;
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
use sqlx::{AssertSqlSafe, Executor, Row};

use postgres::{Disk, Server};

/// Events in a batch; sessions of 20 events each.
const BATCH: usize = 500;
/// Events in a run.
const EVENTS: usize = 80_000;

fn main() -> ExitCode {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let server = Server::start(Disk::Synced);
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let wants = |name: &str| asked.is_empty() || asked.iter().any(|argument| argument == name);
    let is_kept = runtime.block_on(async {
        let mut is_kept = true;
        if wants("ingest") {
            line(1, ingest(&server, 1).await, None);
            is_kept &= line(8, ingest(&server, 8).await, Some(10_000.0));
            line(32, ingest(&server, 32).await, None);
            recording(&server).await;
        }
        if wants("lists") {
            is_kept &= million(&server).await;
        }
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

/// Lists, text search and statistics at a million.
async fn million(server: &Server) -> bool {
    let database = server.database().await;
    let journal = PostgresJournal::open(&server.url(&database)).await.expect("opens");
    let begun = Instant::now();
    fill(server, &database, 1_000_000).await;
    println!("# filled 1,000,000 sessions in {:.0} s", begun.elapsed().as_secs_f64());
    let mut is_kept = true;
    for (name, filter, limit) in lists::filters() {
        let mut times = lists::pages(&journal, &filter).await;
        is_kept &= at_most(&format!("Postgres: {name}, p95, ms"), &mut times, limit);
    }
    journal.close().await;
    let mut connection = server.connect(&database).await;
    let mut times = Vec::new();
    for _ in 0..50 {
        let begun = Instant::now();
        let sql = "SELECT component, sum(sessions)::bigint, sum(duration_us)::bigint, sum(failed)::bigint FROM rollups \
                   WHERE day BETWEEN 19700 AND 19730 GROUP BY component";
        let rows = sqlx::query(sql).fetch_all(&mut connection).await.expect("sums");
        assert!(!rows.is_empty() && rows[0].get::<i64, _>(1) > 0);
        times.push(begun.elapsed());
    }
    is_kept & at_most("Postgres: a month's statistics, p95, ms", &mut times, 20.0)
}

fn at_most(name: &str, times: &mut [Duration], limit: f64) -> bool {
    times.sort_unstable();
    let at = ((times.len() - 1) as f64 * 0.95).round() as usize;
    let measured = times[at].as_secs_f64() * 1_000.0;
    println!("{name:<56} {measured:>10.2} {limit:>10.2} {}", if measured <= limit { "ok" } else { "OVER" });
    measured <= limit
}

/// Fills a journal with sessions of one command each, as `benches/journal.rs` does for SQLite.
async fn fill(server: &Server, database: &str, sessions: u32) {
    let mut connection = server.connect(database).await;
    let class = lists::classes();
    let fills = [
        format!(
            "CREATE TEMP TABLE seed AS SELECT i, 1700000000000000 + i * 20000000 AS us, \
             'sess_' || lpad(i::text, 26, '0') AS name, \
             CASE WHEN i % 4999 = 0 THEN 'rare' ELSE 'component-' || (i % 6) END AS component, \
             (random() * 9e15)::bigint AS r FROM generate_series(1::bigint, {sessions}) i"
        ),
        "INSERT INTO streams (id, name, component, own, next_seq, head_position, heard_us, last_us, commands, outcomes) \
         SELECT i, name, component, 0, 1, i, us, us, 1, 1 FROM seed"
            .to_owned(),
        "INSERT INTO events (position, event_id, stream, seq, type, time_us, recorded_us, hash, link) \
         SELECT i, decode(md5(i::text), 'hex'), i, 0, 'command_start', us, us, '\\x00', '\\x00' FROM seed"
            .to_owned(),
        "INSERT INTO commands (position, stream, command, start_us, input, status, duration_us) \
         SELECT i, i, 1, us, 'show(\"run_' || i || '\"); retry(find(' || (r % 1000) || '))', 'ok', 1000 FROM seed"
            .to_owned(),
        format!(
            "INSERT INTO sessions (stream, session_id, component, order_us, start_us, end_us, duration_us, duration_class, \
             status, end_reason, own_end, inferred, component_type, username, hostname) \
             SELECT i, name, component, us, us, CASE WHEN i % 1000 <> 0 THEN us + d END, CASE WHEN i % 1000 <> 0 THEN d END, \
             CASE WHEN i % 1000 <> 0 THEN {class} END, \
             CASE WHEN i % 1000 = 0 THEN 'open' WHEN i % 101 = 0 THEN 'crashed' ELSE 'ended' END, 'exit', \
             (i % 101 <> 0 AND i % 1000 <> 0)::int, (i % 101 = 0)::int, 'type-' || (i % 6), \
             CASE WHEN r % 2000 = 1 THEN 'user-999' ELSE 'user-' || (r % 20) END, 'host-' || (r / 7 % 50) \
             FROM (SELECT *, 100000 + (r % 1000003) * (r % 997) * 600 AS d FROM seed) seed"
        ),
        "INSERT INTO rollups SELECT order_us / 86400000000, component, count(*), count(*), 0, \
         coalesce(sum(duration_us), 0)::bigint, count(*), count(*), 0, 0, 0 FROM sessions GROUP BY 1, 2"
            .to_owned(),
        "INSERT INTO presence SELECT name, component, 0, 60000000, NULL FROM seed WHERE i % 2000 = 0".to_owned(),
        "UPDATE journal SET streams = (SELECT max(id) FROM streams)".to_owned(),
        "VACUUM ANALYZE".to_owned(),
    ];
    for sql in fills {
        connection.execute(AssertSqlSafe(sql)).await.expect("filled");
    }
}
