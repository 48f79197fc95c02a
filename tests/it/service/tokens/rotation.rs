//! Published keys: their algorithms, their rotation, and what is tried against them.

use jsonwebtoken::Algorithm;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{
    forged::{Forged, now},
    keys::{Pair, set},
    refused,
};
use crate::{
    cli::process::Home,
    service::{
        doors::Ask,
        fixture::{Service, answer},
    },
};

fn claims() -> Value {
    json!({
        "iss": "https://login.example.org", "sub": "ada", "aud": ["session-tracker", "another"], "iat": now(),
        "exp": now() + 28_800, "scope": "openid sessions:read events:write",
    })
}

fn service(home: Home, keys: &str) -> Service {
    let file = home.path("keys.json");
    std::fs::write(&file, keys).unwrap();
    let file = file.to_str().unwrap().to_owned();
    Service::start(home, &["--jwks", &file, "--issuer", "https://login.example.org", "--rate", "0"], &[])
}

/// Whether both doors let a token in; they have to agree.
async fn is_let_in(service: &Service, token: &str) -> bool {
    let [rest, mcp] = Ask::List.by_each_door(service).map(|request| answer(request.bearer_auth(token)));
    let ((status, problem), (other, _)) = (rest.await, mcp.await);
    assert!([StatusCode::OK, StatusCode::UNAUTHORIZED].contains(&status) && status == other, "{other} {problem}");
    status == StatusCode::OK
}

#[tokio::test]
async fn every_kind_of_key_checks_its_own_algorithm_only() {
    let pairs =
        [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA].map(|kind| Pair::new(&format!("{kind:?}"), kind));
    let service = service(Home::new(), &set(&pairs.each_ref()));
    for pair in &pairs {
        let token = Forged::new(&claims()).header(pair.header()).sign_with(&pair.private, pair.algorithm);
        assert!(is_let_in(&service, &token).await, "{:?}", pair.algorithm);
        // Signed with the public key as if it were a secret.
        for secret in [pair.public_pem.clone(), pair.jwk().to_string().into_bytes()] {
            let header = json!({ "alg": "HS256", "typ": "JWT", "kid": pair.name });
            let token = Forged::new(&claims()).header(header.clone()).sign(&secret);
            refused(&service, "a public key as a secret", &token).await;
            let older = json!({ "user_id": "ada", "component": "orchestrator", "exp": now() + 600 });
            let token = Forged::new(&older).header(header).sign(&secret);
            refused(&service, "a public key as a secret, of the older generation", &token).await;
        }
        for other in &pairs {
            if other.name != pair.name {
                let header = json!({ "alg": format!("{:?}", other.algorithm), "kid": pair.name });
                let token = Forged::new(&claims()).header(header).sign_with(&other.private, other.algorithm);
                refused(&service, "another key's algorithm", &token).await;
                let header = json!({ "alg": format!("{:?}", pair.algorithm), "kid": pair.name });
                let token = Forged::new(&claims()).header(header).sign_with(&other.private, other.algorithm);
                refused(&service, "another key's signature", &token).await;
            }
        }
        refused(&service, "unsigned", &Forged::new(&claims()).header(pair.header()).unsigned()).await;
        let token =
            Forged::new(&claims()).header(json!({ "alg": "EdDSA" })).sign_with(&pairs[2].private, Algorithm::EdDSA);
        refused(&service, "a token that names no key, of several", &token).await;
    }
}

