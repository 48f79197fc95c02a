//! Which names a tracker answers to on `/mcp`: `Host` and `Origin` of a request.
//!
//! A web page that makes its own name point to this machine (DNS rebinding) reaches the tracker through the browser of
//! somebody who may. It can not choose an address for its name in `Host`, and it can not leave out `Origin`.

use std::net::IpAddr;

use axum::http::{HeaderMap, Uri, header};

/// The names of a tracker. Addresses and names of this machine are always among them.
#[derive(Clone, Debug, Default)]
pub struct Names(Vec<String>);

impl Names {
    /// These names, and those of this machine.
    #[must_use]
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        let own = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
        let short = own.as_deref().and_then(|name| name.split('.').next()).map(str::to_owned);
        let names = names.into_iter().chain(own).chain(short);
        Self(names.map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty()).collect())
    }

    /// Why a request is not answered; `None` when it is.
    pub(super) fn refuse(&self, uri: &Uri, headers: &HeaderMap) -> Option<String> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = match hosts.next() {
            Some(host) => host.to_str().ok().and_then(host_of),
            None => uri.authority().map(|authority| authority.host().trim_matches(['[', ']']).to_owned()),
        };
        let Some(host) = host.filter(|_| hosts.next().is_none()) else {
            return Some("a request must say in `Host` whom it is for".to_owned());
        };
        if !self.is_known(&host) && host.parse::<IpAddr>().is_err() {
            return Some(format!(
                "this tracker does not answer to the name `{}`: start it with --allow-host and the name",
                crate::tracker::error::shown(&host)
            ));
        }
        let origin = headers.get(header::ORIGIN)?;
        let known = origin
            .to_str()
            .ok()
            .and_then(|origin| origin.split_once("://"))
            .and_then(|(_, authority)| host_of(authority))
            .is_some_and(|host| self.is_known(&host));
        (!known).then(|| "web pages of another origin are not answered: see --allow-host".to_owned())
    }

    fn is_known(&self, host: &str) -> bool {
        let is_loopback = || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback());
        host.eq_ignore_ascii_case("localhost")
            || is_loopback()
            || self.0.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
}

/// The host in `host`, `host:port`, `[address]` or `[address]:port`.
fn host_of(authority: &str) -> Option<String> {
    let authority = authority.parse::<axum::http::uri::Authority>().ok()?;
    let plain = !authority.as_str().contains('@');
    plain.then(|| authority.host().trim_matches(['[', ']']).trim_end_matches('.').to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that fails says where")]
mod tests {
    use super::*;

    fn refused(host: Option<&str>, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        if let Some(host) = host {
            headers.insert(header::HOST, host.parse().unwrap());
        }
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        Names::new(["Tracker.example".to_owned()]).refuse(&Uri::from_static("/mcp"), &headers).is_some()
    }

    #[test]
    fn names_of_this_machine_addresses_and_given_names() {
        for host in ["localhost", "LOCALHOST:1", "127.0.0.1:8678", "[::1]:1", "203.0.113.9", "tracker.example:443"] {
            assert!(!refused(Some(host), None), "{host}");
        }
        for host in
            ["evil.example", "localhost.evil.example", "tracker.example.evil:1", "a@localhost", "", "127.0.0.1.nip.io"]
        {
            assert!(refused(Some(host), None), "{host}");
        }
        assert!(refused(None, None));
    }

    #[test]
    fn pages_of_this_machine_and_of_given_names() {
        for origin in ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:8", "https://tracker.example"] {
            assert!(!refused(Some("localhost"), Some(origin)), "{origin}");
        }
        for origin in
            ["null", "http://evil.example", "http://203.0.113.9", "localhost", "http://localhost.evil.example"]
        {
            assert!(refused(Some("localhost"), Some(origin)), "{origin}");
        }
    }
}
