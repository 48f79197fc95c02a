//! What a value looks like: where a quotation ends, and which values are no secrets although their name means one.

use super::{MASK, name::Class};

/// Words that say what a value is, or that there is none.
#[rustfmt::skip]
const NO_VALUE: &[&str] = &[
    "true", "false", "null", "nil", "none", "undefined", "unset", "empty", "yes", "no", "on", "off", "n/a",
    "redacted", "[redacted]", "[filtered]", "[hidden]", "[masked]", "filtered", "hidden", "masked", "()", "\"\"",
    "''",
];

/// Words of sentences that follow a name and a colon in messages: `password: must be longer`.
#[rustfmt::skip]
const PROSE: &[&str] = &[
    "a", "an", "and", "are", "array", "bool", "boolean", "can", "cannot", "default", "did", "does", "expected", "expired",
    "failed", "for", "from", "has", "have", "if", "in", "incorrect", "int", "integer", "invalid", "is", "it",
    "malformed", "may", "mismatch", "missing", "must", "not", "number", "object", "of", "ok", "optional", "or", "please",
    "refused", "rejected", "required", "shall", "should", "string", "str", "text", "that", "the", "this", "to",
    "too", "unexpected", "unknown", "value", "wants", "was", "when", "will", "with", "wrong",
];

/// Types that stand between a name and its value: `const TOKEN: &str = "…"`.
const TYPES: &[&str] =
    &["Arc", "Box", "Cow", "Option", "Rc", "Secret", "SecretString", "String", "Vec", "char", "str", "string", "text"];

/// Functions that only wrap their argument: what they are given is the value.
#[rustfmt::skip]
const WRAPPERS: &[&str] = &[
    "Some", "Ok", "Secret", "SecretString", "String", "str", "new", "from", "format", "concat", "join", "trim",
    "quote", "b64decode", "decode", "base64", "parse", "text", "string", "to_string", "bytes",
];

/// Whether a value stands for one that is given elsewhere, or for none at all.
pub(super) fn is_placeholder(value: &str) -> bool {
    let value = value.trim();
    if value.is_empty() || value == MASK || value.len() > 256 {
        return value.len() <= 256;
    }
    NO_VALUE.iter().any(|word| word.eq_ignore_ascii_case(value)) || is_variable(value) || is_filler(value)
}

/// `${VAR}`, `$VAR`, `{{ var }}`, `%VAR%`, `$(command)`, `<password>`, `env("X")`.
fn is_variable(value: &str) -> bool {
    let inside = |open: &str, close: &str| value.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    let is_name = |name: &str| {
        let name = name.trim();
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
    };
    let is_constant = |name: &str| {
        name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
            || super::name::is_secret(name)
    };
    if let Some(name) = inside("${{", "}}").or_else(|| inside("{{", "}}")) {
        return !name.contains(['"', '\'', '{']);
    }
    if let Some(name) = inside("${", "}").or_else(|| inside("#{", "}")).or_else(|| inside("%(", ")s")) {
        return is_name(name);
    }
    if let Some(name) = inside("%", "%") {
        return is_name(name) && is_constant(name);
    }
    if let Some(command) = inside("$(", ")") {
        return !command.contains(['"', '\'']);
    }
    if let Some(label) = inside("<", ">") {
        return label
            .bytes()
            .all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b' ' | b'_' | b'-' | b'.' | b'/'));
    }
    if let Some(name) = value.strip_prefix('$') {
        return is_name(name) && !name.starts_with(|c: char| c.is_ascii_digit()) && is_constant(name);
    }
    let call = value.strip_suffix(')').and_then(|rest| rest.split_once('('));
    call.is_some_and(|(name, argument)| {
        matches!(name, "env" | "getenv" | "os.getenv" | "std::env::var" | "env::var") && !argument.contains(',')
    }) || ["process.env.", "os.environ[", "ENV[", "op://"].iter().any(|start| value.starts_with(start))
}

/// `***`, `xxxx`, `…`, `YOUR_API_KEY`, `insert-token-here`.
fn is_filler(value: &str) -> bool {
    let repeats = |c: char| value.chars().all(|other| other == c);
    if ['*', '.', '…', '•', '●', '-', '_', '?', '#'].into_iter().any(repeats)
        || value.len() >= 3 && ['x', 'X'].into_iter().any(repeats)
    {
        return true;
    }
    // `--password PASSWORD`, as usage texts write it.
    let capitals = value.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    if capitals && value.len() > 3 && (super::name::is_secret(value) || matches!(value, "VALUE" | "FILE" | "TEXT")) {
        return true;
    }
    let words = value.bytes().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-' | b' '));
    let lower = value.to_ascii_lowercase();
    let parts = || lower.split(['_', '-', ' ']);
    words
        && parts().count() > 1
        && (parts().next() == Some("your") || matches!(parts().next_back(), Some("here" | "placeholder")))
}

/// Whether a bare number can be what the name means: a PIN is one, a count of tokens is not.
pub(super) fn is_pin(class: Class, number: &str) -> bool {
    class == Class::Password && number.len() >= 3 && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a word is a number of any kind: integer, fraction, size, duration.
pub(super) fn is_number(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+'))
        && word.bytes().any(|byte| byte.is_ascii_digit())
        && word.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'_' | b'.' | b'-' | b'+' | b',' | b'%'))
}

