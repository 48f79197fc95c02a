//! The gate: which bearer tokens are worth something here, and what.
//!
//! Invariants:
//! - The algorithm is the key's, never the token's: the secret checks HS256 only, a published key what its type is for.
//! - A token brings no key and no place to find one: `jwk`, `jku`, `x5u`, `x5c` and `crit` are refused before anything is
//!   checked, and `kid` is only ever compared with the names of known keys.
//! - What a caller hears is the same for everything that is wrong with a token but its expiry; the log has more.

mod jwks;
mod verify;

use std::time::Duration;

use super::{Caller, TrackerError};
use crate::token::{ISSUERS, Secret};

pub use jwks::{GateError, Jwks};

/// How far clocks may be apart.
const LEEWAY: Duration = Duration::from_secs(5);

/// What tokens are checked with.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    secret: Option<Secret>,
    keys: Option<Jwks>,
    issuers: Vec<String>,
}

impl Gate {
    /// Lets everybody in.
    #[must_use]
    pub fn open() -> Self {
        Self::default()
    }

    /// Checks tokens with a shared secret, published keys, or both; with neither it is open. `issuers` are those whose
    /// tokens signed with published keys count; empty: the usual ones.
    #[must_use]
    pub fn new(secret: Option<Secret>, keys: Option<Jwks>, issuers: Vec<String>) -> Self {
        Self { secret, keys, issuers }
    }

    /// Whether it lets everybody in.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.secret.is_none() && self.keys.is_none()
    }

    fn issuers_of_keys(&self) -> Vec<&str> {
        if self.issuers.is_empty() { ISSUERS.to_vec() } else { self.issuers.iter().map(String::as_str).collect() }
    }

    /// Who shows this bearer token, and what they may do.
    ///
    /// # Errors
    /// When there is none, or it is worth nothing here.
    pub async fn authorise(&self, bearer: Option<&str>) -> Result<Caller, TrackerError> {
        if self.is_open() {
            return Ok(Caller::anybody());
        }
        let token = bearer.ok_or(TrackerError::Unauthenticated("a bearer token is needed"))?;
        self.verify(token).await
    }
}
