//! The shared secret: long enough, not out of a manual, and never shown.

use std::fmt;

use jsonwebtoken::{DecodingKey, EncodingKey};

const LEAST_BYTES: usize = 32;

/// Parts of secrets that stand in manuals and templates, without what is between the letters.
const PLACEHOLDERS: &[&str] = &[
    "changeme",
    "changethis",
    "changein",
    "replaceme",
    "replacethis",
    "replacewith",
    "yoursecret",
    "your256bitsecret",
    "yourjwtsecret",
    "yoursupersecret",
    "placeholder",
    "insertsecret",
    "putyoursecret",
    "secretgoeshere",
    "donotuse",
];

/// A secret that tokens are signed with.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

/// Why a secret is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakSecret {
    /// Too short.
    #[error("must have 32 bytes or more, this one has {0}: `openssl rand -base64 48` makes a good one")]
    Short(usize),
    /// Known to everybody.
    #[error("is a placeholder that everybody knows: `openssl rand -base64 48` makes a good one")]
    Placeholder,
}

impl Secret {
    /// Takes a secret that is worth the name.
    ///
    /// # Errors
    /// When it is too short, or a known placeholder.
    pub fn new(text: &str) -> Result<Self, WeakSecret> {
        let bytes = text.trim_end_matches(['\n', '\r']).as_bytes();
        if bytes.len() < LEAST_BYTES {
            return Err(WeakSecret::Short(bytes.len()));
        }
        let letters: String =
            text.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect();
        let is_one_letter = bytes.iter().all(|byte| *byte == bytes[0]);
        if is_one_letter || PLACEHOLDERS.iter().any(|known| letters.contains(known)) {
            return Err(WeakSecret::Placeholder);
        }
        Ok(Self(bytes.to_vec()))
    }

    pub(super) fn signing(&self) -> EncodingKey {
        EncodingKey::from_secret(&self.0)
    }

    /// The key that checks signatures.
    #[must_use]
    pub fn verifying(&self) -> DecodingKey {
        DecodingKey::from_secret(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_and_their_own() {
        let refused = |text: &str| Secret::new(text).err();
        assert_eq!(refused("short"), Some(WeakSecret::Short(5)));
        assert_eq!(refused(&"a".repeat(31)), Some(WeakSecret::Short(31)));
        for known in [
            "your-secret-key-change-in-production",
            "CHANGE_ME_CHANGE_ME_CHANGE_ME_CHANGE_ME",
            "your-256-bit-secret-your-256-bit-secret",
            &"x".repeat(40),
        ] {
            assert_eq!(refused(known), Some(WeakSecret::Placeholder), "{known}");
        }
        assert_eq!(refused("pX3k9vLq0sWm7TzR2bYc5NdJ8hGf4uEa"), None);
        let shown = format!("{:?}", Secret::new("pX3k9vLq0sWm7TzR2bYc5NdJ8hGf4uEa"));
        assert_eq!(shown, "Ok((hidden))");
    }
}
