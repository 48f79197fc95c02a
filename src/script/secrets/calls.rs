//! The calls of helpers that take secrets, in one text: their secret arguments, and the names that stand in them.
//!
//! A name that is nearly that of such a helper is taken for it: whoever mistypes it has typed the secret all the same.

use std::{cell::RefCell, collections::HashMap, ops::Range};

use super::{
    super::{
        lexer::{Lexed, Placed, Token, lex},
        names::OURS,
    },
    Known,
    flow::{Flow, Lesson},
};
use crate::spec::{Spec, nearest};

/// A text as it was read.
struct Scan<'t> {
    text: &'t str,
    tokens: &'t [Placed<'t>],
    /// How often each word stands in it.
    mentions: HashMap<&'t str, usize>,
}

pub(super) struct Search<'s> {
    secretive: HashMap<&'s str, &'s Spec>,
    known: Known<'s>,
    near: RefCell<HashMap<String, Option<&'s Spec>>>,
}

impl<'s> Search<'s> {
    pub(super) fn new(secretive: HashMap<&'s str, &'s Spec>, known: Known<'s>) -> Self {
        Self { secretive, known, near: RefCell::default() }
    }

    /// Byte ranges to mask where the text is read as code, and what it teaches.
    pub(super) fn spans(&self, text: &str) -> (Vec<Range<usize>>, Lesson) {
        let Lexed { tokens, asides } = lex(text);
        let mut mentions: HashMap<&str, usize> = HashMap::new();
        for (token, _) in &tokens {
            if let Token::Word(name) = token {
                *mentions.entry(name).or_default() += 1;
            }
        }
        let scan = Scan { text, tokens: &tokens, mentions };
        let is_helper = |name: &str| self.known.helpers.contains_key(name) || OURS.contains(&name);
        let mut flow = Flow::new(text, &tokens, &is_helper);
        let mut spans = Vec::new();
        for (index, (token, _)) in tokens.iter().enumerate() {
            if flow.is_lost() {
                spans.extend(self.behind_names(text, 0..text.len()));
                break;
            }
            let asks_for_help = index > 1 && tokens[index - 2].0 == Token::Word("help");
            match token {
                Token::Word(name) if !asks_for_help => spans.extend(self.at_name(name, &scan, index, &mut flow)),
                // `Fn("login")`: whatever is given to it later is in the same text or nowhere.
                Token::Literal(name) if !asks_for_help && self.secretive.contains_key(name) => {
                    spans.extend(literals(&scan, index + 1, &flow, |_| false));
                    flow.pointed_at(index);
                }
                _ => {}
            }
        }
        for aside in asides {
            spans.extend(self.behind_names(text, aside));
        }
        let (flowing, lesson) = flow.finish(self.known.learned);
        spans.extend(flowing);
        (spans, lesson)
    }

    /// Whether a text names a helper that takes a secret, or nearly one, or a function that leads to one.
    pub(super) fn names_a_secret(&self, text: &str) -> bool {
        self.first_secretive(text, 0..text.len()).is_some()
    }

