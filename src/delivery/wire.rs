//! What goes between whoever delivers and a tracker, the same over REST and over MCP.
//!
//! Invariants:
//! - An event travels as the text that was sealed, a JSON string inside the batch: nobody parses and writes it again.
//! - A batch without events only asks whether its receipt is known.
//! - A tracker that does not know the receipt stores nothing and answers 409 with a problem document whose `type` ends
//!   in [`UNKNOWN_RECEIPT`]. Whoever delivers goes back to an older receipt; what arrives twice is a duplicate.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    event::{Hash, JournalId},
    journal::{Head, Parcel, Verdict},
};

pub use crate::journal::{EndRequest, Presence, Stub};

/// Most events in one batch.
pub const MOST_EVENTS: usize = 1_000;
/// Most bytes in the body of one request.
pub const MOST_BYTES: usize = 8 << 20;
/// How the `type` of the problem ends that says: this receipt is not of mine.
pub const UNKNOWN_RECEIPT: &str = "unknown-receipt";

/// The body of `POST /api/v1/events`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// Where the tracker stood after the last batch of this sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Head>,
    /// In the order of the sender's journal.
    #[schemars(length(max = 1_000))]
    pub events: Vec<Item>,
}

/// An event's sealed text, or its stub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "must be the sealed text of an event, as a string, or a stub")]
pub enum Item {
    /// The sealed text, verbatim.
    Text(String),
    /// What stands for an event whose body does not come.
    Stub(Box<Stub>),
}

impl From<&Parcel> for Item {
    fn from(parcel: &Parcel) -> Self {
        match parcel {
            Parcel::Whole(event) => Self::Text(event.text().to_owned()),
            Parcel::Stub(stub) => Self::Stub(stub.clone()),
        }
    }
}

/// The answer to a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// The tracker's journal.
    pub tracker_id: JournalId,
    /// Its last position, after the batch.
    pub position: u64,
    /// The link there.
    pub link: Hash,
    /// A verdict for each event.
    pub results: Vec<Judged>,
}

impl Answer {
    /// The receipt to quote with the next batch.
    #[must_use]
    pub fn head(&self) -> Head {
        Head { tracker_id: self.tracker_id.clone(), position: self.position, link: self.link }
    }
}

/// What became of one event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Judged {
    /// Its id.
    pub event_id: Uuid,
    /// What became of it, and why.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// The body of `POST /api/v1/beats`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Beats {
    /// The sessions that live.
    #[schemars(length(max = 1_000))]
    pub presence: Vec<Presence>,
}

/// The answer to beats.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Beaten {
    /// Which of them were asked to end.
    pub end_requested: Vec<EndRequest>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_stands_beside_its_event() {
        let text = r#"{"event_id":"0199aaaa-0000-7000-8000-000000000001","verdict":"rejected","reason":"too old"}"#;
        let judged: Judged = serde_json::from_str(text).expect("it reads");
        assert_eq!(judged.verdict, Verdict::Rejected("too old".to_owned()));
        assert_eq!(serde_json::to_string(&judged).expect("it writes"), text);
        let bare = r#"{"event_id":"0199aaaa-0000-7000-8000-000000000001","verdict":"accepted"}"#;
        let judged: Judged = serde_json::from_str(bare).expect("it reads");
        assert_eq!(serde_json::to_string(&judged).expect("it writes"), bare);
    }

    #[test]
    fn a_batch_holds_texts_and_stubs() {
        let text = concat!(
            r#"{"events":["{}",{"stub":true,"event_id":"0199aaaa-0000-7000-8000-000000000001","#,
            r#""event_type":"command_start","session_id":"sess_01k9h0tqz5fyqakfcbyd2yzqvs","component_name":"a","#,
            r#""seq":0,"prev":null,"timestamp":"2026-01-01T00:00:00Z","hash":"#,
            r#""sha256:0000000000000000000000000000000000000000000000000000000000000000","reason":"pruned"}]}"#,
        );
        let batch: Batch = serde_json::from_str(text).expect("it reads");
        assert!(matches!(&batch.events[..], [Item::Text(text), Item::Stub(stub)] if text == "{}" && stub.seq == 0));
        assert_eq!(serde_json::to_string(&batch).expect("it writes"), text);
        assert!(serde_json::from_str::<Batch>(&text.replace(r#""stub":true"#, r#""stub":false"#)).is_err());
    }
}
