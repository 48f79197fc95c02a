//! A tracker that forwards: what reaches it reaches the next one, byte for byte, and so does who lives.

use admin_shell::{
    event::{Event, SessionId},
    journal::Journal,
    recorder::LiveSession,
    token::Scope,
};
use reqwest::StatusCode;
use serde_json::json;

use super::fixture::{SECRET, Service, answer, elsewhere, session, token};
use crate::{
    cli::process::Home,
    fixture::eventually,
    journal::fixture::{at, start},
};

#[tokio::test(flavor = "multi_thread")]
async fn what_reaches_one_tracker_reaches_the_next() {
    let far = Service::with_secret();
    let home = Home::new();
    // A shell of this machine, before the tracker starts: it is forwarded too.
    let local = home.session("manager", &[start(at(0), "ada", "a")]).await;
    let near = Service::start(home, &["--forward", &far.url], &[("SESSION_TRACKER_SECRET", SECRET)]);
    let shell = elsewhere().await;
    let own = token(shell.id().as_str(), &[Scope::EventsWrite], None);
    let mut sent: Vec<String> = Vec::new();
    for component in ["orchestrator", "builder"] {
        let events = session(&shell, component, 2).await;
        assert_eq!(answer(near.batch(&events).bearer_auth(&own)).await.0, StatusCode::OK);
        sent.extend(events.iter().map(|event| event.text().to_owned()));
    }
    let texts = |stream: &str| {
        let (url, stream) = (far.url.clone(), stream.to_owned());
        let reader = super::fixture::reader();
        let ask = async move {
            let path = format!("{url}/api/v1/sessions/{stream}/events");
            let answer = super::fixture::client().get(path).bearer_auth(reader).send().await.unwrap();
            answer.text().await.unwrap()
        };
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(ask))
    };
    for events in sent.chunks(sent.len() / 2) {
        let stream = Event::parse(&events[0]).unwrap().stream().to_string();
        let wanted = format!("[{}]", events.join(","));
        eventually("it is forwarded", || (texts(&stream) == wanted).then_some(()));
    }
    eventually("what was there before is forwarded", || texts(local.as_str()).contains("session_start").then_some(()));
    // What was forwarded belongs to the journal that sealed it: its shell may go on there by itself.
    let more = session(&shell, "orchestrator", 0).await;
    assert_eq!(answer(far.batch(&more).bearer_auth(&own)).await.0, StatusCode::OK);
    let wrong = Home::new();
    let said = wrong.tracker(&["serve", "--listen", "127.0.0.1:0", "--forward", "nonsense:x"]).run();
    assert!(said.code == Some(2) && said.stderr.contains("--forward"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lives_here_lives_there_and_is_asked_to_end_from_there() {
    let far = Service::with_secret();
    let home = Home::new();
    let near = Service::start(home, &["--forward", &far.url], &[("SESSION_TRACKER_SECRET", SECRET)]);
    // A shell elsewhere that delivers and beats, and one of this machine that writes the same journal and beats nowhere.
    let shell = elsewhere().await;
    let own = token(shell.id().as_str(), &[Scope::EventsWrite], None);
    let events = session(&shell, "orchestrator", 1).await;
    assert_eq!(answer(near.batch(&events[..2]).bearer_auth(&own)).await.0, StatusCode::OK);
    let remote: SessionId = events[0].stream().as_str().parse().unwrap();
    let local = near.home().session("manager", &[start(at(0), "ada", "a")]).await;
    let _lock = LiveSession::begin(&near.home().database(), &local).unwrap();
    let presence = json!([{ "session_id": remote, "component_name": "orchestrator", "lease_seconds": 30,
        "emits": [{ "event_type": "command_start", "success": 7 }] }]);
    let beat = async || answer(near.post("/api/v1/beats", &json!({ "presence": presence })).bearer_auth(&own)).await.1;
    let begun = std::time::Instant::now();
    let there = far.home().journal().await;
    while !(there.was_heard(&remote).await.unwrap() && there.was_heard(&local).await.unwrap()) {
        assert!(begun.elapsed() < crate::fixture::DEADLINE, "nobody is heard there");
        beat().await;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
    assert_eq!(
        there.emitted().await.unwrap().iter().flat_map(|(_, emits)| emits).map(|one| one.success).sum::<u64>(),
        7
    );
    let admin = token("grace", &[Scope::SessionsAdmin, Scope::SessionsRead], None);
    for id in [&remote, &local] {
        let end = far.post(&format!("/api/v1/sessions/{id}/end"), &json!({ "reason": "enough" }));
        assert_eq!(answer(end.bearer_auth(&admin)).await.1["outcome"], "requested");
    }
    // The one hears it with its next beat, the other finds it in the journal that it writes; each once.
    let wanted = json!([{ "session_id": remote, "by": "grace", "why": "enough" }]);
    let here = near.home().journal().await;
    while beat().await["end_requested"] != wanted
        || here.end_requests(std::slice::from_ref(&local)).await.unwrap().is_empty()
    {
        assert!(begun.elapsed() < crate::fixture::DEADLINE, "it is not asked to end");
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
    assert_eq!(here.observations(&remote).await.unwrap().len(), 1);
}
