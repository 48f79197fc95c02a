//! Metrics: what they count, that they survive, and that Prometheus reads them.

use std::collections::BTreeMap;

use admin_shell::{
    event::{EndReason, Event, Status},
    journal::SqliteJournal,
};
use reqwest::StatusCode;
use serde_json::json;

use super::fixture::{SECRET, Service, answer, elsewhere, reader};
use crate::{
    cli::process::Home,
    journal::fixture::{Writing, command_end, command_start, draft, end, start, start_body},
};

/// A session of a component that began a minute ago, was open for so long, and had so many commands fail.
pub(super) async fn load(journal: &SqliteJournal, component: &str, seconds: Option<u64>, failed: bool) -> Vec<Event> {
    let now = jiff::Timestamp::now();
    let status = if failed { Status::Error } else { Status::Ok };
    let mut drafts = vec![
        draft(admin_shell::event::EventKind::SessionStart, now, &start_body("ada", "host-a")),
        command_start(now, 1, "show(1)"),
        command_end(now, 1, status),
    ];
    drafts.extend(seconds.map(|seconds| end(now, EndReason::Exit, seconds * 1_000_000)));
    Writing::new(component).record(journal, &drafts).await.expect("the session is recorded")
}

/// The samples of a text of metrics.
pub(super) fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').map(|(name, value)| (name.to_owned(), value.parse().unwrap())).unwrap())
        .collect()
}

async fn scrape(service: &Service) -> String {
    let answer = service.get("/metrics").bearer_auth(reader()).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    answer.text().await.unwrap()
}

