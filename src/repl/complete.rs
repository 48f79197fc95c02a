//! What Tab offers. Pure: the line, the cursor, the helpers and the variables in; candidates out.
//!
//! - in code: helpers, variables and Rhai's words; after a `.` the fields of a record that has been seen, and the
//!   helpers that take a record there
//! - in `helper(#{ …`: the names of its parameters; in command style (`errors --li`): its options
//! - in `help(`: the helpers
//! - in strings and comments: nothing
//!
//! Values of parameters are the component's to know: [`wants_values`] says which helper to ask, [`values`] puts the answers
//! as the place wants them.

mod command;
mod cursor;
mod receiver;

use serde_json::Value;

use self::{
    command::Words,
    cursor::{Bracket, Cursor, Inside},
};
use crate::{
    session::{Candidate, Completes, InScope},
    spec::{Param, Registry, Spec},
};

/// Rhai's words that begin or go on a statement; those that a shell has no use for are not offered.
const KEYWORDS: [&str; 24] = [
    "let", "const", "if", "else", "switch", "for", "in", "while", "loop", "do", "until", "break", "continue", "return",
    "fn", "private", "try", "catch", "throw", "import", "export", "as", "true", "false",
];

/// What a session completes lines with.
pub(crate) struct Completion;

impl Completes for Completion {
    fn names(&self, line: &str, at: usize, registry: &Registry, scope: &dyn InScope) -> Vec<Candidate> {
        complete(line, at, registry, scope)
    }

    fn wanted(&self, line: &str, at: usize, registry: &Registry) -> Option<(String, usize, String)> {
        wants_values(line, at, registry)
            .map(|wanted| (wanted.helper.to_owned(), wanted.param, wanted.prefix.to_owned()))
    }

    fn values(&self, line: &str, at: usize, registry: &Registry, known: &[Value]) -> Vec<Candidate> {
        wants_values(line, at, registry).map(|wanted| values(&wanted, known)).unwrap_or_default()
    }
}

/// The candidates for what stands before byte `at` of `line`.
pub(crate) fn complete(line: &str, at: usize, registry: &Registry, scope: &dyn InScope) -> Vec<Candidate> {
    if !line.is_char_boundary(at) {
        return Vec::new();
    }
    if let Some(words) = Words::before(line, at, registry) {
        return words.options();
    }
    let cursor = Cursor::new(line, at);
    match cursor.inside {
        Inside::Comment | Inside::Raw => Vec::new(),
        Inside::Text(quote) if asks_for_help(&cursor) => names(&cursor, registry, |name| format!("{name}{quote}")),
        Inside::Text(_) => Vec::new(),
        Inside::Code if asks_for_help(&cursor) => names(&cursor, registry, |name| format!("\"{name}\"")),
        Inside::Code => match named_arguments(&cursor, registry) {
            Some((spec, taken)) => keys(&cursor, spec, taken),
            None => words(&cursor, line, registry, scope),
        },
    }
}

/// A parameter whose values can be asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wanted<'a> {
    /// The helper's name.
    pub(crate) helper: &'a str,
    /// Which of its parameters.
    pub(crate) param: usize,
    /// What has been typed of the value.
    pub(crate) prefix: &'a str,
    /// Where in the line the value begins.
    pub(crate) start: usize,
    form: Form,
}

/// How a value is written at the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// As Rhai: strings in quotes.
    Code,
    /// Inside a string with this quote.
    Text(char),
    /// A word of command style.
    Word,
}

/// The parameter that the cursor stands in, when its helper knows values for it.
pub(crate) fn wants_values<'a>(line: &'a str, at: usize, registry: &'a Registry) -> Option<Wanted<'a>> {
    if !line.is_char_boundary(at) {
        return None;
    }
    if let Some(words) = Words::before(line, at, registry) {
        return words.wanted();
    }
    let cursor = Cursor::new(line, at);
    let form = match cursor.inside {
        Inside::Code if !cursor.after_dot => Form::Code,
        Inside::Text(quote) => Form::Text(quote),
        Inside::Code | Inside::Comment | Inside::Raw => return None,
    };
    // Of `"run_" + suffix` nothing is known; the quote that opens a string is not part of its content.
    if !cursor.before_word(line).trim_end_matches(['"', '`']).is_empty() {
        return None;
    }
    let (spec, param) = parameter(&cursor, registry)?;
    spec.params.get(param)?.has_values.then_some(Wanted {
        helper: &spec.name,
        param,
        prefix: cursor.word,
        start: cursor.start,
        form,
    })
}

/// The values that go on what was typed, written as the place wants them.
pub(crate) fn values(wanted: &Wanted<'_>, values: &[Value]) -> Vec<Candidate> {
    let fitting = values.iter().filter_map(|value| {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        let replacement = match (wanted.form, value) {
            (Form::Code, Value::String(_)) => format!("\"{}\"", literal(&text, '"')),
            // Back-quoted strings have no escapes, and they are code in part.
            (Form::Text('`'), Value::String(_)) if text.contains(['`', '$']) => return None,
            (Form::Text(quote), Value::String(_)) => format!("{}{quote}", literal(&text, quote)),
            (Form::Text(_), _) => return None,
            (Form::Word, _) if text.is_empty() || !text.chars().all(is_plain) => format!("\"{}\"", literal(&text, '"')),
            (Form::Code | Form::Word, _) => text.clone(),
        };
        text.starts_with(wanted.prefix).then_some((text, replacement))
    });
    let candidate = |(display, replacement)| Candidate { start: wanted.start, replacement, display, doc: None };
    fitting.map(candidate).collect()
}

