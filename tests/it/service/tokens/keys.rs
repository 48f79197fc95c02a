//! Pairs of keys that `openssl` makes, and the sets that publish them.

use std::process::Command;

use jsonwebtoken::{Algorithm, EncodingKey, jwk::Jwk};
use serde_json::{Value, json};

/// A pair of keys with a name.
pub(super) struct Pair {
    pub(super) name: String,
    pub(super) algorithm: Algorithm,
    pub(super) private: EncodingKey,
    /// The public key as PEM: what everybody may know.
    pub(super) public_pem: Vec<u8>,
}

impl Pair {
    pub(super) fn new(name: &str, algorithm: Algorithm) -> Self {
        let options: &[&str] = match algorithm {
            Algorithm::RS256 => &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
            Algorithm::ES256 => &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
            Algorithm::EdDSA => &["-algorithm", "ED25519"],
            other => panic!("no key for {other:?} here"),
        };
        let pem = openssl(&[&["genpkey"], options].concat(), b"");
        let public_pem = openssl(&["pkey", "-pubout"], &pem);
        let private = match algorithm {
            Algorithm::RS256 => EncodingKey::from_rsa_pem(&pem),
            Algorithm::ES256 => EncodingKey::from_ec_pem(&pem),
            _ => EncodingKey::from_ed_pem(&pem),
        };
        Self { name: name.to_owned(), algorithm, private: private.expect("a key"), public_pem }
    }

    /// The public key as a set shows it.
    pub(super) fn jwk(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.private, self.algorithm).expect("a public key");
        jwk.common.key_id = Some(self.name.clone());
        json!(jwk)
    }

    pub(super) fn header(&self) -> Value {
        json!({ "alg": format!("{:?}", self.algorithm), "typ": "JWT", "kid": self.name })
    }
}

/// A set of keys.
pub(super) fn set(pairs: &[&Pair]) -> String {
    json!({ "keys": pairs.iter().map(|pair| pair.jwk()).collect::<Vec<_>>() }).to_string()
}

fn openssl(args: &[&str], input: &[u8]) -> Vec<u8> {
    use std::{io::Write, process::Stdio};
    let mut openssl = Command::new("openssl");
    let spawned = openssl.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut child = spawned.expect("these tests need `openssl`");
    child.stdin.take().expect("it is piped").write_all(input).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "openssl {args:?}");
    output.stdout
}