    /// The helper that a word means: its own, or nearly its own when nothing else has that name.
    fn meant(&self, word: &str) -> Option<&'s Spec> {
        /// No name of a helper is longer.
        const LONGEST: usize = 64;
        if let Some(spec) = self.secretive.get(word) {
            return Some(spec);
        }
        if word.len() > LONGEST || word.len() < 3 {
            return None;
        }
        if let Some(near) = self.near.borrow().get(word) {
            return *near;
        }
        let taken = self.known.helpers.contains_key(word) || OURS.contains(&word) || (self.known.is_variable)(word);
        let near = nearest(word, self.secretive.keys().copied()).filter(|_| !taken);
        let near = near.and_then(|name| self.secretive.get(name).copied());
        self.near.borrow_mut().insert(word.to_owned(), near);
        near
    }

    fn at_name<'t>(&self, name: &str, scan: &Scan<'t>, index: usize, flow: &mut Flow<'t, '_>) -> Vec<Range<usize>> {
        let Some(spec) = self.meant(name) else { return Vec::new() };
        let is_exact = spec.name == name;
        if !is_exact && flow.defines(name) {
            return Vec::new();
        }
        let tokens = scan.tokens;
        // `login!(…)` calls with the caller's variables.
        let open = index + 1 + usize::from(matches!(tokens.get(index + 1), Some((Token::Bang, _))));
        if !tokens.get(open).is_some_and(|(_, at)| scan.text[*at..].starts_with('(')) {
            if !is_exact {
                return Vec::new();
            }
            if !flow.defines(name) && !(self.known.is_variable)(name) {
                flow.pointed_at(index);
            }
            return literals(scan, index + 1, flow, |token| token == Token::Semicolon);
        }
        // In `x.login(…)` the value before the dot is the first argument.
        let method = index > 0 && tokens[index - 1].0 == Token::Dot;
        let mut spans = self.in_call(spec, scan, open, usize::from(method), flow);
        if method && spec.params.first().is_some_and(|param| param.secret) && index > 1 {
            let before = tokens[index - 2].0;
            let is_variable = matches!(before, Token::Word(_)) && (index < 3 || tokens[index - 3].0 != Token::Dot);
            if is_literal(before) {
                spans.push(tokens[index - 2].1..tokens[index - 1].1);
            } else if is_variable {
                flow.range(index - 2..index - 1);
            } else {
                flow.pointed_at(index);
            }
        }
        spans
    }

    fn in_call<'t>(
        &self,
        spec: &Spec,
        scan: &Scan<'t>,
        open: usize,
        first: usize,
        flow: &mut Flow<'t, '_>,
    ) -> Vec<Range<usize>> {
        let tokens = scan.tokens;
        let mut spans = Vec::new();
        let mut depth = 0_usize;
        let mut argument = first;
        let (mut start, mut begin) = (open + 1, tokens[open].1 + 1);
        for (index, (token, at)) in tokens.iter().enumerate().skip(open + 1) {
            flow.count(1);
            match token {
                Token::Open | Token::OpenMap => depth += 1,
                Token::Close if depth > 0 => depth -= 1,
                Token::Comma | Token::Close if depth == 0 => {
                    spans.extend(self.argument(spec, argument, scan, start..index, begin..*at, flow));
                    if *token == Token::Close {
                        let given = argument + usize::from(start < index);
                        self.judge_number(spec, scan, open + 1..index, given, flow);
                        return spans;
                    }
                    argument += 1;
                    (start, begin) = (index + 1, at + 1);
                }
                // It is not closed, or can not be read on: all of the rest may belong to it.
                Token::End => {
                    spans.extend(self.argument(spec, argument, scan, start..index + 1, begin..scan.text.len(), flow));
                    return spans;
                }
                _ => {}
            }
        }
        spans
    }

    /// With too few arguments each may be the secret in the wrong place; and a record in last place may hold it by name.
    fn judge_number<'t>(
        &self,
        spec: &Spec,
        scan: &Scan<'t>,
        args: Range<usize>,
        given: usize,
        flow: &mut Flow<'t, '_>,
    ) {
        let is_named = scan.tokens[args.clone()].iter().any(|(token, _)| *token == Token::OpenMap);
        if given < spec.required() && !is_named {
            return flow.range(args);
        }
        let has_secret = spec.params.iter().take(given).any(|param| param.secret);
        if let (false, Some((Token::Word(name), _))) = (has_secret, scan.tokens[args].last()) {
            flow.may_hold_names(name);
        }
    }

    /// `tokens` and `range` are all of the argument, `range` with the blanks around it.
    fn argument<'t>(
        &self,
        spec: &Spec,
        argument: usize,
        scan: &Scan<'t>,
        tokens: Range<usize>,
        range: Range<usize>,
        flow: &mut Flow<'t, '_>,
    ) -> Vec<Range<usize>> {
        let Some((first, start)) = scan.tokens[tokens.clone()].first() else { return Vec::new() };
        // One too many may be the secret in the wrong place.
        let secret = spec.params.get(argument).is_none_or(|param| param.secret);
        if *first == Token::OpenMap {
            return named(spec, secret, scan.tokens, tokens, range.end, flow);
        }
        if !secret {
            return Vec::new();
        }
        flow.range(tokens.clone());
        let spoken_of =
            |name: &str| scan.mentions.get(name).is_some_and(|times| *times > 1) || (self.known.is_variable)(name);
        let unquoted = |token: &Token<'_>| matches!(token, Token::Word(name) if !spoken_of(name));
        let start = if *first == Token::End { range.start } else { *start };
        // A secret without quotes is one word that nothing else speaks of.
        let is_bare_word = tokens.len() == 1 && unquoted(first);
        if is_bare_word || scan.tokens[tokens].iter().any(|(token, _)| is_literal(*token)) {
            std::iter::once(start..range.end).collect()
        } else {
            Vec::new()
        }
    }

    /// In text that is not read as code: whatever stands behind a secretive helper's name, to the end of the range.
    pub(super) fn behind_names(&self, text: &str, range: Range<usize>) -> Option<Range<usize>> {
        let behind = self.first_secretive(text, range.clone())?;
        text[behind..range.end].contains(|c: char| c.is_alphanumeric()).then_some(behind..range.end)
    }

    /// The end of the first word that means a helper which takes a secret, or leads to one.
    fn first_secretive(&self, text: &str, range: Range<usize>) -> Option<usize> {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let mut at = range.start;
        while let Some(found) = text[at..range.end].find(is_word) {
            let start = at + found;
            let word = &text[start..range.end];
            let word = &word[..word.find(|c| !is_word(c)).unwrap_or(word.len())];
            at = start + word.len();
            if self.meant(word).is_some() || self.known.learned.knows(word) {
                return Some(at);
            }
        }
        None
    }
}