#[tokio::test]
async fn counters_come_from_the_journal_and_survive_it_all() {
    let service = Service::with_secret();
    let shell = elsewhere().await;
    let forwarder = super::fixture::token("all", &[admin_shell::token::Scope::EventsForward], None);
    for (seconds, failed) in [(Some(30), false), (Some(200), false), (Some(100_000), true), (None, false)] {
        let events = load(&shell, "orchestrator", seconds, failed).await;
        for _ in 0..2 {
            // Twice: duplicates are no sessions.
            assert_eq!(answer(service.batch(&events).bearer_auth(&forwarder)).await.0, StatusCode::OK);
        }
    }
    let wanted = [
        (r#"session_start_total{component_name="orchestrator",shell_type="OrchestratorShell"}"#, 4.0),
        (r#"session_end_total{component_name="orchestrator",status="ended"}"#, 3.0),
        (r#"session_duration_seconds_bucket{le="60.0",component_name="orchestrator"}"#, 1.0),
        (r#"session_duration_seconds_bucket{le="300.0",component_name="orchestrator"}"#, 2.0),
        (r#"session_duration_seconds_bucket{le="28800.0",component_name="orchestrator"}"#, 2.0),
        (r#"session_duration_seconds_bucket{le="+Inf",component_name="orchestrator"}"#, 3.0),
        (r#"session_duration_seconds_sum{component_name="orchestrator"}"#, 100_230.0),
        (r#"session_duration_seconds_count{component_name="orchestrator"}"#, 3.0),
        (r#"active_sessions{component_name="orchestrator"}"#, 1.0),
        (r#"session_quality_score{component_name="orchestrator"}"#, 200.0 / 3.0),
    ];
    let check = |text: &str| {
        let samples = samples(text);
        for (name, value) in wanted {
            let found = samples.get(name).unwrap_or_else(|| panic!("no {name} in {text}"));
            assert!((found - value).abs() < 1e-6, "{name}: {found} instead of {value}");
        }
    };
    let text = scrape(&service).await;
    check(&text);
    assert_eq!(samples(&text)[r#"session_tracker_events_total{verdict="accepted"}"#], 15.0);
    assert_eq!(samples(&text)[r#"session_tracker_events_total{verdict="duplicate"}"#], 15.0);
    check(&scrape(&service).await);
    // Another process, after what ended was pruned.
    let (home, mut child) = service.into_parts();
    child.kill().unwrap();
    child.wait().unwrap();
    home.tracker(&["journal", "prune", "--before", "2099-01-01"]).run();
    let service = Service::start(home, &[], &[("SESSION_TRACKER_SECRET", SECRET)]);
    let samples_now = samples(&scrape(&service).await);
    for (name, value) in wanted.iter().filter(|(name, _)| !name.starts_with("session_quality")) {
        assert!((samples_now[*name] - value).abs() < 1e-6, "{name}: {}", samples_now[*name]);
    }
}

#[tokio::test]
async fn who_delivers_counts_and_the_tracker_shows_it() {
    let service = Service::open();
    let shell = elsewhere().await;
    let events = load(&shell, "orchestrator", None, false).await;
    answer(service.batch(&events)).await;
    let mut durations = [0; 13];
    durations[0] = 2;
    durations[12] = 1;
    let beat = json!({ "presence": [{
        "session_id": events[0].stream(), "component_name": "orchestrator", "lease_seconds": 30,
        "emits": [{ "event_type": "command_start", "success": 3, "failure": { "timeout": 2 },
                    "durations": durations, "duration_us": 12_001_000 }],
    }] });
    for _ in 0..2 {
        // Counters are those of the last beat, not the sum of beats.
        let (status, taken) = answer(service.post("/api/v1/beats", &beat)).await;
        assert_eq!(status, StatusCode::OK, "{taken}");
    }
    let text = scrape(&service).await;
    let samples = samples(&text);
    let labels = r#"component_name="orchestrator",event_type="command_start""#;
    for (name, value) in [
        (format!("mcp_event_emit_success_total{{{labels}}}"), 3.0),
        (format!("mcp_event_emit_failure_total{{{labels},error_type=\"timeout\"}}"), 2.0),
        (format!("mcp_event_emit_duration_seconds_bucket{{le=\"0.001\",{labels}}}"), 2.0),
        (format!("mcp_event_emit_duration_seconds_bucket{{le=\"10.0\",{labels}}}"), 2.0),
        (format!("mcp_event_emit_duration_seconds_bucket{{le=\"+Inf\",{labels}}}"), 3.0),
        (format!("mcp_event_emit_duration_seconds_sum{{{labels}}}"), 12.001),
    ] {
        assert_eq!(samples.get(&name), Some(&value), "{name} in {text}");
    }
}

#[tokio::test]
async fn openmetrics_is_told_to_who_asks_for_it() {
    let service = Service::open();
    answer(service.batch(&load(&elsewhere().await, "orchestrator", Some(1), false).await)).await;
    let asked = service.get("/metrics").header("accept", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5");
    let answer = asked.send().await.unwrap();
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
    let text = answer.text().await.unwrap();
    assert!(text.ends_with("# EOF\n") && text.contains("# TYPE session_start counter\n"), "{text}");
    let text = scrape(&service).await;
    assert!(!text.contains("# EOF") && text.contains("# TYPE session_start_total counter\n"), "{text}");
}

#[tokio::test]
async fn a_thousand_components_have_a_label_of_their_own() {
    let service = Service::start(Home::new(), &["--rate", "0"], &[]);
    let shell = elsewhere().await;
    let mut events = Vec::new();
    for number in 0..1_010 {
        let now = jiff::Timestamp::now();
        let recorded =
            Writing::new(&format!("c{number}")).record(&shell, &[start(now, "ada", "host-a")]).await.unwrap();
        events.extend(recorded);
    }
    for batch in events.chunks(1_000) {
        assert_eq!(answer(service.batch(batch)).await.0, StatusCode::OK);
    }
    let samples = samples(&scrape(&service).await);
    let starts: Vec<(&String, &f64)> =
        samples.iter().filter(|(name, _)| name.starts_with("session_start_total")).collect();
    assert_eq!(starts.len(), 1_001);
    assert_eq!(samples[r#"session_start_total{component_name="other",shell_type="OrchestratorShell"}"#], 10.0);
    assert_eq!(samples[r#"active_sessions{component_name="other"}"#], 10.0);
}

#[tokio::test]
async fn metrics_have_a_listener_of_their_own() {
    let service =
        Service::start(Home::new(), &["--metrics-listen", "127.0.0.1:0"], &[("SESSION_TRACKER_SECRET", SECRET)]);
    let url = crate::fixture::eventually("the address of metrics", || {
        let said = service.said();
        said.split("Metrics: ").nth(1).and_then(|rest| rest.lines().next()).map(str::to_owned)
    });
    let text = super::fixture::client().get(&url).send().await.unwrap().text().await.unwrap();
    assert!(text.contains("# TYPE session_start_total counter"), "{text}");
    let elsewhere = url.replace("/metrics", "/api/v1/sessions");
    assert_eq!(super::fixture::client().get(elsewhere).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    // The other one asks for a token, here too.
    assert_eq!(answer(service.get("/metrics")).await.0, StatusCode::UNAUTHORIZED);
    let said =
        Home::new().tracker(&["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "0.0.0.0:0"]).run().fails(2);
    assert!(said.contains("--metrics-listen"), "{said}");
}
