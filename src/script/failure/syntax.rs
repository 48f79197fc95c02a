//! Texts that do not parse, in our words: what is wrong, and what to write instead.

use rhai::{LexError, ParseError, ParseErrorType};

use super::{super::value::type_word, Helpers, Sources, lower_first};
use crate::{
    console::{At, Failure},
    spec::nearest,
};

/// A text that does not parse.
pub(in crate::script) fn of_parse(error: &ParseError, source: &str, sources: &Sources, helpers: &Helpers) -> Failure {
    let at = sources.at(source, error.1);
    let (message, hint) = match foreign(at.as_ref()) {
        Some(known) => known,
        None => in_words(&error.0),
    };
    let mut failure = Failure::new("syntax", message);
    failure.hint = command_style_hint(at.as_ref(), helpers).or(Some(hint));
    failure.at = at;
    failure
}

type Words = (String, String);

fn words(message: impl Into<String>, hint: impl Into<String>) -> Words {
    (message.into(), hint.into())
}

/// What people write who come from shells, Python and the like.
fn foreign(at: Option<&At>) -> Option<Words> {
    let at = at?;
    let line = at.text.lines().nth(at.line.checked_sub(1)?)?;
    let start = line.char_indices().nth(at.column.saturating_sub(1)).map_or(line.len(), |(start, _)| start);
    let is_comment =
        |text: &str| text.starts_with('#') && !text.starts_with("#{") && !text.trim_start_matches('#').starts_with('"');
    let opened = line.trim_start();
    if is_comment(&line[start..]) || is_comment(opened) {
        return Some(words("`#` begins no comment", "a comment begins with //"));
    }
    for (word, instead) in [
        ("def ", "a function is written fn name(a, b) { … }"),
        ("function ", "a function is written fn name(a, b) { … }"),
        ("var ", "a variable is made with let name = …"),
        ("elif ", "write } else if … { … }"),
        ("import ", "a module is imported as import \"name\" as name"),
        ("from ", "a module is imported as import \"name\" as name"),
    ] {
        if opened.starts_with(word) {
            return Some(words(format!("`{}` is not written like this", word.trim()), instead));
        }
    }
    None
}

