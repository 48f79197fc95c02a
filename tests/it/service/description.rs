//! The description of the REST door against the door itself: schemathesis makes requests out of it, good and bad, and looks
//! whether every answer is one that is described, and none is a failure of the server.

use std::process::Command;

use admin_shell::{journal::Journal, token::Scope};
use reqwest::StatusCode;

use super::{
    fixture::{SECRET, Service, answer, elsewhere, session, token},
    tools::python,
};
use crate::cli::process::Home;

/// What has to hold. That everything which fits the description is also taken is not said: some rules are of meaning.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance,ignored_auth,unsupported_method";

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_described_and_none_is_a_failure() {
    let schemathesis = python("schemathesis==4.32.5", "schemathesis");
    let service = Service::start(Home::new(), &["--rate", "0", "--log", "warn"], &[("SESSION_TRACKER_SECRET", SECRET)]);
    let own = token("ada", &Scope::ALL, None);
    let events = session(&elsewhere().await, "orchestrator", 2).await;
    assert_eq!(answer(service.batch(&events).bearer_auth(&own)).await.0, StatusCode::OK);
    let before = service.stored().await;
    let examples = crate::fixture::many("ADMIN_SHELL_SCHEMA_EXAMPLES", 25).to_string();
    let mut command = Command::new(schemathesis);
    command.current_dir(service.home().path("state")).env("NO_COLOR", "1");
    command.args(["run", &format!("{}/openapi.json", service.url), "--checks", CHECKS, "--max-examples", &examples]);
    // Events as they arrive never end, which is no answer to wait for.
    command.args(["--exclude-path", "/api/v1/live", "--header", &format!("Authorization: Bearer {own}")]);
    command.args(["--request-timeout", "30", "--seed", "20260301"]);
    let ran = tokio::task::spawn_blocking(move || command.output().expect("schemathesis runs")).await.unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}\n{}", service.said());
    assert!(said.contains("Tested: 11"), "{said}");
    // Nothing that it made up is an event: only what was said about the one session may have come.
    let after = service.stored().await;
    assert!(after >= before, "{before} {after}");
    let (_, list) = answer(service.get("/api/v1/sessions").bearer_auth(&own)).await;
    assert_eq!(list.as_array().unwrap().len(), 1);
    let report = service.home().journal().await.verify(None).await.unwrap();
    assert_eq!(report.faults, []);
}
