//! Where in a text the argument stands that is to blame for a failed call: the caret belongs below it, and not below the
//! helper's name.

use std::ops::Range;

use super::super::lexer::{Placed, Token, lex};
use crate::{console::At, helper::Blame};

/// The place of the argument, when the call at this place has it; the place of the call otherwise.
pub(super) fn pointed_at(at: At, blame: &Blame) -> At {
    let Some(start) = byte_at(&at) else { return at };
    let tokens = lex(&at.text).tokens;
    let Some(name) = tokens.iter().position(|(_, token_at)| *token_at == start) else { return at };
    let Some(byte) = place(&tokens, name, blame, &at.text) else { return at };
    let before = &at.text[..byte];
    At {
        line: before.matches('\n').count() + 1,
        column: before.rsplit('\n').next().unwrap_or_default().chars().count() + 1,
        ..at
    }
}

fn byte_at(at: &At) -> Option<usize> {
    let start = match at.line {
        0 | 1 => 0,
        line => at.text.match_indices('\n').nth(line - 2)?.0 + 1,
    };
    let line = &at.text[start..];
    line.char_indices().nth(at.column.saturating_sub(1)).map(|(column, _)| start + column)
}

fn place(tokens: &[Placed<'_>], name: usize, blame: &Blame, text: &str) -> Option<usize> {
    let open = name + 1;
    let (Token::Open, open_at) = *tokens.get(open)? else { return None };
    if !text[open_at..].starts_with('(') {
        return None;
    }
    let is_method = name > 0 && tokens[name - 1].0 == Token::Dot;
    let arguments = arguments(tokens, open)?;
    let record = arguments.last().filter(|range| tokens[range.start].0 == Token::OpenMap).cloned();
    match blame {
        Blame::Value(index, name) => {
            let named = record.and_then(|record| value_of(tokens, record, name));
            let given = || arguments.get(index.checked_sub(usize::from(is_method))?).map(|range| tokens[range.start].1);
            named.map(|(_, value)| value).or_else(given)
        }
        Blame::Name(name) => value_of(tokens, record?, name).map(|(key, _)| key),
    }
}

/// The tokens of each argument of the call that opens here; `None` where it is not closed.
fn arguments(tokens: &[Placed<'_>], open: usize) -> Option<Vec<Range<usize>>> {
    let (mut depth, mut start, mut arguments) = (0_usize, open + 1, Vec::new());
    for (index, (token, _)) in tokens.iter().enumerate().skip(open + 1) {
        match token {
            Token::Open | Token::OpenMap => depth += 1,
            Token::Close | Token::Comma if depth == 0 => {
                if start < index {
                    arguments.push(start..index);
                }
                start = index + 1;
                if *token == Token::Close {
                    return Some(arguments);
                }
            }
            Token::Close => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Where a field of a record is named, and where its value begins.
fn value_of(tokens: &[Placed<'_>], record: Range<usize>, name: &str) -> Option<(usize, usize)> {
    let mut depth = 0_usize;
    for index in record {
        match tokens[index].0 {
            Token::Open | Token::OpenMap => depth += 1,
            Token::Close => depth = depth.saturating_sub(1),
            Token::Word(key) | Token::Literal(key) if depth == 1 && key == name => {
                if let (Some((Token::Colon, _)), Some((_, value))) = (tokens.get(index + 1), tokens.get(index + 2)) {
                    return Some((tokens[index].1, *value));
                }
            }
            _ => {}
        }
    }
    None
}
