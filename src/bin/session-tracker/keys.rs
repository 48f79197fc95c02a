//! What tokens are checked with, from options and the environment.
//!
//! A secret never comes by an option: command lines are seen by everybody on the machine.

use std::path::{Path, PathBuf};

use admin_shell::{
    config::{Config, Overrides},
    token::Secret,
    tracker::{Gate, GateError, Jwks},
};
use anyhow::Context;
use clap::Args;

use crate::exit::Stop;

#[derive(Debug, Args)]
pub(crate) struct Keys {
    /// A file that holds the secret which tokens are signed with [or the secret itself: env SESSION_TRACKER_SECRET].
    #[arg(long, value_name = "FILE", env = "SESSION_TRACKER_SECRET_FILE")]
    secret_file: Option<PathBuf>,
    /// Published keys (JSON Web Key Set) that tokens are checked with: RS256, ES256, EdDSA.
    #[arg(long, value_name = "FILE|URL", env = "SESSION_TRACKER_JWKS")]
    jwks: Option<String>,
    /// The issuer of tokens that are signed with published keys.
    #[arg(long, value_name = "NAME", env = "SESSION_TRACKER_ISSUER", value_delimiter = ',')]
    issuer: Vec<String>,
}

impl Keys {
    /// What all of it comes to.
    pub(crate) async fn gate(&self) -> Result<Gate, Stop> {
        let secret = secret(self.secret_file.as_deref())?;
        let keys = match &self.jwks {
            None => None,
            Some(place) => Some(Jwks::read(place).await.map_err(|error| match error {
                GateError::Source(_) | GateError::Keys { .. } => Stop::Usage(error.to_string()),
            })?),
        };
        Ok(Gate::new(secret, keys, self.issuer.clone()))
    }
}

/// The secret: out of a file, else out of the environment.
pub(crate) fn secret(file: Option<&Path>) -> Result<Option<Secret>, Stop> {
    let place = file.map_or_else(|| "SESSION_TRACKER_SECRET".to_owned(), |path| path.display().to_string());
    let secret = text(file)?.map(|text| Secret::new(&text)).transpose();
    secret.map_err(|weak| Stop::Usage(format!("{place}: {weak}")))
}

/// The text of the secret, good or not.
pub(crate) fn text(file: Option<&Path>) -> Result<Option<String>, Stop> {
    if let Some(path) = file {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading the secret {}", path.display()))?;
        return Ok(Some(text.trim_end_matches(['\n', '\r']).to_owned()));
    }
    match std::env::var("SESSION_TRACKER_SECRET") {
        // Empty is what scripts set that mean to unset it.
        Ok(text) if !text.is_empty() => Ok(Some(text)),
        Ok(_) | Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(Stop::Usage("SESSION_TRACKER_SECRET: must be UTF-8".to_owned())),
    }
}

/// The tracker's secret; where there is none, the one that shells on this machine mint their tokens from.
pub(crate) fn any_secret(file: Option<&Path>) -> Result<Option<Secret>, Stop> {
    if let Some(secret) = secret(file)? {
        return Ok(Some(secret));
    }
    let config = Config::load(&Overrides::default()).map_err(|error| Stop::Usage(format!("{error:#}")))?;
    let Some(hidden) = config.secret else { return Ok(None) };
    Secret::new(hidden.expose()).map(Some).map_err(|weak| Stop::Usage(format!("ADMIN_SHELL_SECRET: {weak}")))
}