pub(super) fn is_prose(word: &str) -> bool {
    PROSE.iter().any(|known| known.eq_ignore_ascii_case(word.trim_end_matches(['.', ',', ';', ':', '!', '?'])))
}

/// Whether text is a type: `&'static str`, `Option<String>`.
pub(super) fn is_type(text: &str) -> bool {
    let text =
        text.trim().trim_end_matches([',', ')', ';', '?']).trim_start_matches('&').trim_start_matches("'static ");
    let (head, rest) = text.split_at(text.find('<').unwrap_or(text.len()));
    TYPES.contains(&head) && (rest.is_empty() || rest.ends_with('>'))
}

pub(super) fn is_wrapper(path: &str) -> bool {
    let last = path.rsplit([':', '.']).next().unwrap_or(path).trim_end_matches('!');
    WRAPPERS.contains(&last)
}

/// Whether a word is more likely a variable than a secret whose quotation marks were forgotten: `let password = hunter2`.
pub(super) fn is_variable_name(word: &str) -> bool {
    is_identifier(word) && !word.bytes().any(|byte| byte.is_ascii_digit())
}

/// Whether text reads as a variable or a path to a field: `cfg.db`, `Kind::Token`.
pub(super) fn is_identifier(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':'))
}

/// An opening quotation mark: where the content begins, and what will close it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quote {
    /// Where the content begins.
    pub(super) start: usize,
    mark: u8,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// `r"…"`, `#"…"#`: so many `#`, no escapes.
    Raw(usize),
    /// Escapes with backslashes; the marks themselves stand behind so many backslashes, because the whole text is
    /// quoted once more.
    Escaped(usize),
}

impl Quote {
    /// The quotation that opens here, if one does: `"`, `'`, `` ` ``, `\"`, `r"`, `#"`, `b'` and so on.
    pub(super) fn open(bytes: &[u8], at: usize) -> Option<Self> {
        let is_mark = |i: usize| matches!(bytes.get(i), Some(b'"' | b'\'' | b'`'));
        let letters = bytes[at..].iter().take(2).take_while(|byte| b"rRbBfFuUcC".contains(byte)).count();
        let hashes = bytes[at + letters..].iter().take(16).take_while(|&&byte| byte == b'#').count();
        let mark = at + letters + hashes;
        if hashes > 0 {
            return (bytes.get(mark) == Some(&b'"')).then_some(Self {
                start: mark + 1,
                mark: b'"',
                kind: Kind::Raw(hashes),
            });
        }
        if letters > 0 {
            let raw = bytes[at..mark].iter().any(|byte| matches!(byte, b'r' | b'R'));
            let kind = if raw { Kind::Raw(0) } else { Kind::Escaped(0) };
            return is_mark(mark).then(|| Self { start: mark + 1, mark: bytes[mark], kind });
        }
        let slashes = bytes[at..].iter().take(15).take_while(|&&byte| byte == b'\\').count();
        let mark = at + slashes;
        is_mark(mark).then(|| Self { start: mark + 1, mark: bytes[mark], kind: Kind::Escaped(slashes) })
    }

    /// Where the content ends, and where the text goes on after the closing mark. Text that is never closed is all
    /// content: a secret with a forgotten quotation mark is a secret.
    pub(super) fn close(self, bytes: &[u8]) -> (usize, usize) {
        let mut at = self.start;
        while let Some(found) = bytes[at..].iter().position(|&byte| byte == self.mark) {
            let mark = at + found;
            match self.kind {
                Kind::Raw(hashes) => {
                    let closing = bytes[mark + 1..].iter().take(hashes).take_while(|&&byte| byte == b'#').count();
                    if closing == hashes {
                        return (mark, mark + 1 + hashes);
                    }
                    at = mark + 1;
                }
                Kind::Escaped(depth) => {
                    let slashes = bytes[self.start..mark].iter().rev().take_while(|&&byte| byte == b'\\').count();
                    if !closes(slashes, depth) {
                        at = mark + 1;
                    } else if depth == 0 && mark > self.start && bytes.get(mark + 1) == Some(&self.mark) {
                        // A doubled mark is an escape in SQL, CSV and Rhai's back ticks.
                        at = mark + 2;
                    } else {
                        return (mark - slashes.min(depth), mark + 1);
                    }
                }
            }
        }
        (bytes.len(), bytes.len())
    }
}

/// Whether a mark behind so many backslashes closes what a mark behind `depth` backslashes opened.
///
/// Each time that text is quoted, backslashes and marks get one more: 0, 1, 3, 7. Going back out, an even number
/// means that the text around ends here, and that ends the quotation too.
fn closes(slashes: usize, depth: usize) -> bool {
    let mut slashes = slashes;
    let mut depth = depth;
    while depth > 0 {
        if slashes.is_multiple_of(2) {
            return true;
        }
        slashes = (slashes - 1) / 2;
        depth = (depth - 1) / 2;
    }
    slashes.is_multiple_of(2)
}
