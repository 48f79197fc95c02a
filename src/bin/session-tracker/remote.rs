//! A tracker that is asked instead of the journal of this machine, over its REST door.
//!
//! The token comes from `ADMIN_SHELL_TOKEN`; where a secret is at hand instead, one is minted for this one command.

use std::time::Duration;

use admin_shell::{
    analytics::{Answer, Period, Query, Span},
    config::{Config, Overrides},
    event::{Event, Hash, SessionId, StreamId},
    journal::{Entry, Filter, SessionRecord},
    token::{Claims, ISSUERS, Scope},
};
use anyhow::Context;
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{exit::Stop, keys, place::me};

/// A minted token is good for one command.
const LIFETIME: Duration = Duration::from_secs(300);

/// A tracker and how to ask it.
pub(crate) struct Remote {
    client: Client,
    base: Url,
    token: Option<String>,
}

impl Remote {
    /// The tracker at a URL.
    pub(crate) fn new(url: &str) -> Result<Self, Stop> {
        let wrong =
            |why: &str| Stop::Usage(format!("--tracker {url}: {why}; give a URL such as http://127.0.0.1:8678"));
        let mut base: Url = url.parse().map_err(|_| wrong("this is no URL"))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(wrong("this is no web address"));
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let client = Client::builder().connect_timeout(Duration::from_secs(5)).timeout(Duration::from_secs(60)).build();
        let client = client.context("preparing to ask the tracker")?;
        Ok(Self { client, base, token: token()? })
    }

    /// Where it is, without credentials.
    pub(crate) fn name(&self) -> String {
        let mut url = self.base.clone();
        let _ = url.set_password(None).and(url.set_username(""));
        url.as_str().trim_end_matches('/').to_owned()
    }

    /// Whether anything shows who asks.
    pub(crate) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    fn url(&self, path: &str) -> Result<Url, Stop> {
        self.base.join(path).context("making the tracker's address").map_err(Stop::Failed)
    }

