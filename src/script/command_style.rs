//! Command style: `errors --limit 20`, `show run_01h`, as typed by people who know command lines.
//!
//! Understood at the prompt and in `-c`, not in files. A line is in command style when its first word is a helper's name
//! and what follows after a space can not go on an expression: a letter, a digit, a quote or `--`. Words are split as a
//! POSIX shell splits them; values are read by the schema of their parameter.

use serde_json::{Map, Value};

use super::interpreter::Arguments;
use crate::{
    helper::HelperError,
    spec::{Param, Registry, Spec, nearest},
};

/// A line in command style.
pub(crate) struct CommandLine {
    pub(crate) helper: String,
    pub(crate) args: Result<Arguments, HelperError>,
    /// Byte at which its name begins.
    pub(crate) at: usize,
    /// Byte at which each argument begins, by its parameter; what is wrong with the line itself has no name.
    pub(crate) places: Vec<(String, usize)>,
    /// Byte ranges of arguments that must not be recorded.
    pub(crate) secret_spans: Vec<std::ops::Range<usize>>,
}

/// Reads a line; `None` when it is not in command style.
pub(crate) fn parse(line: &str, registry: &Registry, is_variable: impl Fn(&str) -> bool) -> Option<CommandLine> {
    let text = line.trim_end();
    let name_at = text.len() - text.trim_start().len();
    let name_length =
        text[name_at..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len() - name_at);
    let name = &text[name_at..name_at + name_length];
    let rest_at = name_at + name_length;
    if text[rest_at..].contains('\n') || is_variable(name) {
        return None;
    }
    let rest = &text[rest_at..];
    let first = rest.trim_start();
    let goes_on = first.starts_with("--")
        || first.starts_with(|c: char| c.is_alphanumeric() || c == '"' || c == '\'' || c == '_');
    let is_operator = ["in", "is"].contains(&first.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default());
    if !rest.starts_with(' ') || !goes_on || is_operator {
        return None;
    }
    if matches!(name, "help" | "exit" | "quit") {
        let args = Arguments { positional: vec![Value::from(first)], named: Map::new() };
        let places = vec![("code".to_owned(), text.len() - first.len())];
        return Some(CommandLine {
            helper: name.to_owned(),
            args: Ok(args),
            at: name_at,
            places,
            secret_spans: Vec::new(),
        });
    }
    let spec = registry.get(name)?;
    let (mut spans, mut places) = (Vec::new(), Vec::new());
    let args = arguments(spec, rest, rest_at, &mut spans, &mut places);
    let secretive = spec.params.iter().any(|param| param.secret);
    if !secretive {
        spans.clear();
    } else if args.is_err() {
        // What could not be read may be the secret.
        spans.clear();
        spans.push(rest_at..text.len());
    }
    Some(CommandLine { helper: name.to_owned(), args, at: name_at, places, secret_spans: spans })
}

fn arguments(
    spec: &Spec,
    rest: &str,
    rest_at: usize,
    spans: &mut Vec<std::ops::Range<usize>>,
    places: &mut Vec<(String, usize)>,
) -> Result<Arguments, HelperError> {
    let words = words(rest).map_err(|error| {
        HelperError::new("syntax", format!("{error} in this call of `{}`", spec.name)).hint("add a closing quote")
    })?;
    let mut args = Arguments { positional: Vec::new(), named: Map::new() };
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        let Some(option) = word.text.strip_prefix("--").filter(|_| !word.quoted) else {
            let param = spec.params.get(args.positional.len());
            if param.is_none_or(|param| param.secret) {
                // One too many may be the secret in the wrong place.
                spans.push(rest_at + word.at..rest_at + word.end);
            }
            places.push((param.map_or_else(String::new, |param| param.name.to_string()), rest_at + word.at));
            args.positional.push(param.map_or_else(|| Value::from(word.text.clone()), |param| read(param, &word.text)));
            continue;
        };
        let (name, value) = match option.split_once('=') {
            Some((name, value)) => (name, Some((value.to_owned(), word.at..word.end))),
            None => (option, None),
        };
        let name = name.replace('-', "_");
        let Some(param) = spec.params.iter().find(|param| param.name == name) else {
            places.push((String::new(), rest_at + word.at));
            let error = HelperError::new("unknown_option", format!("`{}` has no option `--{name}`", spec.name));
            return Err(match nearest(&name, spec.params.iter().map(|param| param.name.as_ref())) {
                Some(near) => error.hint(format!("did you mean `--{near}`?")),
                None => error.hint(format!("write {}", spec.signature())),
            });
        };
        let value = match value {
            Some(value) => value,
            None if is_flag(param) && words.peek().is_none_or(|next| next.text.starts_with("--")) => {
                ("true".to_owned(), 0..0)
            }
            None => {
                let next = words.next().ok_or_else(|| {
                    HelperError::new("missing_argument", format!("`--{name}` of `{}` wants a value", spec.name))
                        .hint(format!("write {} --{name} VALUE", spec.name))
                })?;
                (next.text, next.at..next.end)
            }
        };
        places.push((name.clone(), rest_at + value.1.start.max(word.at)));
        if param.secret {
            spans.push(rest_at + value.1.start..rest_at + value.1.end);
        }
        if args.named.insert(name.clone(), read(param, &value.0)).is_some() {
            return Err(HelperError::new("given_twice", format!("`--{name}` of `{}` is given twice", spec.name))
                .hint("leave one of them out"));
        }
    }
    Ok(args)
}

fn types(param: &Param) -> Vec<&str> {
    match param.schema.as_ref().and_then(|schema| schema.get("type")) {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn is_flag(param: &Param) -> bool {
    types(param).contains(&"boolean")
}

/// A word as the value that its parameter takes. Text where text is taken; else JSON where it is some; else text, and
/// decoding says what is wrong with it.
fn read(param: &Param, word: &str) -> Value {
    let types = types(param);
    if types.contains(&"string") && !types.iter().any(|name| ["integer", "number", "boolean"].contains(name)) {
        return Value::from(word);
    }
    if types.contains(&"array") && !word.trim_start().starts_with('[') {
        return word.split(',').map(|item| Value::from(item.trim())).collect();
    }
    serde_json::from_str(word).unwrap_or_else(|_| Value::from(word))
}

struct Word {
    text: String,
    quoted: bool,
    at: usize,
    end: usize,
}

fn words(text: &str) -> Result<Vec<Word>, &'static str> {
    let mut words = Vec::new();
    let mut letters = text.char_indices().peekable();
    while let Some((at, first)) = letters.next() {
        if first.is_whitespace() {
            continue;
        }
        let mut word = Word { text: String::new(), quoted: false, at, end: text.len() };
        let mut quote: Option<char> = None;
        let mut next = Some((at, first));
        while let Some((index, letter)) = next {
            match quote {
                Some(open) if letter == open => quote = None,
                Some('"') if letter == '\\' => word.text.extend(letters.next().map(|(_, escaped)| escaped)),
                Some(_) => word.text.push(letter),
                None if letter == '"' || letter == '\'' => {
                    quote = Some(letter);
                    word.quoted |= index == at;
                }
                None if letter == '\\' => word.text.extend(letters.next().map(|(_, escaped)| escaped)),
                None if letter.is_whitespace() => {
                    word.end = index;
                    break;
                }
                None => word.text.push(letter),
            }
            next = letters.next();
        }
        if quote.is_some() {
            return Err("a quote is not closed");
        }
        words.push(word);
    }
    Ok(words)
}
