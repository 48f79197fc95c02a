//! Two trackers in front of one Postgres: whichever is asked, the answer is the same, and one that is killed loses nothing.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use admin_shell::{
    event::Event,
    journal::{Journal, PostgresJournal},
    token::Scope,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::sync::RwLock;

use super::{
    fixture::{SECRET, Service, answer, client, elsewhere, reader, session, token},
    metrics::{load, samples},
    tools::certificate,
};
use crate::{
    cli::process::Home,
    postgres::{Disk, Server},
};

fn tracker(database: &str) -> Service {
    let env = [("SESSION_TRACKER_SECRET", SECRET), ("ADMIN_SHELL_DATABASE", database)];
    Service::start(Home::new(), &["--rate", "0"], &env)
}

/// Sends a batch until it has a verdict, now to the one, now to the other, as whoever delivers does.
async fn insist(urls: &RwLock<[String; 2]>, turn: usize, events: &[Event], token: &str) {
    let texts: Vec<&str> = events.iter().map(Event::text).collect();
    for attempt in 0..200 {
        let url = urls.read().await[(turn + attempt) % 2].clone();
        let post = client().post(format!("{url}/api/v1/events")).json(&json!({ "events": texts })).bearer_auth(token);
        let Ok(answered) = post.send().await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        // A tracker may die between its first byte and its last.
        let Ok(taken) = answered.json::<Value>().await else { continue };
        let verdicts = taken["results"].as_array().unwrap_or_else(|| panic!("{taken}"));
        assert!(verdicts.iter().all(|one| one["verdict"] == "accepted" || one["verdict"] == "duplicate"), "{taken}");
        return;
    }
    panic!("no tracker answers");
}

