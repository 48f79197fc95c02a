//! Bearer tokens: what they say, the secret behind them, and how they are minted.
//!
//! Format: JSON Web Tokens (RFC 7519) in the compact form, HS256 when minted here. Claims: `iss`, `sub` (who: a journal
//! that delivers, or a person), `aud` (always `session-tracker`), `iat`, `exp`, `jti`, `scopes` (what may be done) and
//! `component` (whose events may be written; absent: any component's).
//!
//! Invariants:
//! - A minted token lives for an hour at most.
//! - A [`Secret`] has 32 bytes or more, is no known placeholder, and does not print itself.
//! - Nothing here decides what a token is worth: that is the tracker's.

mod secret;

use std::{fmt, str::FromStr, time::Duration};

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, Header};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use secret::{Secret, WeakSecret};

/// Whom every token is for.
pub const AUDIENCE: &str = "session-tracker";
/// Who mints tokens: shells for themselves, and `session-tracker token issue`.
pub const ISSUERS: [&str; 2] = ["admin-shell", "session-tracker"];
/// How long a minted token lives at most, and by default.
pub const LIFETIME: Duration = Duration::from_secs(3_600);

/// Something that a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    /// Deliver events of one's own journal.
    #[serde(rename = "events:write")]
    EventsWrite,
    /// Deliver events of others.
    #[serde(rename = "events:forward")]
    EventsForward,
    /// Read sessions, their events, and statistics.
    #[serde(rename = "sessions:read")]
    SessionsRead,
    /// End sessions.
    #[serde(rename = "sessions:admin")]
    SessionsAdmin,
    /// Read metrics.
    #[serde(rename = "metrics:read")]
    MetricsRead,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 5] =
        [Self::EventsWrite, Self::EventsForward, Self::SessionsRead, Self::SessionsAdmin, Self::MetricsRead];

    /// The scope as it stands in tokens.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EventsWrite => "events:write",
            Self::EventsForward => "events:forward",
            Self::SessionsRead => "sessions:read",
            Self::SessionsAdmin => "sessions:admin",
            Self::MetricsRead => "metrics:read",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|scope| scope.as_str() == text);
        found.ok_or_else(|| format!("there is no scope `{text}`: there are {}", Self::ALL.map(Self::as_str).join(", ")))
    }
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who minted it.
    pub iss: String,
    /// Who shows it.
    pub sub: String,
    /// Whom it is for.
    pub aud: String,
    /// When it was minted, in seconds since 1970.
    pub iat: i64,
    /// When it ends, in seconds since 1970.
    pub exp: i64,
    /// Its own id.
    pub jti: String,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// Whose events it may write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
}

impl Claims {
    /// Claims that begin now and hold for `lifetime`, an hour at most.
    #[must_use]
    pub fn new(issuer: &str, subject: &str, scopes: &[Scope], component: Option<&str>, lifetime: Duration) -> Self {
        let now = Timestamp::now().as_second();
        let lifetime = i64::try_from(lifetime.min(LIFETIME).as_secs()).unwrap_or(0);
        Self {
            iss: issuer.to_owned(),
            sub: subject.to_owned(),
            aud: AUDIENCE.to_owned(),
            iat: now,
            exp: now + lifetime,
            jti: Uuid::now_v7().to_string(),
            scopes: scopes.to_vec(),
            component: component.map(str::to_owned),
        }
    }

    /// What a shell shows to a tracker: the journal that delivers, for one component's events.
    #[must_use]
    pub fn of_shell(journal: &str, component: &str) -> Self {
        Self::new(ISSUERS[0], journal, &[Scope::EventsWrite], Some(component), LIFETIME)
    }

    /// The token of these claims.
    #[must_use]
    pub fn mint(&self, secret: &Secret) -> String {
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), self, &secret.signing());
        token.expect("these claims are plain JSON, and HS256 signs with any secret")
    }
}
