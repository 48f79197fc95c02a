//! Where a server is: an address, or a command that starts it.

use std::borrow::Cow;

use reqwest::Url;

use crate::{delivery::BoxError, redact::Redactor};

/// Where a server is.
pub(super) enum Place {
    Http(Url),
    /// A program and its arguments, with quotes as in a shell, and nothing else of one.
    Command(Vec<String>),
}

impl Place {
    /// Reads a URL of a sink.
    ///
    /// # Errors
    /// When it names no place, or holds credentials. The URL is not repeated.
    pub(super) fn read(url: &str) -> Result<Self, BoxError> {
        let rest = url.get(..4).filter(|scheme| scheme.eq_ignore_ascii_case("mcp+")).map_or(url, |_| &url[4..]);
        if let Some(command) = rest.get(..6).filter(|scheme| scheme.eq_ignore_ascii_case("stdio:")).map(|_| &rest[6..])
        {
            let words = shell_words::split(command).map_err(
                |_| "mcp+stdio: a quote in the command is not closed (a comma ends a sink's URL, quoted or not)",
            )?;
            return match words.first().is_none_or(String::is_empty) {
                true => Err("mcp+stdio: wants a command, for example mcp+stdio:session-tracker mcp".into()),
                false => Ok(Self::Command(words)),
            };
        }
        let mut url = Url::parse(rest).map_err(|error| format!("this is no URL: {error}"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a URL must not hold a user or a password; a token goes into ADMIN_SHELL_TOKEN".into());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("a server's URL has no query and no fragment; a token goes into ADMIN_SHELL_TOKEN".into());
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err("this URL names no host".into());
        }
        if url.path() == "/" {
            url.set_path("/mcp");
        }
        Ok(Self::Http(url))
    }

    /// What people read and cursors are kept under: without secrets.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Http(url) => format!("mcp+{url}"),
            Self::Command(words) => {
                let words: Vec<Cow<'_, str>> = words.iter().map(|word| quoted(word)).collect();
                format!("mcp+stdio:{}", Redactor::default().text(&words.join(" ")))
            }
        }
    }
}

/// A word as it is written where words are separated by blanks.
fn quoted(word: &str) -> Cow<'_, str> {
    let is_plain = |c: char| !c.is_whitespace() && !matches!(c, '\'' | '"' | '\\');
    if !word.is_empty() && word.chars().all(is_plain) { word.into() } else { shell_words::quote(word) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(url: &str) -> Result<String, String> {
        Place::read(url).map(|place| place.name()).map_err(|error| error.to_string())
    }

    #[test]
    fn places_and_their_names() {
        for (url, wants) in [
            ("mcp+http://localhost:8678", "mcp+http://localhost:8678/mcp"),
            ("MCP+HTTPS://Tracker.example/", "mcp+https://tracker.example/mcp"),
            ("mcp+https://tracker.example/tools/", "mcp+https://tracker.example/tools/"),
            ("mcp+stdio:session-tracker  mcp", "mcp+stdio:session-tracker mcp"),
            (
                r#"mcp+stdio:"/opt/my tools/server"  --name 'Ada L' plain\ too"#,
                "mcp+stdio:'/opt/my tools/server' --name 'Ada L' 'plain too'",
            ),
            ("mcp+stdio:env A=b http://x:1/ *", "mcp+stdio:env A=b http://x:1/ *"),
            ("mcp+stdio:server --token abcdefgh12345678", "mcp+stdio:server --token [redacted]"),
        ] {
            assert_eq!(name(url).as_deref(), Ok(wants), "{url}");
        }
        for url in [
            "mcp+http://ada:hunter2@t.example",
            "mcp+https://t.example/mcp?token=hunter2",
            "mcp+http://#hunter2",
            "mcp+stdio:",
            "mcp+stdio:  ",
            "mcp+stdio:'' hunter2",
            "mcp+stdio:server 'hunter2",
            "mcp+stdio:server \"hunter2",
            "mcp+http:",
        ] {
            let error = name(url).expect_err(url);
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
