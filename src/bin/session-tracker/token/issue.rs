//! `token issue`: a new token on standard output, and nothing else.

use std::{path::PathBuf, time::Duration};

use admin_shell::token::{Claims, ISSUERS, LIFETIME, Scope};
use clap::Args;

use crate::{
    clock,
    exit::Stop,
    keys,
    output::{Format, Output},
    place::me,
};

#[derive(Debug, Args)]
pub(super) struct Issue {
    /// What the token allows: events:write, events:forward, sessions:read, sessions:admin, metrics:read.
    #[arg(long = "scope", visible_alias = "scopes", value_name = "SCOPE", value_delimiter = ',',
          default_values_t = [Scope::SessionsRead, Scope::MetricsRead])]
    scopes: Vec<Scope>,
    /// The only component whose events it may write.
    #[arg(long, value_name = "NAME", value_parser = component)]
    component: Option<String>,
    /// Who shows it: you, unless you say otherwise.
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,
    /// How long it holds, an hour at most.
    #[arg(long, value_name = "LENGTH", default_value = "60m", value_parser = lifetime)]
    lifetime: Duration,
    /// A file that holds the secret [or the secret itself: env SESSION_TRACKER_SECRET, ADMIN_SHELL_SECRET].
    #[arg(long, value_name = "FILE", env = "SESSION_TRACKER_SECRET_FILE")]
    secret_file: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

fn component(text: &str) -> Result<String, String> {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let is_name = (1..=64).contains(&text.len()) && text.bytes().all(valid);
    if is_name { Ok(text.to_owned()) } else { Err("must be 1 to 64 letters, digits, `_` or `-`".to_owned()) }
}

fn lifetime(text: &str) -> Result<Duration, String> {
    let length = clock::span(text)?;
    if (1..=LIFETIME.as_secs()).contains(&length.as_secs()) {
        return Ok(length);
    }
    Err("must be from 1 second to 60 minutes".to_owned())
}

pub(super) fn run(issue: Issue) -> Result<(), Stop> {
    let secret = keys::any_secret(issue.secret_file.as_deref())?.ok_or_else(|| {
        Stop::Usage("there is no secret to sign with: set SESSION_TRACKER_SECRET, or give --secret-file".to_owned())
    })?;
    let subject = issue.subject.unwrap_or_else(me);
    if subject.is_empty() || subject.chars().count() > 255 || subject.contains(char::is_control) {
        return Err(Stop::Usage("--subject: must be 1 to 255 characters without control characters".to_owned()));
    }
    let mut scopes = issue.scopes;
    scopes.sort_unstable();
    scopes.dedup();
    let claims = Claims::new(ISSUERS[1], &subject, &scopes, issue.component.as_deref(), issue.lifetime);
    let token = claims.mint(&secret);
    let mut sheet = issue.output.open()?;
    match issue.output.format() {
        Format::Table => sheet.lines(&token)?,
        Format::Json | Format::Ndjson => {
            sheet.lines(&serde_json::json!({ "token": token, "claims": claims }).to_string())?;
        }
        Format::Csv => return Err(Stop::Usage("--format: a token is text or json".to_owned())),
    }
    sheet.finish()
}
