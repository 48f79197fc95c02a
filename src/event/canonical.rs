//! The canonical form (RFC 8785) of the JSON that events hold.
//!
//! Written by hand because every event is sealed on the way of a command: the general canonicaliser buffers and sorts
//! each object's members as text, which costs more than the rest of sealing. What is rare, numbers that events do not
//! allow, is left to it.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::{Invalid, rule::is_safe};

/// The canonical form of an object.
pub(super) fn canonical(fields: &Map<String, Value>) -> Result<String, Invalid> {
    let mut text = String::with_capacity(1_024);
    write_object(&mut text, fields)?;
    Ok(text)
}

/// Writes a value's canonical form.
pub(super) fn write_value(text: &mut String, value: &Value) -> Result<(), Invalid> {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(true) => text.push_str("true"),
        Value::Bool(false) => text.push_str("false"),
        Value::Number(number) if is_safe(number) => write!(text, "{number}").expect("a string takes everything"),
        Value::Number(number) => {
            let number = serde_json_canonicalizer::to_string(number);
            text.push_str(&number.map_err(|error| Invalid::new("event", error.to_string()))?);
        }
        Value::String(string) => write_string(text, string),
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write_value(text, item)?;
            }
            text.push(']');
        }
        Value::Object(fields) => write_object(text, fields)?,
    }
    Ok(())
}

fn write_object(text: &mut String, fields: &Map<String, Value>) -> Result<(), Invalid> {
    let mut members: Vec<(&String, &Value)> = fields.iter().collect();
    // By UTF-16, as the form wants it; of ASCII that is the order of the bytes.
    if members.iter().all(|(name, _)| name.is_ascii()) {
        members.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    } else {
        members.sort_unstable_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    }
    text.push('{');
    for (at, (name, value)) in members.into_iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        write_string(text, name);
        text.push(':');
        write_value(text, value)?;
    }
    text.push('}');
    Ok(())
}

/// Writes a string in quotes, with the shortest escapes where there must be some.
pub(super) fn write_string(text: &mut String, string: &str) {
    text.push('"');
    let mut rest = string;
    while let Some(at) = rest.bytes().position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        text.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'"' => text.push_str("\\\""),
            b'\\' => text.push_str("\\\\"),
            0x08 => text.push_str("\\b"),
            b'\t' => text.push_str("\\t"),
            b'\n' => text.push_str("\\n"),
            0x0c => text.push_str("\\f"),
            b'\r' => text.push_str("\\r"),
            control => write!(text, "\\u{control:04x}").expect("a string takes everything"),
        }
        rest = &rest[at + 1..];
    }
    text.push_str(rest);
    text.push('"');
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that fails says where")]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::from),
            any::<f64>().prop_filter_map("JSON has neither", |n| n.is_finite().then(|| Value::from(n))),
            any::<String>().prop_map(Value::from),
            "[\u{0}-\u{24}\\\\\u{7f}\u{80}\u{d7ff}\u{e000}\u{ffff}\u{10000}]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            let name = prop_oneof![any::<String>(), "[a-z_]{0,3}", "[\u{e000}\u{ffff}\u{10000}\u{10ffff}a]{0,3}"];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((name, inner), 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// The general canonicaliser is the judge.
        #[test]
        fn it_is_what_the_general_one_writes(value in json()) {
            let mut text = String::new();
            write_value(&mut text, &value).unwrap();
            prop_assert_eq!(text, serde_json_canonicalizer::to_string(&value).unwrap());
        }
    }

    #[test]
    fn every_control_character() {
        let all: String = (0..=0x100_u32).filter_map(char::from_u32).collect();
        let value = json!({ "\u{1}\"": all });
        let Value::Object(fields) = &value else { unreachable!("an object") };
        assert_eq!(canonical(fields).unwrap(), serde_json_canonicalizer::to_string(&value).unwrap());
    }
}
