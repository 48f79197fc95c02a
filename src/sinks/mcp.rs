//! `mcp+http://`, `mcp+https://` and `mcp+stdio:`, a server of the Model Context Protocol.
//!
//! What the server offers says how it is spoken to. A tracker of ours has `track_events` and gets everything, as over
//! REST. Any other server that has `track_session_start` and `track_session_end` is one of the older generation: it is told
//! of starts and ends only, with the arguments that its schemas list, and names sessions itself.
//!
//! Invariants:
//! - Only an answer with a status that the tool is known to give is a verdict. An error of the protocol, of the tool or of
//!   the way there is *unavailable*.
//! - The connection is made with the first call and thrown away with the first error.
//! - Credentials are in the `Authorization` header, and in the argument `token` of a tool that lists it. The name of the
//!   sink has none, whatever stands in a command.

mod connection;
mod older;
mod place;
mod remembered;

use std::time::{Duration, Instant};

use async_trait::async_trait;
use rmcp::model::{CallToolResult, JsonObject};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use self::{connection::Connection, older::Older, place::Place, remembered::Remembered};
use super::{Credentials, http};
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
/// A program that is started may take longer to its first word: Python imports for seconds on a busy machine.
const START: Duration = Duration::from_secs(60);
/// A minted token is renewed before its hour is over.
const RENEW: Duration = Duration::from_secs(50 * 60);
/// What of a server's words is repeated.
const MOST_WORDS: usize = 200;

/// Delivers to a server of the Model Context Protocol.
pub struct McpSink {
    name: String,
    place: Place,
    credentials: Credentials,
    sender: Option<Sender>,
    receipt: Option<Head>,
    open: Option<(Connection, Instant)>,
    remembered: Option<Remembered>,
}

impl McpSink {
    /// The sink of a URL.
    ///
    /// # Errors
    /// For a URL that is none or holds credentials, and for a secret that is too weak.
    pub fn open(url: &str, credentials: &Credentials) -> Result<Self, BoxError> {
        let place = Place::read(url)?;
        http::check(credentials)?;
        let (name, credentials) = (place.name(), credentials.clone());
        Ok(Self { name, place, credentials, sender: None, receipt: None, open: None, remembered: None })
    }

    /// The connection, made anew where there is none or its token is old.
    async fn connection(&mut self) -> Result<&Connection, SinkError> {
        if self.open.as_ref().is_some_and(|(open, made)| made.elapsed() > RENEW || open.is_closed()) {
            self.open = None;
        }
        if self.open.is_none() {
            let token = self.token()?;
            let patience = match self.place {
                Place::Http(_) => CALL,
                Place::Command(_) => START,
            };
            let made = tokio::time::timeout(patience, Connection::open(&self.place, token)).await;
            let connection = made.map_err(|_| SinkError::failed("timeout", "no answer in time"))??;
            self.open = Some((connection, Instant::now()));
        }
        match &self.open {
            Some((connection, _)) => Ok(connection),
            None => Err(SinkError::unavailable("there is no connection")),
        }
    }