/// Every literal until `ends`.
fn literals(scan: &Scan<'_>, from: usize, flow: &Flow<'_, '_>, ends: impl Fn(Token<'_>) -> bool) -> Vec<Range<usize>> {
    let (rest, end) = (scan.tokens.get(from..).unwrap_or_default(), scan.text.len());
    let upto = rest.iter().position(|(token, _)| ends(*token)).unwrap_or(rest.len());
    flow.count(upto);
    let next_to = |index: usize| rest.get(index).map_or(end, |(_, at)| *at);
    let literals = rest[..upto].iter().enumerate();
    let literals = literals.filter(|(_, (token, _))| matches!(token, Token::Literal(_)));
    literals.map(|(index, (_, at))| *at..next_to(index + 1)).collect()
}

/// The values of secret and of unknown names in `#{…}`.
fn named<'t>(
    spec: &Spec,
    all: bool,
    tokens: &[Placed<'t>],
    range: Range<usize>,
    end: usize,
    flow: &mut Flow<'t, '_>,
) -> Vec<Range<usize>> {
    let is_secret =
        |name: &str| all || spec.params.iter().find(|param| param.name == name).is_none_or(|param| param.secret);
    let mut spans = Vec::new();
    let mut depth = 0_usize;
    let mut secret_from: Option<usize> = None;
    for index in range.clone() {
        let (token, at) = tokens[index];
        match token {
            Token::Open | Token::OpenMap => depth += 1,
            Token::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
        if token == Token::Comma && depth == 1 || depth == 0 && index > range.start || token == Token::End {
            if let Some(from) = secret_from.take()
                && from < range.end
            {
                flow.range(from..index);
                spans.extend(value(tokens, from..index, if token == Token::End { end } else { at }));
            }
            continue;
        }
        if let (1, Token::Word(key) | Token::Literal(key), Some((Token::Colon, _))) =
            (depth, token, tokens.get(index + 1))
        {
            secret_from = is_secret(key).then_some(index + 2);
        }
    }
    if let Some(from) = secret_from.filter(|from| *from < range.end) {
        flow.range(from..range.end);
        spans.push(tokens[from].1..end);
    }
    spans
}

/// All of a value by name.
fn value(tokens: &[Placed<'_>], range: Range<usize>, end: usize) -> Option<Range<usize>> {
    tokens.get(range.start).map(|(_, start)| *start..end)
}

/// Whether a secret may stand here; the end of a text that is not closed hides one.
fn is_literal(token: Token<'_>) -> bool {
    matches!(token, Token::Literal(_) | Token::End)
}
