//! Where in a text the arguments of secret parameters stand, so that the line is recorded with them masked, also when it
//! does not parse. A whole argument that holds any literal is masked; a bare variable says nothing and stays.

use std::{collections::HashMap, ops::Range, sync::Arc};

use rhai::{Engine, Position, Token};

use crate::{helper::Callable, spec::Spec};

/// Byte ranges of secret arguments, in order.
pub(crate) fn secret_spans(
    engine: &Engine,
    text: &str,
    helpers: &HashMap<String, Arc<dyn Callable>>,
) -> Vec<Range<usize>> {
    let secretive = |name: &str| helpers.get(name).map(|helper| &**helper.spec()).filter(|spec| has_secret(spec));
    if !helpers.values().any(|helper| has_secret(helper.spec()) && text.contains(helper.spec().name.as_ref())) {
        return Vec::new();
    }
    let tokens = tokens(engine, text);
    let mut spans = Vec::new();
    for (index, (token, _)) in tokens.iter().enumerate() {
        let Token::Identifier(name) = token else { continue };
        let Some(spec) = secretive(name) else { continue };
        if !matches!(tokens.get(index + 1), Some((Token::LeftParen, _))) {
            continue;
        }
        // In `x.login(…)` the value before the dot is the first argument.
        let method = index > 0 && matches!(tokens[index - 1].0, Token::Period | Token::Elvis);
        spans.extend(in_call(spec, &tokens[index + 2..], usize::from(method), text.len()));
    }
    spans.sort_by_key(|span| span.start);
    spans
}

fn has_secret(spec: &Spec) -> bool {
    spec.params.iter().any(|param| param.secret)
}

/// Tokens with their byte positions; what can not be read ends them.
fn tokens(engine: &Engine, text: &str) -> Vec<(Token, usize)> {
    let starts: Vec<usize> = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let byte = |position: Position| -> usize {
        let (Some(line), Some(column)) = (position.line(), position.position()) else { return text.len() };
        let Some(start) = starts.get(line - 1) else { return text.len() };
        text[*start..].char_indices().nth(column - 1).map_or(text.len(), |(at, _)| start + at)
    };
    let (stream, _control) = engine.lex(std::slice::from_ref(&text));
    let mut tokens = Vec::new();
    for (token, position) in stream {
        let end = matches!(token, Token::EOF | Token::LexError(_));
        tokens.push((token, byte(position)));
        if end || tokens.len() > 100_000 {
            break;
        }
    }
    tokens
}

fn in_call(spec: &Spec, tokens: &[(Token, usize)], first: usize, end: usize) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut depth = 0_usize;
    let mut argument = first;
    let mut start = 0;
    for (index, (token, at)) in tokens.iter().enumerate() {
        match token {
            Token::LeftParen | Token::LeftBracket | Token::LeftBrace | Token::MapStart => depth += 1,
            Token::RightParen | Token::RightBracket | Token::RightBrace if depth > 0 => depth -= 1,
            Token::Comma if depth == 0 => {
                spans.extend(argument_spans(spec, argument, &tokens[start..index], *at));
                argument += 1;
                start = index + 1;
            }
            Token::RightParen | Token::EOF | Token::LexError(_) => {
                let stop = if matches!(token, Token::RightParen) { *at } else { end };
                spans.extend(argument_spans(spec, argument, &tokens[start..=index], stop));
                return spans;
            }
            _ => {}
        }
    }
    spans
}

fn argument_spans(spec: &Spec, argument: usize, tokens: &[(Token, usize)], end: usize) -> Vec<Range<usize>> {
    let Some((first, start)) = tokens.first() else { return Vec::new() };
    let positional = spec.params.get(argument).is_some_and(|param| param.secret);
    if matches!(first, Token::MapStart) {
        return named_spans(spec, positional, tokens, end);
    }
    let is_secret = positional && tokens.iter().any(|(token, _)| is_literal(token));
    is_secret.then_some(*start..end).into_iter().collect()
}

/// The values of secret names in `#{…}`.
fn named_spans(spec: &Spec, all: bool, tokens: &[(Token, usize)], end: usize) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut depth = 0_usize;
    let mut secret_from: Option<usize> = None;
    for (index, (token, at)) in tokens.iter().enumerate() {
        match token {
            Token::MapStart | Token::LeftBrace | Token::LeftParen | Token::LeftBracket => depth += 1,
            Token::RightBrace | Token::RightParen | Token::RightBracket => depth = depth.saturating_sub(1),
            _ => {}
        }
        let ends = matches!(token, Token::Comma) && depth == 1
            || depth == 0 && index > 0
            || matches!(token, Token::LexError(_) | Token::EOF);
        if ends {
            if let Some(from) = secret_from.take() {
                let stop = if matches!(token, Token::LexError(_) | Token::EOF) { end } else { *at };
                spans.push(tokens[from].1..stop);
            }
            continue;
        }
        let is_key = depth == 1 && matches!(tokens.get(index + 1), Some((Token::Colon, _)));
        if let (true, Token::Identifier(key)) = (is_key, token) {
            secret_from = is_secret(spec, key, all).then_some(index + 2);
        } else if let (true, Token::StringConstant(key)) = (is_key, token) {
            secret_from = is_secret(spec, key, all).then_some(index + 2);
        }
    }
    if let Some((_, at)) = secret_from.and_then(|from| tokens.get(from)) {
        spans.push(*at..end);
    }
    spans
}

fn is_secret(spec: &Spec, name: &str, all: bool) -> bool {
    all || spec.params.iter().any(|param| param.secret && param.name == name)
}

fn is_literal(token: &Token) -> bool {
    matches!(
        token,
        Token::StringConstant(_)
            | Token::InterpolatedString(_)
            | Token::CharConstant(_)
            | Token::IntegerConstant(_)
            | Token::FloatConstant(_)
            | Token::LexError(_)
            | Token::EOF
    )
}
