//! Where in a text the arguments of secret parameters stand, so that the line is recorded with them masked, also when it
//! does not parse.
//!
//! Errs on the side of masking: a whole argument that holds any literal is masked; so is what stands after a secretive
//! helper's name and is no call, a name that is no parameter's (a mistyped one may hold the secret), and everything
//! behind the name where the text is a comment or does not parse. A variable says nothing and stays.

use std::{cell::Cell, collections::HashMap, ops::Range, sync::Arc};

use super::lexer::{Lexed, Placed, Token, lex};
use crate::{
    console::{At, Failure},
    helper::Callable,
    redact::Redactor,
    spec::Spec,
};

type Helpers = HashMap<String, Arc<dyn Callable>>;
/// Steps from token to token that a search may take: calls inside of calls are read once for each.
const MOST_STEPS: usize = 2_000_000;

/// Whether the language can read a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    Parses,
    /// One quote too many turns what is code and what is text inside out: everything behind a secretive name is masked.
    Fails,
}

/// Byte ranges of secret arguments, in order. `is_variable` knows the variables of the session; `code` is asked only
/// when there is something to hide.
pub(super) fn secret_spans(
    text: &str,
    helpers: &Helpers,
    is_variable: &dyn Fn(&str) -> bool,
    code: impl FnOnce() -> Code,
) -> Vec<Range<usize>> {
    let secretive: HashMap<&str, &Spec> = helpers
        .values()
        .map(|helper| &**helper.spec())
        .filter(|spec| has_secret(spec) && text.contains(spec.name.as_ref()))
        .map(|spec| (spec.name.as_ref(), spec))
        .collect();
    if secretive.is_empty() {
        return Vec::new();
    }
    let search = Search { secretive, is_variable, steps: Cell::new(0) };
    let mut spans = search.spans(text);
    if code() == Code::Fails {
        spans.extend(search.behind_names(text, 0..text.len()));
    }
    let mut spans: Vec<Range<usize>> = spans.into_iter().map(|span| without_blanks(text, span)).collect();
    spans.retain(|span| !span.is_empty());
    spans.sort_by_key(|span| span.start);
    spans
}

/// A failure without the secrets that stand in its source. Where it points into a secret, its words may repeat it.
pub(super) fn masked(
    mut failure: Failure,
    helpers: &Helpers,
    is_variable: &dyn Fn(&str) -> bool,
    code: Code,
    redactor: &Redactor,
) -> Failure {
    let Some(at) = failure.at.take() else { return failure };
    let spans = secret_spans(&at.text, helpers, is_variable, || code);
    let place = byte_at(&at.text, at.line, at.column);
    // The language counts lines and columns no further.
    let is_known = at.line < usize::from(u16::MAX) && at.column < usize::from(u16::MAX);
    let told = |span: &Range<usize>| {
        let words = at.text[span.clone()].split(|c: char| !c.is_alphanumeric());
        words.filter(|word| word.len() > 1).any(|word| failure.message.contains(word))
    };
    if spans.iter().any(|span| span.contains(&place) || !is_known || code == Code::Fails && told(span)) {
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

fn without_blanks(text: &str, span: Range<usize>) -> Range<usize> {
    let part = &text[span.clone()];
    let start = span.start + (part.len() - part.trim_start().len());
    start..start + part.trim().len()
}

fn has_secret(spec: &Spec) -> bool {
    spec.params.iter().any(|param| param.secret)
}

/// A text as it was read.
struct Scan<'t> {
    text: &'t str,
    tokens: &'t [Placed<'t>],
    /// How often each word stands in it.
    mentions: HashMap<&'t str, usize>,
}

struct Search<'s> {
    secretive: HashMap<&'s str, &'s Spec>,
    is_variable: &'s dyn Fn(&str) -> bool,
    steps: Cell<usize>,
}

