//! Lengths of time as arguments: seconds, or text such as `7d` or `1h30m`.

use std::{borrow::Cow, time::Duration};

use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;

/// A length of time: a number of seconds, or text such as `"7d"`, `"1h30m"`, `"90 seconds"`. A day is 24 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timespan(pub Duration);

impl Timespan {
    /// Reads the text form; a bare number is seconds.
    ///
    /// # Errors
    /// Says what is accepted.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no length of time: write seconds, or text such as `7d` or `1h30m`");
        if let Ok(seconds) = text.trim().parse::<f64>() {
            return Duration::try_from_secs_f64(seconds).map(Self).map_err(|_| wrong());
        }
        let span: jiff::Span = text.trim().parse().map_err(|_| wrong())?;
        if span.get_years() != 0 || span.get_months() != 0 {
            return Err(wrong());
        }
        let length: SignedDuration =
            span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
        Duration::try_from(length).map(Self).map_err(|_| wrong())
    }
}

impl<'de> Deserialize<'de> for Timespan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Number(number) => Self::parse(&number.to_string()).map_err(D::Error::custom),
            Value::String(text) => Self::parse(&text).map_err(D::Error::custom),
            _ => Err(D::Error::custom("wants seconds, or text such as `7d` or `1h30m`")),
        }
    }
}

impl JsonSchema for Timespan {
    fn schema_name() -> Cow<'static, str> {
        "Timespan".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["number", "string"], "format": "duration", "minimum": 0})
    }
}
