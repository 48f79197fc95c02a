//! Programs on a journal in Postgres: shells and `session-tracker`, as processes, named by a URL.

use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    fixture::{Place, eventually},
    postgres::Server,
};

/// The URL of a database of its own.
fn database() -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = Server::shared();
        server.url(&server.database().await)
    })
}

/// What `session-tracker` prints of the journal, named by its flag.
fn tracker(place: &Place, url: &str, args: &[&str]) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_session-tracker"));
    let ran = place.program(program).arg("--database").arg(url).args(args).run();
    let password = Server::shared().password();
    assert!(!ran.out.contains(password) && !ran.err.contains(password), "{}{}", ran.out, ran.err);
    assert_eq!(ran.code(), Some(0), "{args:?}: {}{}", ran.out, ran.err);
    ran.out
}

fn sessions(place: &Place, url: &str) -> Vec<Value> {
    serde_json::from_str(&tracker(place, url, &["list", "--format", "json"])).unwrap()
}

#[test]
fn many_shells_record_on_one_server() {
    const SHELLS: usize = 6;
    let (place, url) = (Place::new(), database());
    let shells: Vec<_> = (0..SHELLS)
        .map(|shell| {
            let code = format!("for n in 0..5 {{ append_nonce(\"{shell}-\" + n) }}");
            place.victim().env("ADMIN_SHELL_DATABASE", &url).args(["-c", &code]).start()
        })
        .collect();
    for shell in shells {
        let ran = shell.wait();
        assert_eq!(ran.code(), Some(0), "{}", ran.err);
        assert!(!ran.err.contains(Server::shared().password()), "{}", ran.err);
    }
    let listed = sessions(&place, &url);
    assert_eq!(listed.len(), SHELLS);
    assert!(listed.iter().all(|session| session["status"] == "ended" && session["write_calls"] == 5), "{listed:#?}");
    assert_eq!(place.nonces().len(), SHELLS * 5);
    let verified = tracker(&place, &url, &["verify"]);
    assert!(verified.starts_with("Consistent:"), "{verified}");
    let id = listed[0]["session_id"].as_str().unwrap();
    tracker(&place, &url, &["show", id]);
    let events = tracker(&place, &url, &["events", id, "--format", "json"]);
    let events: Vec<Value> = serde_json::from_str(&events).unwrap();
    // Its start, its command with five changes, its end.
    assert_eq!(events.len(), 1 + 2 + 2 * 5 + 1);
    tracker(&place, &url, &["journal", "status"]);
    let file = place.home("data").join("admin-shell/journal.db");
    assert!(!file.exists(), "no journal was made on the disk");
}

#[test]
fn a_killed_shell_is_observed_as_crashed() {
    let (place, url) = (Place::new(), database());
    let shell = place.victim().env("ADMIN_SHELL_DATABASE", &url).args(["-c", "sleep(600)"]).start();
    let begun = || sessions(&place, &url).into_iter().find(|session| session["commands"] == 1);
    let session = eventually("its command is recorded", begun);
    assert_eq!(session["status"], "active");
    shell.signal(Signal::KILL);
    shell.wait();
    let session = sessions(&place, &url).remove(0);
    assert_eq!((session["status"].as_str(), session["inferred"].as_bool()), (Some("crashed"), Some(true)));
}

#[test]
fn changes_wait_for_the_server() {
    let place = Place::new();
    let url = "postgres://admin:secret@127.0.0.1:1/audit";
    let ran = place.victim().args(["--database", url, "-c", "append_nonce(\"a\")"]).run();
    assert_eq!(ran.code(), Some(1), "{}", ran.err);
    assert!(ran.err.contains("postgres://127.0.0.1:1/audit"), "{}", ran.err);
    assert!(!ran.err.contains("secret"), "{}", ran.err);
    assert!(place.nonces().is_empty(), "nothing that is not recorded has run");
}