    /// Asks, and reads the answer as text with its headers.
    async fn send(&self, request: RequestBuilder) -> Result<Response, Stop> {
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let answer = request.send().await.map_err(|error| {
            let why = if error.is_timeout() { "did not answer in time" } else { "can not be reached" };
            let error = anyhow::Error::from(error.without_url());
            Stop::failed(format!(
                "the tracker at {} {why}: {error:#}; `session-tracker doctor` tries the way",
                self.name()
            ))
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let problem: Value = answer.json().await.unwrap_or_default();
        Err(self.refused(status, &problem))
    }

    fn refused(&self, status: StatusCode, problem: &Value) -> Stop {
        let detail = problem["detail"].as_str().unwrap_or("it is no tracker, or something stands before it");
        let said = format!("the tracker at {} says {}: {detail}", self.name(), status.as_u16());
        match status {
            StatusCode::NOT_FOUND if !problem.is_null() => Stop::NotFound(detail.to_owned()),
            StatusCode::BAD_REQUEST => Stop::Usage(said),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let hint = "`session-tracker token issue` mints one for ADMIN_SHELL_TOKEN where the secret is";
                Stop::failed(format!("{said}; {hint}"))
            }
            StatusCode::CONFLICT => {
                let candidates = problem["candidates"].as_array().into_iter().flatten();
                let list: String = candidates.filter_map(Value::as_str).map(|id| format!("\n  {id}")).collect();
                Stop::failed(format!("{detail}, give more of the id:{list}"))
            }
            _ => Stop::failed(said),
        }
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> Result<(T, bool), Stop> {
        let mut url = self.url(path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let answer = self.send(self.client.get(url)).await?;
        let has_more = answer.headers().contains_key("link");
        let name = self.name();
        let value = answer.json().await.with_context(|| format!("reading the answer of {name}: is it a tracker?"))?;
        Ok((value, has_more))
    }

    /// The first page of sessions, and whether there are more.
    pub(crate) async fn sessions(&self, filter: &Filter, limit: u32) -> Result<(Vec<SessionRecord>, bool), Stop> {
        let seconds = |length: Duration| length.as_secs_f64().to_string();
        let mut query = vec![("limit", limit.to_string())];
        for (name, value) in [
            ("component", filter.component.clone()),
            ("user", filter.user.clone()),
            ("host", filter.host.clone()),
            ("type", filter.component_type.clone()),
            ("status", filter.status.map(|status| status.as_str().to_owned())),
            ("after", filter.after.map(|at| at.to_string())),
            ("before", filter.before.map(|at| at.to_string())),
            ("longer_than", filter.longer_than.map(seconds)),
            ("shorter_than", filter.shorter_than.map(seconds)),
            ("active", filter.active.then(|| "true".to_owned())),
            ("incomplete", filter.incomplete.then(|| "true".to_owned())),
            ("text", filter.text.clone()),
        ] {
            query.extend(value.map(|value| (name, value)));
        }
        self.get("api/v1/sessions", &query).await
    }

    /// The session that an id, or the beginning of one, names.
    pub(crate) async fn session(&self, typed: &str) -> Result<SessionRecord, Stop> {
        Ok(self.get(&format!("api/v1/sessions/{}", segment(typed)?), &[]).await?.0)
    }

    /// One page of events.
    pub(crate) async fn events(&self, stream: &StreamId, from: u64, limit: u32) -> Result<Vec<Entry>, Stop> {
        let path = format!("api/v1/sessions/{}/events", segment(stream.as_str())?);
        let query = [("from", from.to_string()), ("limit", limit.to_string())];
        let (events, _): (Vec<Value>, _) = self.get(&path, &query).await?;
        events.iter().map(entry).collect::<Option<_>>().ok_or_else(|| self.not_sealed())
    }

    /// What others said about a session.
    pub(crate) async fn observations(&self, session: &SessionId) -> Result<Vec<Event>, Stop> {
        let path = format!("api/v1/sessions/{}/observations", segment(session.as_str())?);
        let (events, _): (Vec<Value>, _) = self.get(&path, &[]).await?;
        let events: Result<_, _> = events.iter().map(|event| Event::parse(&event.to_string())).collect();
        events.map_err(|_| self.not_sealed())
    }

    fn not_sealed(&self) -> Stop {
        Stop::failed(format!("the tracker at {} sent an event that is not what was sealed", self.name()))
    }

    /// Asks a session to end; `requested`, `recorded` or `already_ended`.
    pub(crate) async fn end(&self, id: &str, reason: &str) -> Result<String, Stop> {
        let url = self.url(&format!("api/v1/sessions/{}/end", segment(id)?))?;
        let answer = self.send(self.client.post(url).json(&serde_json::json!({ "reason": reason }))).await?;
        let ended: Value = answer.json().await.context("reading the tracker's answer")?;
        Ok(ended["outcome"].as_str().unwrap_or_default().to_owned())
    }

    /// Statistics.
    pub(crate) async fn analytics(&self, query: Query, span: &Span) -> Result<Answer, Stop> {
        let mut parameters = vec![
            ("after", span.after.to_string()),
            ("before", span.before.to_string()),
            ("limit", span.limit.to_string()),
        ];
        parameters.extend(span.component.clone().map(|component| ("component", component)));
        parameters.extend(
            span.period.map(|period| ("period", if period == Period::Daily { "daily" } else { "weekly" }.to_owned())),
        );
        Ok(self.get(&format!("api/v1/analytics/{}", query.as_str()), &parameters).await?.0)
    }

    /// Its health: what it answers on `/health` or `/ready`.
    pub(crate) async fn health(&self, path: &str) -> Result<Value, Stop> {
        Ok(self.get(path, &[]).await?.0)
    }

    /// Its metrics, as text.
    pub(crate) async fn metrics(&self) -> Result<String, Stop> {
        let answer = self.send(self.client.get(self.url("metrics")?)).await?;
        Ok(answer.text().await.context("reading the tracker's metrics")?)
    }
}

/// The token: given, or minted where there is a secret.
fn token() -> Result<Option<String>, Stop> {
    let config = Config::load(&Overrides::default()).map_err(|error| Stop::Usage(format!("{error:#}")))?;
    if let Some(token) = config.token {
        return Ok(Some(token.expose().to_owned()));
    }
    let secret = keys::any_secret(None)?;
    let scopes = [Scope::SessionsRead, Scope::SessionsAdmin, Scope::MetricsRead];
    Ok(secret.map(|secret| Claims::new(ISSUERS[1], &me(), &scopes, None, LIFETIME).mint(&secret)))
}

/// Text as one part of a path.
fn segment(text: &str) -> Result<&str, Stop> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_plain {
        return Ok(text);
    }
    Err(Stop::NotFound(format!("no session has an id that begins with `{text}`: an id is letters and digits")))
}

/// An event as the tracker sends it. Its canonical form is what was sealed: made again, it has to have its hash.
fn entry(value: &Value) -> Option<Entry> {
    if value["pruned"] == true {
        return Some(Entry::Pruned {
            seq: value["seq"].as_u64()?,
            event_id: value["event_id"].as_str()?.parse().ok()?,
            event_type: value["event_type"].as_str()?.to_owned(),
            timestamp: value["timestamp"].as_str()?.parse().ok()?,
            hash: serde_json::from_value::<Hash>(value["hash"].clone()).ok()?,
        });
    }
    Event::parse(&value.to_string()).ok().map(Entry::Whole)
}
