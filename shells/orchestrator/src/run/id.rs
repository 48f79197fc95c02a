//! The name of a run: a TypeID with the prefix `run`, whose UUIDv7 sorts by the time of submission.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use type_safe_id::{DynamicType, TypeSafeId};

const PREFIX: &str = "run";

/// Names one run: `run_` and 26 characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct RunId(String);

impl RunId {
    /// A new id, ordered by the time of its making.
    #[must_use]
    pub fn new() -> Self {
        let kind = DynamicType::new(PREFIX).expect("the prefix is lower-case ASCII");
        Self(TypeSafeId::from_type_and_uuid(kind, uuid::Uuid::now_v7()).to_string())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for RunId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text that is no id of a run.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no run id: it must be `run_` and the 26 characters of a TypeID")]
pub struct NotARunId(String);

impl FromStr for RunId {
    type Err = NotARunId;

    fn from_str(text: &str) -> Result<Self, NotARunId> {
        match TypeSafeId::<DynamicType>::from_str(text) {
            Ok(id) if id.type_prefix() == PREFIX => Ok(Self(text.to_owned())),
            _ => Err(NotARunId(text.to_owned())),
        }
    }
}

impl TryFrom<String> for RunId {
    type Error = NotARunId;

    fn try_from(text: String) -> Result<Self, NotARunId> {
        text.parse()
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> String {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_and_sort_by_time() {
        let (first, second) = (RunId::new(), RunId::new());
        assert!(first < second);
        assert_eq!(first.to_string().parse::<RunId>().unwrap(), first);
        assert_eq!(first.as_str().len(), "run_".len() + 26);
    }

    #[test]
    fn other_ids_are_refused() {
        for text in ["", "run_", "sess_01kaetk7zvefcvf8r9zcmj3nxn", "run_01KAETK7ZVEFCVF8R9ZCMJ3NXN", "run"] {
            assert!(text.parse::<RunId>().is_err(), "{text}");
        }
    }
}
