//! Where in a text the arguments of secret parameters stand, so that the line is recorded with them masked, also when it
//! does not parse.
//!
//! Errs on the side of masking: a whole argument that holds any literal is masked; so is what stands after a secretive
//! helper's name and is no call, a name that is no parameter's (a mistyped one may hold the secret), and everything
//! behind the name where the text is a comment or does not parse. A variable says nothing and stays.

mod calls;
mod flow;

use std::{collections::HashMap, ops::Range, sync::Arc};

use self::calls::Search;
pub(super) use self::flow::{Learned, Lesson};
use super::lexer::{Token, lex};
use crate::{
    console::{At, Failure},
    helper::Callable,
    redact::Redactor,
    spec::Spec,
};

type Helpers = HashMap<String, Arc<dyn Callable>>;

/// Whether the language can read a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    Parses,
    /// One quote too many turns what is code and what is text inside out: everything behind a secretive name is masked.
    Fails,
}

/// What is known besides the text.
#[derive(Clone, Copy)]
pub(super) struct Known<'k> {
    pub(super) helpers: &'k Helpers,
    /// The variables and functions of the session.
    pub(super) is_variable: &'k dyn Fn(&str) -> bool,
    /// What its functions do with secrets.
    pub(super) learned: &'k Learned,
}

/// Byte ranges of secret arguments, in order, and what the text teaches about its functions. `code` is asked only when
/// there is something to hide.
pub(super) fn secret_spans(text: &str, known: Known<'_>, code: impl FnOnce() -> Code) -> (Vec<Range<usize>>, Lesson) {
    let secretive: HashMap<&str, &Spec> = known
        .helpers
        .values()
        .map(|helper| &**helper.spec())
        .filter(|spec| spec.params.iter().any(|param| param.secret))
        .map(|spec| (spec.name.as_ref(), spec))
        .collect();
    if secretive.is_empty() {
        return (Vec::new(), Lesson::default());
    }
    let search = Search::new(secretive, known);
    let (mut spans, lesson) = search.spans(text);
    if search.names_a_secret(text) && code() == Code::Fails {
        spans.extend(search.behind_names(text, 0..text.len()));
    }
    let mut spans: Vec<Range<usize>> = spans.into_iter().map(|span| without_blanks(text, span)).collect();
    spans.retain(|span| !span.is_empty());
    spans.sort_by_key(|span| span.start);
    (spans, lesson)
}

/// A failure without the secrets that stand in its source. Where it points into a secret, its words may repeat it.
pub(super) fn masked(mut failure: Failure, known: Known<'_>, code: Code, redactor: &Redactor) -> Failure {
    let Some(at) = failure.at.take() else { return failure };
    let (spans, _) = secret_spans(&at.text, known, || code);
    let place = byte_at(&at.text, at.line, at.column);
    // The language counts lines and columns no further.
    let is_known = at.line < usize::from(u16::MAX) && at.column < usize::from(u16::MAX);
    // Where the text does not parse, what is behind a secretive name is a secret up to the end, and the end is a place.
    let is_at = |span: &Range<usize>| span.start <= place && (code == Code::Fails || place < span.end);
    if spans.iter().any(|span| is_at(span) || !is_known) {
        failure.message = "the text can not be read from here on".to_owned();
        failure.hint = Some("it may hold a secret, so it is not repeated: check quotes and brackets".to_owned());
    }
    failure.at = Some(masked_place(at, place, &spans, redactor));
    failure
}

/// The byte at which a line's column begins; both count from 1.
fn byte_at(text: &str, line: usize, column: usize) -> usize {
    let start = if line <= 1 { 0 } else { text.match_indices('\n').nth(line - 2).map_or(text.len(), |(at, _)| at + 1) };
    text[start..].char_indices().nth(column.saturating_sub(1)).map_or(text.len(), |(at, _)| start + at)
}

/// The place with its text masked. A mask may take the place of several lines, so the line is kept where it was.
fn masked_place(at: At, place: usize, spans: &[Range<usize>], redactor: &Redactor) -> At {
    let whole = redactor.text_with_spans(&at.text, spans).into_string();
    let before: Vec<Range<usize>> =
        spans.iter().filter(|span| span.start < place).map(|span| span.start..span.end.min(place)).collect();
    let before = redactor.text_with_spans(&at.text[..place], &before).into_string();
    let line = before.matches('\n').count();
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let text = match line + 1 == at.line {
        true => whole,
        false => format!("{}{}", "\n".repeat(at.line.saturating_sub(1)), whole.lines().nth(line).unwrap_or_default()),
    };
    At { text, column, ..at }
}

/// The texts in a masked range that are looked for elsewhere too: all of it, and each string in it. What is longer than
/// that is half a line that could not be read, and a short number is a number.
pub(crate) fn secret_literals(masked: &str) -> Vec<&str> {
    const LONGEST: usize = 200;
    const SHORTEST_NUMBER: usize = 6;
    let whole = Some(masked.trim().trim_matches(['"', '`'])).filter(|_| masked.len() <= LONGEST);
    let lexed = lex(masked);
    let strings = lexed.tokens.into_iter().filter_map(|(token, _)| match token {
        Token::Literal(text) if text.len() <= LONGEST => Some(text),
        _ => None,
    });
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    whole.into_iter().chain(strings).filter(|text| !is_number(text) || text.len() >= SHORTEST_NUMBER).collect()
}

fn without_blanks(text: &str, span: Range<usize>) -> Range<usize> {
    let part = &text[span.clone()];
    let start = span.start + (part.len() - part.trim_start().len());
    start..start + part.trim().len()
}
