//! Starting and stopping.

use std::time::Duration;

use reqwest::StatusCode;
use rustix::process::Signal;

use super::fixture::{SECRET, Service, answer};
use crate::cli::process::Home;

#[test]
fn beyond_loopback_it_asks_for_something_to_check_tokens_with() {
    for address in ["0.0.0.0:0", "[::]:0"] {
        let said = Home::new().tracker(&["serve", "--listen", address]).run().fails(2);
        assert!(said.contains("SESSION_TRACKER_SECRET") && said.contains("--jwks"), "{said}");
    }
}

#[test]
fn a_secret_that_is_none_is_refused() {
    for (secret, word) in [("short", "32 bytes"), ("your-secret-key-change-in-production", "placeholder")] {
        let said = Home::new().tracker(&["serve"]).env("SESSION_TRACKER_SECRET", secret).run().fails(2);
        assert!(said.contains(word) && said.contains("openssl rand") && !said.contains(secret), "{said}");
    }
}

#[tokio::test]
async fn on_loopback_it_is_open_and_says_so() {
    let service = Service::open();
    let (status, list) = answer(service.get("/api/v1/sessions")).await;
    assert_eq!((status, list), (StatusCode::OK, serde_json::json!([])));
    assert!(service.said().contains("No secret is set"), "{}", service.said());
    let service = Service::with_secret();
    answer(service.get("/health")).await;
    assert!(!service.said().contains("No secret is set") && !service.said().contains(SECRET), "{}", service.said());
}

#[tokio::test]
async fn health_and_readiness_need_no_token() {
    let service = Service::with_secret();
    for route in ["/health", "/ready"] {
        let (status, health) = answer(service.get(route)).await;
        let wanted = serde_json::json!({ "status": "healthy", "version": env!("CARGO_PKG_VERSION") });
        assert_eq!((status, health), (StatusCode::OK, wanted));
    }
}

#[tokio::test]
async fn it_stops_when_told_and_lets_requests_end() {
    for signal in [Signal::TERM, Signal::INT] {
        let service = Service::open();
        // A body that is still on its way when the signal comes.
        let (sender, body) = tokio::sync::mpsc::channel::<Result<String, std::io::Error>>(1);
        let stream =
            futures_util::stream::unfold(body, |mut body| async { body.recv().await.map(|part| (part, body)) });
        let request = super::fixture::client()
            .post(format!("{}/api/v1/events", service.url))
            .header("content-type", "application/json")
            .body(reqwest::Body::wrap_stream(stream));
        let running = tokio::spawn(answer(request));
        sender.send(Ok("{\"events\":".to_owned())).await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        service.signal(signal);
        tokio::time::sleep(Duration::from_millis(300)).await;
        sender.send(Ok("[]}".to_owned())).await.unwrap();
        drop(sender);
        let (status, _) = running.await.unwrap();
        assert_eq!(status, StatusCode::OK);
        let (_home, mut child) = service.into_parts();
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

#[tokio::test]
async fn it_speaks_tls() {
    let home = Home::new();
    let (certificate, key) = super::tools::certificate(&home.path(""));
    let pem = std::fs::read(&certificate).unwrap();
    let args = [
        "--tls-cert",
        certificate.to_str().unwrap(),
        "--tls-key",
        key.to_str().unwrap(),
        "--metrics-listen",
        "127.0.0.1:0",
    ]
    .map(str::to_owned);
    let service = Service::start(home, &args.each_ref().map(String::as_str), &[("SESSION_TRACKER_SECRET", SECRET)]);
    assert!(service.url.starts_with("https://127.0.0.1:"), "{}", service.url);
    let trusting = reqwest::Client::builder().no_proxy();
    let trusting = trusting.tls_certs_only([reqwest::Certificate::from_pem(&pem).unwrap()]).build().unwrap();
    let answered = trusting.get(format!("{}/health", service.url)).send().await.unwrap();
    assert_eq!(answered.status(), StatusCode::OK);
    super::fixture::client().get(format!("{}/health", service.url)).send().await.unwrap_err();
    // Metrics on loopback are for a Prometheus beside it, which has no name to check.
    let metrics = crate::fixture::eventually("the address of metrics", || {
        service.said().split("Metrics: ").nth(1).and_then(|rest| rest.lines().next()).map(str::to_owned)
    });
    assert!(metrics.starts_with("http://127.0.0.1:"), "{metrics}");
    assert_eq!(super::fixture::client().get(metrics).send().await.unwrap().status(), StatusCode::OK);
    let said =
        Home::new().tracker(&["serve", "--tls-cert", "/no/such/file", "--tls-key", "/no/such/file"]).run().fails(1);
    assert!(said.contains("/no/such/file"), "{said}");
}
