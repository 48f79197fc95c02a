//! Drafts, sealing and parsing: the only place where an [`Event`] comes into being.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    EventKind, Hash, Invalid, JournalId, StreamId,
    rule::{
        MAX_EVENT_BYTES, check_body, check_component_name, check_sealed_timestamp, find_unsafe_number, normalise,
        shorten_long_fields,
    },
};

const VERSION: &str = "2.0";

/// A valid, redacted body that waits for its place in a stream.
///
/// Only `redact` makes drafts, so a body with an unmasked secret cannot reach the journal.
#[derive(Clone, Debug)]
pub struct Draft {
    event_id: Uuid,
    kind: EventKind,
    timestamp: Timestamp,
    body: Map<String, Value>,
}

impl Draft {
    /// Takes a body whose text is already redacted; numbers are brought into the form that events allow, and long names
    /// and directories are cut.
    pub(crate) fn new(kind: EventKind, timestamp: Timestamp, body: Map<String, Value>) -> Self {
        let Value::Object(mut body) = normalise(Value::Object(body)) else { unreachable!("an object stays an object") };
        if kind == EventKind::SessionStart {
            shorten_long_fields(&mut body);
        }
        Self { event_id: Uuid::now_v7(), kind, timestamp, body }
    }

    /// The same under an id that somebody else chose: what they send again is found to be stored.
    #[cfg_attr(not(feature = "tracker"), allow(dead_code, reason = "shells choose their ids themselves"))]
    pub(crate) fn with_event_id(self, event_id: Uuid) -> Self {
        Self { event_id, ..self }
    }

    /// The event's id, known before it is stored, so that a commit whose outcome is unknown can be looked up.
    #[must_use]
    pub fn event_id(&self) -> Uuid {
        self.event_id
    }

    /// The event's type.
    #[must_use]
    pub fn kind(&self) -> &EventKind {
        &self.kind
    }

    /// When it happened.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }
}

/// A place in a stream: what a draft lacks to become an event.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// The stream.
    pub stream: &'a StreamId,
    /// The journal that stores it first.
    pub journal: &'a JournalId,
    /// The component the stream belongs to.
    pub component: &'a str,
    /// Position in the stream, from 0 without gaps.
    pub seq: u64,
    /// Hash of the event before it.
    pub prev: Option<Hash>,
}

/// The envelope without `hash`, which is over these bytes.
#[derive(Serialize)]
struct Envelope {
    event_version: String,
    event_id: String,
    event_type: EventKind,
    session_id: StreamId,
    journal_id: JournalId,
    component_name: String,
    seq: u64,
    prev: Option<Hash>,
    timestamp: String,
    body: Value,
}

/// An immutable record: valid, redacted and sealed by construction. Cheap to clone.
#[derive(Clone)]
pub struct Event(Arc<Sealed>);

struct Sealed {
    text: Box<str>,
    event_id: Uuid,
    kind: EventKind,
    stream: StreamId,
    journal: JournalId,
    component: Box<str>,
    seq: u64,
    prev: Option<Hash>,
    timestamp: Timestamp,
    body: Value,
    hash: Hash,
}

impl Event {
    /// Seals a draft at its place.
    ///
    /// # Errors
    /// When the canonical form would pass 256 KiB, or a field breaks a rule: what could not be read back is not sealed.
    pub(crate) fn seal(draft: &Draft, place: &Place<'_>) -> Result<Self, Invalid> {
        check_component_name(place.component)?;
        check_body(&draft.kind, &draft.body)?;
        check_place(&draft.kind, place.stream, place.journal, place.seq, place.prev.as_ref())?;
        let timestamp =
            Timestamp::from_microsecond(draft.timestamp.as_microsecond()).expect("truncation stays in range");
        let envelope = Envelope {
            event_version: VERSION.to_owned(),
            event_id: draft.event_id.to_string(),
            event_type: draft.kind.clone(),
            session_id: place.stream.clone(),
            journal_id: place.journal.clone(),
            component_name: place.component.to_owned(),
            seq: place.seq,
            prev: place.prev,
            timestamp: format!("{timestamp:.6}"),
            body: Value::Object(draft.body.clone()),
        };
        let bare = canonical(&envelope)?;
        let hash = Hash::of(bare.as_bytes());
        // `hash` stands before `journal_id`, and after that no value holds this text: `body`, which might, comes first.
        let place_of_hash = bare.rfind("\"journal_id\":").expect("every envelope has it");
        let text = [&bare[..place_of_hash], &member(&hash), &bare[place_of_hash..]].concat();
        check_size(&text)?;
        Ok(Self(Arc::new(Sealed {
            text: text.into(),
            event_id: draft.event_id,
            kind: envelope.event_type,
            stream: envelope.session_id,
            journal: envelope.journal_id,
            component: envelope.component_name.into(),
            seq: place.seq,
            prev: place.prev,
            timestamp,
            body: envelope.body,
            hash,
        })))
    }

