//! Whether a text is a whole input, wants more lines, or is wrong however it goes on.

use rhai::{Engine, LexError, ParseError, ParseErrorType, Position};

use crate::{console::Failure, session::Check};

/// Checks by parsing. An error at the very end of the text, of a kind that more text can mend, wants more lines.
pub(super) fn check(engine: &Engine, text: &str, explain: impl FnOnce(&ParseError) -> Failure) -> Check {
    match engine.compile(text) {
        Ok(_) => Check::Complete,
        Err(error) if is_mendable(&error.0) && is_at_end(text, &error) => Check::Incomplete,
        Err(error) => Check::Wrong(explain(&error)),
    }
}

fn is_mendable(kind: &ParseErrorType) -> bool {
    matches!(
        kind,
        ParseErrorType::UnexpectedEOF
            | ParseErrorType::MissingToken(..)
            | ParseErrorType::MissingSymbol(_)
            | ParseErrorType::ExprExpected(_)
            | ParseErrorType::FnMissingName
            | ParseErrorType::FnMissingParams(_)
            | ParseErrorType::FnMissingBody(_)
            | ParseErrorType::VariableExpected
            | ParseErrorType::PropertyExpected
            // A back-quoted string may span lines.
            | ParseErrorType::BadInput(LexError::UnterminatedString)
    )
}

fn is_at_end(text: &str, error: &ParseError) -> bool {
    if matches!(*error.0, ParseErrorType::UnexpectedEOF) {
        return true;
    }
    if matches!(*error.0, ParseErrorType::BadInput(LexError::UnterminatedString)) {
        return opens_back_quote(text, error.1);
    }
    let (Some(line), column) = (error.1.line(), error.1.position().unwrap_or(0)) else { return true };
    let rest: String = text
        .lines()
        .skip(line - 1)
        .enumerate()
        .flat_map(|(index, line)| {
            line.chars()
                .skip(if index == 0 { column.saturating_sub(1) } else { 0 })
                .chain(std::iter::once('\n'))
                .collect::<Vec<_>>()
        })
        .collect();
    rest.trim().is_empty()
}

fn opens_back_quote(text: &str, position: Position) -> bool {
    let line = position.line().and_then(|line| text.lines().nth(line - 1)).unwrap_or_default();
    line.chars().nth(position.position().unwrap_or(1).saturating_sub(1)) == Some('`')
}
