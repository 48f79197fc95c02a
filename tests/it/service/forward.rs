//! A tracker that forwards: what reaches it reaches the next one, byte for byte.

use admin_shell::{event::Event, token::Scope};
use reqwest::StatusCode;

use super::fixture::{SECRET, Service, answer, elsewhere, session, token};
use crate::{cli::process::Home, fixture::eventually};

#[tokio::test(flavor = "multi_thread")]
async fn what_reaches_one_tracker_reaches_the_next() {
    let far = Service::with_secret();
    let home = Home::new();
    // A shell of this machine, before the tracker starts: it is forwarded too.
    let local =
        home.session("manager", &[crate::journal::fixture::start(crate::journal::fixture::at(0), "ada", "a")]).await;
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
