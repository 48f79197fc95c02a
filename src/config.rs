//! Configuration: flags > environment > `config.toml` > defaults. Secrets in it do not print themselves.
//!
//! Directories come from the effective user's own entry, not from `HOME`: a first `sudo` run must not leave a root-owned
//! journal in a person's home. `XDG_*` variables count when the directory they name belongs to the effective user.

use std::{
    fmt,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use nix::unistd::{Uid, User, geteuid};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A configured secret. It does not print itself.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Hidden(String);

impl Hidden {
    /// The secret itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// What every program here can be configured with. `ADMIN_SHELL_DATABASE` in the environment is `database` in the file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Config {
    /// The journal: a path, or `sqlite:PATH`.
    pub database: Option<String>,
    /// Where events are delivered to: URLs, comma separated.
    pub sink: Option<String>,
    /// A token for the tracker.
    pub token: Option<Hidden>,
    /// The secret that tokens are minted from.
    pub secret: Option<Hidden>,
    /// What goes into the log file: a `tracing` filter.
    pub log: Option<String>,
}

/// Flags as they override everything else; empty ones do not.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Overrides {
    /// `--database`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// `--sink`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sink: Option<String>,
    /// `--log`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
}

impl Config {
    /// Reads the layers.
    ///
    /// # Errors
    /// Names the file or variable and what is wrong with it.
    pub fn load(overrides: &Overrides) -> crate::Result<Self> {
        let layers = layers("ADMIN_SHELL_", &config_file("config.toml")).merge(Serialized::defaults(overrides));
        layers.extract().map_err(explain)
    }

    /// The journal's file.
    ///
    /// # Errors
    /// When the URL is of a kind that this build does not know.
    pub fn database_path(&self) -> crate::Result<PathBuf> {
        match &self.database {
            None => Ok(data_dir().join("journal.db")),
            Some(url) => database_path(url),
        }
    }
}

/// The layers below the flags, for components with settings of their own.
pub(crate) fn component_settings<C: DeserializeOwned>(
    component: &str,
    flags: &serde_json::Map<String, serde_json::Value>,
) -> crate::Result<C> {
    let variable = component.to_uppercase().replace('-', "_") + "_";
    let layers = layers(&variable, &config_file(&format!("{component}.toml")));
    layers.merge(Serialized::defaults(flags)).extract().map_err(explain)
}

fn layers(prefix: &str, file: &Path) -> Figment {
    let figment = Figment::new();
    let figment = if file.exists() { figment.merge(Toml::file_exact(file)) } else { figment };
    figment.merge(Env::prefixed(prefix))
}

fn explain(error: figment::Error) -> anyhow::Error {
    let place = error.metadata.as_ref().map(|layer| match &layer.source {
        Some(source) => format!(" ({source})"),
        None => format!(" ({})", layer.name),
    });
    let key = if error.path.is_empty() { String::new() } else { format!("`{}`: ", error.path.join(".")) };
    anyhow::anyhow!("configuration{}: {key}{}", place.unwrap_or_default(), error.kind.to_string().trim())
}

/// The file that a database URL or path names.
///
/// # Errors
/// When the URL is of a kind that this build does not know.
pub fn database_path(url: &str) -> crate::Result<PathBuf> {
    let path = match url.split_once(':') {
        Some(("sqlite", path)) => path.strip_prefix("//").unwrap_or(path),
        Some(("postgres" | "postgresql", _)) => {
            anyhow::bail!("database: this version keeps its journal in SQLite; give a path or sqlite:PATH")
        }
        _ => url,
    };
    anyhow::ensure!(!path.is_empty(), "database: the path is empty");
    Ok(PathBuf::from(path))
}

/// Where journals are kept.
#[must_use]
pub fn data_dir() -> PathBuf {
    directory("XDG_DATA_HOME", ".local/share", "Library/Application Support")
}

/// Where logs and histories are kept.
#[must_use]
pub fn state_dir() -> PathBuf {
    directory("XDG_STATE_HOME", ".local/state", "Library/Application Support")
}

fn config_file(name: &str) -> PathBuf {
    directory("XDG_CONFIG_HOME", ".config", "Library/Application Support").join(name)
}

fn directory(variable: &str, elsewhere: &str, apple: &str) -> PathBuf {
    let user = geteuid();
    let chosen =
        std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute() && belongs_to(path, user));
    let base = chosen.unwrap_or_else(|| home(user).join(if cfg!(target_os = "macos") { apple } else { elsewhere }));
    base.join("admin-shell")
}

/// Whether a directory, or the nearest parent of it that exists, belongs to a user.
fn belongs_to(path: &Path, user: Uid) -> bool {
    let existing = path.ancestors().find_map(|path| std::fs::metadata(path).ok());
    existing.is_some_and(|found| found.uid() == user.as_raw())
}

fn home(user: Uid) -> PathBuf {
    User::from_uid(user).ok().flatten().map_or_else(|| PathBuf::from("/"), |entry| entry.dir)
}
