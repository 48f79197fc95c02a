//! `token inspect`: what a token says, and whether it is good. The token itself is not shown again.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use admin_shell::{
    render::render,
    tracker::{Gate, Jwks, TrackerError},
};
use anyhow::Context;
use clap::Args;
use jiff::Timestamp;
use jsonwebtoken::dangerous::insecure_decode;
use serde_json::{Map, Value, json};

use crate::{
    answer, clock,
    exit::{Stop, say},
    keys,
    output::Output,
};

#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// The token, or `-` for standard input [env: ADMIN_SHELL_TOKEN].
    token: Option<String>,
    /// A file that holds the secret [or the secret itself: env SESSION_TRACKER_SECRET, ADMIN_SHELL_SECRET].
    #[arg(long, value_name = "FILE", env = "SESSION_TRACKER_SECRET_FILE")]
    secret_file: Option<PathBuf>,
    /// Published keys to check it with.
    #[arg(long, value_name = "FILE|URL", env = "SESSION_TRACKER_JWKS")]
    jwks: Option<String>,
    /// The issuer of tokens that are signed with published keys.
    #[arg(long, value_name = "NAME", env = "SESSION_TRACKER_ISSUER", value_delimiter = ',')]
    issuer: Vec<String>,
    #[command(flatten)]
    output: Output,
}

pub(super) async fn run(inspect: Inspect) -> Result<(), Stop> {
    let token = token(inspect.token.as_deref())?;
    let said = insecure_decode::<Map<String, Value>>(&token)
        .map_err(|_| Stop::failed("this is no JSON Web Token: three parts in base64url, with points between them"))?;
    let worth = worth(&token, inspect.secret_file.as_deref(), inspect.jwks.as_deref(), &inspect.issuer).await?;
    let answer = json!({
        "algorithm": format!("{:?}", said.header.alg),
        "kid": said.header.kid,
        "claims": said.claims,
        "verdict": worth,
    });
    answer::one(&inspect.output, &answer, |sheet| render(&readable(&answer), sheet.width()))?;
    match worth.as_str() {
        "valid" => Ok(()),
        "not checked" => {
            say("Its signature was not checked: set SESSION_TRACKER_SECRET, or give --secret-file or --jwks.");
            Ok(())
        }
        _ => Err(Stop::Said),
    }
}

/// `valid`, `not checked`, or why it is not good.
async fn worth(token: &str, secret: Option<&Path>, jwks: Option<&str>, issuers: &[String]) -> Result<String, Stop> {
    let secret = keys::any_secret(secret)?;
    let keys = match jwks {
        None => None,
        Some(place) => Some(Jwks::read(place).await.map_err(|error| Stop::Usage(error.to_string()))?),
    };
    let gate = Gate::new(secret, keys, issuers.to_vec());
    if gate.is_open() {
        return Ok("not checked".to_owned());
    }
    Ok(match gate.authorise(Some(token)).await {
        Ok(_) => "valid".to_owned(),
        Err(TrackerError::Unauthenticated(why)) => why.to_owned(),
        Err(error) => error.to_string(),
    })
}

fn token(given: Option<&str>) -> Result<String, Stop> {
    let text = match given {
        Some("-") => {
            let mut text = String::new();
            std::io::stdin().take(64 * 1024).read_to_string(&mut text).context("reading the token")?;
            text
        }
        Some(token) => token.to_owned(),
        None => std::env::var("ADMIN_SHELL_TOKEN")
            .map_err(|_| Stop::Usage("give a token, `-` for standard input, or set ADMIN_SHELL_TOKEN".to_owned()))?,
    };
    Ok(text.trim().to_owned())
}

fn readable(answer: &Value) -> Value {
    let mut fields = answer["claims"].clone();
    for name in ["iat", "exp", "nbf"] {
        if let Some(at) = fields[name].as_i64().and_then(|second| Timestamp::from_second(second).ok()) {
            fields[name] = json!(clock::full(at));
        } else if let Some(fields) = fields.as_object_mut() {
            fields.remove(name);
        }
    }
    fields["algorithm"] = answer["algorithm"].clone();
    fields["verdict"] = answer["verdict"].clone();
    fields
}