/// The ids that a live view shows, until there are as many as wanted.
async fn look_on(mut live: reqwest::Response, wanted: usize) -> Vec<String> {
    let (mut text, mut seen) = (String::new(), Vec::new());
    while seen.len() < wanted {
        let part = tokio::time::timeout(Duration::from_secs(60), live.chunk()).await.expect("it goes on");
        text.push_str(std::str::from_utf8(&part.unwrap().expect("it does not end")).unwrap());
        while let Some(at) = text.find("\n\n") {
            let block: String = text.drain(..at + 2).collect();
            let data = block.lines().find_map(|line| line.strip_prefix("data: "));
            seen.extend(data.map(|data| Event::parse(data).expect("an event").event_id().to_string()));
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_when_one_is_killed() {
    let server = Server::shared();
    let database = server.url(&server.database().await);
    let (first, second) = (tracker(&database), tracker(&database));
    let live = first.get("/api/v1/live").bearer_auth(reader()).send().await.unwrap();
    let urls = Arc::new(RwLock::new([first.url.clone(), second.url.clone()]));
    let forwarder = token("all", &[Scope::EventsForward], None);
    let mut sent: Vec<Vec<Event>> = Vec::new();
    let shell = elsewhere().await;
    for _ in 0..24 {
        sent.push(session(&shell, "orchestrator", 20).await);
    }
    let senders: Vec<_> = sent
        .iter()
        .cloned()
        .enumerate()
        .map(|(number, events)| {
            let (urls, forwarder) = (Arc::clone(&urls), forwarder.clone());
            tokio::spawn(async move {
                for (turn, batch) in events.chunks(3).enumerate() {
                    insist(&urls, number + turn, batch, &forwarder).await;
                }
            })
        })
        .collect();
    // The second dies in the middle of it, three times, and another one takes its place.
    let mut second = Some(second);
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(400)).await;
        drop(second.take());
        let another = {
            let database = database.clone();
            tokio::task::spawn_blocking(move || tracker(&database)).await.unwrap()
        };
        urls.write().await[1] = another.url.clone();
        second = Some(another);
    }
    for sender in senders {
        sender.await.unwrap();
    }
    let second = second.unwrap();
    let wanted: BTreeSet<String> = sent.iter().flatten().map(|event| event.event_id().to_string()).collect();
    let seen = look_on(live, wanted.len()).await;
    assert_eq!((seen.len(), seen.into_iter().collect::<BTreeSet<_>>()), (wanted.len(), wanted));
    for service in [&first, &second] {
        let (_, list) = answer(service.get("/api/v1/sessions?limit=1000").bearer_auth(reader())).await;
        assert_eq!(list.as_array().unwrap().len(), sent.len());
        for events in &sent {
            let path = format!("/api/v1/sessions/{}/events", events[0].stream());
            let text = service.get(&path).bearer_auth(reader()).send().await.unwrap().text().await.unwrap();
            let texts: Vec<&str> = events.iter().map(Event::text).collect();
            assert!(text == format!("[{}]", texts.join(",")), "{path} differs from what was sent");
        }
    }
    let journal = PostgresJournal::open(&database).await.unwrap();
    assert_eq!(journal.verify(None).await.unwrap().faults, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whichever_is_asked_says_the_same() {
    let server = Server::shared();
    let database = server.url(&server.database().await);
    let (first, second) = (tracker(&database), tracker(&database));
    let shell = elsewhere().await;
    let own = token(shell.id().as_str(), &[Scope::EventsWrite], Some("orchestrator"));
    let open = load(&shell, "orchestrator", None, false).await;
    let over = load(&shell, "orchestrator", Some(90), true).await;
    assert_eq!(answer(first.batch(&open).bearer_auth(&own)).await.0, StatusCode::OK);
    assert_eq!(answer(second.batch(&over).bearer_auth(&own)).await.0, StatusCode::OK);
    // It beats at one, and is ended through the other.
    let id = open[0].stream().as_str();
    let alive = json!({ "session_id": id, "component_name": "orchestrator", "lease_seconds": 30 });
    let beat = || first.post("/api/v1/beats", &json!({ "presence": [alive] })).bearer_auth(&own);
    assert_eq!(answer(beat()).await.1["end_requested"], json!([]));
    let admin = token("ada", &[Scope::SessionsAdmin], None);
    let end = second.post(&format!("/api/v1/sessions/{id}/end"), &json!({ "reason": "enough" })).bearer_auth(admin);
    assert_eq!(answer(end).await.1["outcome"], "requested");
    let asked = json!([{ "session_id": id, "by": "ada", "why": "enough" }]);
    assert_eq!(answer(beat()).await.1["end_requested"], asked);
    // A second writer is one for both.
    let other = token("jrnl_other", &[Scope::EventsWrite], Some("orchestrator"));
    assert_eq!(answer(second.batch(&open).bearer_auth(&other)).await.0, StatusCode::FORBIDDEN);
    let mut both = Vec::new();
    for service in [&first, &second] {
        let text = service.get("/metrics").bearer_auth(reader()).send().await.unwrap().text().await.unwrap();
        let mut samples = samples(&text);
        // What each has taken in itself is its own, and so is the time that it took.
        samples.retain(|name, _| !name.starts_with("session_tracker_") && !name.starts_with("process_"));
        both.push(samples);
    }
    let differs: Vec<_> = both[0].iter().filter(|(name, value)| both[1].get(*name) != Some(value)).collect();
    assert!(differs.is_empty() && both[0].len() == both[1].len(), "{differs:?}\n{:?}", both[1]);
    let started = r#"session_start_total{component_name="orchestrator",shell_type="OrchestratorShell"}"#;
    assert_eq!((both[0][started], both[0][r#"active_sessions{component_name="orchestrator"}"#]), (2.0, 1.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_way_to_the_database_is_encrypted_when_asked() {
    let server = Server::start(Disk::Trusted);
    let database = server.url(&server.database().await);
    let (files, others) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (known, key) = certificate(files.path());
    let (stranger, _) = certificate(others.path());
    server.wants_tls(&known, &key);
    let by = |mode: &str, root: Option<&std::path::Path>| {
        let root = root.map(|root| format!("&sslrootcert={}", root.display())).unwrap_or_default();
        format!("{database}?sslmode={mode}{root}")
    };
    for url in [by("require", None), by("verify-ca", Some(&known)), by("verify-full", Some(&known))] {
        let service = tracker(&url);
        let events = session(&elsewhere().await, "orchestrator", 1).await;
        let forwarder = token("all", &[Scope::EventsForward], None);
        assert_eq!(answer(service.batch(&events).bearer_auth(forwarder)).await.0, StatusCode::OK);
        let journal = PostgresJournal::open(&url).await.unwrap();
        assert_eq!(journal.verify(None).await.unwrap().faults, []);
    }
    let named = by("verify-full", Some(&known)).replace("127.0.0.1", "localhost");
    let missing = files.path().join("missing.pem");
    for (url, word) in [
        (by("disable", None), "no encryption"),
        (by("verify-full", Some(&stranger)), "certificate"),
        (by("verify-full", None), "certificate"),
        (by("verify-full", Some(&missing)), "missing.pem"),
        (by("verify-everything", None), "verify-everything"),
        (named, "certificate"),
    ] {
        let ran = Home::new().tracker(&["serve", "--listen", "127.0.0.1:0"]).env("ADMIN_SHELL_DATABASE", &url).run();
        assert!(matches!(ran.code, Some(1 | 2)) && ran.stderr.contains(word), "{url}: {ran:?}");
        assert!(!ran.stderr.contains(server.password()), "{}", ran.stderr);
    }
}
