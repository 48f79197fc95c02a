//! `http://` and `https://`, a tracker's REST door.
//!
//! Invariants:
//! - Only an answer of 200 that is JSON of the form we know counts. A captive portal's page, half a body, any other status
//!   is *unavailable*; 409 with the right problem says that the tracker was restored.
//! - Credentials are in the `Authorization` header and nowhere else: not in the name, not in an error. Redirects are not
//!   followed, so that they go nowhere else either.
//! - The client is made with the first call: reading certificates takes longer than a shell has to its prompt.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use reqwest::{
    Client, StatusCode, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER},
};
use serde::{Serialize, de::DeserializeOwned};

use super::Credentials;
use crate::{
    delivery::{
        BoxError, EventSink, Receipt, Sender, SinkError,
        wire::{Answer, Batch, Beaten, Beats, Item, UNKNOWN_RECEIPT},
    },
    event::Event,
    journal::{EndRequest, Head, Presence, Stub},
};

const CONNECT: Duration = Duration::from_secs(2);
const CALL: Duration = Duration::from_secs(10);
/// Longest answer that is read.
const MOST_ANSWER: usize = 4 << 20;
/// A minted token is renewed before its hour is over.
const RENEW: Duration = Duration::from_secs(50 * 60);

/// Delivers to a tracker over REST.
pub struct HttpSink {
    name: String,
    base: Url,
    credentials: Credentials,
    client: Option<Client>,
    sender: Option<Sender>,
    /// The header, and when it was made.
    shown: Option<(HeaderValue, Instant)>,
    receipt: Option<Head>,
}

impl HttpSink {
    /// The sink of a tracker's URL.
    ///
    /// # Errors
    /// For a URL that is none or holds credentials, and for a secret that is too weak.
    pub fn open(url: &str, credentials: &Credentials) -> Result<Self, BoxError> {
        let mut base = Url::parse(url).map_err(|error| format!("this is no URL: {error}"))?;
        if !base.username().is_empty() || base.password().is_some() {
            return Err("a URL must not hold a user or a password; a token goes into ADMIN_SHELL_TOKEN".into());
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err("a tracker's URL has no query and no fragment; a token goes into ADMIN_SHELL_TOKEN".into());
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        check(credentials)?;
        let name = base.as_str().trim_end_matches('/').to_owned();
        let credentials = credentials.clone();
        Ok(Self { name, base, credentials, client: None, sender: None, shown: None, receipt: None })
    }

    fn client(&mut self) -> Result<Client, SinkError> {
        if let Some(client) = &self.client {
            return Ok(client.clone());
        }
        let client = Client::builder()
            .connect_timeout(CONNECT)
            .timeout(CALL)
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true)
            .user_agent(concat!("admin-shell/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| unavailable(&error))?;
        Ok(self.client.insert(client).clone())
    }

    /// The header that says who we are.
    fn authorization(&mut self) -> Result<Option<HeaderValue>, SinkError> {
        if let Some((header, made)) = &self.shown
            && made.elapsed() < RENEW
        {
            return Ok(Some(header.clone()));
        }
        let token = match (&self.credentials.token, &self.credentials.secret) {
            (Some(token), _) => token.clone(),
            (None, Some(secret)) => mint(secret, self.sender.as_ref(), self.credentials.forwards)?,
            (None, None) => return Ok(None),
        };
        let header = HeaderValue::from_str(&format!("Bearer {token}"));
        let mut header = header.map_err(|_| SinkError::unavailable("the token holds characters that no token has"))?;
        header.set_sensitive(true);
        self.shown = Some((header.clone(), Instant::now()));
        Ok(Some(header))
    }

    async fn call<T: DeserializeOwned>(&mut self, path: &str, body: &impl Serialize) -> Result<T, SinkError> {
        let url = self.base.join(path).map_err(SinkError::unavailable)?;
        let body = serde_json::to_vec(body).map_err(SinkError::unavailable)?;
        let mut request = self.client()?.post(url).header(CONTENT_TYPE, "application/json").body(body);
        if let Some(header) = self.authorization()? {
            request = request.header(AUTHORIZATION, header);
        }
        let response = request.send().await.map_err(|error| unavailable(&error))?;
        let status = response.status();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| seconds(value.to_str().ok()?));
        let is_json = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(is_json);
        let bytes = read(response).await?;
        if status == StatusCode::OK {
            if !is_json {
                let said = "the answer is not JSON: something else answers at this address";
                return Err(SinkError::failed("malformed", said));
            }
            return serde_json::from_slice(&bytes).map_err(|_| {
                let said = "the answer is not what a tracker says: something else answers at this address";
                SinkError::failed("malformed", said)
            });
        }
        let problem: Problem = serde_json::from_slice(&bytes).ok().filter(|_| is_json).unwrap_or_default();
        if status == StatusCode::CONFLICT && problem.r#type.ends_with(UNKNOWN_RECEIPT) {
            return Err(SinkError::UnknownReceipt);
        }
        if status == StatusCode::UNAUTHORIZED {
            // Minted anew with the next attempt: the clock may have jumped.
            self.shown = None;
        }
        Err(SinkError::failed(kind(status.as_u16()), said(status, &problem)).retry_after(retry_after))
    }

