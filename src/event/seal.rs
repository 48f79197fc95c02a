//! Drafts, sealing and parsing: the only place where an [`Event`] comes into being.

use std::{fmt, str::FromStr, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    Invalid, JournalId, StreamId,
    rule::{MAX_EVENT_BYTES, check_component_name, check_timestamp, has_only_safe_numbers, normalise},
};

const VERSION: &str = "2.0";

/// The type of an event.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
#[non_exhaustive]
pub enum EventKind {
    /// A shell was opened.
    SessionStart,
    /// A command is about to run.
    CommandStart,
    /// A call that changes something is about to run.
    CallStart,
    /// Such a call ended.
    CallEnd,
    /// A command ended.
    CommandEnd,
    /// A shell was left.
    SessionEnd,
    /// Something could not be recorded.
    Gap,
    /// Someone else's word about a session.
    Observation,
    /// A type that this version does not know: kept and verified, not projected.
    Other(String),
}

impl EventKind {
    /// The type as it stands in `event_type`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::SessionStart => "session_start",
            Self::CommandStart => "command_start",
            Self::CallStart => "call_start",
            Self::CallEnd => "call_end",
            Self::CommandEnd => "command_end",
            Self::SessionEnd => "session_end",
            Self::Gap => "gap",
            Self::Observation => "observation",
            Self::Other(name) => name,
        }
    }
}

impl From<String> for EventKind {
    fn from(name: String) -> Self {
        match name.as_str() {
            "session_start" => Self::SessionStart,
            "command_start" => Self::CommandStart,
            "call_start" => Self::CallStart,
            "call_end" => Self::CallEnd,
            "command_end" => Self::CommandEnd,
            "session_end" => Self::SessionEnd,
            "gap" => Self::Gap,
            "observation" => Self::Observation,
            _ => Self::Other(name),
        }
    }
}

impl From<EventKind> for String {
    fn from(kind: EventKind) -> String {
        kind.as_str().to_owned()
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A SHA-256 digest, shown as `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hash([u8; 32]);

impl Hash {
    /// The digest of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// A digest that was made before and kept as bytes.
    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest's 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = *b"sha256:0000000000000000000000000000000000000000000000000000000000000000";
        for (i, byte) in self.0.iter().enumerate() {
            text[7 + 2 * i] = DIGITS[usize::from(byte >> 4)];
            text[8 + 2 * i] = DIGITS[usize::from(byte & 15)];
        }
        f.write_str(std::str::from_utf8(&text).expect("hexadecimal digits are ASCII"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Hash {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid::new("hash", "must be `sha256:` and 64 lower-case hexadecimal digits");
        let hex = text.strip_prefix("sha256:").filter(|hex| hex.len() == 64).ok_or_else(wrong)?;
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(wrong()),
        };
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Hash {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> String {
        hash.to_string()
    }
}

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
    /// Takes a body whose text is already redacted; numbers are brought into the form that events allow.
    pub(crate) fn new(kind: EventKind, timestamp: Timestamp, body: Map<String, Value>) -> Self {
        let Value::Object(body) = normalise(Value::Object(body)) else { unreachable!("an object stays an object") };
        Self { event_id: Uuid::now_v7(), kind, timestamp, body }
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
#[derive(Serialize, Deserialize)]
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
    /// When the canonical form would pass 256 KiB.
    pub(crate) fn seal(draft: &Draft, place: &Place<'_>) -> Result<Self, Invalid> {
        check_component_name(place.component)?;
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
        if !has_only_safe_numbers(&fields) {
            return Err(Invalid::new("body", "must hold no fractions and no integers beyond ±(2^53−1)"));
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
        let envelope: Envelope =
            serde_json::from_value(Value::Object(fields)).map_err(|error| Invalid::new("event", error.to_string()))?;
        if envelope.event_version != VERSION {
            return Err(Invalid::new("event_version", format!("must be \"{VERSION}\"")));
        }
        check_component_name(&envelope.component_name)?;
        let event_id = Uuid::parse_str(&envelope.event_id).map_err(|_| Invalid::new("event_id", "must be a UUID"))?;
        let timestamp = check_timestamp("timestamp", &envelope.timestamp)?;
        if !envelope.body.is_object() {
            return Err(Invalid::new("body", "must be an object"));
        }
        if (envelope.seq == 0) != envelope.prev.is_none() {
            return Err(Invalid::new("prev", "must be null at seq 0 and a hash everywhere else"));
        }
        Ok(Self(Arc::new(Sealed {
            text: text.into(),
            event_id,
            kind: envelope.event_type,
            stream: envelope.session_id,
            journal: envelope.journal_id,
            component: envelope.component_name.into(),
            seq: envelope.seq,
            prev: envelope.prev,
            timestamp,
            body: envelope.body,
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

fn check_size(text: &str) -> Result<(), Invalid> {
    if text.len() > MAX_EVENT_BYTES {
        return Err(Invalid::new("event", format!("must be at most 256 KiB, this one is {} bytes", text.len())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::event::{SessionId, StreamId};

    fn sealed(body: Value) -> Event {
        let Value::Object(body) = body else { panic!("bodies are objects") };
        let draft = Draft::new(EventKind::Other("test".into()), Timestamp::UNIX_EPOCH, body);
        let (stream, journal) = (StreamId::Session(SessionId::new()), JournalId::new());
        let place = Place { stream: &stream, journal: &journal, component: "test", seq: 0, prev: None };
        Event::seal(&draft, &place).expect("it can be sealed")
    }

    #[test]
    fn what_is_sealed_is_canonical_and_parses() {
        let nested = json!({ "journal_id": "\"journal_id\":", "hash": "sha256:", "é": [1, { "b": null, "a": true }] });
        let event = sealed(nested);
        let whole: Value = serde_json::from_str(event.text()).expect("JSON");
        assert_eq!(serde_json_canonicalizer::to_string(&whole).expect("canonical"), event.text());
        assert_eq!(Event::parse(event.text()).expect("it parses"), event);
        let mut bare = whole;
        bare.as_object_mut().expect("an object").remove("hash");
        let bytes = serde_json_canonicalizer::to_vec(&bare).expect("canonical");
        assert_eq!(Hash::of(&bytes), event.hash());
    }

    #[test]
    fn any_other_form_of_it_is_refused() {
        let event = sealed(json!({ "input": "ps()" }));
        let text = event.text();
        let member = member(&event.hash());
        let bare = text.replace(&member, "");
        for (what, other) in [
            ("hash first", format!("{{{member}{}", &bare[1..])),
            ("hash last", format!("{},{}}}", &bare[..bare.len() - 1], member.trim_end_matches(','))),
            ("hash twice", text.replace(&member, &format!("{member}{member}"))),
            ("no hash", bare.clone()),
            ("a space", text.replacen(':', ": ", 1)),
            ("another word", text.replace("ps()", "qs()")),
            ("another hash", text.replace(&event.hash().to_string(), &Hash::of(b"").to_string())),
            ("an escape", text.replace("ps()", "\\u0070s()")),
        ] {
            assert!(Event::parse(&other).is_err(), "{what}");
        }
    }
}
