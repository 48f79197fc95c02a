//! Errors of the language, told in our words: what was wrong, where, and one hint.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use rhai::{EvalAltResult, ParseError, ParseErrorType, Position};

use super::{run::Run, value::type_word};
use crate::{
    console::{At, Failure},
    helper::{Callable, HelperError},
    spec::nearest,
};

type Helpers = HashMap<String, Arc<dyn Callable>>;

/// Texts kept for errors inside functions of earlier inputs.
const KEPT_SOURCES: usize = 256;

/// The texts of inputs by name, and where functions were defined.
#[derive(Default)]
pub(super) struct Sources {
    texts: VecDeque<(String, String)>,
    functions: HashMap<(String, usize), String>,
}

impl Sources {
    pub(super) fn keep(&mut self, name: &str, text: &str) {
        if self.texts.len() >= KEPT_SOURCES {
            self.texts.pop_front();
        }
        self.texts.push_back((name.to_owned(), text.to_owned()));
    }

    pub(super) fn keep_function(&mut self, name: &str, params: usize, source: &str) {
        self.functions.insert((name.to_owned(), params), source.to_owned());
    }

    /// What a function's own source is called: the language says which module it is from, but joins all inputs to one.
    fn of_call(&self, function: &str, from: &str) -> Option<String> {
        let from_module = from.ends_with(".rhai") && self.texts.iter().any(|(name, _)| name == from);
        if from_module { Some(from.to_owned()) } else { self.of_function(function).map(ToOwned::to_owned) }
    }

    fn of_function(&self, name: &str) -> Option<&str> {
        self.functions.iter().find(|((function, _), _)| function == name).map(|(_, source)| source.as_str())
    }

    pub(super) fn at(&self, source: &str, position: Position) -> Option<At> {
        let (_, text) = self.texts.iter().rev().find(|(name, _)| name == source)?;
        Some(At {
            source: source.to_owned(),
            text: text.clone(),
            line: position.line()?,
            column: position.position().unwrap_or(1),
        })
    }
}

/// A text that does not parse.
pub(super) fn of_parse(error: &ParseError, source: &str, sources: &Sources, helpers: &Helpers) -> Failure {
    let (message, hint) = match &*error.0 {
        ParseErrorType::UnexpectedEOF => ("the input ends too early".to_owned(), None),
        ParseErrorType::Reserved(word) => (format!("`{word}` is a word that the language keeps for itself"), None),
        ParseErrorType::BadInput(rhai::LexError::ImproperSymbol(symbol, note))
            if symbol == "eval" || note.contains("disabled") =>
        {
            (format!("`{symbol}` is not allowed here"), None)
        }
        ParseErrorType::BadInput(rhai::LexError::UnterminatedString) => {
            ("a string is not closed".to_owned(), Some("add a closing quote".to_owned()))
        }
        ParseErrorType::UnknownOperator(operator) => (format!("`{operator}` is no operator"), None),
        other => (lower_first(&other.to_string()), None),
    };
    let mut failure = Failure::new("syntax", message);
    failure.hint = hint;
    failure.at = sources.at(source, error.1);
    if failure.hint.is_none() {
        failure.hint = command_style_hint(failure.at.as_ref(), helpers);
    }
    failure
}

/// "`show run_1`": what a person writes who knows command lines.
fn command_style_hint(at: Option<&At>, helpers: &Helpers) -> Option<String> {
    let at = at?;
    let line = at.text.lines().nth(at.line - 1)?;
    let word: String = line.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    if helpers.contains_key(&word) {
        return Some(format!("write {}", helpers[&word].spec().signature()));
    }
    let near = nearest(&word, helpers.keys().map(String::as_str)).filter(|_| word.len() > 2)?;
    (line.trim_start()[word.len()..].starts_with(' ') && !line.trim_start()[word.len()..].trim_start().starts_with('='))
        .then(|| format!("did you mean `{near}`?"))
}

/// A failed evaluation.
pub(super) fn of_evaluation(
    error: EvalAltResult,
    source: &str,
    sources: &Sources,
    helpers: &Helpers,
    variables: &[String],
    run: &Run,
) -> Failure {
    let (error, source) = innermost(error, source.to_owned(), sources);
    let position = error.position();
    if let EvalAltResult::ErrorParsing(kind, position) = error {
        return of_parse(&ParseError(Box::new(kind), position), &source, sources, helpers);
    }
    // What was noticed somewhere did not happen there.
    let happened_here = !matches!(&error, EvalAltResult::ErrorTerminated(token, _) if token.is_unit());
    let mut failure = in_words(error, helpers, variables, run);
    failure.at = sources.at(&source, position).filter(|_| happened_here);
    failure
}

fn in_words(error: EvalAltResult, helpers: &Helpers, variables: &[String], run: &Run) -> Failure {
    match error {
        EvalAltResult::ErrorFunctionNotFound(signature, _) => missing_function(&signature, helpers, variables),
        EvalAltResult::ErrorVariableNotFound(name, _) => unknown_variable(&name, helpers, variables),
        EvalAltResult::ErrorRuntime(value, _) => {
            let text = value.to_string();
            match run.thrown(&text) {
                Some(error) => of_helper(error),
                None if text.is_empty() => Failure::new("thrown", "the script threw nothing"),
                None => Failure::new("thrown", text),
            }
        }
        EvalAltResult::ErrorModuleNotFound(name, _) => Failure::new("import", format!("there is no module `{name}`"))
            .hint("modules come from the shell's script directory, by their plain names"),
        EvalAltResult::ErrorStackOverflow(_) => {
            Failure::new("limit", "functions call each other too deep").hint("use a loop instead of recursion")
        }
        EvalAltResult::ErrorDataTooLarge(what, _) => {
            Failure::new("limit", format!("{} grows too large", what.to_lowercase()))
        }
        EvalAltResult::ErrorTooManyVariables(_) => Failure::new("limit", "too many variables"),
        EvalAltResult::ErrorPropertyNotFound(name, _) => {
            Failure::new("unknown_property", format!("there is no field `{name}`"))
                .hint(format!("record.get(\"{name}\") is nothing where there is none"))
        }
        EvalAltResult::ErrorMismatchOutputType(wants, got, _) | EvalAltResult::ErrorMismatchDataType(wants, got, _) => {
            Failure::new("wrong_type", format!("wants {}, got {}", type_word(&wants), type_word(&got)))
        }
        EvalAltResult::ErrorTerminated(..) => Failure::new("cancelled", "interrupted"),
        mut other => {
            let _ = other.take_position();
            Failure::new("script", lower_first(&other.to_string()))
        }
    }
}