fn in_words(kind: &ParseErrorType) -> Words {
    use ParseErrorType as Kind;
    match kind {
        Kind::UnexpectedEOF => words("the input ends too early", "close what is open: brackets, braces, quotes"),
        Kind::BadInput(error) => of_reading(error),
        Kind::UnknownOperator(operator) => words(
            format!("`{operator}` is no operator"),
            "operators are + - * / % ** == != < <= > >= && || ! & | ^ << >> in ??",
        ),
        Kind::MissingToken(token, what) => of_missing(token, what),
        Kind::MissingSymbol(_) => words("something is missing here", "close what is open, or finish the expression"),
        Kind::MalformedIndexExpr(_) => {
            words("this can not be an index", "a list takes an integer, a record a string: list[0], record[\"name\"]")
        }
        Kind::MalformedCapture(_) => {
            words("this call can not take the caller's variables", "write the name, then !(…)")
        }
        Kind::DuplicatedProperty(name) => {
            words(format!("the record has the field `{name}` twice"), "leave one of them out")
        }
        Kind::DuplicatedVariable(name) => {
            words(format!("the name `{name}` stands here twice"), "give one of them another name")
        }
        Kind::WrongSwitchIntegerCase => {
            words("a number stands behind a range", "put the single numbers before the ranges")
        }
        Kind::WrongSwitchDefaultCase => words("`_` is not the last case", "put `_ => …` at the end of the switch"),
        Kind::WrongSwitchCaseCondition => {
            words("`_` takes no condition", "leave the `if` out, or name a value before it")
        }
        Kind::PropertyExpected => words("the name of a field is missing", "write record.name, or record[\"name\"]"),
        Kind::VariableExpected => words("the name of a variable is missing", "write let name = …"),
        Kind::ForbiddenVariable(name) => words(format!("a variable can not be called `{name}`"), "take another name"),
        Kind::Reserved(word) if word == "#" => words("`#` begins no comment", "a comment begins with //"),
        Kind::Reserved(word) if word.starts_with(|first: char| first.is_alphabetic() || first == '_') => {
            words(format!("`{word}` is a word that the language keeps for itself"), "take another name")
        }
        Kind::Reserved(symbol) => {
            words(format!("`{symbol}` means nothing here"), "leave it out, or write it in quotes")
        }
        Kind::MismatchedType(wants, _) if wants.contains("iterable") => {
            words("this can not be gone through", "`for` goes through lists, strings and ranges: for n in 0..10 { … }")
        }
        Kind::MismatchedType(wants, got) => words(
            format!("this wants {}, got {}", a(type_word(wants)), a(type_word(got))),
            "write a value of that type",
        ),
        Kind::ExprExpected(_) => {
            words("a value or an expression is missing here", "write what belongs here, or take away what wants it")
        }
        Kind::WrongDocComment => {
            words("`///` describes a function, and none follows", "an ordinary comment begins with two slashes: //")
        }
        Kind::WrongFnDefinition => words(
            "a function is defined inside of something else",
            "define it outside of blocks and other functions, or write |a, b| …",
        ),
        Kind::FnDuplicatedDefinition(name, count) => words(
            format!("the function `{name}` with {} is defined twice", counted(*count, "parameter")),
            "leave one of them out, or give it another name",
        ),
        Kind::FnMissingName => words("the function has no name", "write fn name(a, b) { … }"),
        Kind::FnMissingParams(name) => {
            words(format!("the function `{name}` has no parentheses"), format!("write fn {name}(a, b) {{ … }}"))
        }
        Kind::FnDuplicatedParam(name, param) => {
            words(format!("the function `{name}` has the parameter `{param}` twice"), "give one of them another name")
        }
        Kind::FnMissingBody(name) if name.is_empty() => words("the function has no body", "write |a, b| a + b"),
        Kind::FnMissingBody(name) => {
            words(format!("the function `{name}` has no body"), format!("write fn {name}(…) {{ … }}"))
        }
        Kind::WrongExport => {
            words("`export` stands inside of something else", "put it outside of blocks and functions")
        }
        Kind::AssignmentToConstant(name) => {
            words(format!("`{name}` is a constant"), format!("let {name} = … makes a variable of that name"))
        }
        Kind::AssignmentToInvalidLHS(_) => {
            words("nothing can be assigned to this", "assign to a variable, a field or an item; to compare, write ==")
        }
        Kind::VariableExists(name) => {
            words(format!("there is a variable `{name}` already"), "give one of them another name")
        }
        Kind::VariableUndefined(name) => {
            words(format!("there is no variable `{name}`"), format!("let {name} = … makes one"))
        }
        Kind::ModuleUndefined(name) => {
            words(format!("there is no module `{name}`"), format!("import \"{name}\" as {name}"))
        }
        Kind::ExprTooDeep => {
            words("too much is nested inside each other", "do it in steps, with variables between them")
        }
        Kind::TooManyFunctions => words("too many functions", "define fewer in one input"),
        Kind::LiteralTooLarge(what, most) => words(
            format!("the {} is larger than {most}", lower_first(what)),
            "read large data in a helper, not in a script",
        ),
        Kind::LoopBreak => {
            words("there is no loop here to leave or to go on with", "`break` and `continue` belong into a loop")
        }
        // The language grows: what it says is better than nothing.
        other => words(lower_first(&other.to_string()), "help() lists the helpers"),
    }
}

