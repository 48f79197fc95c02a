//! A journal in Postgres under what a fleet does to it: several programs at once, servers that crash, connections that
//! are cut. Nothing is lost, nothing is doubled, and whoever follows positions misses nothing.

mod traffic;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use admin_shell::{
    event::{Event, Status},
    journal::{Entry, Journal, JournalError, Parcel, PostgresJournal, SqliteJournal, Verdict},
};
use sqlx::Connection;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use self::traffic::*;
use super::fixture::{Writing, at, command_end, command_start, observation, start};
use crate::postgres::{Disk, Server};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_programs_append_at_once() {
    let server = Server::shared();
    let url = server.url(&server.database().await);
    // Eight first opens at once make one journal.
    let opening: Vec<_> = (0..8)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { open(&url).await })
        })
        .collect();
    let mut journals = Vec::new();
    for journal in opening {
        journals.push(journal.await.expect("it opens"));
    }
    assert!(journals.iter().all(|journal| journal.id() == journals[0].id()));
    let (stop, failures) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let followers = [follow(open(&url).await, Arc::clone(&stop)), follow(open(&url).await, Arc::clone(&stop))];
    let mut tasks = Vec::new();
    for journal in &journals[..4] {
        tasks.push(write(Arc::clone(journal), 40, Arc::clone(&failures)));
        tasks.push(write(Arc::clone(journal), 40, Arc::clone(&failures)));
        tasks.push(deliver(Arc::clone(journal), 10, Arc::clone(&failures)));
    }
    // What is said about sessions goes into the one stream that all of them share.
    for number in 0..40 {
        let journal = &journals[4 + number % 4];
        let own = journal.own_stream();
        journal.record(&own, &[observation(at(9), None, "noted")]).await.expect("recorded");
    }
    let told = all(tasks).await;
    assert_eq!(failures.load(Ordering::Relaxed), 0);
    stop.store(true, Ordering::Release);
    for follower in followers {
        let seen = follower.await.expect("it follows");
        assert_whole(&*journals[0], told.clone(), &seen).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_crashes_loses_and_doubles_nothing() {
    let server = Arc::new(Server::start(Disk::Synced));
    let url = server.url(&server.database().await);
    let (stop, failures) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let follower = follow(open(&url).await, Arc::clone(&stop));
    let mut tasks = Vec::new();
    for _ in 0..2 {
        let journal = open(&url).await;
        tasks.push(write(Arc::clone(&journal), 300, Arc::clone(&failures)));
        tasks.push(write(Arc::clone(&journal), 300, Arc::clone(&failures)));
        tasks.push(deliver(journal, 40, Arc::clone(&failures)));
    }
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let server = Arc::clone(&server);
        tokio::task::spawn_blocking(move || server.crash()).await.expect("it crashed");
    }
    // Away for longer than anybody waits by himself.
    let away = Arc::clone(&server);
    tokio::task::spawn_blocking(move || {
        away.stop();
        std::thread::sleep(Duration::from_secs(3));
        away.start_again();
    })
    .await
    .expect("it was away");
    let told = all(tasks).await;
    stop.store(true, Ordering::Release);
    let seen = follower.await.expect("it follows");
    assert_whole(&*open(&url).await, told, &seen).await;
    assert!(failures.load(Ordering::Relaxed) > 0, "the server was away while something was recorded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn connections_that_are_killed_lose_and_double_nothing() {
    let server = Server::shared();
    let database = server.database().await;
    let url = server.url(&database);
    let (stop, failures) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let follower = follow(open(&url).await, Arc::clone(&stop));
    let mut tasks = Vec::new();
    for _ in 0..2 {
        let journal = open(&url).await;
        tasks.push(write(Arc::clone(&journal), 150, Arc::clone(&failures)));
        tasks.push(deliver(journal, 20, Arc::clone(&failures)));
    }
    let mut killer = server.connect("postgres").await;
    let mut killed = 0;
    // Not for ever: on a busy machine nothing would come through.
    for _ in 0..60 {
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
        killed += sqlx::query(sql).bind(&database).fetch_all(&mut killer).await.expect("killed").len();
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    killer.close().await.expect("closed");
    let told = all(tasks).await;
    stop.store(true, Ordering::Release);
    let seen = follower.await.expect("it follows");
    assert_whole(&*open(&url).await, told, &seen).await;
    assert!(killed > 10, "{killed} connections were killed");
}

/// When the way to the server is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// COMMIT does not reach the server.
    Before,
    /// COMMIT is done, and its answer does not come back.
    After,
}

/// A way to a server that is cut at the next COMMIT, once it is armed.
async fn cutting_proxy(to: u16, cut: Cut, armed: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("its number").port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let armed = Arc::clone(&armed);
            tokio::spawn(async move {
                let server = TcpStream::connect(("127.0.0.1", to)).await.expect("the server");
                let (mut from_client, mut to_client) = client.into_split();
                let (mut from_server, mut to_server) = server.into_split();
                let back = tokio::spawn(async move {
                    // An error is an end like any other.
                    let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
                });
                let mut buffer = vec![0; 64 << 10];
                while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
                    let is_commit = buffer[..length].windows(7).any(|window| window == b"COMMIT\0");
                    let is_now = is_commit && armed.swap(false, Ordering::AcqRel);
                    if is_now && cut == Cut::Before {
                        break;
                    }
                    if is_now {
                        // Nobody hears the answer any more.
                        back.abort();
                        to_server.write_all(&buffer[..length]).await.expect("written");
                        tokio::time::sleep(Duration::from_millis(200)).await;
                        break;
                    }
                    if to_server.write_all(&buffer[..length]).await.is_err() {
                        break;
                    }
                }
                back.abort();
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_commit_that_nobody_heard_of_is_looked_up() {
    let server = Server::shared();
    let database = server.database().await;
    for cut in [Cut::Before, Cut::After] {
        let armed = Arc::new(AtomicBool::new(false));
        let port = cutting_proxy(server.port(), cut, Arc::clone(&armed)).await;
        let journal = open(&server.url_by(port, &database)).await;
        let session = Writing::new("orchestrator");
        session.record(&*journal, &[start(at(0), "ada", "host-a")]).await.expect("recorded");
        let drafts = [command_start(at(1), 1, "ps()"), command_end(at(2), 1, Status::Ok)];
        armed.store(true, Ordering::Release);
        let unknown = session.record(&*journal, &drafts).await;
        assert!(matches!(&unknown, Err(JournalError::Unknown { .. })), "{cut:?}: {unknown:?}");
        let is_stored = journal.events(&session.stream.id, 1, 10).await.expect("events").len() == 2;
        assert_eq!(is_stored, cut == Cut::After, "what the error does not say");
        // The same drafts again: found where they are stored, stored where they are not.
        let again = session.record(&*journal, &drafts).await.expect("recorded");
        assert_eq!(again.iter().map(Event::seq).collect::<Vec<_>>(), [1, 2], "{cut:?}");
        assert_eq!(journal.events(&session.stream.id, 0, 10).await.expect("events").len(), 3, "{cut:?}");
        // The same for what was sealed elsewhere.
        let elsewhere = SqliteJournal::in_memory().await.expect("a journal");
        let events = Writing::new("elsewhere").whole(&elsewhere, 0, 1).await;
        armed.store(true, Ordering::Release);
        let unknown = journal.append(&events).await;
        assert!(matches!(&unknown, Err(JournalError::Unknown { .. })), "{cut:?}: {unknown:?}");
        let verdicts = journal.append(&events).await.expect("appended");
        let expected = if cut == Cut::After { Verdict::Duplicate } else { Verdict::Accepted };
        assert!(verdicts.iter().all(|verdict| *verdict == expected), "{cut:?}: {verdicts:?}");
        let report = journal.verify(None).await.expect("verified");
        assert!(report.faults.is_empty(), "{:#?}", report.faults);
    }
}

#[tokio::test]
async fn texts_come_back_byte_for_byte() {
    let server = Server::shared();
    let journal = open(&server.url(&server.database().await)).await;
    let elsewhere = SqliteJournal::in_memory().await.expect("a journal");
    let session = Writing::new("orchestrator");
    let inputs =
        ["nul \0 in the middle", "quote \" and \\ backslash", "ünïcödé 🦀 \u{202e}", "tab\tand\nlines", "' -- ; $1 ?"];
    let mut drafts = vec![start(at(0), "ada", "host-a")];
    for (number, input) in inputs.iter().enumerate() {
        drafts.push(command_start(at(1), number as u64 + 1, input));
        drafts.push(command_end(at(2), number as u64 + 1, Status::Error));
    }
    let events = session.record(&elsewhere, &drafts).await.expect("recorded");
    let parcels: Vec<Parcel> = events.iter().cloned().map(Parcel::Whole).collect();
    let verdicts = journal.receive(&parcels).await.expect("received");
    assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Accepted), "{verdicts:?}");
    let stored = journal.events(&session.stream.id, 0, 100).await.expect("events");
    for (event, stored) in events.iter().zip(&stored) {
        assert!(matches!(stored, Entry::Whole(stored) if stored.text() == event.text()));
    }
    let report = journal.verify(None).await.expect("verified");
    assert!(report.faults.is_empty(), "{:#?}", report.faults);
    let found = |text: &str| admin_shell::journal::Filter { text: Some(text.to_owned()), ..Default::default() };
    for text in ["in the middle", "\\ back", "ünï", "' -- ; $1 ?", "%", "_", "nul \0"] {
        let sessions = journal.sessions(&found(text), &Default::default()).await.expect("a page");
        let is_there = inputs.iter().any(|input| input.contains(text));
        assert_eq!(sessions.records.len(), usize::from(is_there), "{text:?}");
    }
}

#[tokio::test]
async fn what_is_no_journal_is_refused_and_no_password_is_shown() {
    let server = Server::shared();
    let database = server.database().await;
    let secret = "p4ssw0rd-that-nobody-may-see";
    let good = server.url(&database);
    let refused = [
        (good.replace(server.password(), secret), "password authentication failed"),
        (format!("{good}_not_there").replace(server.password(), server.password()), "does not exist"),
        (format!("{good}?passwort={secret}"), "parameter `passwort`"),
        (format!("postgres://admin:{secret}@127.0.0.1:1/x"), "onnection refused"),
        (format!("postgres://admin:{secret}@127.0.0.1:99999999/x"), "URL is not right"),
    ];
    for (url, why) in refused {
        let error = PostgresJournal::open(&url).await.expect_err("it is refused");
        assert!(matches!(error, JournalError::Unusable { .. }), "{error:?}");
        let said = format!("{error} {error:?}");
        assert!(said.contains(why), "{said}");
        assert!(!said.contains(secret) && !said.contains(server.password()), "{said}");
    }
    // Nothing is made where only reading is asked for.
    assert!(PostgresJournal::open_existing(&good).await.expect("no error").is_none());
    let mut connection = server.connect(&database).await;
    sqlx::query("CREATE TABLE events (id INTEGER)").execute(&mut connection).await.expect("made");
    let error = PostgresJournal::open(&good).await.expect_err("it is somebody else's");
    assert!(error.to_string().contains("a database of its own"), "{error}");
    sqlx::query("DROP TABLE events").execute(&mut connection).await.expect("dropped");
    let journal = PostgresJournal::open(&good).await.expect("it opens");
    let shown = format!("{journal:?} {}", journal.status().await.expect("status").database);
    assert!(!shown.contains(server.password()) && !shown.contains("admin"), "{shown}");
    // A newer program has migrated it meanwhile.
    sqlx::query("UPDATE journal SET schema_version = 1000").execute(&mut connection).await.expect("changed");
    let session = Writing::new("orchestrator");
    let refused = session.record(&journal, &[start(at(0), "ada", "host-a")]).await;
    assert!(matches!(refused, Err(JournalError::TooNew { found: 1000, .. })), "{refused:?}");
    let error = PostgresJournal::open(&good).await.expect_err("it is too new");
    assert!(matches!(error, JournalError::TooNew { .. }), "{error:?}");
}

#[tokio::test]
async fn a_user_without_rights_reads() {
    let server = Server::shared();
    let database = server.database().await;
    let url = server.url(&database);
    let journal = open(&url).await;
    let session = Writing::new("orchestrator");
    session.whole(&*journal, 0, 2).await;
    let mut connection = server.connect(&database).await;
    for sql in [
        format!(
            "DO $$ BEGIN CREATE ROLE reader LOGIN PASSWORD '{}'; EXCEPTION WHEN duplicate_object THEN END $$",
            server.password()
        ),
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader".to_owned(),
    ] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.expect("granted");
    }
    let reader = open(&url.replace("admin:", "reader:")).await;
    assert!(reader.read_only().is_some());
    assert_eq!(reader.events(&session.stream.id, 0, 10).await.expect("events").len(), 6);
    assert!(reader.verify(None).await.expect("verified").faults.is_empty());
    let refused = session.record(&*reader, &[start(at(0), "eve", "host-b")]).await;
    assert!(matches!(refused, Err(JournalError::ReadOnly { .. })), "{refused:?}");
}
