//! Bad input on every route and every tool, as the doors describe themselves: what breaks a published rule is refused with
//! the field and the rule, nothing is a failure of the server, and nothing of it is stored. A route, a tool or an argument
//! that is added is tried by itself.

use std::collections::BTreeMap;

use admin_shell::{
    event::{Event, SessionId},
    journal::Journal,
};
use reqwest::{StatusCode, Url};
use serde_json::{Value, json};

use super::fixture::{Service, answer, client, elsewhere, session};
use crate::{
    cli::process::Home,
    mcp::{
        client::{answered, calling, request, result},
        older::start,
    },
};

/// What is wrong nearly everywhere.
fn nasty() -> Vec<Value> {
    let mut values: Vec<Value> = NASTY_TEXT.iter().map(|text| json!(text)).collect();
    values.extend([json!("x".repeat(300_000)), json!("é🗝".repeat(700))]);
    values.extend([json!(true), json!(-1), json!(0), json!(1.5), json!(1e300), json!(u64::MAX), json!(i64::MIN)]);
    values.extend([json!([]), json!([1]), json!([null]), json!({}), json!({"a": {"b": 1}}), json!(vec!["x"; 10_001])]);
    values.push((0..100).fold(json!(1), |value, _| json!([value])));
    values.push((0..100).fold(json!(1), |value, _| json!({ "a": value })));
    values
}

const NASTY_TEXT: [&str; 14] = [
    "",
    " ",
    "a\u{0}b",
    "\u{1b}[31m",
    "a\nb",
    "\u{202e}",
    "\u{feff}",
    "'; DROP TABLE events; --",
    "../../../etc/passwd",
    "-1",
    "1e9",
    "99999999999999999999",
    "null",
    "%",
];

/// A tracker with one session that is over, and that session.
async fn service() -> (Service, Vec<Event>) {
    let service = Service::start(Home::new(), &["--rate", "0", "--log", "warn"], &[]);
    let events = session(&elsewhere().await, "orchestrator", 1).await;
    assert_eq!(answer(service.batch(&events)).await.0, StatusCode::OK);
    (service, events)
}

/// Nothing but this many events is there, and the record holds.
async fn holds(service: &Service, events: u64) {
    let journal = service.home().journal().await;
    assert_eq!(journal.status().await.unwrap().events, events);
    assert_eq!(journal.verify(None).await.unwrap().faults, []);
    assert!(!service.said().contains("ERROR"), "{}", service.said());
}

/// Calls that every tool takes, and that change nothing but for a start.
fn good_call(tool: &str, events: &[Event]) -> Value {
    let id = events[0].stream();
    let texts: Vec<&str> = events.iter().map(Event::text).collect();
    match tool {
        "track_session_start" => start(),
        "track_session_end" => json!({ "session_id": id, "timestamp": "2026-02-06T10:31:00Z" }),
        "track_events" => json!({ "events": texts }),
        "heartbeat" => json!({ "presence": [] }),
        "show_session" => json!({ "session_id": id, "events": 10 }),
        "end_session" => json!({ "session_id": id, "reason": "it is over" }),
        "health_check" | "list_sessions" | "session_stats" | "get_prometheus_metrics" => json!({}),
        other => panic!("a call of {other} belongs here"),
    }
}

/// Every place in a schema of an object: `pid`, `user`, `user/home`, …
fn places(schema: &Value, under: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let place = if under.is_empty() { name.clone() } else { format!("{under}/{name}") };
        found.extend(places(property, &place));
        found.push(place);
    }
    found
}

fn put(arguments: &mut Value, place: &str, value: Value) {
    let (outer, name) = place.rsplit_once('/').unwrap_or(("", place));
    let outer = if outer.is_empty() { arguments } else { arguments.pointer_mut(&format!("/{outer}")).unwrap() };
    outer[name] = value;
}

/// What a tool says is wrong; `None` when it did what it was asked.
fn wrong_with(result: &Value) -> Option<&str> {
    if result["isError"] == true {
        return result["content"][0]["text"].as_str();
    }
    let content = &result["structuredContent"];
    if content["status"] == "error" { content["error"].as_str() } else { None }
}

