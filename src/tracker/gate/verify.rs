//! Checking one token.

use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, dangerous, decode, decode_header, errors::ErrorKind};
use serde::Deserialize;
use serde_json::Value;

use super::{Gate, LEEWAY};
use crate::{
    event::check_component_name,
    token::{AUDIENCE, ISSUERS, LIFETIME, Scope},
    tracker::{Caller, TrackerError},
};

/// Larger than any token of ours.
const LONGEST: usize = 8 * 1024;
/// Longer than any name.
const LONGEST_SUBJECT: usize = 255;

const WORTHLESS: TrackerError = TrackerError::Unauthenticated("the token is not valid");
const EXPIRED: TrackerError = TrackerError::Unauthenticated("the token has expired");

/// What a token has to say. Other claims are nobody's business here.
#[derive(Deserialize)]
struct Said {
    sub: String,
    iat: i64,
    exp: i64,
    #[serde(default)]
    scopes: Option<Words>,
    #[serde(default)]
    scope: Option<Words>,
    #[serde(default)]
    component: Option<String>,
}

/// What a token of the older generation says.
#[derive(Deserialize)]
struct SaidOlder {
    user_id: String,
    component: String,
    #[serde(rename = "exp")]
    _exp: i64,
}

/// Scopes as a list, or in one string as OAuth (RFC 6749, section 3.3) has them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Words {
    List(Vec<String>),
    Line(String),
}

impl Words {
    /// Those that mean something here; a token may be good for other services too.
    fn known(&self) -> Vec<Scope> {
        match self {
            Self::List(words) => words.iter().filter_map(|word| word.parse().ok()).collect(),
            Self::Line(line) => line.split(' ').filter_map(|word| word.parse().ok()).collect(),
        }
    }
}

impl Gate {
    pub(super) async fn verify(&self, token: &str) -> Result<Caller, TrackerError> {
        if token.len() > LONGEST {
            return Err(WORTHLESS);
        }
        let header = decode_header(token).map_err(|error| refused(&error))?;
        if brings_something(&header) {
            tracing::info!("a token was refused: its header brings a key, or asks for an extension");
            return Err(WORTHLESS);
        }
        match (&self.secret, &self.keys) {
            (Some(secret), _) if header.alg == Algorithm::HS256 => with_secret(token, &secret.verifying()),
            (_, Some(keys)) if header.alg != Algorithm::HS256 => {
                let key = keys.find(header.kid.as_deref()).await?.ok_or(WORTHLESS)?;
                let issuers = self.issuers_of_keys();
                current(token, &key.key, &validation(key.algorithm, &issuers)).map(|(caller, _)| caller)
            }
            _ => {
                tracing::info!(algorithm = ?header.alg, "a token was refused: no key here is for its algorithm");
                Err(WORTHLESS)
            }
        }
    }
}

/// Whether a header brings a key of its own, or asks for something that nobody here knows.
fn brings_something(header: &Header) -> bool {
    header.jwk.is_some()
        || header.jku.is_some()
        || header.x5u.is_some()
        || header.x5c.is_some()
        || header.crit.is_some()
        || header.enc.is_some()
        || header.zip.is_some()
        || header.extras.inner().contains_key("b64")
}

fn with_secret(token: &str, key: &DecodingKey) -> Result<Caller, TrackerError> {
    #[derive(Deserialize)]
    struct Kind {
        user_id: Option<Value>,
        aud: Option<Value>,
        scopes: Option<Value>,
    }
    // Not verified yet: it only says by which rules, and the older ones give less.
    let kind: Kind = dangerous::insecure_decode_claims(token).map_err(|error| refused(&error))?;
    if kind.user_id.is_some() && kind.aud.is_none() && kind.scopes.is_none() {
        return older(token, key);
    }
    let (caller, said) = current(token, key, &validation(Algorithm::HS256, &ISSUERS))?;
    let longest = i64::try_from((LIFETIME + LEEWAY).as_secs()).unwrap_or(0);
    if said.exp.saturating_sub(said.iat) > longest {
        tracing::info!("a token was refused: it holds for longer than an hour");
        return Err(WORTHLESS);
    }
    Ok(caller)
}

fn validation(algorithm: Algorithm, issuers: &[&str]) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.leeway = LEEWAY.as_secs();
    validation.validate_nbf = true;
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(issuers);
    validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
    validation
}

fn current(token: &str, key: &DecodingKey, validation: &Validation) -> Result<(Caller, Said), TrackerError> {
    let said: Said = decode(token, key, validation).map_err(|error| refused(&error))?.claims;
    let now = jiff::Timestamp::now().as_second();
    if said.iat > now + i64::try_from(LEEWAY.as_secs()).unwrap_or(0) || said.exp <= said.iat {
        tracing::info!("a token was refused: it is not valid yet");
        return Err(WORTHLESS);
    }
    let is_name =
        |name: &str| (1..=LONGEST_SUBJECT).contains(&name.chars().count()) && !name.contains(char::is_control);
    let is_component = said.component.as_deref().is_none_or(|name| check_component_name(name).is_ok());
    if !is_name(&said.sub) || !is_component {
        tracing::info!("a token was refused: its subject or its component is not a name");
        return Err(WORTHLESS);
    }
    let mut scopes = said.scopes.as_ref().or(said.scope.as_ref()).map(Words::known).unwrap_or_default();
    scopes.sort_unstable();
    scopes.dedup();
    Ok((Caller::with_token(said.sub.clone(), said.component.clone(), scopes), said))
}

fn older(token: &str, key: &DecodingKey) -> Result<Caller, TrackerError> {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.leeway = LEEWAY.as_secs();
    validation.validate_nbf = true;
    let said: SaidOlder = decode(token, key, &validation).map_err(|error| refused(&error))?.claims;
    let is_name = (1..=LONGEST_SUBJECT).contains(&said.user_id.chars().count());
    if !is_name || said.user_id.contains(char::is_control) || check_component_name(&said.component).is_err() {
        return Err(WORTHLESS);
    }
    Ok(Caller::older(said.user_id, said.component))
}

fn refused(error: &jsonwebtoken::errors::Error) -> TrackerError {
    if matches!(error.kind(), ErrorKind::ExpiredSignature) {
        return EXPIRED;
    }
    // The kind only: a message may quote what the token says.
    let kind = match error.kind() {
        ErrorKind::InvalidSignature => "its signature is wrong",
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => "its algorithm is not the key's",
        ErrorKind::ImmatureSignature => "it is not valid yet",
        ErrorKind::InvalidAudience => "it is for somebody else",
        ErrorKind::InvalidIssuer => "its issuer is another",
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) => "a claim is missing",
        _ => "it can not be read",
    };
    tracing::info!("a token was refused: {kind}");
    WORTHLESS
}