impl Search<'_> {
    fn spans(&self, text: &str) -> Vec<Range<usize>> {
        let Lexed { tokens, asides } = lex(text);
        let mut mentions: HashMap<&str, usize> = HashMap::new();
        for (token, _) in &tokens {
            if let Token::Word(name) = token {
                *mentions.entry(name).or_default() += 1;
            }
        }
        let scan = Scan { text, tokens: &tokens, mentions };
        let mut spans = Vec::new();
        for (index, (token, _)) in tokens.iter().enumerate() {
            if self.steps.get() > MOST_STEPS {
                return self.behind_names(text, 0..text.len()).into_iter().collect();
            }
            match token {
                Token::Word(name) => spans.extend(self.at_name(name, &scan, index)),
                // `Fn("login")`: whatever is given to it later is in the same text or nowhere.
                Token::Literal(name) if self.secretive.contains_key(name) => {
                    spans.extend(self.literals(&scan, index + 1, |_| false));
                }
                _ => {}
            }
        }
        for aside in asides {
            spans.extend(self.behind_names(text, aside));
        }
        spans
    }

    fn at_name(&self, name: &str, scan: &Scan<'_>, index: usize) -> Vec<Range<usize>> {
        let Some(spec) = self.secretive.get(name) else { return Vec::new() };
        let tokens = scan.tokens;
        // `login!(…)` calls with the caller's variables.
        let open = index + 1 + usize::from(matches!(tokens.get(index + 1), Some((Token::Bang, _))));
        if !tokens.get(open).is_some_and(|(_, at)| scan.text[*at..].starts_with('(')) {
            return self.literals(scan, index + 1, |token| token == Token::Semicolon);
        }
        // In `x.login(…)` the value before the dot is the first argument.
        let method = index > 0 && tokens[index - 1].0 == Token::Dot;
        let mut spans = self.in_call(spec, scan, open + 1, usize::from(method));
        if method
            && spec.params.first().is_some_and(|param| param.secret)
            && index > 1
            && is_literal(tokens[index - 2].0)
        {
            spans.push(tokens[index - 2].1..tokens[index - 1].1);
        }
        spans
    }

    fn in_call(&self, spec: &Spec, scan: &Scan<'_>, from: usize, first: usize) -> Vec<Range<usize>> {
        let tokens = &scan.tokens[from..];
        let mut spans = Vec::new();
        let mut depth = 0_usize;
        let mut argument = first;
        let (mut start, mut begin) = (0, scan.tokens[from - 1].1 + 1);
        for (index, (token, at)) in tokens.iter().enumerate() {
            self.steps.update(|steps| steps + 1);
            match token {
                Token::Open | Token::OpenMap => depth += 1,
                Token::Close if depth > 0 => depth -= 1,
                Token::Comma | Token::Close if depth == 0 => {
                    spans.extend(self.argument(spec, argument, scan, &tokens[start..index], begin..*at));
                    if *token == Token::Close {
                        return spans;
                    }
                    argument += 1;
                    (start, begin) = (index + 1, at + 1);
                }
                // It is not closed, or can not be read on: all of the rest may belong to it.
                Token::End => {
                    spans.extend(self.argument(spec, argument, scan, &tokens[start..=index], begin..scan.text.len()));
                    return spans;
                }
                _ => {}
            }
        }
        spans
    }

    /// `range` is all of the argument's text, with the blanks around it.
    fn argument(
        &self,
        spec: &Spec,
        argument: usize,
        scan: &Scan<'_>,
        tokens: &[Placed<'_>],
        range: Range<usize>,
    ) -> Vec<Range<usize>> {
        let Some((first, start)) = tokens.first() else { return Vec::new() };
        // One too many may be the secret in the wrong place.
        let secret = spec.params.get(argument).is_none_or(|param| param.secret);
        if *first == Token::OpenMap {
            return named(spec, secret, tokens, range.end);
        }
        if !secret {
            return Vec::new();
        }
        let spoken_of =
            |name: &str| scan.mentions.get(name).is_some_and(|times| *times > 1) || (self.is_variable)(name);
        let unquoted = |token: &Token<'_>| matches!(token, Token::Word(name) if !spoken_of(name));
        let start = if *first == Token::End { range.start } else { *start };
        // A secret without quotes is one word that nothing else speaks of.
        let is_bare_word = tokens.len() == 1 && unquoted(first);
        if is_bare_word || tokens.iter().any(|(token, _)| is_literal(*token)) {
            std::iter::once(start..range.end).collect()
        } else {
            Vec::new()
        }
    }

    /// Every literal until `ends`; all of it where words stand in a row, which is no expression: `login ada secret`.
    fn literals(&self, scan: &Scan<'_>, from: usize, ends: impl Fn(Token<'_>) -> bool) -> Vec<Range<usize>> {
        let (rest, end) = (scan.tokens.get(from..).unwrap_or_default(), scan.text.len());
        let upto = rest.iter().position(|(token, _)| ends(*token)).unwrap_or(rest.len());
        self.steps.update(|steps| steps + upto);
        let next_to = |index: usize| rest.get(index).map_or(end, |(_, at)| *at);
        if matches!(rest.first(), Some((Token::Word(_) | Token::Literal(_), _))) {
            return std::iter::once(rest[0].1..next_to(upto)).collect();
        }
        let literals = rest[..upto].iter().enumerate();
        let literals = literals.filter(|(_, (token, _))| matches!(token, Token::Literal(_)));
        literals.map(|(index, (_, at))| *at..next_to(index + 1)).collect()
    }

    /// In text that is not read as code: whatever stands behind a secretive helper's name, to the end of the range.
    fn behind_names(&self, text: &str, range: Range<usize>) -> Option<Range<usize>> {
        let part = &text[range.clone()];
        let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let first = self.secretive.keys().flat_map(|name| part.match_indices(name)).filter(|(at, name)| {
            !is_word(part[..*at].chars().next_back()) && !is_word(part[at + name.len()..].chars().next())
        });
        let behind = first.map(|(at, name)| range.start + at + name.len()).min()?;
        text[behind..range.end].contains(|c: char| c.is_alphanumeric()).then_some(behind..range.end)
    }
}

/// The values of secret and of unknown names in `#{…}`.
fn named(spec: &Spec, all: bool, tokens: &[Placed<'_>], end: usize) -> Vec<Range<usize>> {
    let is_secret =
        |name: &str| all || spec.params.iter().find(|param| param.name == name).is_none_or(|param| param.secret);
    let mut spans = Vec::new();
    let mut depth = 0_usize;
    let mut secret_from: Option<usize> = None;
    for (index, (token, at)) in tokens.iter().enumerate() {
        match token {
            Token::Open | Token::OpenMap => depth += 1,
            Token::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
        if *token == Token::Comma && depth == 1 || depth == 0 && index > 0 || *token == Token::End {
            if let Some(from) = secret_from.take()
                && let Some((_, start)) = tokens.get(from)
            {
                spans.push(*start..if *token == Token::End { end } else { *at });
            }
            continue;
        }
        if let (1, Token::Word(key) | Token::Literal(key), Some((Token::Colon, _))) =
            (depth, token, tokens.get(index + 1))
        {
            secret_from = is_secret(key).then_some(index + 2);
        }
    }
    if let Some((_, at)) = secret_from.and_then(|from| tokens.get(from)) {
        spans.push(*at..end);
    }
    spans
}

/// Whether a secret may stand here; the end of a text that is not closed hides one.
fn is_literal(token: Token<'_>) -> bool {
    matches!(token, Token::Literal(_) | Token::End)
}
