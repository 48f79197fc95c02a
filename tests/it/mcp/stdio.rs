//! The tools over standard streams.

use serde_json::{Value, json};

use crate::cli::process::Home;

/// What the program answers to lines, until they end.
fn said(home: &Home, lines: &[String]) -> Vec<Value> {
    let ran = home.tracker(&["mcp"]).input(format!("{}\n", lines.join("\n"))).run().succeeds();
    ran.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect()
}

fn request(id: u64, method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string()
}

fn hello(version: &str) -> Vec<String> {
    let params = json!({"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string();
    vec![request(0, "initialize", &params), initialized]
}

#[test]
fn a_session_is_recorded_in_the_journal() {
    let home = Home::new();
    let start = json!({"name": "track_session_start", "arguments": super::older::start()});
    let lines =
        [hello("2025-11-25"), vec![request(1, "tools/list", &json!({})), request(2, "tools/call", &start)]].concat();
    let answers = said(&home, &lines);
    let of = |id: u64| answers.iter().find(|answer| answer["id"] == id).unwrap_or_else(|| panic!("{id}: {answers:?}"));
    assert_eq!(of(0)["result"]["serverInfo"]["name"], "session-tracker");
    assert_eq!(of(1)["result"]["tools"].as_array().unwrap().len(), 10);
    let id = of(2)["result"]["structuredContent"]["session_id"].as_str().unwrap().to_owned();
    assert_eq!(home.tracker(&["list", "--format", "json"]).run().json()[0]["session_id"], json!(id));
}

#[test]
fn lines_that_are_nothing_do_not_stop_it() {
    let home = Home::new();
    let lines = [
        hello("2025-11-25"),
        vec!["nonsense".to_owned(), "{}".to_owned(), String::new(), "[1, 2".to_owned()],
        vec![request(1, "tools/call", &json!({"name": "health_check", "arguments": {}}))],
    ];
    let answers = said(&home, &lines.concat());
    assert!(answers.iter().any(|answer| answer["result"]["structuredContent"]["status"] == "healthy"), "{answers:?}");
}

#[test]
fn the_era_without_a_handshake() {
    let home = Home::new();
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let lines = [
        request(0, "server/discover", &json!({"_meta": meta})),
        request(1, "tools/call", &json!({"name": "health_check", "arguments": {}, "_meta": meta})),
    ];
    let answers = said(&home, &lines);
    assert!(answers.iter().any(|answer| answer["result"]["structuredContent"]["status"] == "healthy"), "{answers:?}");
}

#[test]
fn its_older_name_is_serve() {
    let said = Home::new().tracker(&["mcp", "start", "--listen", "256.0.0.1:1"]).run().fails(2);
    assert!(said.contains("--listen 256.0.0.1:1"), "{said}");
}