#[tokio::test]
async fn every_argument_of_every_tool() {
    let (service, events) = service().await;
    let listed = answered(request(&service, "tools/list", &json!({}))).await;
    let (mut tracked, mut tried, mut taken_wrongly) = (0, 0, Vec::new());
    for tool in listed["result"]["tools"].as_array().unwrap() {
        let name = tool["name"].as_str().unwrap();
        let schema = jsonschema::draft202012::new(&tool["inputSchema"]).unwrap();
        let good = good_call(name, &events);
        let taken = result(calling(&service, name, &good)).await;
        assert_eq!(wrong_with(&taken), None, "{name}");
        tracked += u64::from(taken["structuredContent"]["status"] == "tracked");
        let mut cases: Vec<(String, Value)> = vec![("surprise".to_owned(), json!(1))];
        for place in places(&tool["inputSchema"], "") {
            cases.extend(nasty().into_iter().map(|value| (place.clone(), value)));
        }
        for (place, value) in cases {
            let mut arguments = good.clone();
            if name == "track_session_start" {
                arguments["event_id"] = json!(uuid::Uuid::now_v7());
            }
            put(&mut arguments, &place, value.clone());
            let shown: String = value.to_string().chars().take(60).collect();
            let result = result(calling(&service, name, &arguments)).await;
            tracked += u64::from(result["structuredContent"]["status"] == "tracked");
            tried += 1;
            let Some(said) = wrong_with(&result) else {
                if !schema.is_valid(&arguments) {
                    taken_wrongly.push(format!("{name} takes {place} = {shown}, which its schema refuses"));
                }
                continue;
            };
            // A whole that is too large is named by itself.
            let named =
                [&*place.replace('/', "."), place.split('/').next().unwrap(), "no session has an id", "event: "];
            assert!(named.iter().any(|field| said.starts_with(field)), "{name}: {place} = {shown}: {said}");
            assert!(said.len() < 1_000 && !said.contains(char::is_control), "{name}: {place} = {shown}: {said:?}");
        }
        for arguments in [json!([]), json!("x"), json!(7), json!([[]])] {
            let answer = answered(calling(&service, name, &arguments)).await;
            let is_said = answer["error"]["code"] == -32602 || wrong_with(&answer["result"]).is_some();
            assert!(is_said, "{name} {arguments}: {answer}");
        }
    }
    assert!(taken_wrongly.is_empty(), "{taken_wrongly:#?}");
    assert!(tried > 500, "{tried}");
    holds(&service, events.len() as u64 + tracked).await;
}

