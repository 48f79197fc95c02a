//! What every sink does: takes events in order, says so by their ids, and takes them again without harm.

use std::{collections::HashSet, path::Path};

use admin_shell::{
    delivery::{EventSink, Receipt, SinkError},
    event::Event,
    journal::{SqliteJournal, Stub, Verdict},
    sinks::{Credentials, JsonlSink, Schemes},
    testing::FaultySink,
};

use crate::journal::fixture::Writing;

pub(super) async fn events() -> Vec<Event> {
    let elsewhere = SqliteJournal::in_memory().await.expect("a journal");
    Writing::new("orchestrator").whole(&elsewhere, 0, 5).await
}

fn names_all(receipt: &Receipt, events: &[Event]) {
    let named: HashSet<_> = receipt.verdicts.iter().map(|(id, _)| *id).collect();
    assert!(events.iter().all(|event| named.contains(&event.event_id())), "{receipt:?}");
    assert!(receipt.verdicts.iter().all(|(_, verdict)| matches!(verdict, Verdict::Accepted | Verdict::Duplicate)));
}

async fn keeps_the_contract(mut sink: Box<dyn EventSink>) {
    let events = events().await;
    assert!(!sink.name().is_empty());
    names_all(&sink.deliver(&events[..4]).await.expect("delivered"), &events[..4]);
    // Again, as after a crash: half of it known, half of it new.
    names_all(&sink.deliver(&events[2..7]).await.expect("delivered"), &events[2..7]);
    let stub = Stub::of(&events[7], "refused");
    let receipt = sink.stand_in(std::slice::from_ref(&stub)).await.expect("taken");
    assert_eq!(receipt.verdicts, [(stub.event_id, Verdict::Accepted)]);
    names_all(&sink.deliver(&events[8..]).await.expect("delivered"), &events[8..]);
    assert!(sink.beat(&[]).await.expect("heard").is_empty());
    assert!(sink.deliver(&[]).await.expect("asked").verdicts.is_empty());
}

#[tokio::test]
async fn faulty() {
    keeps_the_contract(Box::new(FaultySink::new("faulty:"))).await;
}

fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).expect("the file is there").lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn jsonl() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("deep/er/events.jsonl");
    let url = format!("jsonl:{}", path.display());
    keeps_the_contract(Box::new(JsonlSink::open(&url).expect("it opens"))).await;
    assert!(lines(&path).iter().all(|line| Event::parse(line).is_ok()));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).expect("there").permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn jsonl_is_rotated_between_lines() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("events.jsonl");
    let mut sink = JsonlSink::open(&format!("jsonl:{}", path.display())).expect("it opens").full_at(3_000);
    let events = events().await;
    for event in &events {
        sink.deliver(std::slice::from_ref(event)).await.expect("delivered");
    }
    let mut all = Vec::new();
    for number in (1..20).rev() {
        let older = directory.path().join(format!("events.jsonl.{number}"));
        if older.exists() {
            all.extend(lines(&older));
            let mode =
                std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&older).expect("there").permissions());
            assert_eq!(mode & 0o777, 0o600);
        }
    }
    assert!(!all.is_empty(), "nothing was rotated");
    if path.exists() {
        all.extend(lines(&path));
    }
    assert_eq!(all, events.iter().map(|event| event.text().to_owned()).collect::<Vec<_>>());
}

#[tokio::test]
async fn jsonl_that_can_not_be_written_is_unavailable() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("events.jsonl");
    let mut sink = JsonlSink::open(&format!("jsonl:{}", path.display())).expect("it opens");
    std::fs::create_dir(&path).expect("something else is there now");
    let error = sink.deliver(&events().await).await.expect_err("it can not");
    assert!(
        matches!(&error, SinkError::Unavailable { source, .. } if source.to_string().contains("directory")),
        "{error}"
    );
}

#[test]
fn a_url_that_names_none_says_what_would() {
    let error = Schemes::built_in(&Credentials::default()).open("ftp://x").err().expect("refused").to_string();
    assert!(error.starts_with("sink: nobody knows the scheme `ftp:`; known are "), "{error}");
}
