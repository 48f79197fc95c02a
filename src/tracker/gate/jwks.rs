//! Published keys: a JSON Web Key Set (RFC 7517) in a file or behind a URL, read again as it changes.
//!
//! Invariants:
//! - Each key checks one algorithm: RSA RS256, P-256 ES256, Ed25519 EdDSA. Symmetric keys and keys for encryption are
//!   passed over.
//! - A key that is gone from the set is worth nothing: at once for a file, within a minute for a URL. A set that can not
//!   be fetched stays good for an hour, then nobody is let in.
//! - A token with an unknown key makes the set be fetched again, at most once in ten seconds whatever is sent.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use crate::tracker::TrackerError;

/// How old what was fetched may be.
const FRESH_FOR: Duration = Duration::from_secs(60);
/// How long it stays good while it can not be fetched.
const GOOD_FOR: Duration = Duration::from_secs(3_600);
/// How soon a URL is asked again, at the earliest.
const PAUSE: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(5);
/// Larger than any set of keys.
const LARGEST: usize = 1024 * 1024;

/// Why keys can not be used.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// Neither a file nor a URL that may be asked.
    #[error("--jwks: {0}")]
    Source(String),
    /// What is there is no set of keys.
    #[error("--jwks: {place} {what}")]
    Keys {
        /// The file or URL.
        place: String,
        /// What is wrong with it.
        what: String,
    },
}

/// A key and the one algorithm that it checks.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) key: DecodingKey,
    pub(super) algorithm: Algorithm,
}

/// A set of published keys. A cheap handle.
#[derive(Clone, Debug)]
pub struct Jwks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: Source,
    held: Mutex<Held>,
}

#[derive(Debug)]
enum Source {
    File(PathBuf),
    Web(Url, reqwest::Client),
}

#[derive(Debug, Default)]
struct Held {
    /// By name; a key without one has the empty name.
    keys: HashMap<String, Key>,
    /// When they were read.
    read: Option<Instant>,
    /// When reading them was last tried.
    tried: Option<Instant>,
    /// What the file looked like.
    seen: Option<(SystemTime, u64)>,
}

impl Jwks {
    /// Reads the keys for the first time.
    ///
    /// # Errors
    /// When a file is not there or holds no keys, or a URL is none that may be asked. A URL that does not answer is no
    /// error: it is asked again when somebody comes.
    pub async fn read(place: &str) -> Result<Self, GateError> {
        let source = source(place)?;
        let jwks = Self(Arc::new(Inner { source, held: Mutex::default() }));
        let mut held = jwks.0.held.lock().await;
        let read = jwks.0.source.refresh(&mut held).await;
        drop(held);
        match (&jwks.0.source, read) {
            (Source::File(_), Err(error)) => Err(error),
            (Source::Web(..), Err(error)) => {
                tracing::warn!(%error, "the published keys can not be read yet: nobody is let in until they can");
                Ok(jwks)
            }
            (_, Ok(())) => Ok(jwks),
        }
    }

    /// The key of a name; without a name the only one that there is.
    pub(super) async fn find(&self, name: Option<&str>) -> Result<Option<Key>, TrackerError> {
        let mut held = self.0.held.lock().await;
        let must_read = match &self.0.source {
            Source::File(path) => held.seen != look(path),
            Source::Web(..) => {
                let is_fresh = held.read.is_some_and(|read| read.elapsed() < FRESH_FOR);
                let is_known = name.is_some_and(|name| held.keys.contains_key(name));
                let may_ask = held.tried.is_none_or(|tried| tried.elapsed() > PAUSE);
                may_ask && !(is_fresh && is_known)
            }
        };
        if must_read && let Err(error) = self.0.source.refresh(&mut held).await {
            tracing::error!(%error, "the published keys can not be read");
        }
        if held.read.is_none_or(|read| matches!(self.0.source, Source::Web(..)) && read.elapsed() > GOOD_FOR) {
            return Err(TrackerError::Unavailable { what: "the published keys can not be read", retry_after: PAUSE });
        }
        Ok(match name {
            Some(name) => held.keys.get(name).cloned(),
            None if held.keys.len() == 1 => held.keys.values().next().cloned(),
            None => None,
        })
    }
}

impl Source {
    async fn refresh(&self, held: &mut Held) -> Result<(), GateError> {
        held.tried = Some(Instant::now());
        let bad = |what: String| GateError::Keys { place: self.to_string(), what };
        let text = match self {
            Self::File(path) => {
                let seen = look(path);
                if seen.is_none() {
                    held.keys.clear();
                    held.read = None;
                }
                held.seen = seen;
                std::fs::read(path).map_err(|error| bad(format!("can not be read: {error}")))?
            }
            Self::Web(url, client) => fetch(client, url.clone()).await.map_err(bad)?,
        };
        held.keys = keys(&text).map_err(bad)?;
        held.read = Some(Instant::now());
        Ok(())
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Web(url, _) => write!(f, "{}://{}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path()),
        }
    }
}

fn source(place: &str) -> Result<Source, GateError> {
    let Some((scheme @ ("http" | "https"), _)) = place.split_once("://") else {
        return Ok(Source::File(place.strip_prefix("file:").unwrap_or(place).into()));
    };
    let url = Url::parse(place).map_err(|error| GateError::Source(format!("`{place}` is not a URL: {error}")))?;
    let is_near = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if scheme == "http" && !is_near {
        return Err(GateError::Source(
            "keys that come over http from another machine can be anybody's: use https".into(),
        ));
    }
    let client = reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none()).build();
    let client = client.map_err(|error| GateError::Source(format!("no connections can be made: {error}")))?;
    Ok(Source::Web(url, client))
}

fn look(path: &Path) -> Option<(SystemTime, u64)> {
    let file = std::fs::metadata(path).ok()?;
    Some((file.modified().ok()?, file.len()))
}

async fn fetch(client: &reqwest::Client, url: Url) -> Result<Vec<u8>, String> {
    let because = |error: reqwest::Error| format!("can not be fetched: {}", error.without_url());
    let mut answer = client.get(url).send().await.map_err(because)?.error_for_status().map_err(because)?;
    let mut text = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(because)? {
        text.extend_from_slice(&part);
        if text.len() > LARGEST {
            return Err("is larger than any set of keys".to_owned());
        }
    }
    Ok(text)
}

/// The keys of a set that can be used here.
fn keys(text: &[u8]) -> Result<HashMap<String, Key>, String> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Value>,
    }
    let set: Set = serde_json::from_slice(text).map_err(|_| "is not a JSON Web Key Set".to_owned())?;
    let mut usable = HashMap::new();
    for key in set.keys {
        let Ok(jwk) = serde_json::from_value::<Jwk>(key) else { continue };
        let Some(algorithm) = algorithm(&jwk) else { continue };
        let Ok(key) = DecodingKey::from_jwk(&jwk) else { continue };
        usable.insert(jwk.common.key_id.unwrap_or_default(), Key { key, algorithm });
    }
    if usable.is_empty() {
        return Err("holds no key for RS256, ES256 or EdDSA".to_owned());
    }
    Ok(usable)
}

/// What a key is for, by its type alone; a key that says something else of itself is for nothing.
fn algorithm(jwk: &Jwk) -> Option<Algorithm> {
    let (algorithm, named) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        _ => return None,
    };
    let is_so = jwk.common.key_algorithm.is_none_or(|said| said == named);
    let is_for_signatures = !matches!(jwk.common.public_key_use, Some(PublicKeyUse::Encryption));
    (is_so && is_for_signatures).then_some(algorithm)
}