#[tokio::test]
async fn every_parameter_of_every_route() {
    let (service, events) = service().await;
    let id = events[0].stream().as_str();
    let (_, description) = answer(service.get("/openapi.json")).await;
    let (mut tried, mut careless) = (0, Vec::new());
    for (path, operations) in description["paths"].as_object().unwrap() {
        let Some(operation) = operations.get("get") else { continue };
        let described = operation["responses"].as_object().unwrap();
        let parameters: Vec<&Value> = operation["parameters"].as_array().into_iter().flatten().collect();
        let names: Vec<&str> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "query")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        let good = path.replace("{id}", id).replace("{query}", "sessions");
        let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let mut cases: Vec<(String, String, Option<&str>)> =
            vec![(good.clone(), "surprise=1".to_owned(), Some("surprise"))];
        for name in &names {
            let texts = NASTY_TEXT.iter().map(|text| encoded(text)).chain(["%ff".to_owned(), "x".repeat(6_000)]);
            cases.extend(texts.map(|text| (good.clone(), format!("{name}={text}"), Some(*name))));
            cases.push((good.clone(), format!("{name}=1&{name}=1"), Some(name)));
        }
        if path.contains('{') {
            let texts = NASTY_TEXT.iter().map(|text| encoded(text).replace('+', "%20"));
            for text in texts.chain(["%ff".to_owned(), "x".repeat(6_000), "%2e%2e%2f%2e%2e".to_owned()]) {
                cases.push((path.replace("{id}", &text).replace("{query}", &text), String::new(), None));
            }
        }
        for (at, query, field) in cases {
            let mut url: Url = format!("{}{at}", service.url).parse().unwrap();
            url.set_query(Some(&query).filter(|query| !query.is_empty()).map(|query| &**query));
            let answered = client().get(url).send().await.unwrap();
            let status = answered.status();
            tried += 1;
            let is_known = described.contains_key(status.as_str()) || status == StatusCode::NOT_FOUND;
            assert!(is_known && !status.is_server_error(), "{at:.80}?{query:.80}: {status}");
            if status.is_client_error() {
                let text = answered.text().await.unwrap();
                let problem: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{at:.80}: {text}"));
                assert_eq!(problem["status"], status.as_u16(), "{at}?{query:.80}: {problem}");
                assert!(problem["detail"].as_str().unwrap().len() < 1_000, "{problem}");
                if let (Some(field), StatusCode::BAD_REQUEST) = (field, status) {
                    assert_eq!(problem["field"], field, "{at}?{query:.80}: {problem}");
                }
            } else if field == Some("surprise") {
                careless.push(at);
            }
        }
    }
    assert!(careless.is_empty(), "a parameter that nobody knows is taken by {careless:?}");
    assert!(tried > 300, "{tried}");
    holds(&service, events.len() as u64).await;
}

/// Bodies that are no JSON of their route, whatever it wants. Each with the type that it is sent as.
fn no_bodies(good: &Value) -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let text = good.to_string();
    let json = "application/json";
    let invalid = [&text.as_bytes()[..text.len() - 2], b"\xff\xfe\"}"].concat();
    vec![
        ("nothing", Vec::new(), json),
        ("half of it", text.as_bytes()[..text.len() / 2].to_vec(), json),
        ("invalid UTF-8", invalid, json),
        ("a byte order mark", format!("\u{feff}{text}").into_bytes(), json),
        ("something after it", format!("{text} {text}").into_bytes(), json),
        ("a comment", format!("/* */{text}").into_bytes(), json),
        ("no JSON", b"a=1&b=2".to_vec(), json),
        ("a list", b"[]".to_vec(), json),
        ("a number", b"1".to_vec(), json),
        ("null", b"null".to_vec(), json),
        ("depth", [vec![b'['; 200_000], vec![b']'; 200_000]].concat(), json),
        ("depth in an object", b"{\"a\":".repeat(100_000), json),
        ("another type", text.clone().into_bytes(), "text/plain"),
        ("a form", text.clone().into_bytes(), "application/x-www-form-urlencoded"),
        ("no type", text.into_bytes(), ""),
    ]
}