/// The text as it stands between such quotes in Rhai.
fn literal(text: &str, quote: char) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if quote == '`' && c != '`' => out.push(c),
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

/// Whether a word of command style may hold the character without quotes.
fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '/' | '@' | '+' | '%')
}

/// Whether the cursor stands in the first argument of `help`.
fn asks_for_help(cursor: &Cursor<'_>) -> bool {
    let open = cursor.open.last();
    open.is_some_and(|open| open.bracket == Bracket::Call { name: "help", method: false } && open.commas == 0)
}

/// The helper whose named arguments are being typed, when the cursor stands where a name goes; and the names given already.
fn named_arguments<'a, 'c>(cursor: &'c Cursor<'a>, registry: &'a Registry) -> Option<(&'a Spec, &'c [&'a str])> {
    let (record, around) = cursor.open.split_last()?;
    let Bracket::Call { name, .. } = around.last()?.bracket else { return None };
    let is_name = record.bracket == Bracket::Record && record.key.is_none();
    registry.get(name).filter(|_| is_name).map(|spec| (spec, record.keys.as_slice()))
}

/// The parameter that the cursor stands in.
fn parameter<'a>(cursor: &Cursor<'a>, registry: &'a Registry) -> Option<(&'a Spec, usize)> {
    let (last, around) = cursor.open.split_last()?;
    match last.bracket {
        Bracket::Call { name, method } => Some((registry.get(name)?, last.commas + usize::from(method))),
        Bracket::Record => {
            let Bracket::Call { name, .. } = around.last()?.bracket else { return None };
            let spec = registry.get(name)?;
            let (key, _) = last.key?;
            Some((spec, spec.params.iter().position(|param| param.name == key)?))
        }
        Bracket::Interpolation | Bracket::Other => None,
    }
}

fn keys(cursor: &Cursor<'_>, spec: &Spec, taken: &[&str]) -> Vec<Candidate> {
    let free = spec.params.iter().filter(|param| !taken.contains(&param.name.as_ref()));
    let fitting = free.filter(|param| param.name.starts_with(cursor.word));
    fitting.map(|param| of_param(param, cursor.start, format!("{}: ", param.name))).collect()
}

fn of_param(param: &Param, start: usize, replacement: String) -> Candidate {
    Candidate { start, display: replacement.trim_end().to_owned(), replacement, doc: Some(param.doc.to_string()) }
}

fn of_helper(spec: &Spec, start: usize, replacement: String) -> Candidate {
    Candidate { start, replacement, display: spec.signature(), doc: Some(spec.doc.to_string()) }
}

/// The helpers' names, as values.
fn names(cursor: &Cursor<'_>, registry: &Registry, write: impl Fn(&str) -> String) -> Vec<Candidate> {
    let fitting = registry.iter().filter(|spec| spec.name.starts_with(cursor.word));
    fitting.map(|spec| of_helper(spec, cursor.start, write(&spec.name))).collect()
}

/// Whatever may stand in code.
fn words(cursor: &Cursor<'_>, line: &str, registry: &Registry, scope: &dyn InScope) -> Vec<Candidate> {
    let begins_input = line[..cursor.start].trim().is_empty();
    let called = line[cursor.start + cursor.word.len()..].starts_with('(');
    let helpers = registry.iter().filter(|spec| spec.name.starts_with(cursor.word));
    // What begins the input may go on in either style, `errors(20)` or `errors --limit 20`.
    let helper = |spec: &Spec, params: usize| {
        let call = if called || begins_input {
            ""
        } else if params == 0 {
            "()"
        } else {
            "("
        };
        of_helper(spec, cursor.start, format!("{}{call}", spec.name))
    };
    if cursor.after_dot {
        let takes_record = helpers.filter(|spec| spec.params.first().is_some_and(|param| param.field.is_some()));
        let fields =
            receiver::before(&line[..cursor.start]).map(|receiver| scope.fields(&receiver)).unwrap_or_default();
        let fields = fields.iter().filter(|field| field.starts_with(cursor.word)).map(|field| plain(cursor, field));
        return fields.chain(takes_record.map(|spec| helper(spec, spec.params.len() - 1))).collect();
    }
    let variables = scope.variables();
    if cursor.word.is_empty() && !begins_input {
        // Everything may stand here: a list of everything helps nobody, the person's own names do.
        return variables.iter().map(|name| plain(cursor, name)).collect();
    }
    let own = variables.iter().filter(|name| name.starts_with(cursor.word)).map(|name| plain(cursor, name));
    let keywords = KEYWORDS.iter().filter(|word| !cursor.word.is_empty() && word.starts_with(cursor.word));
    let mut candidates: Vec<Candidate> = own.collect();
    candidates.extend(helpers.map(|spec| helper(spec, spec.params.len())));
    candidates.extend(keywords.map(|word| plain(cursor, word)));
    candidates
}

fn plain(cursor: &Cursor<'_>, word: &str) -> Candidate {
    Candidate { start: cursor.start, replacement: word.to_owned(), display: word.to_owned(), doc: None }
}

#[cfg(test)]
mod tests;
