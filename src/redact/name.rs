//! Which names mean a secret: `db_password`, `clientSecret`, `X-API-KEY`, but not `password_policy` or `secretary`.
//!
//! A name is cut into words at `_`, `-`, `.`, at digits and where the case changes. The last word or pair of words that
//! means a secret decides, unless a word after it says that the name is about the secret and not the secret itself.
//! The default is to mask: a word after it that is not listed as harmless (`password_prod`) changes nothing.

/// What kind of secret a name means: how far its value reaches, and whether digits alone can be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Something a person types: even a number can be one.
    Password,
    /// Something a program keeps: a bare number is a count of it.
    Token,
    /// A sentence of words: an unquoted one reaches to the end of the line.
    Phrase,
    /// A header of HTTP: an unquoted one reaches to the end of the line.
    Header,
}

use Class::{Header, Password, Phrase, Token};

/// Words that mean a secret by themselves. Plurals too.
#[rustfmt::skip]
const WORDS: &[(&str, Class)] = &[
    ("apikey", Token), ("authorization", Header), ("bearer", Token), ("contrasena", Password), ("cookie", Header),
    ("cred", Token), ("credential", Token), ("cvc", Password), ("cvv", Password), ("jwt", Token),
    ("kennwort", Password), ("mnemonic", Phrase), ("otp", Password), ("pass", Password), ("passcode", Password),
    ("passphrase", Phrase), ("passwd", Password), ("password", Password), ("passwort", Password),
    ("passwrd", Password), ("pin", Password), ("pswd", Password), ("pw", Password), ("pwd", Password),
    ("secret", Token), ("senha", Password), ("token", Token), ("totp", Password),
];

/// Ends of words that run together: `pgpassword`, `clientsecret`, `authtoken`. Long enough to end no ordinary word.
#[rustfmt::skip]
const ENDINGS: &[(&str, Class)] = &[
    ("accesskey", Token), ("accountkey", Token), ("apikey", Token), ("authkey", Token), ("encryptionkey", Token),
    ("masterkey", Token), ("passphrase", Phrase), ("passwd", Password), ("password", Password),
    ("privatekey", Token), ("secret", Token), ("secretkey", Token), ("signingkey", Token), ("sqlpwd", Password),
    ("sshkey", Token), ("token", Token),
];

/// What stands before `pass` when the two run together; `bypass` and `compass` are not of the family.
#[rustfmt::skip]
const PASS_PREFIXES: &[&str] = &[
    "admin", "app", "auth", "bind", "db", "ftp", "http", "imap", "key", "ldap", "login", "mail", "my", "mysql",
    "pg", "proxy", "redis", "root", "smtp", "ssh", "store", "user", "web",
];

/// Pairs: the last word, and the words that make it a secret when they stand before it.
#[rustfmt::skip]
const PAIRS: &[(&str, Class, &[&str])] = &[
    ("key", Token, &[
        "access", "account", "admin", "aes", "anthropic", "api", "app", "application", "auth", "client", "consumer",
        "decryption", "deploy", "encryption", "gpg", "hmac", "integration", "jwt", "licence", "license", "master", "openai",
        "pgp", "private", "publishable", "rsa", "sas", "secret", "service", "shared", "signing", "ssh", "ssl",
        "storage", "stripe", "subscription", "tls", "wallet", "webhook",
    ]),
    ("code", Password, &[
        "access", "auth", "backup", "mfa", "otp", "recovery", "security", "sms", "time", "verification",
    ]),
    ("phrase", Phrase, &["pass", "recovery", "secret", "seed"]),
    ("word", Password, &["pass"]),
    ("passe", Password, &["de"]),
    ("number", Password, &["card", "cc"]),
    ("card", Password, &["credit"]),
    ("sid", Token, &["account"]),
    ("signature", Token, &["access"]),
    ("auth", Token, &["rediscli", "basic", "http"]),
];

