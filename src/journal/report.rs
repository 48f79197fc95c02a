//! What `verify`, `status`, `prune` and `rebuild` say.

use std::path::PathBuf;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What `verify` found.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Report {
    /// Streams looked at.
    pub streams: u64,
    /// Events looked at.
    pub events: u64,
    /// Events whose body was pruned: their place and hash were checked, their content can not be.
    pub pruned: u64,
    /// What is wrong, in the order of the journal.
    pub faults: Vec<Fault>,
    /// Receipts that anchor the journal outside itself.
    pub anchors: Vec<Anchor>,
    /// Last position and its link.
    pub position: u64,
    /// The link at that position.
    pub link: Option<String>,
    /// What pruning removed, each time with who did it and why; oldest first.
    pub prunings: Vec<Pruning>,
    /// What wants attention and is no fault, in sentences.
    pub warnings: Vec<String>,
    /// What was not looked at, in sentences: nothing when everything was.
    pub skipped: Vec<String>,
    /// What this check can not know, in sentences.
    pub unknowable: Vec<String>,
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Fault {
    /// A word for programs: `edited`, `missing`, `inserted`, `cut_tail`, `removed_session`, `projection`, `link`, `anchor`,
    /// `unreadable`, …
    pub what: String,
    /// The stream.
    pub stream: Option<String>,
    /// Position in the stream.
    pub seq: Option<u64>,
    /// Position in the journal.
    pub position: Option<u64>,
    /// A sentence for people.
    pub message: String,
}

/// A tracker's word that it holds the journal up to a position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Anchor {
    /// Our position that is vouched for.
    pub position: u64,
    /// Our link at that position, as the tracker received it.
    pub link: String,
    /// Who says so.
    pub tracker: String,
    /// When.
    pub at: Timestamp,
}

/// Size and state of a journal.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct JournalStatus {
    /// Its id.
    pub journal_id: String,
    /// Where it is.
    pub database: String,
    /// Bytes on disk.
    pub bytes: u64,
    /// Free bytes on that disk.
    pub free_bytes: Option<u64>,
    /// Last position.
    pub position: u64,
    /// Events stored.
    pub events: u64,
    /// Events whose body was pruned.
    pub pruned: u64,
    /// Sessions whose events were pruned, ever.
    pub pruned_sessions: u64,
    /// Sessions known.
    pub sessions: u64,
    /// Sessions open.
    pub active: u64,
    /// Conflicts kept aside.
    pub conflicts: u64,
    /// Time of the oldest event that still has its body.
    pub oldest: Option<Timestamp>,
    /// Schema version.
    pub schema_version: i64,
    /// Sentences about what wants attention.
    pub warnings: Vec<String>,
}

/// What to prune.
#[derive(Clone, Debug)]
pub struct Prune {
    /// Sessions that ended before this are pruned.
    pub before: Timestamp,
    /// Write what is removed to this file first, as JSON lines.
    pub archive: Option<PathBuf>,
    /// Who asked for it, for the observation.
    pub by: String,
    /// Why, for the observation: 1 to 500 characters without secrets.
    pub why: String,
}

/// One time that sessions were pruned. Said by an observation, and carried on by those after it, so that it is known for
/// ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pruning {
    /// When.
    pub at: Timestamp,
    /// Who asked for it.
    pub by: String,
    /// Why.
    pub why: String,
    /// How many sessions it was to remove.
    pub sessions: u64,
    /// Whether what was removed was written to an archive first.
    pub archived: bool,
}

/// A session that was pruned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PrunedSession {
    /// Its id.
    pub session_id: String,
    /// Its component.
    pub component_name: String,
    /// When it was pruned.
    pub at: Timestamp,
    /// The pruning that removed it; none when that was so long ago that only its date is kept.
    pub pruning: Option<Pruning>,
}

/// What was pruned.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Pruned {
    /// Sessions.
    pub sessions: u64,
    /// Events whose body was removed.
    pub events: u64,
    /// Bytes of bodies removed.
    pub bytes: u64,
    /// Headers folded into the checkpoint.
    pub folded: u64,
}

/// A sink that keeps sessions from being pruned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Holder {
    /// Its name.
    pub sink: String,
    /// Sessions that it has not got all of.
    pub waiting: u64,
    /// Sessions of which it has refused events.
    pub refused: u64,
    /// When its cursor was last moved.
    pub changed: Option<Timestamp>,
}

/// What a rebuild found.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Rebuilt {
    /// Sessions in the new projection.
    pub sessions: u64,
    /// Sessions whose projection differed.
    pub corrected: Vec<String>,
    /// Everything that differed, row by row.
    pub differences: Vec<Difference>,
}

/// A row that was not what the events give.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Difference {
    /// The table.
    pub table: String,
    /// Which row: a session's id, a position, a day and its component.
    pub key: String,
    /// The stream that it is about, where it is about one.
    pub stream: Option<String>,
    /// The position of its event, where it has one.
    pub position: Option<u64>,
}