#[tokio::test]
async fn every_body_of_every_route() {
    let (service, events) = service().await;
    let (_, description) = answer(service.get("/openapi.json")).await;
    let id = events[0].stream().as_str();
    let texts: Vec<&str> = events.iter().map(Event::text).collect();
    let good: BTreeMap<&str, Value> = BTreeMap::from([
        ("/api/v1/events", json!({ "events": texts })),
        ("/api/v1/beats", json!({ "presence": [] })),
        ("/api/v1/sessions/{id}/end", json!({ "reason": "it is over" })),
    ]);
    for (path, operations) in description["paths"].as_object().unwrap() {
        let Some(operation) = operations.get("post") else { continue };
        let good = good.get(path.as_str()).unwrap_or_else(|| panic!("a body for {path} belongs here"));
        let url = format!("{}{}", service.url, path.replace("{id}", id));
        assert_eq!(answer(client().post(&url).json(good)).await.0, StatusCode::OK, "{path}");
        for (what, body, kind) in no_bodies(good) {
            let (status, problem) = answer(client().post(&url).header("content-type", kind).body(body)).await;
            let wanted =
                if kind == "application/json" { StatusCode::BAD_REQUEST } else { StatusCode::UNSUPPORTED_MEDIA_TYPE };
            assert_eq!(status, wanted, "{path}: {what}: {problem}");
            assert!(problem["detail"].as_str().unwrap().len() < 1_000, "{path}: {what}: {problem}");
        }
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        let shape = body["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
        for name in description["components"]["schemas"][shape]["properties"].as_object().unwrap().keys() {
            for value in nasty() {
                let mut body = good.clone();
                body[name] = value;
                let shown: String = body[name].to_string().chars().take(60).collect();
                let (status, said) = answer(client().post(&url).json(&body)).await;
                assert!(
                    [StatusCode::OK, StatusCode::BAD_REQUEST].contains(&status),
                    "{path}: {name} = {shown}: {said}"
                );
                if status == StatusCode::BAD_REQUEST {
                    assert!(said["field"].as_str().unwrap().starts_with(&**name), "{path}: {name} = {shown}: {said}");
                }
            }
        }
    }
    holds(&service, events.len() as u64).await;
}

#[tokio::test]
async fn every_item_of_a_batch_through_both_doors() {
    let (service, events) = service().await;
    let id = events[0].stream();
    let present = json!({ "session_id": SessionId::new(), "component_name": "orchestrator", "lease_seconds": 30 });
    let mut items: Vec<(&str, &str, &str, Value)> = Vec::new();
    for value in nasty() {
        items.push(("/api/v1/events", "track_events", "events", value.clone()));
        items.push(("/api/v1/beats", "heartbeat", "presence", value.clone()));
        for name in ["session_id", "component_name", "lease_seconds", "emits"] {
            let mut present = present.clone();
            present[name] = value.clone();
            items.push(("/api/v1/beats", "heartbeat", "presence", present));
        }
    }
    let listed = answered(request(&service, "tools/list", &json!({}))).await;
    let heartbeat = listed["result"]["tools"].as_array().unwrap().iter().find(|tool| tool["name"] == "heartbeat");
    let beats = jsonschema::draft202012::new(&heartbeat.unwrap()["inputSchema"]).unwrap();
    let text = events[1].text();
    for (from, to) in [
        ("\"event_version\":\"2.0\"", "\"event_version\":\"9.9\""),
        ("\"seq\":1", "\"seq\":\"1\""),
        ("\"seq\":1", "\"seq\":-1"),
        ("\"seq\":1", "\"seq\":1.0"),
        ("\"hash\":\"sha256:", "\"hash\":\"md5:"),
        ("\"hash\":\"sha256:", "\"hash\":\"sha256:00"),
        (id.as_str(), "sess_nobody"),
        ("\"component_name\":\"orchestrator\"", "\"component_name\":\"a b\""),
        ("show(1)", "show(2)"),
        ("{", "{ "),
        ("{", "{\"event_version\":\"2.0\","),
        ("}", "}}"),
    ] {
        assert!(text.contains(from), "{from}: {text}");
        items.push(("/api/v1/events", "track_events", "events", json!(text.replacen(from, to, 1))));
    }
    for (route, tool, list, item) in items {
        let shown: String = item.to_string().chars().take(200).collect();
        let body = json!({ list: [item] });
        let (status, said) = answer(service.post(route, &body)).await;
        let by_tool = result(calling(&service, tool, &body)).await;
        let field = format!("{list}[0]");
        match status {
            StatusCode::BAD_REQUEST => {
                assert!(said["field"].as_str().unwrap().starts_with(&field), "{shown}: {said}");
                assert!(wrong_with(&by_tool).is_some_and(|said| said.starts_with(&field)), "{shown}: {by_tool}");
            }
            StatusCode::OK if list == "events" => {
                let verdict = &said["results"][0];
                assert_eq!(verdict["verdict"], "rejected", "{shown}: {said}");
                assert!(verdict["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{said}");
                assert_eq!(&by_tool["structuredContent"]["results"][0], verdict, "{shown}");
            }
            StatusCode::OK if list == "presence" && beats.is_valid(&body) => {}
            status => panic!("{shown}: {status} {said}"),
        }
    }
    holds(&service, events.len() as u64).await;
}
