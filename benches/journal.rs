//! The journal's budgets. Prints one line a budget: name, what was measured, the limit, and `ok` or `OVER`.
//!
//! Recording is measured against bare commits of the same SQLite in the same run, so its lines are ratios and say the
//! same on every machine. The rest is milliseconds at 1,000,000 sessions and commands, which are filled in by SQL:
//! recording them one by one would take longer than everything else here.
//!
//! `cargo bench --bench journal -- [record] [ingest] [lists]` runs some of it; `BENCH_DIR` says on which disk.

#[path = "material/lists.rs"]
mod lists;
#[path = "material/session.rs"]
mod session;

use std::time::{Duration, Instant};

use admin_shell::{
    event::{Event, SessionId, StreamId},
    journal::{Journal, SqliteJournal, Stream},
};
use jiff::Timestamp;
use sqlx::{
    ConnectOptions, Connection, Executor, Row, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let wants = |name: &str| asked.is_empty() || asked.iter().any(|argument| argument == name);
    let directory = match std::env::var_os("BENCH_DIR") {
        Some(directory) => tempfile::tempdir_in(directory),
        None => tempfile::tempdir(),
    };
    let directory = directory.expect("a directory to work in");
    let path = |name: &str| directory.path().join(name).to_str().expect("a path in UTF-8").to_owned();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        if wants("open") {
            opening(&path("open.db")).await;
        }
        if wants("record") {
            recording(&path("record.db"), &path("bare.db")).await;
        }
        if wants("ingest") {
            ingest(&path("ingest.db")).await;
        }
        if wants("lists") {
            million(&path("lists.db")).await;
        }
    });
}

/// Prints a line of the report.
fn line(name: &str, measured: f64, limit: f64, at_most: bool) {
    let ok = if at_most { measured <= limit } else { measured >= limit };
    println!("{name:<44} {measured:>10.2} {limit:>10.2} {}", if ok { "ok" } else { "OVER" });
}

fn quantile(times: &mut [Duration], part: f64) -> f64 {
    times.sort_unstable();
    let at = ((times.len() - 1) as f64 * part).round() as usize;
    times[at].as_secs_f64() * 1_000.0
}

async fn opening(path: &str) {
    let journal = SqliteJournal::open(path).await.expect("opens");
    journal.close().await;
    let mut times = Vec::new();
    for _ in 0..200 {
        let begun = Instant::now();
        let journal = SqliteJournal::open(path).await.expect("opens");
        times.push(begun.elapsed());
        journal.close().await;
    }
    line("opening a journal, warm, p50, ms", quantile(&mut times, 0.5), 3.0, true);
}

/// A command's two commits against two bare ones, in turns so that both meet the same disk.
async fn recording(path: &str, bare: &str) {
    let options = SqliteConnectOptions::new()
        .filename(bare)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut bare = options.disable_statement_logging().connect().await.expect("opens");
    bare.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, text TEXT)").await.expect("makes a table");
    let journal = SqliteJournal::open(path).await.expect("opens");
    let stream = Stream { id: StreamId::Session(SessionId::new()), component: "orchestrator".into() };
    journal.record(&stream, &[session::start(Timestamp::now())]).await.expect("recorded");
    let text = "x".repeat(300);
    let (mut plain, mut recorded) = (Vec::new(), Vec::new());
    for command in 1..=4_000_u64 {
        let begun = Instant::now();
        for _ in 0..2 {
            let row = sqlx::query("INSERT INTO rows (text) VALUES (?)").bind(&text);
            row.execute(&mut bare).await.expect("inserted");
        }
        plain.push(begun.elapsed());
        let begun = Instant::now();
        let now = Timestamp::now();
        journal.record(&stream, &[session::command_start(now, command)]).await.expect("recorded");
        journal.record(&stream, &[session::command_end(now, command)]).await.expect("recorded");
        recorded.push(begun.elapsed());
    }
    for (name, part, limit) in [("p50", 0.5, 1.5), ("p99", 0.99, 3.0)] {
        let (plain, recorded) = (quantile(&mut plain, part), quantile(&mut recorded, part));
        println!("# two bare commits {name} {plain:.3} ms, a command {recorded:.3} ms");
        line(&format!("recording a command, {name}, ratio"), recorded / plain, limit, true);
    }
    journal.close().await;
    bare.close().await.expect("closes");
}