/// Words after a secret that make a name one about it: when, where, how many, what kind.
#[rustfmt::skip]
const ABOUT: &[&str] = &[
    "age", "alg", "algorithm", "at", "attempts", "audience", "auth", "authentication", "bits", "bucket", "budget",
    "cache", "changed", "chars", "class", "column", "cost", "count", "created", "dir", "directory", "disabled",
    "enabled", "endpoint", "entropy", "error", "errors", "exists", "expired", "expires", "expiration", "expiry",
    "field", "file", "format", "generator", "grant", "header", "hint", "index", "input", "invalid", "issued",
    "issuer", "kind", "label", "last", "len", "length", "lifetime", "limit", "location", "manager", "max", "method",
    "min", "mode", "name", "names", "ok", "output", "param", "path", "per", "placeholder", "policy", "prefix",
    "prompt", "protected", "provider", "rate", "ref", "required", "reset", "rotate", "rotated", "rotation", "rule",
    "rules", "scope", "scopes", "set", "size", "source", "state", "stats", "status", "stdin", "store", "strategy",
    "strength", "suffix", "total", "ttl", "type", "types", "updated", "uri", "url", "usage", "used", "valid",
    "validation", "verified", "version", "window",
];

/// Words before `token` that make it a place in a list or a piece of text.
#[rustfmt::skip]
const HARMLESS_TOKENS: &[&str] = &[
    "bos", "cancel", "cancellation", "completion", "continuation", "eos", "expected", "lexer", "next", "pad",
    "page", "pagination", "stop", "syntax", "unexpected", "unk",
];

/// Whole names that no word betrays.
const WHOLE: &[&str] = &["_auth"];

/// Parameters of URLs that are secret there and nowhere else.
#[rustfmt::skip]
const QUERY: &[&str] = &[
    "auth", "code", "hmac", "key", "pwd", "sas", "sig", "sign", "signature", "x-amz-credential", "x-amz-signature",
    "x-goog-credential", "x-goog-signature",
];

/// Longer names are judged by their end: no name is longer, and time stays linear.
const MAX_NAME: usize = 128;
const MAX_WORDS: usize = 24;

/// Whether a name means a secret.
pub(super) fn is_secret(name: &str) -> bool {
    classify(name).is_some()
}

/// What kind of secret a name means, if any.
pub(super) fn classify(name: &str) -> Option<Class> {
    let name = tail(name.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_'));
    if WHOLE.iter().any(|whole| whole.eq_ignore_ascii_case(name)) {
        return Some(Token);
    }
    let mut words = [""; MAX_WORDS];
    let count = split(name, &mut words);
    let words = &words[..count];
    for (i, word) in words.iter().enumerate().rev() {
        let before = i.checked_sub(1).map(|i| words[i]);
        let Some(class) = single(word).or_else(|| before.and_then(|before| pair(before, word))) else { continue };
        let about = words[i + 1..].iter().any(|word| listed(ABOUT, word));
        let piece = class == Token && before.is_some_and(|before| listed(HARMLESS_TOKENS, before));
        return (!about && !piece).then_some(class);
    }
    None
}

/// Whether a word is the second half of a pair, so that the word before it decides: the `key` of `API key`.
pub(super) fn ends_pair(word: &str) -> bool {
    PAIRS.iter().any(|(last, ..)| last.eq_ignore_ascii_case(singular(word)))
}

/// Whether a URL's parameter is secret although its name means nothing elsewhere.
pub(super) fn is_secret_in_query(name: &str) -> bool {
    QUERY.iter().any(|query| query.eq_ignore_ascii_case(name))
}

fn tail(name: &str) -> &str {
    let mut start = name.len().saturating_sub(MAX_NAME);
    while !name.is_char_boundary(start) {
        start += 1;
    }
    &name[start..]
}

fn single(word: &str) -> Option<Class> {
    let exact = |word: &str| WORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, class)| *class);
    if let Some(class) = exact(word) {
        return Some(class);
    }
    let singular = singular(word);
    if let Some(class) = exact(singular) {
        // A number of passwords is not a password.
        return Some(if class == Password { Token } else { class });
    }
    if let Some((_, class)) = ENDINGS.iter().find(|(ending, _)| ends_with(singular, ending)) {
        return Some(*class);
    }
    let prefix = word.len().checked_sub(4).filter(|_| ends_with(word, "pass")).and_then(|end| word.get(..end))?;
    listed(PASS_PREFIXES, prefix).then_some(Password)
}

