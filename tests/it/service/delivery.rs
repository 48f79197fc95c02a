//! Delivery as a tracker sees it: receipts, writers, stubs, beats.

use admin_shell::{
    journal::{Journal, Stub},
    token::Scope,
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{
    doors::{Ask, refused},
    fixture::{Service, answer, elsewhere, session, token},
};

#[tokio::test]
async fn a_receipt_that_is_not_known_stores_nothing() {
    let service = Service::open();
    let shell = elsewhere().await;
    let events = session(&shell, "orchestrator", 1).await;
    let texts: Vec<&str> = events.iter().map(|event| event.text()).collect();
    let (_, first) = answer(service.post("/api/v1/events", &json!({ "events": &texts[..2] }))).await;
    let receipt = json!({ "tracker_id": first["tracker_id"], "position": first["position"], "link": first["link"] });
    let foreign = [
        ("tracker_id", json!(shell.id())),
        ("position", json!(4_000)),
        ("link", json!(format!("sha256:{}", "0".repeat(64)))),
    ];
    for (name, value) in foreign {
        let mut wrong = receipt.clone();
        wrong[name] = value;
        let (status, problem) =
            answer(service.post("/api/v1/events", &json!({ "receipt": wrong, "events": &texts[2..] }))).await;
        assert_eq!(status, StatusCode::CONFLICT, "{name}: {problem}");
        assert!(problem["type"].as_str().unwrap().ends_with("unknown-receipt"), "{problem}");
        assert_eq!(service.stored().await, 2);
    }
    let (status, rest) =
        answer(service.post("/api/v1/events", &json!({ "receipt": receipt, "events": &texts[2..] }))).await;
    assert_eq!(status, StatusCode::OK, "{rest}");
    assert_eq!(service.stored().await, events.len() as u64);
    let (status, asked) = answer(service.post("/api/v1/events", &json!({ "receipt": receipt, "events": [] }))).await;
    assert_eq!((status, &asked["position"]), (StatusCode::OK, &json!(events.len())), "an older one is known too");
}

#[tokio::test]
async fn a_session_belongs_to_its_first_writer() {
    let service = Service::with_secret();
    let shell = elsewhere().await;
    let events = session(&shell, "orchestrator", 1).await;
    let own = token(shell.id().as_str(), &[Scope::EventsWrite], Some("orchestrator"));
    let other = token("jrnl_other", &[Scope::EventsWrite], Some("orchestrator"));
    let forwarder = token("jrnl_forwarder", &[Scope::EventsForward], None);
    assert_eq!(answer(service.batch(&events[..1]).bearer_auth(&own)).await.0, StatusCode::OK);
    // A session of its own comes first in the batch: nothing of it is stored.
    let strangers = session(&elsewhere().await, "orchestrator", 0).await;
    let both = [strangers, events[1..].to_vec()].concat();
    for ask in [Ask::Deliver(&both), Ask::Beat(&events[0])] {
        let (status, problem) = refused(&service, &ask, &other, "a second writer").await;
        assert_eq!((status, &problem["title"]), (StatusCode::FORBIDDEN, &json!("other writer")));
        assert!(!problem.to_string().contains(shell.id().as_str()), "it names the writer: {problem}");
    }
    assert_eq!(service.stored().await, 1);
    assert_eq!(answer(service.batch(&events[1..2]).bearer_auth(&forwarder)).await.0, StatusCode::OK);
    assert_eq!(answer(service.batch(&events[2..]).bearer_auth(&own)).await.0, StatusCode::OK);
    // What is forwarded first belongs to the journal that sealed it.
    let forwarded = session(&shell, "orchestrator", 0).await;
    assert_eq!(answer(service.batch(&forwarded[..1]).bearer_auth(&forwarder)).await.0, StatusCode::OK);
    assert_eq!(answer(service.batch(&forwarded[1..]).bearer_auth(&other)).await.0, StatusCode::FORBIDDEN);
    assert_eq!(answer(service.batch(&forwarded[1..]).bearer_auth(&own)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_journal_writes_its_own_stream_only() {
    use crate::journal::fixture::{at, observation};
    let service = Service::with_secret();
    let shell = elsewhere().await;
    let said = shell.record(&shell.own_stream(), &[observation(at(0), None, "pruned")]).await.unwrap();
    let other = token("jrnl_other", &[Scope::EventsWrite], None);
    assert_eq!(answer(service.batch(&said).bearer_auth(&other)).await.0, StatusCode::FORBIDDEN);
    let own = token(shell.id().as_str(), &[Scope::EventsWrite], Some("orchestrator"));
    let (status, taken) = answer(service.batch(&said).bearer_auth(&own)).await;
    assert_eq!((status, &taken["results"][0]["verdict"]), (StatusCode::OK, &json!("accepted")), "{taken}");
}

#[tokio::test]
async fn a_stub_stands_for_an_event_until_it_comes() {
    let service = Service::open();
    let events = session(&elsewhere().await, "orchestrator", 1).await;
    let mut items: Vec<Value> = events.iter().map(|event| json!(event.text())).collect();
    items[1] = json!(Stub::of(&events[1], "refused"));
    let (status, taken) = answer(service.post("/api/v1/events", &json!({ "events": items }))).await;
    let verdicts: Vec<&Value> = taken["results"].as_array().unwrap().iter().map(|result| &result["verdict"]).collect();
    assert_eq!((status, verdicts), (StatusCode::OK, vec![&json!("accepted"); 4]));
    let id = events[0].stream().as_str();
    let (_, shown) = answer(service.get(&format!("/api/v1/sessions/{id}/events"))).await;
    assert_eq!(shown[1]["pruned"], true, "{shown}");
    answer(service.batch(&events[1..2])).await;
    let (_, shown) = answer(service.get(&format!("/api/v1/sessions/{id}/events"))).await;
    assert_eq!(shown[1]["body"]["input"], "show(1)", "{shown}");
}

#[tokio::test]
async fn beats_say_who_lives_and_hear_who_is_to_end() {
    let service = Service::with_secret();
    let shell = elsewhere().await;
    let events = session(&shell, "orchestrator", 1).await;
    let id = events[0].stream().as_str().to_owned();
    let own = token(shell.id().as_str(), &[Scope::EventsWrite], Some("orchestrator"));
    answer(service.batch(&events[..2]).bearer_auth(&own)).await;
    let beat = |lease: u32| {
        json!({ "presence": [
        { "session_id": id, "component_name": "orchestrator", "lease_seconds": lease },
    ] })
    };
    let (status, none) = answer(service.post("/api/v1/beats", &beat(30)).bearer_auth(&own)).await;
    assert_eq!((status, &none["end_requested"]), (StatusCode::OK, &json!([])));
    let admin = token("ada", &[Scope::SessionsAdmin, Scope::SessionsRead], None);
    let end = service.post(&format!("/api/v1/sessions/{id}/end"), &json!({ "reason": "enough" }));
    let (status, ended) = answer(end.bearer_auth(&admin)).await;
    assert_eq!((status, &ended["outcome"]), (StatusCode::OK, &json!("requested")), "{ended}");
    let (_, asked) = answer(service.post("/api/v1/beats", &beat(30)).bearer_auth(&own)).await;
    let wanted = json!([{ "session_id": id, "by": "ada", "why": "enough" }]);
    assert_eq!(asked["end_requested"], wanted);
    // A lease that is over.
    answer(service.post("/api/v1/beats", &beat(1)).bearer_auth(&own)).await;
    tokio::time::sleep(std::time::Duration::from_millis(1_300)).await;
    let shown = || async { answer(service.get(&format!("/api/v1/sessions/{id}")).bearer_auth(&admin)).await.1 };
    assert_eq!(shown().await["status"], "stale");
    tokio::time::sleep(std::time::Duration::from_millis(2_000)).await;
    assert_eq!(shown().await["status"], "lost");
    let end = service.post(&format!("/api/v1/sessions/{id}/end"), &json!({ "reason": "it is gone" }));
    assert_eq!(answer(end.bearer_auth(&admin)).await.1["outcome"], "recorded");
    assert_eq!(shown().await["end_reason"], "operator");
    // Somebody else's session, and values that break rules.
    let other = token("jrnl_other", &[Scope::EventsWrite], Some("orchestrator"));
    assert_eq!(answer(service.post("/api/v1/beats", &beat(30)).bearer_auth(&other)).await.0, StatusCode::FORBIDDEN);
    let foreign = token("jrnl_other", &[Scope::EventsWrite], Some("manager"));
    assert_eq!(answer(service.post("/api/v1/beats", &beat(30)).bearer_auth(&foreign)).await.0, StatusCode::FORBIDDEN);
    for lease in [0, 3_601] {
        let (status, problem) = answer(service.post("/api/v1/beats", &beat(lease)).bearer_auth(&own)).await;
        assert_eq!((status, &problem["field"]), (StatusCode::BAD_REQUEST, &json!("presence[0].lease_seconds")));
    }
}
