//! From what somebody gave to the one session that it names.

use super::{Tracker, TrackerError};
use crate::{
    event::SessionId,
    journal::{Found, SessionRecord},
};

/// Longer than any id.
const LONGEST: usize = 64;

impl Tracker {
    /// The session that has exactly this id.
    pub(super) async fn exactly(&self, id: &SessionId) -> Result<Option<SessionRecord>, TrackerError> {
        match self.journal().find(id.as_str()).await? {
            Found::One(record) if record.session_id == *id => Ok(Some(*record)),
            _ => Ok(None),
        }
    }

    /// The session that an id, or an unambiguous beginning of one, names.
    pub(super) async fn session(&self, typed: &str) -> Result<SessionRecord, TrackerError> {
        let prefix = SessionId::prefix(typed);
        let is_id = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let is_empty = prefix.strip_prefix("sess_").unwrap_or(&prefix).is_empty();
        if is_empty || prefix.len() > LONGEST || !prefix.chars().all(is_id) {
            return Err(TrackerError::not_found(typed));
        }
        match self.journal().find(&prefix).await? {
            Found::One(record) => Ok(*record),
            Found::Many(candidates) => Err(TrackerError::Ambiguous(candidates)),
            Found::None => Err(TrackerError::not_found(typed)),
        }
    }
}
