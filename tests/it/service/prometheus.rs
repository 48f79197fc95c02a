//! Prometheus itself: its linter has nothing to say, and queries give the numbers of a known load.

use std::{
    io::Write,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use admin_shell::{
    event::{Event, SessionId, StreamId},
    journal::Journal,
};
use reqwest::StatusCode;
use serde_json::Value;

use super::{
    fixture::{Service, answer, client, elsewhere},
    metrics::load,
    tools::system,
};
use crate::{
    cli::process::Home,
    journal::fixture::{at, observation},
};

/// A Prometheus that looks at one address every second.
struct Prometheus {
    child: Child,
    url: String,
    _place: tempfile::TempDir,
}

impl Prometheus {
    fn start(target: &str) -> Self {
        let place = tempfile::tempdir().unwrap();
        let config = format!(
            "global:\n  scrape_interval: 1s\nscrape_configs:\n  - job_name: tracker\n    static_configs:\n      - targets: \
             ['{target}']\n"
        );
        let path = place.path().join("prometheus.yml");
        std::fs::write(&path, config).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = system("prometheus");
        command.arg(format!("--config.file={}", path.display()));
        command.arg(format!("--storage.tsdb.path={}", place.path().join("data").display()));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("Prometheus starts");
        Self { child, url: format!("http://127.0.0.1:{port}"), _place: place }
    }

    /// The value of a query that has one; `None` as long as there is none.
    async fn ask(&self, query: &str) -> Option<f64> {
        let mut url = reqwest::Url::parse(&format!("{}/api/v1/query", self.url)).unwrap();
        url.query_pairs_mut().append_pair("query", query);
        let answer: Value = client().get(url).send().await.ok()?.json().await.ok()?;
        answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    }

    /// Waits until a query has a value.
    async fn says(&self, query: &str, value: f64) {
        let begun = Instant::now();
        let mut last = None;
        while begun.elapsed() < Duration::from_secs(90) {
            last = self.ask(query).await;
            if last.is_some_and(|last| (last - value).abs() < 1e-9) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        panic!("{query}: {last:?} instead of {value}");
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn id(events: &[Event]) -> SessionId {
    match events[0].stream() {
        StreamId::Session(id) => id.clone(),
        StreamId::Journal(id) => panic!("{id} is no session"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_give_the_numbers_of_a_known_load() {
    let service = Service::start(Home::new(), &["--rate", "0"], &[]);
    let shell = elsewhere().await;
    let send = async |events: Vec<Event>| {
        let (status, taken) = answer(service.batch(&events)).await;
        assert_eq!(status, StatusCode::OK, "{taken}");
    };
    // One before it looks, so that what comes after is an increase.
    send(load(&shell, "orchestrator", Some(100), false).await).await;
    let prometheus = Prometheus::start(service.url.trim_start_matches("http://"));
    prometheus.says("sum(session_start_total)", 1.0).await;
    for _ in 0..18 {
        send(load(&shell, "orchestrator", Some(100), false).await).await;
    }
    send(load(&shell, "orchestrator", Some(1_000), true).await).await;
    for _ in 0..5 {
        let events = load(&shell, "orchestrator", None, false).await;
        let crashed = id(&events);
        send(events).await;
        let said = shell.record(&shell.own_stream(), &[observation(at(0), Some(&crashed), "crashed")]).await.unwrap();
        send(said).await;
    }
    for _ in 0..3 {
        send(load(&shell, "manager", None, false).await).await;
    }
    // 28 began, 20 ended, 5 crashed, 3 are open.
    prometheus.says("sum(session_start_total)", 28.0).await;
    prometheus
        .says(
            "sum(max_over_time(session_start_total{component_name=\"orchestrator\"}[5m]) \
                     - min_over_time(session_start_total{component_name=\"orchestrator\"}[5m]))",
            24.0,
        )
        .await;
    assert!(prometheus.ask("sum(rate(session_start_total[1m]))").await.unwrap() > 0.0);
    prometheus.says("sum(session_end_total{status=\"crashed\"}) / sum(session_end_total)", 0.2).await;
    prometheus.says("sum(active_sessions)", 3.0).await;
    prometheus.says("active_sessions{component_name=\"orchestrator\"}", 0.0).await;
    // 19 of 20 within 60 to 300 s: the 95th percentile is the upper end of that range.
    prometheus.says("histogram_quantile(0.95, sum by (le) (session_duration_seconds_bucket))", 300.0).await;
    prometheus.says("session_duration_seconds_sum{component_name=\"orchestrator\"}", 2_900.0).await;
    prometheus.says("up", 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_linter_has_nothing_to_say() {
    let service = Service::open();
    let shell = elsewhere().await;
    let events = load(&shell, "orchestrator", Some(100), false).await;
    answer(service.batch(&events)).await;
    let beat = serde_json::json!({ "presence": [{
        "session_id": events[0].stream(), "component_name": "orchestrator", "lease_seconds": 30,
        "emits": [{ "event_type": "command_start", "success": 3, "failure": { "timeout": 2 },
                    "durations": [1, 2], "duration_us": 12 }],
    }] });
    assert_eq!(answer(service.post("/api/v1/beats", &beat)).await.0, StatusCode::OK);
    let text = service.get("/metrics").send().await.unwrap().text().await.unwrap();
    let mut promtool = system("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = promtool.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let said = child.wait_with_output().unwrap();
    let words = String::from_utf8_lossy(&said.stderr).into_owned() + &*String::from_utf8_lossy(&said.stdout);
    assert!(said.status.success() && words.is_empty(), "{words}\n{text}");
}
