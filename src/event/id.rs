//! Identifiers: TypeIDs with the prefixes `sess` and `jrnl` (26 characters of base 32 after the underscore).

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use type_safe_id::{DynamicType, TypeSafeId};

use super::Invalid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// A new id, ordered by the time of its making (UUIDv7 inside).
            #[must_use]
            pub fn new() -> Self {
                let kind = DynamicType::new($prefix).expect("the prefix is lower-case ASCII");
                Self(TypeSafeId::from_type_and_uuid(kind, uuid::Uuid::now_v7()).to_string())
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "pattern": concat!("^", $prefix, "_[0-7][0-9a-hjkmnp-tv-z]{25}$")})
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                let id = TypeSafeId::<DynamicType>::from_str(text).ok().filter(|id| id.type_prefix() == $prefix);
                match id {
                    Some(_) => Ok(Self(text.to_owned())),
                    None => Err(Invalid::new("session_id", concat!("must be `", $prefix, "_` and the 26 characters of a TypeID"))),
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;

            fn try_from(text: String) -> Result<Self, Invalid> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

id!(
    /// Names one session: `sess_` and 26 characters.
    SessionId,
    "sess"
);
id!(
    /// Names one journal, which is also the stream of its own observations: `jrnl_` and 26 characters.
    JournalId,
    "jrnl"
);

impl SessionId {
    /// The beginning of an id as ids are written, from what a person typed: `sess_` may be left out, and capitals count as
    /// small letters. Empty when nothing was typed.
    ///
    /// ```
    /// use admin_shell::event::SessionId;
    ///
    /// assert_eq!(SessionId::prefix("01K9"), "sess_01k9");
    /// assert_eq!(SessionId::prefix("sess_01k9"), "sess_01k9");
    /// ```
    #[must_use]
    pub fn prefix(typed: &str) -> String {
        let typed = typed.trim().to_ascii_lowercase();
        // The part after the prefix begins with a digit, so what begins like the prefix is the prefix.
        if typed.starts_with("sess_") || "sess_".starts_with(&typed) { typed } else { format!("sess_{typed}") }
    }
}

/// Names a chain of events: a session's, or a journal's own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum StreamId {
    /// The stream of a session, written by the process that opened it.
    Session(SessionId),
    /// The journal's own stream of observations.
    Journal(JournalId),
}

impl JsonSchema for StreamId {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "StreamId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^(sess|jrnl)_[0-7][0-9a-hjkmnp-tv-z]{25}$"})
    }
}

impl StreamId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Session(id) => id.as_str(),
            Self::Journal(id) => id.as_str(),
        }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for StreamId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.starts_with("jrnl_") { text.parse().map(Self::Journal) } else { text.parse().map(Self::Session) }
    }
}

impl TryFrom<String> for StreamId {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<StreamId> for String {
    fn from(id: StreamId) -> String {
        match id {
            StreamId::Session(id) => id.into(),
            StreamId::Journal(id) => id.into(),
        }
    }
}

impl From<SessionId> for StreamId {
    fn from(id: SessionId) -> Self {
        Self::Session(id)
    }
}

impl From<JournalId> for StreamId {
    fn from(id: JournalId) -> Self {
        Self::Journal(id)
    }
}
