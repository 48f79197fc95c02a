//! What to look for, and which part of what is found.

use std::time::Duration;

use jiff::Timestamp;

use super::{SessionRecord, SessionStatus};
use crate::event::SessionId;

/// Which sessions. Every field narrows; `Default` takes all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Exact component name.
    pub component: Option<String>,
    /// Exact user name.
    pub user: Option<String>,
    /// Exact host name.
    pub host: Option<String>,
    /// Exact component type.
    pub component_type: Option<String>,
    /// Status as computed now.
    pub status: Option<SessionStatus>,
    /// Started at or after.
    pub after: Option<Timestamp>,
    /// Started before.
    pub before: Option<Timestamp>,
    /// Open for longer than this, running ones too.
    pub longer_than: Option<Duration>,
    /// Open for less than this.
    pub shorter_than: Option<Duration>,
    /// Only open ones.
    pub active: bool,
    /// Only those without an end of their own.
    pub incomplete: bool,
    /// Part of a command's input.
    pub text: Option<String>,
}

/// Which part of a list.
#[derive(Clone, Debug)]
pub struct Page {
    /// At most this many.
    pub limit: u32,
    /// Where the page before ended.
    pub after: Option<Cursor>,
}

impl Default for Page {
    fn default() -> Self {
        Self { limit: 50, after: None }
    }
}

/// Where a page ended: the key of its last row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Start of the last session, in microseconds since 1970.
    pub start_us: i64,
    /// Its id.
    pub session_id: String,
}

/// One page.
#[derive(Clone, Debug)]
pub struct Sessions {
    /// The records.
    pub records: Vec<SessionRecord>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<Cursor>,
}

/// What an id or a prefix names.
#[derive(Clone, Debug)]
pub enum Found {
    /// Exactly one.
    One(Box<SessionRecord>),
    /// More than one; the first ten.
    Many(Vec<SessionId>),
    /// None.
    None,
}

/// Which commands.
#[derive(Clone, Debug, Default)]
pub struct CommandFilter {
    /// Only of this session.
    pub session: Option<SessionId>,
    /// Only of this component.
    pub component: Option<String>,
    /// Only those started at or after.
    pub after: Option<Timestamp>,
    /// Only those that did not end `ok`.
    pub failed: bool,
    /// At most this many; 0 means 1,000.
    pub limit: u32,
}