    async fn send(&mut self, items: Vec<Item>) -> Result<Receipt, SinkError> {
        let batch = Batch { receipt: self.receipt.clone(), events: items };
        let answer: Answer = self.call("api/v1/events", &batch).await?;
        let head = answer.head();
        let verdicts = answer.results.into_iter().map(|judged| (judged.event_id, judged.verdict)).collect();
        Ok(Receipt { verdicts, head: Some(head) })
    }
}

#[async_trait]
impl EventSink for HttpSink {
    fn name(&self) -> &str {
        &self.name
    }

    async fn deliver(&mut self, batch: &[Event]) -> Result<Receipt, SinkError> {
        self.send(batch.iter().map(|event| Item::Text(event.text().to_owned())).collect()).await
    }

    async fn stand_in(&mut self, stubs: &[Stub]) -> Result<Receipt, SinkError> {
        self.send(stubs.iter().map(|stub| Item::Stub(Box::new(stub.clone()))).collect()).await
    }

    fn introduce(&mut self, who: &Sender) {
        self.sender = Some(who.clone());
        self.shown = None;
    }

    fn quote(&mut self, receipt: Option<&Head>) {
        self.receipt = receipt.cloned();
    }

    async fn beat(&mut self, presence: &[Presence]) -> Result<Vec<EndRequest>, SinkError> {
        let beaten: Beaten = self.call("api/v1/beats", &Beats { presence: presence.to_vec() }).await?;
        Ok(beaten.end_requested)
    }
}

impl std::fmt::Debug for HttpSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpSink").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The parts of a problem document (RFC 9457) that we read.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Problem {
    r#type: String,
    title: String,
    detail: String,
}

/// The word that a refusal is counted by.
pub(super) fn kind(status: u16) -> &'static str {
    match status {
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not_found",
        413 => "too_large",
        429 => "rate_limited",
        400..500 => "invalid",
        500.. => "server_error",
        _ => "malformed",
    }
}

/// What a refusal says, in our words and a little of theirs.
fn said(status: StatusCode, problem: &Problem) -> String {
    let meaning = match status.as_u16() {
        401 => "the tracker does not accept the token: look at ADMIN_SHELL_TOKEN or ADMIN_SHELL_SECRET",
        403 => "the token does not allow this",
        404 => "there is no tracker at this address",
        413 => "the tracker takes no batch of this size",
        429 => "the tracker is asked too often",
        500.. => "the tracker failed",
        _ => "the tracker refused",
    };
    let theirs = [&problem.title, &problem.detail].into_iter().find(|text| !text.is_empty());
    let theirs: String = theirs.map_or(String::new(), |text| {
        format!(": {}", text.chars().filter(|c| !c.is_control()).take(200).collect::<String>())
    });
    format!("{meaning} (status {}){theirs}", status.as_u16())
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// `Retry-After`, in seconds or as a date (RFC 9110, 10.2.3).
pub(super) fn seconds(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value.trim()).ok()?;
    let wait = date.duration_since(jiff::Timestamp::now());
    Some(Duration::try_from(wait).unwrap_or_default())
}

