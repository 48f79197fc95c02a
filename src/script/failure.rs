//! Errors of the language, told in our words: what was wrong, where, and one hint.

mod argument;
mod syntax;

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use rhai::{EvalAltResult, ParseError, Position};

use self::syntax::a;
pub(super) use self::syntax::of_parse;
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
    let (blame, called_back) = match &error {
        EvalAltResult::ErrorRuntime(value, _) => {
            let message = value.to_string();
            (run.thrown(&message).and_then(|error| error.argument), run.called_back(&message))
        }
        _ => (None, None),
    };
    let mut failure = in_words(error, helpers, variables, run);
    if called_back.is_some() {
        failure.at = called_back;
        return failure;
    }
    failure.at = sources.at(&source, position).filter(|_| happened_here);
    if let (Some(at), Some(blame)) = (failure.at.take_if(|_| blame.is_some()), &blame) {
        failure.at = Some(argument::pointed_at(at, blame));
    }
    failure
}

fn in_words(error: EvalAltResult, helpers: &Helpers, variables: &[String], run: &Run) -> Failure {
    use EvalAltResult as Kind;
    let failed = |kind: &str, message: String, hint: &str| Failure::new(kind, message).hint(hint);
    match error {
        Kind::ErrorFunctionNotFound(signature, _) => missing_function(&signature, helpers, variables),
        Kind::ErrorVariableNotFound(name, _) => unknown_variable(&name, helpers, variables),
        Kind::ErrorRuntime(value, _) => {
            let text = value.to_string();
            match run.thrown(&text) {
                Some(error) => of_helper(error),
                None if text.is_empty() => {
                    Failure::new("thrown", "the script threw nothing").hint("throw \"what is wrong\" says more")
                }
                None => Failure::new("thrown", text).hint("the script says so itself, with `throw`"),
            }
        }
        Kind::ErrorModuleNotFound(name, _) => failed(
            "import",
            format!("there is no module `{name}`"),
            "modules come from the shell's script directory, by their plain names",
        ),
        Kind::ErrorStackOverflow(_) => {
            failed("limit", "functions call each other too deep".to_owned(), "use a loop instead of recursion")
        }
        Kind::ErrorDataTooLarge(what, _) => {
            failed("limit", format!("{} grows too large", what.to_lowercase()), "work on fewer things at once")
        }
        Kind::ErrorTooManyVariables(_) => {
            failed("limit", "too many variables".to_owned(), "keep values in a list or a record")
        }
        Kind::ErrorTooManyOperations(_) => failed("limit", "too many operations".to_owned(), "do less in one command"),
        Kind::ErrorTooManyModules(_) => failed("limit", "too many modules".to_owned(), "import fewer"),
        Kind::ErrorPropertyNotFound(name, _) => Failure::new("unknown_property", format!("there is no field `{name}`"))
            .hint(format!("record.get(\"{name}\") is nothing where there is none")),
        Kind::ErrorMismatchOutputType(wants, got, _) | Kind::ErrorMismatchDataType(wants, got, _) => failed(
            "wrong_type",
            format!("wants {}, got {}", a(type_word(&wants)), a(type_word(&got))),
            "type_of(value) says what a value is",
        ),
        Kind::ErrorIndexNotFound(index, _) => {
            failed("unknown_property", format!("there is nothing at `{index}`"), "record.keys() says what there is")
        }
        Kind::ErrorIndexingType(what, _) => failed(
            "wrong_type",
            format!("{} has no items", a(type_word(what.split(" [").next().unwrap_or(&what)))),
            "lists, records, strings and numbers have: list[0], record[\"name\"]",
        ),
        Kind::ErrorArrayBounds(count, index, _) => out_of_bounds("list", "item", count, index),
        Kind::ErrorStringBounds(count, index, _) => out_of_bounds("string", "character", count, index),
        Kind::ErrorBitFieldBounds(count, index, _) => out_of_bounds("number", "bit", count, index),
        Kind::ErrorUnboundThis(_) => failed(
            "script",
            "`this` is nothing here".to_owned(),
            "it is the value before the dot when a function is called like value.f()",
        ),
        Kind::ErrorFor(_) => failed(
            "wrong_type",
            "this can not be gone through".to_owned(),
            "`for` goes through lists, strings and ranges: for n in 0..10 { … }, for name in record.keys() { … }",
        ),
        Kind::ErrorVariableExists(name, _) => {
            failed("script", format!("there is a variable `{name}` already"), "give one of them another name")
        }
        Kind::ErrorForbiddenVariable(name, _) => {
            failed("script", format!("a variable can not be called `{name}`"), "take another name")
        }
        Kind::ErrorDataRace(name, _) => failed(
            "script",
            format!("`{name}` is used while it is being changed"),
            "copy it into another variable first",
        ),
        Kind::ErrorNonPureMethodCallOnConstant(name, _) => failed(
            "script",
            format!("`{name}` changes what it is called on, and that is a constant"),
            "copy it into a variable first: let copy = …",
        ),
        Kind::ErrorAssignmentToConstant(name, _) => Failure::new("script", format!("`{name}` is a constant"))
            .hint(format!("let {name} = … makes a variable of that name")),
        Kind::ErrorDotExpr(..) => failed(
            "unknown_property",
            "this can not stand behind a dot".to_owned(),
            "write record.name, record[\"name\"] or value.function()",
        ),
        Kind::ErrorArithmetic(message, _) => of_arithmetic(&message),
        Kind::ErrorTerminated(..) => Failure::new("cancelled", "interrupted"),
        mut other => {
            let _ = other.take_position();
            Failure::new("script", lower_first(&other.to_string())).hint("help() lists the helpers")
        }
    }
}