#[tokio::test]
async fn names_of_keys_are_only_ever_compared() {
    let pair = Pair::new("one", Algorithm::EdDSA);
    let service = service(Home::new(), &set(&[&pair]));
    for kid in
        ["../../../../dev/null", "/etc/passwd", "one' or '1'='1", "one; drop table events", "", "one\u{0}", "ONE"]
    {
        let header = json!({ "alg": "EdDSA", "kid": kid });
        refused(&service, kid, &Forged::new(&claims()).header(header).sign_with(&pair.private, pair.algorithm)).await;
    }
    let stranger = Pair::new("one", Algorithm::EdDSA);
    for header in [
        json!({ "alg": "EdDSA", "kid": "one", "jwk": stranger.jwk() }),
        json!({ "alg": "EdDSA", "jwk": stranger.jwk() }),
        json!({ "alg": "EdDSA", "kid": "one", "jku": "http://127.0.0.1:9/keys.json" }),
    ] {
        let token = Forged::new(&claims()).header(header).sign_with(&stranger.private, Algorithm::EdDSA);
        refused(&service, "a key that the token brings", &token).await;
    }
    let mut other = claims();
    other["iss"] = json!("admin-shell");
    let token = Forged::new(&other).header(pair.header()).sign_with(&pair.private, pair.algorithm);
    refused(&service, "an issuer that was not named", &token).await;
}

#[tokio::test]
async fn a_key_that_is_rotated_out_is_worth_nothing() {
    let (old, new) = (Pair::new("old", Algorithm::ES256), Pair::new("new", Algorithm::ES256));
    let service = service(Home::new(), &set(&[&old]));
    let token = |pair: &Pair| Forged::new(&claims()).header(pair.header()).sign_with(&pair.private, pair.algorithm);
    let (with_old, with_new) = (token(&old), token(&new));
    assert!(is_let_in(&service, &with_old).await);
    assert!(!is_let_in(&service, &with_new).await);
    std::fs::write(service.home().path("keys.json"), set(&[&old, &new])).unwrap();
    assert!(is_let_in(&service, &with_old).await);
    assert!(is_let_in(&service, &with_new).await);
    std::fs::write(service.home().path("keys.json"), set(&[&new])).unwrap();
    assert!(!is_let_in(&service, &with_old).await);
    assert!(is_let_in(&service, &with_new).await);
}

#[tokio::test]
async fn keys_behind_a_url_are_fetched_again_and_not_too_often() {
    use std::sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    };
    let (old, new) = (Pair::new("old", Algorithm::EdDSA), Pair::new("new", Algorithm::EdDSA));
    let (published, asked) = (Arc::new(Mutex::new(set(&[&old]))), Arc::new(AtomicUsize::new(0)));
    let (shown, count) = (Arc::clone(&published), Arc::clone(&asked));
    let app = axum::Router::new().route(
        "/keys",
        axum::routing::get(move || {
            count.fetch_add(1, Ordering::SeqCst);
            let keys = shown.lock().unwrap().clone();
            async { keys }
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let start = move || Service::start(Home::new(), &["--jwks", &url, "--issuer", "https://login.example.org"], &[]);
    let service = tokio::task::spawn_blocking(start).await.unwrap();
    let token = |pair: &Pair| Forged::new(&claims()).header(pair.header()).sign_with(&pair.private, pair.algorithm);
    assert!(is_let_in(&service, &token(&old)).await);
    *published.lock().unwrap() = set(&[&old, &new]);
    for _ in 0..50 {
        assert!(!is_let_in(&service, &token(&new)).await, "it was asked for a moment ago");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    tokio::time::sleep(std::time::Duration::from_secs(11)).await;
    assert!(is_let_in(&service, &token(&new)).await);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[test]
fn a_set_that_is_none_is_said_at_the_start() {
    let home = Home::new();
    let symmetric = json!({ "keys": [{ "kty": "oct", "kid": "a", "k": "c2VjcmV0" }] }).to_string();
    for (name, content) in [("a", "no json"), ("b", "{}"), ("c", "{\"keys\":[]}"), ("d", &symmetric)] {
        std::fs::write(home.path(name), content).unwrap();
        let said = home.tracker(&["serve", "--jwks", home.path(name).to_str().unwrap()]).run().fails(2);
        assert!(said.contains("--jwks"), "{said}");
    }
    for place in ["/no/such/file", "http://example.org/keys"] {
        let said = home.tracker(&["serve", "--jwks", place]).run().fails(2);
        assert!(said.contains("--jwks"), "{said}");
    }
}
