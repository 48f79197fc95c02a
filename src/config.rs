//! Configuration: flags > environment > `config.toml` > defaults. Secrets in it do not print themselves.
//!
//! Directories come from the effective user's own entry, not from `HOME`: a first `sudo` run must not leave a root-owned
//! journal in a person's home. `XDG_*` variables count when the directory they name belongs to the effective user.

use std::{
    ffi::OsString,
    fmt,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use figment::{
    Figment, Metadata, Profile, Provider,
    providers::{Format, Serialized},
    value::{Dict, Map},
};
use nix::unistd::{Uid, User, geteuid};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::Value;
use tracing_subscriber::filter::Targets;

/// The format of the files. Not figment's own, which brings a parser that edits TOML and costs an embedder's build as much
/// as an async runtime does.
struct Toml;

impl Format for Toml {
    type Error = figment::Error;

    const NAME: &'static str = "TOML";

    fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, Self::Error> {
        basic_toml::from_str(text).map_err(|error| error.to_string().into())
    }
}

/// A configured secret. It does not print itself.
#[derive(Clone)]
pub struct Hidden(String);

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Value::deserialize(from)? {
            Value::String(secret) => Ok(Self(secret)),
            // Not the usual message: it would quote the secret.
            _ => Err(serde::de::Error::custom("a text in quotes is wanted")),
        }
    }
}

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
    /// The journal: a path, `sqlite:PATH`, or `postgres://USER@HOST/DATABASE`. It may hold a password.
    pub database: Option<Hidden>,
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
        // Everything here is text, also a token of nothing but digits.
        let environment = Environment::read("ADMIN_SHELL_", |_, text| Value::from(text))?;
        let layers = layers(&config_file("config.toml"), environment).merge(Serialized::defaults(overrides));
        let config = layers.extract().map_err(explain)?;
        refuse_unknown_keys(&config_file("config.toml"))?;
        Ok(config)
    }

    /// Where the journal is.
    ///
    /// # Errors
    /// When it is no place for one.
    pub fn database(&self) -> crate::Result<Database> {
        match &self.database {
            None => Ok(Database::file(data_dir().join("journal.db"))),
            Some(database) => Database::of(database.expose()),
        }
    }
}

/// Where a journal is. What it shows of itself is without user and password.
#[derive(Clone)]
pub struct Database {
    opening: Hidden,
    shown: String,
    place: PathBuf,
    is_file: bool,
}

impl Database {
    /// The journal that a path or URL names.
    ///
    /// # Errors
    /// When it is no place for one.
    pub fn of(text: &str) -> crate::Result<Self> {
        let path = match text.split_once(':') {
            Some(("sqlite", path)) => path.strip_prefix("//").unwrap_or(path),
            Some(("postgres" | "postgresql", rest)) => return Self::on_server(text, rest),
            // Not a path by mistake: it would make directories of that name. The URL may hold a password and is not shown.
            Some((scheme, rest)) if rest.starts_with("//") && scheme.chars().all(|c| c.is_ascii_alphanumeric()) => {
                anyhow::bail!(
                    "database: journals are kept in SQLite or Postgres, not in `{scheme}:`; give a path, sqlite:PATH or \
                     postgres://USER@HOST/DATABASE"
                )
            }
            _ => text,
        };
        anyhow::ensure!(!path.is_empty(), "database: the path is empty");
        anyhow::ensure!(
            path != ":memory:",
            "database: a journal in memory would be gone with the program; give a path"
        );
        // A helper may change the working directory; the journal stays where it is.
        Ok(Self::file(std::path::absolute(path)?))
    }

    /// The journal in a file.
    #[must_use]
    pub fn file(path: PathBuf) -> Self {
        let shown = path.display().to_string();
        Self { opening: Hidden(path.to_string_lossy().into_owned()), shown, place: path, is_file: true }
    }

