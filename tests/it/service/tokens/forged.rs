//! Tokens as no library makes them.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto::sign};
use serde_json::{Value, json};

/// A token that is not signed yet: any header, any claims.
pub(super) struct Forged {
    header: Value,
    claims: Value,
}

impl Forged {
    pub(super) fn new(claims: &Value) -> Self {
        Self { header: json!({ "alg": "HS256", "typ": "JWT" }), claims: claims.clone() }
    }

    pub(super) fn header(mut self, header: Value) -> Self {
        self.header = header;
        self
    }

    /// Its first two parts.
    pub(super) fn message(&self) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}", part(&self.header), part(&self.claims))
    }

    /// Signed with HS256, whatever its header says.
    pub(super) fn sign(&self, secret: impl AsRef<[u8]>) -> String {
        self.sign_with(&EncodingKey::from_secret(secret.as_ref()), Algorithm::HS256)
    }

    pub(super) fn sign_with(&self, key: &EncodingKey, algorithm: Algorithm) -> String {
        let message = self.message();
        format!("{message}.{}", sign(message.as_bytes(), key, algorithm).expect("it signs"))
    }

    pub(super) fn unsigned(&self) -> String {
        format!("{}.", self.message())
    }
}

/// Seconds since 1970.
pub(super) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}
