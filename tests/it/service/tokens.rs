//! Tokens: what is good is let in as far as it goes, everything else is 401 or 403, says nothing, and leaves nothing.

mod forged;
mod keys;
mod rotation;

use admin_shell::token::Scope;
use reqwest::StatusCode;
use serde_json::{Value, json};

use self::forged::{Forged, now};
use super::{
    doors::{self, Ask, let_in},
    fixture::{SECRET, Service, answer, elsewhere, reader, session, token},
};
use crate::{
    cli::process::Home,
    mcp::{
        client::{call, calling},
        older::start,
    },
};

/// A tracker with the secret, which is asked more often than one caller usually may.
fn patient() -> Service {
    Service::start(Home::new(), &["--rate", "0"], &[("SESSION_TRACKER_SECRET", SECRET)])
}

/// A token is worth nothing, whatever is asked and through whichever door. Nothing is stored, and nothing is said but that
/// it is refused.
async fn refused(service: &Service, what: &str, token: &str) {
    let shell = elsewhere().await;
    let events = session(&shell, "orchestrator", 1).await;
    let id = events[0].stream().as_str();
    for ask in [
        Ask::Deliver(&events),
        Ask::Beat(&events[0]),
        Ask::List,
        Ask::Show(id),
        Ask::End(id),
        Ask::Statistics,
        Ask::Metrics,
    ] {
        let (status, problem) = doors::refused(service, &ask, token, what).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{what}: {problem}");
        is_no_reason(what, problem["detail"].as_str().unwrap());
    }
    // The two older tools take one in a header or among their arguments.
    let (status, problem) = answer(calling(service, "track_session_start", &start()).bearer_auth(token)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "{what}: {problem}");
    let mut begins = start();
    begins["token"] = json!(token);
    let ends = json!({ "session_id": id, "timestamp": "2026-02-06T10:31:00Z", "token": token });
    for (tool, arguments) in [("track_session_start", begins), ("track_session_end", ends)] {
        let said = call(service, tool, &arguments).await;
        assert_eq!(said["status"], "error", "{what}: {said}");
        is_no_reason(what, said["error"].as_str().unwrap().strip_prefix("token: ").expect("it names the token"));
    }
    assert_eq!(service.stored().await, 0, "{what}");
}

/// What is wrong with a token is for the log, not for whoever shows it.
fn is_no_reason(what: &str, said: &str) {
    let is_known = ["the token is not valid", "the token has expired"].contains(&said);
    assert!(is_known || said.starts_with("the Authorization header"), "{what}: {said}");
}

#[tokio::test]
async fn forged_tokens_are_refused() {
    let service = patient();
    let good = json!({
        "iss": "admin-shell", "sub": "jrnl_x", "aud": "session-tracker", "iat": now(), "exp": now() + 600, "jti": "1",
        "scopes": ["events:write", "sessions:read"], "component": "orchestrator",
    });
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value,
        }
        claims
    };
    // The one that everything below differs from is let in.
    let (status, list) = answer(service.get("/api/v1/sessions").bearer_auth(Forged::new(&good).sign(SECRET))).await;
    assert_eq!((status, list), (StatusCode::OK, json!([])));
    for (what, name, value) in [
        ("expired", "exp", json!(now() - 60)),
        ("not yet valid", "nbf", json!(now() + 60)),
        ("minted tomorrow", "iat", json!(now() + 86_400)),
        ("for somebody else", "aud", json!("somebody")),
        ("for a list of others", "aud", json!(["a", "b"])),
        ("for nobody", "aud", Value::Null),
        ("of another issuer", "iss", json!("somebody")),
        ("of nobody", "iss", Value::Null),
        ("of no subject", "sub", Value::Null),
        ("of an empty subject", "sub", json!("")),
        ("of a subject that is a number", "sub", json!(1)),
        ("without end", "exp", Value::Null),
        ("with an end in text", "exp", json!((now() + 600).to_string())),
        ("with an end that is a word", "exp", json!("never")),
        ("with an end below nothing", "exp", json!(-1)),
        ("without beginning", "iat", Value::Null),
        ("longer than an hour", "exp", json!(now() + 7_200)),
        ("for a component that is no name", "component", json!("../x")),
        ("for a component that is a number", "component", json!(1)),
    ] {
        refused(&service, what, &Forged::new(&with(name, value)).sign(SECRET)).await;
    }
    let token = Forged::new(&good).sign(SECRET);
    let (head, signature) = token.rsplit_once('.').unwrap();
    for (what, token) in [
        ("no signature", format!("{head}.")),
        ("two parts", head.to_owned()),
        ("a padded signature", format!("{token}=")),
        ("a longer signature", format!("{token}AAAA")),
        ("half a signature", format!("{head}.{}", &signature[..20])),
        ("another secret", Forged::new(&good).sign("another secret that has more than 32 bytes")),
        ("nothing", "x".to_owned()),
        ("points", "..".to_owned()),
        ("a long one", "x".repeat(7_000)),
    ] {
        refused(&service, what, &token).await;
    }
    for (what, header) in [
        ("no algorithm", json!({ "alg": "none", "typ": "JWT" })),
        ("no algorithm, shouted", json!({ "alg": "NONE" })),
        ("an empty algorithm", json!({ "alg": "" })),
        ("another hash", json!({ "alg": "HS512" })),
        ("a public key's algorithm", json!({ "alg": "RS256" })),
        ("an extension", json!({ "alg": "HS256", "crit": ["exp"] })),
        ("an extension that it has", json!({ "alg": "HS256", "crit": ["b64"], "b64": false })),
        ("a key", json!({ "alg": "HS256", "jwk": { "kty": "oct", "k": "AAAA" } })),
        ("a place of keys", json!({ "alg": "HS256", "jku": "http://127.0.0.1:1/keys" })),
        ("a certificate's place", json!({ "alg": "HS256", "x5u": "http://127.0.0.1:1/keys" })),
    ] {
        refused(&service, what, &Forged::new(&good).header(header.clone()).sign(SECRET)).await;
        refused(&service, what, &Forged::new(&good).header(header).unsigned()).await;
    }
    assert!(!service.said().contains(&token[..40]), "the log shows a token: {}", service.said());
}