    /// Reads a sealed event and checks everything that can be checked without its neighbours: the bytes are canonical,
    /// the hash is theirs, every field keeps its rule.
    ///
    /// # Errors
    /// Names the field and the rule that it breaks.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        check_size(text)?;
        let whole: Value =
            serde_json::from_str(text).map_err(|error| Invalid::new("event", format!("is not JSON: {error}")))?;
        let Value::Object(mut fields) = whole else { return Err(Invalid::new("event", "must be a JSON object")) };
        if let Some(field) = find_unsafe_number(&fields) {
            let rule = "must hold no fractions and no integers beyond ±(2^53−1)";
            return Err(Invalid::new(field.to_owned(), rule));
        }
        let is_sorted = fields.keys().is_sorted_by(|a, b| a.encode_utf16().lt(b.encode_utf16()));
        let hash = fields.shift_remove("hash").ok_or_else(|| Invalid::new("hash", "is missing"))?;
        let hash: Hash = hash.as_str().unwrap_or_default().parse()?;
        // The canonical form is made once, without `hash`: the text is canonical when it is that and `hash`, in order.
        let bare = canonical(&fields)?;
        if !is_sorted || !is_with_member(text, &bare, &member(&hash)) {
            return Err(Invalid::new("event", "must be in RFC 8785 canonical form"));
        }
        if Hash::of(bare.as_bytes()) != hash {
            return Err(Invalid::new("hash", "does not match the event's bytes"));
        }
        if text_field(&fields, "event_version")? != VERSION {
            return Err(Invalid::new("event_version", format!("must be \"{VERSION}\"")));
        }
        let event_id = check_event_id(text_field(&fields, "event_id")?)?;
        let kind = EventKind::from(text_field(&fields, "event_type")?.to_owned());
        let stream: StreamId = named("session_id", text_field(&fields, "session_id")?.parse())?;
        let journal: JournalId = named("journal_id", text_field(&fields, "journal_id")?.parse())?;
        let component = text_field(&fields, "component_name")?.to_owned();
        check_component_name(&component)?;
        let seq = fields.get("seq").ok_or_else(|| Invalid::new("seq", "is missing"))?;
        let seq = seq.as_u64().ok_or_else(|| Invalid::new("seq", "must be an integer from 0"))?;
        let prev = match fields.get("prev") {
            Some(Value::Null) => None,
            _ => Some(named("prev", text_field(&fields, "prev")?.parse())?),
        };
        let timestamp = check_sealed_timestamp("timestamp", text_field(&fields, "timestamp")?)?;
        let body = match fields.remove("body") {
            Some(Value::Object(body)) => body,
            Some(_) => return Err(Invalid::new("body", "must be an object")),
            None => return Err(Invalid::new("body", "is missing")),
        };
        check_place(&kind, &stream, &journal, seq, prev.as_ref())?;
        check_body(&kind, &body)?;
        Ok(Self(Arc::new(Sealed {
            text: text.into(),
            event_id,
            kind,
            stream,
            journal,
            component: component.into(),
            seq,
            prev,
            timestamp,
            body: Value::Object(body),
            hash,
        })))
    }

    /// The canonical bytes, verbatim.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The event's id, which is its idempotency key.
    #[must_use]
    pub fn event_id(&self) -> Uuid {
        self.0.event_id
    }

    /// The event's type.
    #[must_use]
    pub fn kind(&self) -> &EventKind {
        &self.0.kind
    }

    /// The stream it belongs to.
    #[must_use]
    pub fn stream(&self) -> &StreamId {
        &self.0.stream
    }

    /// The journal that stored it first.
    #[must_use]
    pub fn journal(&self) -> &JournalId {
        &self.0.journal
    }

    /// The component it belongs to.
    #[must_use]
    pub fn component(&self) -> &str {
        &self.0.component
    }

    /// Its place in the stream, from 0.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.0.seq
    }

    /// Hash of the event before it.
    #[must_use]
    pub fn prev(&self) -> Option<Hash> {
        self.0.prev
    }

    /// When it happened, by its writer's clock.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        self.0.timestamp
    }

    /// Its hash.
    #[must_use]
    pub fn hash(&self) -> Hash {
        self.0.hash
    }

    /// The body as JSON; always an object.
    #[must_use]
    pub fn body(&self) -> &Value {
        &self.0.body
    }

    /// Whether it is what sealing a draft gives, its place aside.
    #[cfg_attr(not(feature = "tracker"), allow(dead_code, reason = "shells seal each draft once"))]
    pub(crate) fn is_of(&self, draft: &Draft) -> bool {
        let us = |timestamp: Timestamp| timestamp.as_microsecond();
        self.event_id() == draft.event_id
            && *self.kind() == draft.kind
            && us(self.timestamp()) == us(draft.timestamp)
            && self.body().as_object() == Some(&draft.body)
    }

    /// The body as one of the typed bodies; `None` when it has another shape.
    #[must_use]
    pub fn decode<T: DeserializeOwned>(&self) -> Option<T> {
        T::deserialize(&self.0.body).ok()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Event {}

fn canonical(value: &impl Serialize) -> Result<String, Invalid> {
    serde_json_canonicalizer::to_string(value).map_err(|error| Invalid::new("event", error.to_string()))
}

/// The member `hash` with the comma after it: it is never the last one.
fn member(hash: &Hash) -> String {
    format!("\"hash\":\"{hash}\",")
}

/// Whether a text is another one with a member inserted somewhere.
fn is_with_member(text: &str, bare: &str, member: &str) -> bool {
    text.len() == bare.len() + member.len()
        && text.match_indices(member).any(|(at, _)| {
            text.as_bytes()[..at] == bare.as_bytes()[..at]
                && text.as_bytes()[at + member.len()..] == bare.as_bytes()[at..]
        })
}

fn text_field<'f>(fields: &'f Map<String, Value>, name: &'static str) -> Result<&'f str, Invalid> {
    let value = fields.get(name).ok_or_else(|| Invalid::new(name, "is missing"))?;
    value.as_str().ok_or_else(|| Invalid::new(name, "must be a string"))
}

/// Ids and hashes of several fields share their rules; the error names the field at hand.
fn named<T>(field: &'static str, result: Result<T, Invalid>) -> Result<T, Invalid> {
    result.map_err(|wrong| Invalid::new(field, wrong.rule().to_owned()))
}

/// Any UUID, in the one spelling with hyphens: the others are for people.
fn check_event_id(text: &str) -> Result<Uuid, Invalid> {
    let hyphens = text.len() == 36 && !text.starts_with('{');
    Uuid::parse_str(text)
        .ok()
        .filter(|_| hyphens)
        .ok_or_else(|| Invalid::new("event_id", "must be a UUID with hyphens"))
}

/// What an event's place says about it: only the first has no predecessor, and observations stand in the stream of the
/// journal that makes them, everything about a session in the session's own.
fn check_place(
    kind: &EventKind,
    stream: &StreamId,
    journal: &JournalId,
    seq: u64,
    prev: Option<&Hash>,
) -> Result<(), Invalid> {
    if (seq == 0) != prev.is_none() {
        return Err(Invalid::new("prev", "must be null at seq 0 and a hash everywhere else"));
    }
    match (kind, stream) {
        (EventKind::Gap | EventKind::Other(_), _) => Ok(()),
        (EventKind::Observation, StreamId::Journal(stream)) if stream == journal => Ok(()),
        (EventKind::Observation, _) => {
            Err(Invalid::new("session_id", "must be the journal's own stream for an observation"))
        }
        (_, StreamId::Session(_)) => Ok(()),
        (_, StreamId::Journal(_)) => Err(Invalid::new("session_id", "must name a session")),
    }
}

fn check_size(text: &str) -> Result<(), Invalid> {
    if text.len() > MAX_EVENT_BYTES {
        return Err(Invalid::new("event", format!("must be at most 256 KiB, this one is {} bytes", text.len())));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that fails says where")]
mod tests;
