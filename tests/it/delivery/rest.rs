//! The REST sink against answers of every kind: only a tracker's own counts, and credentials stay where they belong.

use std::{
    io::{Read, Write},
    net::TcpListener,
    time::Duration,
};

use admin_shell::{
    delivery::{EventSink, Sender, SinkError},
    event::JournalId,
    sinks::{Credentials, HttpSink},
};

use super::contract::events;

const TOKEN: &str = "t0ken-that-nobody-reads";

/// Takes one call, answers with these bytes, and gives back what was asked.
fn answering(answer: String) -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut bytes, mut buffer) = (Vec::new(), [0; 65_536]);
        let wanted = loop {
            let count = stream.read(&mut buffer).unwrap();
            bytes.extend_from_slice(&buffer[..count]);
            let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
            if let Some(head) = text.find("\r\n\r\n") {
                let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
                break head + 4 + length.unwrap_or(0);
            }
        };
        while bytes.len() < wanted {
            let count = stream.read(&mut buffer).unwrap();
            bytes.extend_from_slice(&buffer[..count]);
        }
        let _ = stream.write_all(answer.as_bytes());
        String::from_utf8(bytes).unwrap()
    });
    (url, asked)
}

fn says(status: &str, kind: &str, more: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{more}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

fn sink(url: &str) -> HttpSink {
    let credentials = Credentials { token: Some(TOKEN.to_owned()), ..Credentials::default() };
    let mut sink = HttpSink::open(url, &credentials).unwrap();
    sink.introduce(&Sender { journal: JournalId::new(), component: Some("orchestrator".to_owned()), keep: None });
    sink
}

#[tokio::test]
async fn whatever_is_no_verdict_is_unavailable() {
    let json = "application/json";
    let problem = r#"{"type":"urn:x","title":"No","detail":"because"}"#;
    let half = says("200 OK", json, "", r#"{"tracker_id":"jrnl_01k9h0tqz5fyqakfcbyd2yzqvs","position":1"#);
    let table = [
        (says("200 OK", "text/html", "", "<html>Welcome</html>"), "is not JSON", None),
        (says("200 OK", json, "", r#"{"ok":true}"#), "not what a tracker says", None),
        (says("200 OK", json, "", ""), "not what a tracker says", None),
        (half.replace("content-length: ", "content-length: 9"), "broke off", None),
        (says("302 Found", "text/html", "location: http://127.0.0.1:1/\r\n", ""), "status 302", None),
        (says("401 Unauthorized", json, "", problem), "does not accept the token", None),
        (says("403 Forbidden", json, "", problem), "does not allow this (status 403): No", None),
        (says("404 Not Found", "text/html", "", "<h1>nginx</h1>"), "no tracker at this address", None),
        (says("409 Conflict", json, "", problem), "status 409", None),
        (says("429 Too Many", json, "retry-after: 17\r\n", problem), "asked too often", Some(17)),
        (says("503 Gone", json, "retry-after: 5\r\n", "not json"), "the tracker failed", Some(5)),
        (String::new(), "", None),
    ];
    for (answer, expected, wait) in table {
        let (url, asked) = answering(answer.clone());
        let error = sink(&url).deliver(&events().await).await.expect_err(&answer);
        let SinkError::Unavailable { source, retry_after } = &error else { panic!("{answer}: {error}") };
        assert!(source.to_string().contains(expected), "{answer}: {source}");
        assert_eq!(*retry_after, wait.map(Duration::from_secs), "{answer}");
        assert!(!error.to_string().contains(TOKEN) && !format!("{error:?}").contains(TOKEN), "{error:?}");
        let asked = asked.join().unwrap();
        assert!(asked.starts_with("POST /api/v1/events HTTP/1.1\r\n"), "{asked}");
        assert!(asked.contains(&format!("authorization: Bearer {TOKEN}\r\n")), "{asked}");
    }
}

#[tokio::test]
async fn a_receipt_that_is_not_known_is_told_apart() {
    let body = r#"{"type":"https://admin-shell.example/problems/unknown-receipt","title":"Unknown receipt"}"#;
    let (url, _asked) = answering(says("409 Conflict", "application/problem+json", "", body));
    assert!(matches!(sink(&url).deliver(&[]).await, Err(SinkError::UnknownReceipt)));
}

#[tokio::test]
async fn nobody_there_and_nobody_answering() {
    let error = sink("http://127.0.0.1:1").deliver(&[]).await.expect_err("nobody is there");
    assert!(error.to_string().starts_with("it can not be reached"), "{error}");
    assert!(!format!("{:?}", sink("http://127.0.0.1:1")).contains(TOKEN));
}
