//! The places that events are delivered to, by URL: one file a kind, and the registry of schemes.
//!
//! A URL names a sink; what comes before its colon is looked up among the schemes. A program can add its own. A URL that
//! names none is wrong usage, said at the start: a shell does not run without the delivery that somebody asked for.
//! Nothing here repeats a URL in an error: it may hold what should not be read.

#[cfg(feature = "http")]
mod http;
mod jsonl;
#[cfg(feature = "mcp")]
mod mcp;
mod stdout;

use std::{collections::BTreeMap, fmt, sync::Arc};

#[cfg(feature = "http")]
pub use http::HttpSink;
pub use jsonl::JsonlSink;
#[cfg(feature = "mcp")]
pub use mcp::McpSink;
pub use stdout::{STDOUT, StdoutSink};

use crate::delivery::{BoxError, EventSink};

/// Makes a sink from its URL; `None` where the URL names none.
pub type Make = Arc<dyn Fn(&str) -> Result<Option<Box<dyn EventSink>>, BoxError> + Send + Sync>;

/// What a tracker is shown. Does not print itself.
#[derive(Clone, Default)]
pub struct Credentials {
    /// A token as it is.
    pub token: Option<String>,
    /// The secret that tokens are minted from.
    pub secret: Option<String>,
    /// Whether tokens may be asked for that deliver events of other journals.
    pub forwards: bool,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(hidden)")
    }
}

/// The schemes that sinks are known by.
#[derive(Clone)]
pub struct Schemes(BTreeMap<String, Make>);

/// A URL that names no sink.
#[derive(Debug, thiserror::Error)]
#[error("sink: {0}")]
pub struct WrongSink(String);

impl WrongSink {
    /// What is wrong.
    #[must_use]
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl Schemes {
    /// The schemes of this build.
    #[must_use]
    pub fn built_in(credentials: &Credentials) -> Self {
        let mut schemes = Self(BTreeMap::new());
        schemes.add("none", |_| Ok(None));
        schemes.add("stdout", |_| Ok(Some(Box::new(StdoutSink::default()))));
        schemes.add("jsonl", |url| Ok(Some(Box::new(JsonlSink::open(url)?))));
        #[cfg(feature = "http")]
        for scheme in ["http", "https"] {
            let credentials = credentials.clone();
            schemes.add(scheme, move |url| Ok(Some(Box::new(HttpSink::open(url, &credentials)?))));
        }
        #[cfg(feature = "mcp")]
        for scheme in ["mcp+http", "mcp+https", "mcp+stdio"] {
            let credentials = credentials.clone();
            schemes.add(scheme, move |url| Ok(Some(Box::new(McpSink::open(url, &credentials)?))));
        }
        #[cfg(not(feature = "http"))]
        let _ = credentials;
        schemes
    }

    /// One more scheme, or another maker for one that is known.
    pub fn add(
        &mut self,
        scheme: &str,
        make: impl Fn(&str) -> Result<Option<Box<dyn EventSink>>, BoxError> + Send + Sync + 'static,
    ) {
        self.0.insert(scheme.to_owned(), Arc::new(make));
    }

    /// The sinks that a list of URLs names, separated by commas.
    ///
    /// # Errors
    /// For a scheme that nobody knows, with those that are known; for a URL that its scheme can not use; and for one that
    /// stands there twice.
    pub fn open(&self, urls: &str) -> Result<Vec<Box<dyn EventSink>>, WrongSink> {
        let mut sinks: Vec<Box<dyn EventSink>> = Vec::new();
        for url in urls.split(',').map(str::trim).filter(|url| !url.is_empty()) {
            let scheme = url.split_once(':').map(|(scheme, _)| scheme).filter(|scheme| is_scheme(scheme));
            let make = scheme.and_then(|scheme| self.0.get(&scheme.to_ascii_lowercase()));
            let made = match (scheme, make) {
                (_, Some(make)) => make(url).map_err(|error| WrongSink(error.to_string()))?,
                (Some(scheme), None) => {
                    return Err(WrongSink(format!("nobody knows the scheme `{scheme}:`; known are {}", self.known())));
                }
                (None, None) => {
                    return Err(WrongSink(format!("a URL is wanted that begins with one of {}", self.known())));
                }
            };
            if let Some(sink) = made {
                if sinks.iter().any(|other| other.name() == sink.name()) {
                    return Err(WrongSink(format!("{} is named twice", sink.name())));
                }
                sinks.push(sink);
            }
        }
        Ok(sinks)
    }

    /// The schemes, for people.
    #[must_use]
    pub fn known(&self) -> String {
        self.0.keys().map(|scheme| format!("{scheme}:")).collect::<Vec<_>>().join(", ")
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schemes() -> Schemes {
        Schemes::built_in(&Credentials::default())
    }

    #[test]
    fn a_list_names_its_sinks() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("events.jsonl");
        let sinks = schemes().open(&format!("stdout:, jsonl:{},none:", file.display())).expect("they open");
        let names: Vec<_> = sinks.iter().map(|sink| sink.name().to_owned()).collect();
        assert_eq!(names, ["stdout:".to_owned(), format!("jsonl:{}", file.display())]);
    }

    #[test]
    fn what_names_no_sink_is_refused_with_what_would() {
        for (url, expected) in [
            ("gopher://example", "nobody knows the scheme `gopher:`"),
            ("tracker.example", "a URL is wanted"),
            ("user:secret@tracker.example", "nobody knows the scheme `user:`"),
            ("jsonl:", "wants a path"),
            ("stdout:,stdout:", "named twice"),
        ] {
            let error = schemes().open(url).err().expect("it is refused").to_string();
            assert!(error.contains(expected), "{url}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
        let refused = schemes().open("gopher://x").err().expect("refused").to_string();
        for known in ["jsonl:", "none:", "stdout:"] {
            assert!(refused.contains(known), "{refused}");
        }
    }
}
