//! Where in a text the arguments of secret parameters stand, so that the line is recorded with them masked, also when it
//! does not parse.
//!
//! Errs on the side of masking: a whole argument that holds any literal is masked; so is what stands after a secretive
//! helper's name and is no call, a name that is no parameter's (a mistyped one may hold the secret), and everything
//! behind the name where the text can not be read on. A variable says nothing and stays.

use std::{collections::HashMap, ops::Range, sync::Arc};

use rhai::{Engine, Position, Token};

use crate::{
    console::{At, Failure},
    helper::Callable,
    redact::Redactor,
    spec::Spec,
};

type Helpers = HashMap<String, Arc<dyn Callable>>;
type Placed = (Token, usize);

/// Tokens that are looked at; a longer text is searched for names only.
const MOST_TOKENS: usize = 100_000;

/// Byte ranges of secret arguments, in order. `is_variable` knows the variables of the session.
pub(super) fn secret_spans(
    engine: &Engine,
    text: &str,
    helpers: &Helpers,
    is_variable: &dyn Fn(&str) -> bool,
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
    let search = Search { engine, secretive, is_variable };
    let mut spans: Vec<Range<usize>> = search.spans(text).into_iter().map(|span| without_blanks(text, span)).collect();
    spans.retain(|span| !span.is_empty());
    spans.sort_by_key(|span| span.start);
    spans
}