/// Batches of sealed events from eight clients.
async fn ingest(path: &str) {
    const CLIENTS: usize = 8;
    const BATCHES: usize = 20;
    let source = SqliteJournal::in_memory().await.expect("a journal");
    let mut batches: Vec<Vec<Vec<Event>>> = vec![Vec::new(); CLIENTS];
    for client in &mut batches {
        for _ in 0..BATCHES {
            let mut batch = Vec::new();
            for _ in 0..25 {
                let stream = Stream { id: StreamId::Session(SessionId::new()), component: "orchestrator".into() };
                batch.extend(source.record(&stream, &session::whole()).await.expect("recorded"));
            }
            client.push(batch);
        }
    }
    // What arrives is text: reading it, with the check of its hash, is part of taking it in.
    let texts: Vec<Vec<Vec<String>>> = batches
        .iter()
        .map(|client| client.iter().map(|batch| batch.iter().map(|event| event.text().to_owned()).collect()).collect())
        .collect();
    let total: usize = texts.iter().flatten().map(Vec::len).sum();
    let journal = SqliteJournal::open(path).await.expect("opens");
    let begun = Instant::now();
    let clients: Vec<_> = texts
        .into_iter()
        .map(|client| {
            let journal = journal.clone();
            tokio::spawn(async move {
                for batch in client {
                    let events: Vec<Event> = batch.iter().map(|text| Event::parse(text).expect("an event")).collect();
                    journal.append(&events).await.expect("appended");
                }
            })
        })
        .collect();
    for client in clients {
        client.await.expect("the client ends");
    }
    let rate = total as f64 / begun.elapsed().as_secs_f64();
    line("ingest, 8 clients, batches of 500, events/s", rate, 20_000.0, false);
    journal.close().await;

    let journal = SqliteJournal::open(&format!("{path}.single")).await.expect("opens");
    let begun = Instant::now();
    let clients: Vec<_> = batches
        .into_iter()
        .map(|client| {
            let journal = journal.clone();
            tokio::spawn(async move {
                let mut count = 0;
                for event in client.iter().flatten().take(2_500) {
                    journal.append(std::slice::from_ref(event)).await.expect("appended");
                    count += 1;
                }
                count
            })
        })
        .collect();
    let mut total = 0;
    for client in clients {
        total += client.await.expect("the client ends");
    }
    let rate = f64::from(total) / begun.elapsed().as_secs_f64();
    line("ingest, 8 clients, one event each, events/s", rate, 5_000.0, false);
    journal.close().await;
}

/// Lists, statistics and text search at a million.
async fn million(path: &str) {
    let journal = SqliteJournal::open(path).await.expect("opens");
    journal.close().await;
    let begun = Instant::now();
    fill(path, 1_000_000).await;
    println!("# filled 1,000,000 sessions in {:.0} s", begun.elapsed().as_secs_f64());
    let journal = SqliteJournal::open(path).await.expect("opens");
    for (name, filter, limit) in lists::filters() {
        let mut times = lists::pages(&journal, &filter).await;
        line(&format!("{name}, p95, ms"), quantile(&mut times, 0.95), limit, true);
    }
    journal.close().await;
    let mut connection = SqliteConnection::connect(&format!("sqlite:{path}")).await.expect("opens");
    let mut times = Vec::new();
    for _ in 0..50 {
        let begun = Instant::now();
        let sql = "SELECT component, sum(sessions), sum(duration_us), sum(failed) FROM rollups \
                   WHERE day BETWEEN 19700 AND 19730 GROUP BY component";
        let rows = sqlx::query(sql).fetch_all(&mut connection).await.expect("sums");
        assert!(!rows.is_empty() && rows[0].get::<i64, _>(1) > 0);
        times.push(begun.elapsed());
    }
    line("a month's statistics, p95, ms", quantile(&mut times, 0.95), 20.0, true);
}