fn pair(before: &str, word: &str) -> Option<Class> {
    let singular = singular(word);
    let (_, class, before_words) = PAIRS.iter().find(|(last, ..)| last.eq_ignore_ascii_case(singular))?;
    listed(before_words, before).then_some(*class)
}

fn singular(word: &str) -> &str {
    if word.len() > 3 { word.strip_suffix(['s', 'S']).unwrap_or(word) } else { word }
}

fn listed(list: &[&str], word: &str) -> bool {
    list.iter().any(|known| known.eq_ignore_ascii_case(word))
}

fn ends_with(word: &str, ending: &str) -> bool {
    let start = word.len().checked_sub(ending.len());
    start.and_then(|start| word.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(ending))
}

/// Cuts a name into words, the last ones when there are too many; digits only separate.
fn split<'n>(name: &'n str, words: &mut [&'n str; MAX_WORDS]) -> usize {
    let bytes = name.as_bytes();
    let mut count = 0;
    let mut at = 0;
    while at < bytes.len() {
        if !is_letter(bytes[at]) {
            at += 1;
            continue;
        }
        let start = at;
        at += 1;
        while at < bytes.len() && is_letter(bytes[at]) && !is_camel_boundary(bytes, at) {
            at += 1;
        }
        if count == MAX_WORDS {
            words.rotate_left(1);
            count -= 1;
        }
        words[count] = &name[start..at];
        count += 1;
    }
    count
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || !byte.is_ascii()
}

/// `dbPassword` breaks before `P`; `APIKey` before `K`.
fn is_camel_boundary(bytes: &[u8], at: usize) -> bool {
    let upper = bytes[at].is_ascii_uppercase();
    let after_lower = bytes[at - 1].is_ascii_lowercase();
    let before_lower = bytes.get(at + 1).is_some_and(u8::is_ascii_lowercase);
    upper && (after_lower || (before_lower && bytes[at - 1].is_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_mean_a_secret() {
        for name in [
            "password",
            "db_password",
            "dbPassword",
            "DB-PASS",
            "client_secret",
            "secretKey",
            "APIKey",
            "api_keys",
            "PGPASSWORD",
            "AWS_SECRET_ACCESS_KEY",
            "aws_access_key_id",
            "X-Api-Key",
            "authToken",
            "_authToken",
            "privateKey",
            "password2",
            "DB_PASSWORD_PROD",
            "mysqlpwd",
            "dbpass",
            "secrets",
            "max_token",
            "seedPhrase",
            "password_hash",
            "--password",
            "user.password",
            "recovery_codes",
            "SSHPASS",
            "_auth",
            "REDISCLI_AUTH",
        ] {
            assert!(is_secret(name), "{name}");
        }
    }

    #[test]
    fn names_that_do_not() {
        for name in [
            "password_policy",
            "token_count",
            "secretary",
            "passenger",
            "keyboard",
            "author",
            "compass",
            "bypass",
            "key",
            "public_key",
            "primary_key",
            "cache_key",
            "session_id",
            "tokenizer",
            "password_file",
            "page_token",
            "next_page_token",
            "passed",
            "passive",
            "monkey",
            "auth",
            "exit_code",
            "status",
            "--password-stdin",
            "private_key_path",
            "token_type",
            "secret_name",
            "authorized",
            "cookie_policy",
            "",
            "_",
            "é",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