#[tokio::test]
async fn the_header_is_read_strictly() {
    let service = Service::with_secret();
    let good = reader();
    for (what, value) in [
        ("another scheme", format!("Basic {good}")),
        ("no scheme", good.clone()),
        ("two tokens", format!("Bearer {good} {good}")),
        ("no token", "Bearer ".to_owned()),
    ] {
        let (status, _) = answer(service.get("/api/v1/sessions").header("authorization", value)).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{what}");
    }
    let twice = service.get("/api/v1/sessions").bearer_auth(&good).header("authorization", format!("Bearer {good}"));
    assert_eq!(answer(twice).await.0, StatusCode::UNAUTHORIZED);
    let answered = service.get("/api/v1/sessions").send().await.unwrap();
    assert!(answered.headers()["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
}

#[tokio::test]
async fn tokens_of_the_older_generation_are_checked_as_well() {
    let service = patient();
    let good = json!({ "user_id": "ada", "component": "orchestrator", "exp": now() + 600 });
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let token = Forged::new(&good).sign(SECRET);
    for (what, token) in [
        ("expired", Forged::new(&with("exp", json!(now() - 60))).sign(SECRET)),
        ("with an end in text", Forged::new(&with("exp", json!((now() + 600).to_string()))).sign(SECRET)),
        ("without end", Forged::new(&with("exp", Value::Null)).sign(SECRET)),
        ("not yet valid", Forged::new(&with("nbf", json!(now() + 60))).sign(SECRET)),
        ("of nobody", Forged::new(&with("user_id", json!(""))).sign(SECRET)),
        ("of a number", Forged::new(&with("user_id", json!(1))).sign(SECRET)),
        ("for a component that is no name", Forged::new(&with("component", json!("../x"))).sign(SECRET)),
        ("for no component", Forged::new(&with("component", Value::Null)).sign(SECRET)),
        ("another secret", Forged::new(&good).sign("another secret that has more than 32 bytes")),
        ("no algorithm", Forged::new(&good).header(json!({ "alg": "none" })).unsigned()),
        ("no signature", format!("{}.", Forged::new(&good).message())),
        ("a padded signature", format!("{token}=")),
        ("an extension", Forged::new(&good).header(json!({ "alg": "HS256", "crit": ["exp"] })).sign(SECRET)),
        (
            "a key",
            Forged::new(&good).header(json!({ "alg": "HS256", "jwk": { "kty": "oct", "k": "AA" } })).sign(SECRET),
        ),
    ] {
        refused(&service, what, &token).await;
    }
    // What they differ from is taken for the two tools of that generation, and opens nothing else.
    let events = session(&elsewhere().await, "orchestrator", 0).await;
    let id = events[0].stream().as_str();
    for ask in [Ask::Deliver(&events), Ask::Beat(&events[0]), Ask::List, Ask::Show(id), Ask::End(id), Ask::Metrics] {
        let (status, problem) = doors::refused(&service, &ask, &token, "of the older generation").await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{problem}");
    }
    assert_eq!(service.stored().await, 0);
    let begun = calling(&service, "track_session_start", &start()).bearer_auth(&token);
    assert_eq!(answer(begun).await.1["result"]["structuredContent"]["status"], "tracked");
}

#[tokio::test]
async fn scopes_say_what_may_be_done() {
    let service = patient();
    let shell = elsewhere().await;
    let events = session(&shell, "orchestrator", 1).await;
    let id = events[0].stream().as_str();
    let scopes =
        [Scope::EventsWrite, Scope::EventsForward, Scope::SessionsRead, Scope::SessionsAdmin, Scope::MetricsRead];
    let token = |scope: Scope| token(shell.id().as_str(), &[scope], None);
    let asks: [(Ask<'_>, &[Scope]); 7] = [
        (Ask::Deliver(&events), &[Scope::EventsWrite, Scope::EventsForward]),
        (Ask::Beat(&events[0]), &[Scope::EventsWrite, Scope::EventsForward]),
        (Ask::List, &[Scope::SessionsRead]),
        (Ask::Show(id), &[Scope::SessionsRead]),
        (Ask::Statistics, &[Scope::SessionsRead]),
        (Ask::Metrics, &[Scope::MetricsRead]),
        (Ask::End(id), &[Scope::SessionsAdmin]),
    ];
    // First everything that is refused, while there is nothing, then everything that is let in.
    for (ask, enough) in &asks {
        for scope in scopes.iter().filter(|scope| !enough.contains(scope)) {
            let (status, problem) = doors::refused(&service, ask, &token(*scope), &scope.to_string()).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{scope}: {problem}");
            let named = enough.iter().any(|scope| problem["detail"].as_str().unwrap().contains(&scope.to_string()));
            assert!(named, "{scope}: {problem}");
        }
    }
    assert_eq!(service.stored().await, 0);
    for (ask, enough) in &asks {
        for scope in *enough {
            let_in(&service, ask, &token(*scope)).await;
        }
    }
    assert_eq!(service.stored().await, events.len() as u64);
}

#[tokio::test]
async fn a_token_for_one_component_writes_no_other() {
    let service = patient();
    let shell = elsewhere().await;
    let own = session(&shell, "orchestrator", 0).await;
    let other = session(&shell, "manager", 0).await;
    let token = token("jrnl_a", &[Scope::EventsWrite], Some("orchestrator"));
    // Its own come first: nothing of the batch is stored.
    let both = [own.clone(), other.clone()].concat();
    for ask in [Ask::Deliver(&both), Ask::Beat(&other[0])] {
        let (status, problem) = doors::refused(&service, &ask, &token, "for another component").await;
        assert_eq!((status, &problem["title"]), (StatusCode::FORBIDDEN, &json!("other component")));
    }
    assert_eq!(service.stored().await, 0);
    let_in(&service, &Ask::Deliver(&own), &token).await;
}

#[tokio::test]
async fn the_command_line_mints_and_inspects() {
    let service = Service::with_secret();
    let home = Home::new();
    let issue = |args: &[&str]| {
        let args = [&["token", "issue"], args].concat();
        home.tracker(&args).env("SESSION_TRACKER_SECRET", SECRET).run()
    };
    let minted = issue(&[]).succeeds();
    assert_eq!(answer(service.get("/api/v1/sessions").bearer_auth(minted.trim())).await.0, StatusCode::OK);
    let inspect = |token: &str, secret: &str| {
        home.tracker(&["token", "inspect", "-", "--format", "json"])
            .env("SESSION_TRACKER_SECRET", secret)
            .input(token)
            .run()
    };
    let said = inspect(&minted, SECRET).json();
    let claims = &said["claims"];
    assert_eq!(said["verdict"], "valid");
    assert_eq!(claims["scopes"], json!(["sessions:read", "metrics:read"]));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3_600);
    assert_eq!((&claims["aud"], &claims["component"]), (&json!("session-tracker"), &Value::Null));
    let narrow = ["--scope", "events:write", "--component", "orchestrator", "--lifetime", "5m", "--subject", "ci"];
    let said = inspect(&issue(&narrow).succeeds(), SECRET).json();
    let claims = &said["claims"];
    assert_eq!(
        json!([claims["scopes"], claims["component"], claims["sub"]]),
        json!([["events:write"], "orchestrator", "ci"])
    );
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 300);
    let ran = inspect(&minted, "another secret that has more than 32 bytes");
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    for wrong in [
        ["--scope", "everything"],
        ["--lifetime", "61m"],
        ["--lifetime", "0"],
        ["--component", "a b"],
        ["--subject", ""],
    ] {
        issue(&wrong).fails(2);
    }
    home.tracker(&["token", "issue"]).run().fails(2);
}