async fn read(mut response: reqwest::Response) -> Result<Vec<u8>, SinkError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unavailable(&error))? {
        if bytes.len() + chunk.len() > MOST_ANSWER {
            return Err(SinkError::failed("malformed", "the answer is too long"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// An error of the client, without the URL, with what lies below it.
pub(super) fn unavailable(error: &reqwest::Error) -> SinkError {
    let (kind, what) = match error {
        _ if error.is_timeout() => ("timeout", "no answer in time"),
        _ if error.is_connect() => ("connection", "it can not be reached"),
        _ if error.is_body() || error.is_decode() => ("connection", "the answer broke off"),
        _ => ("connection", "the call failed"),
    };
    let mut deepest: &dyn std::error::Error = error;
    while let Some(below) = deepest.source() {
        deepest = below;
    }
    let because = if deepest.source().is_none() && !std::ptr::addr_eq(deepest, error) {
        format!("{what}: {deepest}")
    } else {
        what.to_owned()
    };
    SinkError::failed(kind, because)
}

#[cfg(feature = "jwt")]
pub(super) fn check(credentials: &Credentials) -> Result<(), BoxError> {
    if let (None, Some(secret)) = (&credentials.token, &credentials.secret) {
        crate::token::Secret::new(secret).map_err(|weak| format!("ADMIN_SHELL_SECRET: {weak}"))?;
    }
    Ok(())
}

#[cfg(not(feature = "jwt"))]
pub(super) fn check(credentials: &Credentials) -> Result<(), BoxError> {
    match (&credentials.token, &credentials.secret) {
        (None, Some(_)) => Err("ADMIN_SHELL_SECRET: this build mints no tokens; give ADMIN_SHELL_TOKEN".into()),
        _ => Ok(()),
    }
}

#[cfg(feature = "jwt")]
pub(super) fn mint(secret: &str, sender: Option<&Sender>, forwards: bool) -> Result<String, SinkError> {
    use crate::token::{Claims, ISSUERS, LIFETIME, Scope, Secret};
    let secret = Secret::new(secret).map_err(|weak| SinkError::unavailable(weak.to_string()))?;
    let journal = sender.map_or("", |sender| sender.journal.as_str());
    let component = sender.and_then(|sender| sender.component.as_deref());
    let claims = match component {
        Some(component) if !forwards => Claims::of_shell(journal, component),
        _ => {
            let scopes = [Scope::EventsWrite, Scope::EventsForward];
            Claims::new(ISSUERS[1], journal, &scopes, None, LIFETIME)
        }
    };
    Ok(claims.mint(&secret))
}

#[cfg(not(feature = "jwt"))]
pub(super) fn mint(_: &str, _: Option<&Sender>, _: bool) -> Result<String, SinkError> {
    Err(SinkError::unavailable("this build mints no tokens"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_hold_what_they_should_not() {
        for url in [
            "https://ada:hunter2@t.example",
            "https://t.example/?token=hunter2",
            "https://t.example/#hunter2",
            "https://",
        ] {
            let error = HttpSink::open(url, &Credentials::default()).expect_err("it is refused").to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
        let sink = HttpSink::open("https://t.example:8678/tracker", &Credentials::default()).expect("it opens");
        assert_eq!(sink.name(), "https://t.example:8678/tracker");
        assert_eq!(sink.base.join("api/v1/events").expect("a URL").path(), "/tracker/api/v1/events");
    }

    #[test]
    fn retry_after_in_both_forms() {
        assert_eq!(seconds("120"), Some(Duration::from_secs(120)));
        assert_eq!(seconds("Thu, 01 Jan 1970 00:00:00 GMT"), Some(Duration::ZERO));
        assert!(seconds("Tue, 31 Dec 2199 23:59:59 GMT").is_some_and(|wait| wait > Duration::from_secs(1 << 30)));
        assert_eq!(seconds("soon"), None);
    }
}