/// An error inside functions belongs to where the innermost was defined.
fn innermost(error: EvalAltResult, source: String, sources: &Sources) -> (EvalAltResult, String) {
    match error {
        EvalAltResult::ErrorInFunctionCall(name, from, inner, _) => {
            let source = sources.of_call(&name, &from).or(Some(from).filter(|from| !from.is_empty()));
            innermost(*inner, source.unwrap_or_default(), sources)
        }
        EvalAltResult::ErrorInModule(name, inner, position) => match inner.position().is_none() {
            true => (EvalAltResult::ErrorRuntime(inner.to_string().into(), position), source),
            false => innermost(*inner, format!("{name}.rhai"), sources),
        },
        other => (other, source),
    }
}

/// A function that a helper called back failed: the helper is told why, and usually says it on.
pub(super) fn of_callback(error: EvalAltResult, helpers: &Helpers, run: &Run) -> HelperError {
    let mut inner = error;
    while let EvalAltResult::ErrorInFunctionCall(_, _, within, _) | EvalAltResult::ErrorInModule(_, within, _) = inner {
        inner = *within;
    }
    if matches!(inner, EvalAltResult::ErrorTerminated(..)) {
        return HelperError::new("cancelled", "the command is over");
    }
    let helper_failed =
        matches!(&inner, EvalAltResult::ErrorRuntime(value, _) if run.thrown(&value.to_string()).is_some());
    let place = inner.position().line().map_or_else(String::new, |line| format!(", on its line {line}"));
    let failure = in_words(inner, helpers, &[], run);
    let (kind, message) = match helper_failed {
        true => (run.thrown(&failure.message).map_or("callback", |error| error.kind), failure.message),
        false if failure.kind == "limit" => ("limit", failure.message),
        false => ("callback", format!("the function failed{place}: {}", failure.message)),
    };
    HelperError { kind, message, hint: failure.hint }
}

/// What a helper says about a call.
pub(super) fn of_helper(error: HelperError) -> Failure {
    let mut failure = Failure::new(error.kind, error.message);
    failure.hint = error.hint;
    failure
}

/// `signature` is the language's own, for example `shw (i64, string)`.
fn missing_function(signature: &str, helpers: &Helpers, variables: &[String]) -> Failure {
    let (name, rest) = signature.split_once(" (").unwrap_or((signature, ""));
    let types: Vec<&str> =
        rest.trim_end_matches(')').split(", ").filter(|word| !word.is_empty()).map(type_word).collect();
    if let Some(helper) = helpers.get(name) {
        let spec = helper.spec();
        let most = spec.params.len();
        return Failure::new(
            "wrong_number",
            format!("`{name}` takes at most {most} argument{}, got {}", if most == 1 { "" } else { "s" }, types.len()),
        )
        .hint(format!("write {}", spec.signature()));
    }
    let is_word = name.starts_with(|first: char| first.is_alphabetic() || first == '_');
    if !is_word {
        let given = types.join(" and ");
        return Failure::new("wrong_type", format!("`{name}` does not work on {given}"));
    }
    if let Some(field) = name.strip_prefix("get$") {
        return Failure::new(
            "unknown_property",
            format!("there is no field `{field}` on {}", types.first().unwrap_or(&"this value")),
        );
    }
    unknown_function(name, helpers, variables)
}

/// A name that nothing has.
pub(super) fn unknown_function(name: &str, helpers: &Helpers, variables: &[String]) -> Failure {
    let failure = Failure::new("unknown_function", format!("there is no function `{name}`"));
    match nearest_name(name, helpers, variables) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure.hint("help() lists the helpers; for a function of the language, check what it is called on"),
    }
}

fn unknown_variable(name: &str, helpers: &Helpers, variables: &[String]) -> Failure {
    let failure = Failure::new("unknown_variable", format!("there is no variable `{name}`"));
    if let Some(helper) = helpers.get(name) {
        return Failure::new("missing_argument", format!("`{name}` is a helper and wants arguments"))
            .hint(format!("write {}", helper.spec().signature()));
    }
    match nearest_name(name, helpers, variables) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure.hint(format!("let {name} = … makes one")),
    }
}

fn nearest_name(name: &str, helpers: &Helpers, variables: &[String]) -> Option<String> {
    const OURS: &[&str] = &["help", "session", "exit", "sleep", "print"];
    let mut names: Vec<&str> = helpers
        .keys()
        .map(String::as_str)
        .chain(OURS.iter().copied())
        .chain(variables.iter().map(String::as_str))
        .collect();
    names.sort_unstable();
    nearest(name, names.into_iter()).map(ToOwned::to_owned)
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) if !text.starts_with("'") => first.to_lowercase().chain(letters).collect(),
        _ => text.to_owned(),
    }
}