    fn token(&self) -> Result<Option<String>, SinkError> {
        match (&self.credentials.token, &self.credentials.secret) {
            (Some(token), _) => Ok(Some(token.clone())),
            (None, Some(secret)) => http::mint(secret, self.sender.as_ref(), self.credentials.forwards).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// Calls a tool. After an error the next call connects anew.
    async fn call(&mut self, tool: &str, arguments: JsonObject) -> Result<CallToolResult, SinkError> {
        let connection = self.connection().await?;
        let called = tokio::time::timeout(CALL, connection.call(tool, arguments)).await;
        let called = called.unwrap_or_else(|_| Err(SinkError::failed("timeout", "no answer in time")));
        if called.is_err() {
            self.open = None;
        }
        called
    }

    /// Calls a tool of a tracker of ours.
    async fn ask<T: DeserializeOwned>(&mut self, tool: &str, arguments: &impl Serialize) -> Result<T, SinkError> {
        let arguments = serde_json::to_value(arguments).map_err(SinkError::unavailable)?;
        let Value::Object(arguments) = arguments else {
            return Err(SinkError::unavailable("the arguments are no object"));
        };
        let result = self.call(tool, arguments).await?;
        let content = result.structured_content.clone().unwrap_or_default();
        if result.is_error == Some(true) {
            #[derive(Default, Deserialize)]
            #[serde(default)]
            struct Problem {
                r#type: String,
                status: u16,
            }
            let problem: Problem = serde_json::from_value(content).unwrap_or_default();
            if problem.r#type.ends_with(UNKNOWN_RECEIPT) {
                return Err(SinkError::UnknownReceipt);
            }
            let said = format!("the tracker refused: {}", words(&result));
            return Err(SinkError::failed(http::kind(problem.status), said));
        }
        serde_json::from_value(content).map_err(|_| {
            let said = "the answer is not what a tracker says: something else answers at this place";
            SinkError::failed("malformed", said)
        })
    }

    async fn send(&mut self, items: Vec<Item>) -> Result<Receipt, SinkError> {
        let batch = Batch { receipt: self.receipt.clone(), events: items };
        let answer: Answer = self.ask("track_events", &batch).await?;
        let head = answer.head();
        let verdicts = answer.results.into_iter().map(|judged| (judged.event_id, judged.verdict)).collect();
        Ok(Receipt { verdicts, head: Some(head) })
    }

    /// Tells a server of the older generation, one event after the other. What was told stays told when a later one can
    /// not be: its verdict is given now, the others come again.
    async fn tell(&mut self, older: &Older, batch: &[Event]) -> Result<Receipt, SinkError> {
        let token = self.token()?;
        let mut receipt = Receipt::default();
        for event in batch {
            let mut remembered = match self.remembered.take() {
                Some(remembered) => remembered,
                None => Remembered::read(&self.name, self.sender.as_ref())?,
            };
            let told = match older.call_for(event, &remembered, token.as_deref()) {
                Err(verdict) => Ok(verdict),
                Ok((tool, arguments)) => {
                    let answered = self.call(tool, arguments).await;
                    answered.and_then(|result| older::verdict(event, &result, &mut remembered))
                }
            };
            self.remembered = Some(remembered);
            match told {
                Ok(verdict) => receipt.verdicts.push((event.event_id(), verdict)),
                Err(error) if receipt.verdicts.is_empty() => return Err(error),
                Err(_) => break,
            }
        }
        Ok(receipt)
    }
}

#[async_trait]
impl EventSink for McpSink {
    fn name(&self) -> &str {
        &self.name
    }

    async fn deliver(&mut self, batch: &[Event]) -> Result<Receipt, SinkError> {
        match self.connection().await?.older() {
            None => self.send(batch.iter().map(|event| Item::Text(event.text().to_owned())).collect()).await,
            Some(older) => {
                let older = older.clone();
                self.tell(&older, batch).await
            }
        }
    }

    async fn stand_in(&mut self, stubs: &[Stub]) -> Result<Receipt, SinkError> {
        if self.connection().await?.older().is_some() {
            return Ok(Receipt::accepted(stubs.iter().map(|stub| stub.event_id)));
        }
        self.send(stubs.iter().map(|stub| Item::Stub(Box::new(stub.clone()))).collect()).await
    }

    fn introduce(&mut self, who: &Sender) {
        self.sender = Some(who.clone());
        self.remembered = None;
        self.open = None;
    }

    fn quote(&mut self, receipt: Option<&Head>) {
        self.receipt = receipt.cloned();
    }

    async fn beat(&mut self, presence: &[Presence]) -> Result<Vec<EndRequest>, SinkError> {
        if self.connection().await?.older().is_some() {
            return Ok(Vec::new());
        }
        let beaten: Beaten = self.ask("heartbeat", &Beats { presence: presence.to_vec() }).await?;
        Ok(beaten.end_requested)
    }
}

impl std::fmt::Debug for McpSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("McpSink").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What a tool says in words, a little of it.
fn words(result: &CallToolResult) -> String {
    let text = result.content.iter().find_map(|content| content.as_text()).map_or("", |text| text.text.as_str());
    plain(text)
}

/// Somebody else's words, fit for a message.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST_WORDS).collect()
}