/// A failure without the secrets that stand in its source. Where it points into a secret, its words may repeat it.
pub(super) fn masked(
    mut failure: Failure,
    engine: &Engine,
    helpers: &Helpers,
    is_variable: &dyn Fn(&str) -> bool,
    redactor: &Redactor,
) -> Failure {
    let Some(at) = failure.at.take() else { return failure };
    let spans = secret_spans(engine, &at.text, helpers, is_variable);
    let place = byte_at(&at.text, at.line, at.column);
    if spans.iter().any(|span| span.contains(&place)) {
        failure.message = "the argument of a secret parameter can not be read".to_owned();
        failure.hint = Some("give it as one string, in quotes".to_owned());
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

struct Search<'s> {
    engine: &'s Engine,
    secretive: HashMap<&'s str, &'s Spec>,
    is_variable: &'s dyn Fn(&str) -> bool,
}

impl Search<'_> {
    fn spans(&self, text: &str) -> Vec<Range<usize>> {
        let (tokens, comments, readable) = tokens(self.engine, text);
        let mut spans = Vec::new();
        for (index, (token, _)) in tokens.iter().enumerate() {
            match token {
                Token::Identifier(name) => spans.extend(self.at_name(name, &tokens, index, text)),
                // `sync` and the like: words that the language keeps for later may be helpers too.
                Token::Reserved(name) => spans.extend(self.at_name(name, &tokens, index, text)),
                // `Fn("login")`: whatever is given to it later is on the same line or nowhere.
                Token::StringConstant(name) if self.secretive.contains_key(name.as_str()) => {
                    spans.extend(literals(&tokens, index + 1, text.len(), |_| false));
                }
                _ => {}
            }
        }
        for comment in comments {
            spans.extend(self.behind_names(text, comment));
        }
        spans.extend(self.behind_names(text, readable..text.len()));
        spans
    }

    fn at_name(&self, name: &str, tokens: &[Placed], index: usize, text: &str) -> Vec<Range<usize>> {
        let Some(spec) = self.secretive.get(name) else { return Vec::new() };
        // `login!(…)` calls with the caller's variables.
        let open = index + 1 + usize::from(matches!(tokens.get(index + 1), Some((Token::Bang, _))));
        if !matches!(tokens.get(open), Some((Token::LeftParen, _))) {
            return literals(tokens, index + 1, text.len(), |token| matches!(token, Token::SemiColon));
        }
        // In `x.login(…)` the value before the dot is the first argument.
        let method = index > 0 && matches!(tokens[index - 1].0, Token::Period | Token::Elvis);
        let mut spans = self.in_call(spec, tokens, open + 1, usize::from(method), text);
        if method
            && spec.params.first().is_some_and(|param| param.secret)
            && index > 1
            && is_literal(&tokens[index - 2].0)
        {
            spans.push(tokens[index - 2].1..tokens[index - 1].1);
        }
        spans
    }

    fn in_call(&self, spec: &Spec, all: &[Placed], from: usize, first: usize, text: &str) -> Vec<Range<usize>> {
        let tokens = &all[from..];
        let mut spans = Vec::new();
        let mut depth = 0_usize;
        let mut argument = first;
        let (mut start, mut begin) = (0, all[from - 1].1 + 1);
        for (index, (token, at)) in tokens.iter().enumerate() {
            match token {
                Token::LeftParen | Token::LeftBracket | Token::LeftBrace | Token::MapStart => depth += 1,
                Token::RightParen | Token::RightBracket | Token::RightBrace if depth > 0 => depth -= 1,
                Token::Comma | Token::RightParen if depth == 0 => {
                    spans.extend(self.argument(spec, argument, all, &tokens[start..index], begin..*at));
                    if matches!(token, Token::RightParen) {
                        return spans;
                    }
                    argument += 1;
                    (start, begin) = (index + 1, at + 1);
                }
                // It is not closed, or can not be read on: all of the rest may belong to it.
                Token::EOF => {
                    spans.extend(self.argument(spec, argument, all, &tokens[start..=index], begin..text.len()));
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
        all: &[Placed],
        tokens: &[Placed],
        range: Range<usize>,
    ) -> Vec<Range<usize>> {
        let Some((first, start)) = tokens.first() else { return Vec::new() };
        // One too many may be the secret in the wrong place.
        let secret = spec.params.get(argument).is_none_or(|param| param.secret);
        if matches!(first, Token::MapStart) {
            return named(spec, secret, tokens, range.end);
        }
        if !secret {
            return Vec::new();
        }
        let unquoted = |token: &Token| match token {
            Token::Identifier(name) => {
                let elsewhere = all.iter().filter(|(other, _)| other == token).count() > 1;
                !elsewhere && !(self.is_variable)(name)
            }
            _ => false,
        };
        let start = if matches!(first, Token::EOF) { range.start } else { *start };
        // A secret without quotes is one word that nothing else speaks of.
        let is_bare_word = tokens.len() == 1 && unquoted(first);
        if is_bare_word || tokens.iter().any(|(token, _)| is_literal(token)) {
            std::iter::once(start..range.end).collect()
        } else {
            Vec::new()
        }
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

/// Tokens with their byte positions, the ranges of comments, and how far the text could be read.
fn tokens(engine: &Engine, text: &str) -> (Vec<Placed>, Vec<Range<usize>>, usize) {
    let lines: Vec<usize> = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
    // Positions come in order: a column is counted on from the one before.
    let mut last = (0, 0, 0);
    let mut byte = |position: Position| -> usize {
        let (Some(line), Some(column)) = (position.line(), position.position()) else { return text.len() };
        let Some(start) = lines.get(line - 1) else { return text.len() };
        let (from, counted) = if last.0 == line && last.1 < column { (last.2, last.1) } else { (*start, 1) };
        let at = text[from..].char_indices().nth(column - counted).map_or(text.len(), |(at, _)| from + at);
        last = (line, column, at);
        at
    };
    let (mut stream, _control) = engine.lex(std::slice::from_ref(&text));
    stream.state.include_comments = true;
    let (mut tokens, mut comments) = (Vec::new(), Vec::new());
    let mut readable = text.len();
    for (token, position) in stream {
        let at = byte(position);
        match token {
            Token::Comment(comment) => comments.push(at..text.len().min(at + comment.len())),
            token => {
                let ends = matches!(token, Token::EOF);
                if matches!(token, Token::LexError(_)) || tokens.len() > MOST_TOKENS {
                    // The last good token may have swallowed what the error speaks of.
                    readable = tokens.last().map_or(0, |(_, at)| *at);
                    tokens.push((Token::EOF, text.len()));
                    break;
                }
                tokens.push((token, at));
                if ends {
                    break;
                }
            }
        }
    }
    (tokens, comments, readable)
}

/// Every literal, and every word that follows a literal or stands first, until `ends`.
fn literals(tokens: &[Placed], from: usize, end: usize, ends: impl Fn(&Token) -> bool) -> Vec<Range<usize>> {
    let rest = tokens.get(from..).unwrap_or_default();
    let upto = rest.iter().position(|(token, _)| ends(token)).unwrap_or(rest.len());
    let is_operand = |token: &Token| is_literal(token) || matches!(token, Token::Identifier(_));
    // `login ada secret`: words in a row are no expression.
    let in_a_row = matches!(rest.first(), Some((token, _)) if is_operand(token));
    if in_a_row {
        let stop = rest.get(upto).map_or(end, |(_, at)| *at);
        return std::iter::once(rest[0].1..stop).collect();
    }
    let spans =
        rest[..upto].iter().enumerate().filter(|(_, (token, _))| is_literal(token) && !matches!(token, Token::EOF));
    spans.map(|(index, (_, at))| *at..rest.get(index + 1).map_or(end, |(_, next)| *next)).collect()
}

/// The values of secret and of unknown names in `#{…}`.
fn named(spec: &Spec, all: bool, tokens: &[Placed], end: usize) -> Vec<Range<usize>> {
    let is_secret =
        |name: &str| all || spec.params.iter().find(|param| param.name == name).is_none_or(|param| param.secret);
    let mut spans = Vec::new();
    let mut depth = 0_usize;
    let mut secret_from: Option<usize> = None;
    for (index, (token, at)) in tokens.iter().enumerate() {
        match token {
            Token::MapStart | Token::LeftBrace | Token::LeftParen | Token::LeftBracket => depth += 1,
            Token::RightBrace | Token::RightParen | Token::RightBracket => depth = depth.saturating_sub(1),
            _ => {}
        }
        let is_end = matches!(token, Token::EOF);
        if matches!(token, Token::Comma) && depth == 1 || depth == 0 && index > 0 || is_end {
            if let Some(from) = secret_from.take()
                && let Some((_, start)) = tokens.get(from)
            {
                spans.push(*start..if is_end { end } else { *at });
            }
            continue;
        }
        let is_key = depth == 1 && matches!(tokens.get(index + 1), Some((Token::Colon, _)));
        match token {
            Token::Identifier(key) if is_key => secret_from = is_secret(key).then_some(index + 2),
            Token::StringConstant(key) if is_key => secret_from = is_secret(key).then_some(index + 2),
            _ => {}
        }
    }
    if let Some((_, at)) = secret_from.and_then(|from| tokens.get(from)) {
        spans.push(*at..end);
    }
    spans
}

fn is_literal(token: &Token) -> bool {
    matches!(
        token,
        Token::StringConstant(_)
            | Token::InterpolatedString(_)
            | Token::CharConstant(_)
            | Token::IntegerConstant(_)
            | Token::FloatConstant(_)
            | Token::EOF
    )
}