/// Text that is not even a word of the language.
fn of_reading(error: &LexError) -> Words {
    match error {
        LexError::UnterminatedString => words("a string is not closed", "add a closing quote"),
        LexError::ImproperSymbol(symbol, note) if symbol == "eval" || note.contains("disabled") => {
            words(format!("`{symbol}` is not allowed here"), "write the code itself")
        }
        LexError::ImproperSymbol(symbol, _) if symbol == "this" => {
            words("`this` is nothing here", "it is the value before the dot when a function is called like value.f()")
        }
        LexError::ImproperSymbol(symbol, _) => words(
            format!("`{symbol}` is no operator"),
            match symbol.as_str() {
                "===" => "write ==",
                "!==" | "<>" => "write !=",
                "->" => "a field is record.name, a function |a| …",
                "++" => "write += 1",
                "--" => "write -= 1; options with -- belong to a command line, as in: errors --limit 20",
                ":=" => "write let name = …",
                "::<" => "functions take no types",
                "(*" | "*)" => "a comment begins with //, or stands between /* and */",
                _ => "help() lists the helpers, and strings stand in double quotes",
            },
        ),
        LexError::StringTooLong(most) => {
            words(format!("a string is longer than {most} bytes"), "read large data in a helper, not in a script")
        }
        LexError::MalformedEscapeSequence(sequence) => words(
            format!("`{sequence}` is no escape"),
            "write \\\\ for a backslash, \\n for a new line, \\u0041 for a character",
        ),
        LexError::MalformedNumber(number) => words(
            format!("`{number}` is no number"),
            "numbers are 42, 1_000, 0.5, 0xff; larger ones than 2^63 are text",
        ),
        LexError::MalformedChar(_) => {
            words("only one character can stand in single quotes", "a string stands in double quotes: \"…\"")
        }
        LexError::MalformedIdentifier(name) => {
            words(format!("`{name}` is no name"), "names are letters, digits and _, and do not begin with a digit")
        }
        LexError::UnexpectedInput(input) => {
            words(format!("`{input}` means nothing here"), "leave it out, or write it in quotes")
        }
        other => words(lower_first(&other.to_string()), "leave it out, or write it in quotes"),
    }
}

fn of_missing(token: &str, what: &str) -> Words {
    let token = token.trim_matches('\'');
    match token {
        ";" => words(
            "`;` is missing between two statements",
            "put `;` between them, or each on a line of its own at the prompt",
        ),
        ")" => words("`)` is missing", "each ( wants its ); arguments are separated by commas"),
        "]" => words("`]` is missing", "each [ wants its ]; items are separated by commas"),
        "}" => words("`}` is missing", "each { wants its }"),
        "|" => words("`|` is missing behind the parameters of a function", "write |a, b| …"),
        "," => words("`,` is missing", "separate items and arguments by commas"),
        ":" => words("`:` is missing behind the name of a field", "write #{name: value, other: value}"),
        "{" => words("`{` is missing", "what is repeated or chosen stands in braces: if a { … }"),
        "(" => words("`(` is missing", "parameters and arguments stand in parentheses"),
        "=" => words("`=` is missing", "write let name = …"),
        "=>" => words("`=>` is missing", "a case is written value => expression,"),
        "in" => words("`in` is missing", "write for item in list { … }"),
        "while" | "until" => {
            words("`while` or `until` is missing behind a `do` block", "write do { … } while condition")
        }
        "catch" => words("`catch` is missing behind a `try` block", "write try { … } catch (error) { … }"),
        "as" => words("`as` is missing", "write import \"name\" as name"),
        _ if what.is_empty() => words(format!("`{token}` is missing"), "finish what was begun"),
        _ => words(format!("`{token}` is missing {what}"), "finish what was begun"),
    }
}

/// "`show run_1`": what a person writes who knows command lines.
fn command_style_hint(at: Option<&At>, helpers: &Helpers) -> Option<String> {
    let at = at?;
    let line = at.text.lines().nth(at.line.checked_sub(1)?)?;
    let line = line.trim_start();
    let word: String = line.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let rest = &line[word.len()..];
    // Behind its parentheses the trouble is something else.
    if let Some(helper) = helpers.get(&word).filter(|_| !rest.starts_with('(')) {
        return Some(format!("write {}", helper.spec().signature()));
    }
    let near = nearest(&word, helpers.keys().map(String::as_str)).filter(|_| word.len() > 2)?;
    (rest.starts_with(' ') && !rest.trim_start().starts_with('=')).then(|| format!("did you mean `{near}`?"))
}

/// A word with its article.
pub(super) fn a(word: &str) -> String {
    match word {
        "nothing" | "true or false" => word.to_owned(),
        _ if word.starts_with("a ") || word.starts_with("an ") => word.to_owned(),
        _ if word.starts_with(['a', 'e', 'i', 'o', 'u']) => format!("an {word}"),
        _ => format!("a {word}"),
    }
}

fn counted(count: usize, what: &str) -> String {
    match count {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}
