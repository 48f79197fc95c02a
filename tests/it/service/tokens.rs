//! Tokens: what is good is let in as far as it goes, everything else is 401 or 403, says nothing, and leaves nothing.

mod forged;
mod keys;
mod rotation;

use admin_shell::token::Scope;
use reqwest::StatusCode;
use serde_json::{Value, json};

use self::forged::{Forged, now};
use super::fixture::{SECRET, Service, answer, elsewhere, reader, session, token};
use crate::{
    cli::process::Home,
    mcp::{client::calling, older::start},
};

/// A token is refused where it counts most: writing. Nothing is stored, nothing is said but that it is refused.
async fn refused(service: &Service, what: &str, token: &str) {
    let shell = elsewhere().await;
    let events = session(&shell, "orchestrator", 1).await;
    let texts: Vec<&str> = events.iter().map(|event| event.text()).collect();
    let requests = [
        service.batch(&events),
        service.get("/api/v1/sessions"),
        calling(service, "track_events", &json!({ "events": texts })),
        calling(service, "track_session_start", &start()),
        calling(service, "list_sessions", &json!({})),
    ];
    for request in requests {
        let (status, problem) = answer(request.bearer_auth(token)).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{what}: {problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            ["the token is not valid", "the token has expired"].contains(&detail)
                || detail.starts_with("the Authorization header"),
            "{what}: {detail}"
        );
        assert_eq!(problem.as_object().unwrap().len(), 4, "{what}: {problem}");
    }
    assert_eq!(service.stored().await, 0, "{what}");
}

#[tokio::test]
async fn forged_tokens_are_refused() {
    let service = Service::with_secret();
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
async fn scopes_say_what_may_be_done() {
    let service = Service::with_secret();
    let events = session(&elsewhere().await, "orchestrator", 1).await;
    let id = events[0].stream().as_str().to_owned();
    let writer = token("jrnl_a", &[Scope::EventsWrite], None);
    let (status, taken) = answer(service.batch(&events).bearer_auth(&writer)).await;
    assert_eq!(status, StatusCode::OK, "{taken}");
    let end = || service.post(&format!("/api/v1/sessions/{id}/end"), &json!({ "reason": "over" }));
    let reads = || {
        [
            service.get("/api/v1/sessions"),
            service.get(&format!("/api/v1/sessions/{id}")),
            service.get(&format!("/api/v1/sessions/{id}/events")),
        ]
    };
    let missing = |problem: &Value, scope: &str| problem["detail"].as_str().unwrap().contains(scope);
    for request in reads() {
        let (status, problem) = answer(request.bearer_auth(&writer)).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert!(missing(&problem, "sessions:read"), "{problem}");
    }
    for request in reads() {
        assert_eq!(answer(request.bearer_auth(reader())).await.0, StatusCode::OK);
    }
    let (status, problem) = answer(end().bearer_auth(reader())).await;
    assert!(status == StatusCode::FORBIDDEN && missing(&problem, "sessions:admin"), "{problem}");
    let (status, problem) = answer(service.batch(&events).bearer_auth(reader())).await;
    assert!(status == StatusCode::FORBIDDEN && missing(&problem, "events:write"), "{problem}");
    let admin = token("ada", &[Scope::SessionsAdmin], None);
    assert_eq!(answer(end().bearer_auth(admin)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_token_for_one_component_writes_no_other() {
    let service = Service::with_secret();
    let shell = elsewhere().await;
    let own = session(&shell, "orchestrator", 0).await;
    let other = session(&shell, "manager", 0).await;
    let token = token("jrnl_a", &[Scope::EventsWrite], Some("orchestrator"));
    // Its own come first: nothing of the batch is stored.
    let both = [own.clone(), other].concat();
    let (status, problem) = answer(service.batch(&both).bearer_auth(&token)).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{problem}");
    assert_eq!(service.stored().await, 0);
    assert_eq!(answer(service.batch(&own).bearer_auth(&token)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn tokens_of_the_older_generation_open_nothing_here() {
    let service = Service::with_secret();
    let older = json!({ "user_id": "ada", "component": "orchestrator", "exp": now() + 86_400 });
    let older = Forged::new(&older).sign(SECRET);
    let events = session(&elsewhere().await, "orchestrator", 0).await;
    for request in [service.batch(&events), service.get("/api/v1/sessions")] {
        assert_eq!(answer(request.bearer_auth(&older)).await.0, StatusCode::FORBIDDEN);
    }
    assert_eq!(service.stored().await, 0);
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