    fn on_server(url: &str, rest: &str) -> crate::Result<Self> {
        anyhow::ensure!(
            cfg!(feature = "postgres"),
            "database: this program was built without Postgres; give a path or sqlite:PATH, or build it with the feature \
             `postgres`"
        );
        let rest = rest.strip_prefix("//");
        let Some(rest) = rest else { anyhow::bail!("database: a URL like postgres://USER@HOST/DATABASE is wanted") };
        // Parameters may hold a password too; of them only the place of a socket is worth showing.
        let (address, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let address = address.rsplit_once('@').map_or(address, |(_, address)| address);
        let socket = parameters.split('&').find(|parameter| parameter.starts_with("host="));
        let shown = match socket {
            Some(socket) => format!("postgres://{address}?{socket}"),
            None => format!("postgres://{address}"),
        };
        // Sessions of this machine hold their locks in its own data directory, apart for each database.
        let name: String =
            shown.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' || c == '-' { c } else { '_' }).collect();
        let place = data_dir().join(name.chars().take(200).collect::<String>());
        Ok(Self { opening: Hidden(url.to_owned()), shown, place, is_file: false })
    }

    /// What to open it with: a path, or a URL that may hold a password.
    #[must_use]
    pub fn opening(&self) -> &str {
        self.opening.expose()
    }

    /// Its file; for a database on a server, what stands for it on this machine. Locks of living sessions lie beside it.
    #[must_use]
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Its file, when it is one.
    #[must_use]
    pub fn as_file(&self) -> Option<&Path> {
        self.is_file.then_some(self.place.as_path())
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({})", self.shown)
    }
}

/// A misspelt key would be a setting that silently does not hold. Only the file: the environment is shared with others.
fn refuse_unknown_keys(file: &Path) -> crate::Result<()> {
    const KEYS: [&str; 5] = ["database", "log", "secret", "sink", "token"];
    if !file.exists() {
        return Ok(());
    }
    let keys: Dict = Figment::from(Toml::file_exact(file)).extract().map_err(explain)?;
    match keys.keys().find(|key| !KEYS.contains(&key.as_str())) {
        Some(key) => {
            let known = KEYS.map(|key| format!("`{key}`")).join(", ");
            anyhow::bail!("configuration ({}): there is no setting `{key}`; there are {known}", file.display())
        }
        None => Ok(()),
    }
}

/// The layers below the flags, for components with settings of their own.
///
/// `typed` makes a value of the text of a variable, by the name of its key.
pub(crate) fn component_settings<C: DeserializeOwned>(
    component: &str,
    flags: &serde_json::Map<String, Value>,
    typed: impl Fn(&str, &str) -> Value,
) -> crate::Result<C> {
    let prefix = component.to_uppercase().replace('-', "_") + "_";
    let environment = Environment::read(&prefix, typed)?;
    let layers = layers(&config_file(&format!("{component}.toml")), environment);
    layers.merge(Serialized::defaults(flags)).extract().map_err(explain)
}

fn layers(file: &Path, environment: Environment) -> Figment {
    let figment = Figment::new();
    // A file that is there and can not be read is an error, one that is not there is none.
    let is_there = !matches!(std::fs::metadata(file), Err(error) if error.kind() == std::io::ErrorKind::NotFound);
    let figment = if is_there { figment.merge(Toml::file_exact(file)) } else { figment };
    figment.merge(environment)
}

/// The variables of one prefix. Not figment's own provider: that one reads text as TOML, so that a token of nothing but
/// digits is a number, and an error of type quotes it.
struct Environment {
    prefix: String,
    values: Dict,
}

impl Environment {
    fn read(prefix: &str, typed: impl Fn(&str, &str) -> Value) -> crate::Result<Self> {
        Self::of(std::env::vars_os(), prefix, typed)
    }

    fn of(
        variables: impl Iterator<Item = (OsString, OsString)>,
        prefix: &str,
        typed: impl Fn(&str, &str) -> Value,
    ) -> crate::Result<Self> {
        let mut values = Dict::new();
        for (name, value) in variables {
            let Some(key) = name.to_str().and_then(|name| name.strip_prefix(prefix)) else { continue };
            let Some(text) = value.to_str() else { anyhow::bail!("configuration: {prefix}{key} is not UTF-8 text") };
            // Empty is what scripts set that mean to unset it.
            if !text.is_empty() {
                let key = key.to_lowercase();
                let value = figment::value::Value::serialize(typed(&key, text))?;
                values.insert(key, value);
            }
        }
        Ok(Self { prefix: prefix.to_owned(), values })
    }
}

impl Provider for Environment {
    fn metadata(&self) -> Metadata {
        let prefix = self.prefix.clone();
        Metadata::named("environment").interpolater(move |_, keys| format!("{prefix}{}", keys.join("_").to_uppercase()))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

fn explain(error: figment::Error) -> anyhow::Error {
    let place = error.metadata.as_ref().map(|layer| match &layer.source {
        // Whole: figment itself shows files relative to the working directory.
        Some(figment::Source::File(path)) => format!(" ({})", path.display()),
        Some(figment::Source::Code(_)) => " (command line)".to_owned(),
        Some(source) => format!(" ({source})"),
        None => format!(" ({})", layer.name),
    });
    let key = match &error.metadata {
        _ if error.path.is_empty() => String::new(),
        // A variable is named as it is written there; in a file, figment would put its own profile in front.
        Some(layer) if layer.source.is_none() => format!("`{}`: ", layer.interpolate(&Profile::Default, &error.path)),
        _ => format!("`{}`: ", error.path.join(".")),
    };
    anyhow::anyhow!("configuration{}: {key}{}", place.unwrap_or_default(), error.kind.to_string().trim())
}

/// What a log lets through, as `--log` says it.
///
/// # Errors
/// When it is neither a level nor a list of `target=level`. The crate would take whatever is no level for the name of a
/// part of the program, and log nothing without a word.
pub fn log_filter(filter: &str) -> crate::Result<Targets> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '-' | '.' | '=' | ',' | ' ');
    filter.parse().ok().filter(|_| filter.chars().all(is_plain)).ok_or_else(|| {
        anyhow::anyhow!(
            "`{filter}` is no filter: it is a level (error, warn, info, debug, trace, off), or target=level, with commas between them"
        )
    })
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