fn out_of_bounds(what: &str, part: &str, count: usize, index: i64) -> Failure {
    let has = match count {
        0 => format!("the {what} is empty"),
        1 => format!("the {what} has 1 {part}"),
        _ => format!("the {what} has {count} {part}s"),
    };
    let hint = match count {
        0 => "value.len() says how many there are".to_owned(),
        1 => format!("the only {part} is [0]"),
        _ => format!("the first {part} is [0], the last [{}] or [-1]", count - 1),
    };
    Failure::new("out_of_range", format!("{has}, and there is none at {index}")).hint(hint)
}

/// `message` is the language's own.
fn of_arithmetic(message: &str) -> Failure {
    let is = |what: &str| message.to_lowercase().contains(what);
    let (message, hint) = if is("zero") {
        ("division by zero".to_owned(), "check the divisor first: if n != 0 { … }")
    } else if is("overflow") || is("too large") {
        ("the number grows too large".to_owned(), "integers have 64 bits; 1.0 instead of 1 calculates with fractions")
    } else if let Some((_, number)) = message.split_once("number '") {
        let number = number.split('\'').next().unwrap_or_default();
        (format!("{number:?} is no number"), "numbers are 42, 1_000, 0.5, 0xff")
    } else {
        (lower_first(message), "check the numbers before you calculate")
    };
    Failure::new("arithmetic", message).hint(hint)
}

/// An error inside functions belongs to where the innermost was defined.
fn innermost(error: EvalAltResult, source: String, sources: &Sources) -> (EvalAltResult, String) {
    match error {
        EvalAltResult::ErrorInFunctionCall(name, from, inner, _) => {
            let source = sources.of_call(&name, &from).or(Some(from).filter(|from| !from.is_empty()));
            innermost(*inner, source.unwrap_or_default(), sources)
        }
        EvalAltResult::ErrorInModule(name, mut inner, position) => match inner.position().is_none() {
            true => {
                inner.set_position(position);
                (*inner, source)
            }
            false => innermost(*inner, format!("{name}.rhai"), sources),
        },
        other => (other, source),
    }
}

/// A function that a helper called back failed: the helper is told why, and usually says it on.
pub(super) fn of_callback(
    error: EvalAltResult,
    source: &str,
    sources: &Sources,
    helpers: &Helpers,
    run: &Run,
) -> HelperError {
    let (inner, source) = innermost(error, source.to_owned(), sources);
    if matches!(inner, EvalAltResult::ErrorTerminated(..)) {
        return HelperError::new("cancelled", "the command is over");
    }
    let helper_failed =
        matches!(&inner, EvalAltResult::ErrorRuntime(value, _) if run.thrown(&value.to_string()).is_some());
    let blame = match &inner {
        EvalAltResult::ErrorRuntime(value, _) => run.thrown(&value.to_string()).and_then(|error| error.argument),
        _ => None,
    };
    let place = sources.at(&source, inner.position());
    let place = place.map(|at| match &blame {
        Some(blame) => argument::pointed_at(at, blame),
        None => at,
    });
    let failure = in_words(inner, helpers, &[], run);
    let (kind, message) = match helper_failed {
        true => (run.thrown(&failure.message).map_or("callback", |error| error.kind), failure.message),
        false if failure.kind == "limit" => ("limit", failure.message),
        false => ("callback", format!("the function failed: {}", failure.message)),
    };
    if let Some(at) = place {
        run.remember_called_back(&message, at);
    }
    HelperError { kind, message, hint: failure.hint, argument: None }
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
        return Failure::new("wrong_type", format!("`{name}` does not work on {given}"))
            .hint("type_of(value) says what a value is");
    }
    if let Some(field) = name.strip_prefix("get$") {
        return Failure::new(
            "unknown_property",
            format!("there is no field `{field}` on {}", types.first().unwrap_or(&"this value")),
        )
        .hint("records have fields; type_of(value) says what a value is");
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