/// Fills a journal with sessions of one command each, a minute after the other. Their events have no text: lists do not
/// read it, and `verify` is not measured here.
async fn fill(path: &str, sessions: u32) {
    let mut connection = SqliteConnection::connect(&format!("sqlite:{path}")).await.expect("opens");
    let seed = format!(
        "PRAGMA synchronous = OFF; BEGIN; \
         CREATE TEMP TABLE seed AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {sessions}) \
         SELECT i, 1700000000000000 + i * 20000000 AS us, 'sess_' || printf('%026d', i) AS name, \
         iif(i % 4999 = 0, 'rare', 'component-' || (i % 6)) AS component, abs(random()) AS r FROM n;"
    );
    let fills = [
        "INSERT INTO streams (id, name, component, own, next_seq, head_position, heard_us, last_us, commands, outcomes) \
         SELECT i, name, component, 0, 1, i, us, us, 1, 1 FROM seed;",
        "INSERT INTO events (position, event_id, stream, seq, type, time_us, recorded_us, hash, link) \
         SELECT i, randomblob(16), i, 0, 'command_start', us, us, x'00', x'00' FROM seed;",
        "INSERT INTO commands (position, stream, command, start_us, input, status, duration_us) \
         SELECT i, i, 1, us, 'show(\"run_' || i || '\"); retry(find(' || (r % 1000) || '))', 'ok', 1000 FROM seed;",
        "INSERT INTO sessions (stream, session_id, component, order_us, start_us, end_us, duration_us, duration_class, \
         status, end_reason, own_end, inferred, component_type, username, hostname) \
         SELECT i, name, component, us, us, iif(i % 1000 = 0, NULL, us + d), iif(i % 1000 = 0, NULL, d), \
         iif(i % 1000 = 0, NULL, CAST(4 * log2(d) AS INTEGER)), \
         CASE WHEN i % 1000 = 0 THEN 'open' WHEN i % 101 = 0 THEN 'crashed' ELSE 'ended' END, 'exit', \
         i % 101 <> 0 AND i % 1000 <> 0, i % 101 = 0, 'type-' || (i % 6), \
         iif(r % 2000 = 1, 'user-999', 'user-' || (r % 20)), 'host-' || (r / 7 % 50) \
         FROM (SELECT *, 100000 + (r % 1000003) * (r % 997) * 600 AS d FROM seed);",
        "INSERT INTO rollups SELECT order_us / 86400000000, component, count(*), count(*), 0, coalesce(sum(duration_us), 0), count(*), \
         count(*), 0, 0, 0 FROM sessions GROUP BY 1, 2;",
        "INSERT INTO presence SELECT name, component, 0, 60000000, NULL FROM seed WHERE i % 2000 = 0;",
        "INSERT INTO command_text (command_text) VALUES ('rebuild');",
        "UPDATE journal SET streams = (SELECT max(id) FROM streams), text_position = (SELECT max(position) FROM events);",
        "COMMIT; PRAGMA wal_checkpoint(TRUNCATE);",
    ];
    // The bundled SQLite is built without its functions for logarithms.
    let fills = fills.map(|sql| sql.replace("CAST(4 * log2(d) AS INTEGER)", &lists::classes()));
    connection.execute(sqlx::AssertSqlSafe(seed)).await.expect("the seed");
    for sql in fills {
        connection.execute(sqlx::AssertSqlSafe(sql)).await.expect("filled");
    }
    connection.close().await.expect("closes");
}
