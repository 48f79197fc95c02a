//! Every run is in the record as a call, with its outcome.

use admin_shell::{Shell, Status, event::CommandEnd, testing::TestShell};
use inspector::{Inspector, Settings};
use serde_json::{Value, json};

use crate::place::Place;

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_calls() {
    let place = Place::with_tools(&[("one", "format = \"sarif\"", "echo '{\"version\": \"2.1.0\", \"runs\": []}'")]);
    let tree = Some(place.tree().display().to_string());
    let shell = TestShell::of(Shell::new(Inspector::new(Settings { tree, ..Settings::default() }).unwrap())).await;
    let ran = shell.run("crack()").await;
    let labels: Vec<String> = ran.progress().iter().map(|(label, _)| label.clone()).collect();
    assert!(labels.iter().any(|label| label == "1/1 done; "), "{labels:?}");
    assert_eq!(ran.value::<Value>()["verdict"], "pass");
    shell.run("test()").await.fails();
    let file = place.tree().join("out.json");
    shell.run(&format!("export(\"json\", {:?})", file.display().to_string())).await.value::<Value>();
    let events = shell.events().await;
    let ends: Vec<CommandEnd> =
        events.iter().filter(|e| e.kind().to_string() == "command_end").filter_map(|e| e.decode()).collect();
    let reads = |end: &CommandEnd, name: &str| serde_json::to_value(&end.reads).unwrap()[name].clone();
    assert_eq!((ends[0].status, &reads(&ends[0], "crack")["calls"]), (Status::Ok, &json!(1)));
    assert_eq!((ends[1].status, &reads(&ends[1], "test")["errors"]), (Status::Error, &json!(1)));
    let calls: Vec<String> =
        events.iter().map(|event| event.kind().to_string()).filter(|kind| kind.starts_with("call")).collect();
    assert_eq!(calls, ["call_start", "call_end"], "the export");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_helper_explains_itself() {
    let place = Place::planted("python");
    place.git(&["init", "-q"]);
    let tree = Some(place.tree().display().to_string());
    let shell = TestShell::of(Shell::new(Inspector::new(Settings { tree, ..Settings::default() }).unwrap())).await;
    shell.run("crack([\"ruff\"])").await.value::<Value>();
    shell.run("crack([\"ruff\"])").await.value::<Value>();
    let registry = shell.session().registry();
    for spec in registry.iter() {
        assert!(!spec.examples.is_empty(), "`{}` has no example", spec.name);
        // An editor needs a terminal; clippy and tests of parse are not this tree's.
        for example in
            spec.examples.iter().filter(|e| !e.starts_with("open") && !e.contains("clippy") && !e.contains("parse"))
        {
            let failure = shell.run(example).await.failure();
            assert_eq!(failure, None, "{example}");
        }
    }
}
