//! What reaches a session as text: its name, the bytes that are no text, and how it stands in the record.

use serde_json::{Map, Value};

use crate::{
    console::Failure,
    event::{CommandStart, Hash},
    redact::MASK,
    script::Job,
    spec::Spec,
};

/// The longest input that is recorded as text, in bytes of its JSON form; an event holds 256 KiB.
const MAX_RECORDED_BYTES: usize = 255 * 1024;

/// An input and where it comes from.
#[derive(Clone, Debug)]
pub struct Source {
    pub(super) name: String,
    bytes: Vec<u8>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Prompt,
    Argument,
    File,
}

impl Source {
    /// A line or a block typed at a prompt.
    #[must_use]
    pub fn prompt(text: &str) -> Self {
        Self { name: "prompt".to_owned(), bytes: text.as_bytes().to_vec(), kind: Kind::Prompt }
    }

    /// The argument of `-c`.
    #[must_use]
    pub fn argument(bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: "-c".to_owned(), bytes: bytes.into(), kind: Kind::Argument }
    }

    /// A script: a file, or standard input, with a name for messages.
    #[must_use]
    pub fn script(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), bytes: bytes.into(), kind: Kind::File }
    }

    pub(super) fn allows_command_style(&self) -> bool {
        self.kind != Kind::File
    }

    /// What errors call it.
    pub(super) fn title(&self, number: u64) -> String {
        if self.kind == Kind::Prompt { format!("repl:{number}") } else { self.name.clone() }
    }

    /// The text, a byte-order mark dropped and a `#!` line made a comment; bytes that are no text escaped, with what is
    /// wrong about them.
    pub(super) fn checked(&self) -> (String, Option<Failure>) {
        let bytes = self.bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&self.bytes);
        let mut fault = None;
        let mut text = String::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            for byte in chunk.invalid() {
                fault = Some("bytes that are not UTF-8");
                text.push_str(&format!("\\x{byte:02x}"));
            }
        }
        if text.contains('\0') {
            fault = Some("a NUL character");
            text = text.replace('\0', "\\u{0}");
        }
        if text.replace("\r\n", "\n").contains('\r') {
            fault = Some("a carriage return without a line feed");
            let kept = text.replace("\r\n", "\n");
            text = kept.replace('\r', "\\r");
        }
        if self.kind == Kind::File && text.starts_with("#!") {
            // With a blank: `#!/usr/bin/env` would become `///`, a documentation comment that wants a function.
            text.replace_range(..2, "// ");
        }
        let failure = fault
            .map(|fault| Failure::new("not_text", format!("the input holds {fault}")).hint("scripts are UTF-8 text"));
        (text, failure)
    }
}

/// The event that announces a command; an input too large for one is recorded by digest, and does not run.
pub(super) fn start(
    number: u64,
    input: String,
    source: String,
    job: Result<Job, Failure>,
) -> (CommandStart, Result<Job, Failure>) {
    let recorded_bytes = serde_json::to_string(&input).map_or(usize::MAX, |json| json.len());
    if recorded_bytes <= MAX_RECORDED_BYTES {
        let start = CommandStart { command: number, input: Some(input), source, input_bytes: None, input_digest: None };
        return (start, job);
    }
    let start = CommandStart {
        command: number,
        input: None,
        source,
        input_bytes: Some(input.len() as u64),
        input_digest: Some(Hash::of(input.as_bytes()).to_string()),
    };
    let failure =
        Failure::new("too_large", format!("the input is {} bytes: larger than an event may be (256 KiB)", input.len()))
            .hint("split it, or read the data from a file in a helper");
    (start, Err(failure))
}

/// What stood where masks stand now. Between two masks with nothing else between them nothing can be told apart.
pub(super) fn masked_parts<'t>(text: &'t str, shown: &str) -> Vec<&'t str> {
    /// Shorter ones are ordinary words too often.
    const SHORTEST: usize = 6;
    let parts: Vec<&str> = shown.split(MASK).collect();
    let Some(mut rest) = text.strip_prefix(parts[0]) else { return Vec::new() };
    let mut found = Vec::new();
    for (index, part) in parts.iter().enumerate().skip(1) {
        let end = match index + 1 == parts.len() {
            true => rest.strip_suffix(part).map(str::len),
            false if part.is_empty() => None,
            false => rest.find(part),
        };
        let Some(end) = end else { break };
        let secret = rest[..end].trim_matches(['"', '\'', '`']);
        if secret.len() >= SHORTEST && secret != MASK && !secret.contains(char::is_whitespace) {
            found.push(secret);
        }
        rest = &rest[end + part.len()..];
    }
    found
}

/// Named arguments as they are recorded.
pub(super) fn masked_args(spec: Option<&Spec>, args: &Map<String, Value>) -> String {
    // A mistyped name may hold the secret, and of an unknown helper nothing is known.
    let is_secret = |name: &str| match spec {
        None => true,
        Some(spec) if spec.params.iter().any(|param| param.secret) => {
            spec.params.iter().find(|param| param.name == name).is_none_or(|param| param.secret)
        }
        Some(_) => false,
    };
    let masked: Map<String, Value> = args
        .iter()
        .map(|(name, value)| (name.clone(), if is_secret(name) { Value::from(MASK) } else { value.clone() }))
        .collect();
    format!("#{}", Value::Object(masked))
}
