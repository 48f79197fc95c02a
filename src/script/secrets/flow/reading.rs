//! How the tokens of a text belong together: values, statements, functions, brackets. No judgement about secrets.

use std::{collections::HashSet, ops::Range};

use super::{Flow, Function, KEYWORDS, Placed, Token, literal};

impl<'t> Flow<'t, '_> {
    /// Where the value begins when what stands here assigns: `=`, `+=`, but not `==`, `=>`, `<=`.
    pub(super) fn assigned(&self, at: usize) -> Option<usize> {
        let signs = self.tokens.get(at..)?.iter().take(4).take_while(|(token, _)| *token == Token::Other).count();
        (at..at + signs).find_map(|index| {
            let byte = self.tokens[index].1;
            let (before, rest) = (&self.text[..byte], &self.text[byte..]);
            let compares = rest.starts_with("==") || rest.starts_with("=>") || before.ends_with(['=', '!']);
            let shifts = before.ends_with("<<") || before.ends_with(">>");
            let compares = compares || before.ends_with(['<', '>']) && !shifts;
            (rest.starts_with('=') && !compares).then_some(index + 1)
        })
    }

    /// Where the value that begins here ends: at the end of its statement, or at a comma or bracket around it.
    pub(super) fn end_of_value(&self, start: usize) -> usize {
        let parent = self.parents.get(start).copied().flatten();
        let limit = parent.map_or(self.tokens.len(), |open| self.partner(open));
        let ends =
            |at: &usize| self.parents[*at] == parent && matches!(self.tokens[*at].0, Token::Semicolon | Token::Comma);
        let end = (start..limit).find(ends).unwrap_or(limit);
        self.count(end.saturating_sub(start));
        end
    }

    /// The statement around a token: all of it, also what stands in brackets and in functions of it.
    pub(super) fn statement(&self, index: usize) -> Range<usize> {
        let mut level = index;
        let block = loop {
            match self.parents[level] {
                Some(open) if self.is_block(open) => break Some(open),
                Some(open) => level = open,
                None => break None,
            }
        };
        let (first, last) = block.map_or((0, self.tokens.len()), |open| (open + 1, self.partner(open)));
        let ends = |at: &usize| self.parents[*at] == block && self.tokens[*at].0 == Token::Semicolon;
        let start = (first..level).rev().find(ends).map_or(first, |at| at + 1);
        let end = (level..last).find(ends).unwrap_or(last);
        self.count(end.saturating_sub(start));
        start..end
    }

    pub(super) fn defined(&self) -> Vec<Function<'t>> {
        let mut functions = Vec::new();
        for start in self.places("fn") {
            // `fn name(…) {…}`, `fn String.name(…) {…}`.
            let name_at = if self.tokens.get(start + 2).is_some_and(|(token, _)| *token == Token::Dot) {
                start + 3
            } else {
                start + 1
            };
            let Some((Token::Word(name), _)) = self.tokens.get(name_at).copied() else { continue };
            let open = name_at + 1;
            if open >= self.tokens.len() || !self.is_round(open) {
                continue;
            }
            let close = self.partner(open);
            let params = (open + 1..close).filter_map(|index| match self.tokens[index].0 {
                Token::Word(param) => Some((param, index)),
                _ => None,
            });
            let params = params.collect();
            let body = if close + 1 < self.tokens.len() && self.is_block(close + 1) {
                close + 2..self.partner(close + 1)
            } else {
                close..close
            };
            functions.push(Function { name, at: name_at, params, body });
        }
        functions
    }

    /// The names that stand between the bars of `|a, b| …`.
    pub(super) fn between_bars(&self) -> HashSet<usize> {
        let is_bar = |at: usize| self.tokens[at].0 == Token::Other && self.starts(at, "|");
        let mut found = HashSet::new();
        let mut opened = None;
        for (index, (token, _)) in self.tokens.iter().enumerate() {
            if matches!(token, Token::Word(_) | Token::Comma) {
                continue;
            }
            if is_bar(index)
                && let Some(open) = opened
            {
                found.extend(open + 1..index);
            }
            opened = is_bar(index).then_some(index);
        }
        found
    }

    /// The names of the functions and variables that the text declares.
    pub(super) fn declarations(&self) -> HashSet<&'t str> {
        let declares = |index: &usize| {
            matches!(self.before(*index), Some(Token::Word("let" | "const" | "for" | "as")))
                || self.closure_params.contains(index)
        };
        let variables = self.words.iter().filter(|(_, places)| places.iter().any(declares)).map(|(word, _)| *word);
        self.functions.iter().map(|function| function.name).chain(variables).collect()
    }

    /// Whether a word is a variable here, or a function that is called: no keyword, no field, no key of a record.
    pub(super) fn is_value(&self, word: &str, index: usize) -> bool {
        let is_field = self.before(index) == Some(Token::Dot) && self.bodies(word).is_empty();
        let is_key = self.after(index) == Some(Token::Colon)
            && matches!(self.before(index), Some(Token::OpenMap | Token::Comma));
        !KEYWORDS.contains(&word) && !is_field && !is_key && !(self.is_helper)(word)
    }

    pub(super) fn is_function(&self, text: &str) -> bool {
        (self.is_helper)(text) || self.functions.iter().any(|function| function.name == text)
    }

    pub(super) fn places(&self, name: &str) -> Vec<usize> {
        self.words.get(name).cloned().unwrap_or_default()
    }

    /// Where the name stands as a string: `Fn("name")`.
    pub(super) fn pointers(&self, name: &str) -> Vec<usize> {
        let is_it = |(_, (token, _)): &(usize, &Placed<'t>)| literal(*token) == Some(name);
        self.tokens.iter().enumerate().filter(is_it).map(|(index, _)| index).collect()
    }

    pub(super) fn bodies(&self, name: &str) -> Vec<Range<usize>> {
        self.functions.iter().filter(|function| function.name == name).map(|function| function.body.clone()).collect()
    }

    pub(super) fn before(&self, index: usize) -> Option<Token<'t>> {
        index.checked_sub(1).and_then(|before| self.tokens.get(before)).map(|(token, _)| *token)
    }

    pub(super) fn after(&self, index: usize) -> Option<Token<'t>> {
        self.tokens.get(index + 1).map(|(token, _)| *token)
    }

    pub(super) fn partner(&self, index: usize) -> usize {
        self.partners.get(&index).copied().unwrap_or(self.tokens.len().saturating_sub(1))
    }

    pub(super) fn starts(&self, index: usize, with: &str) -> bool {
        self.tokens.get(index).is_some_and(|(_, at)| self.text[*at..].starts_with(with))
    }

    pub(super) fn is_round(&self, index: usize) -> bool {
        self.tokens[index].0 == Token::Open && self.starts(index, "(")
    }

    pub(super) fn is_block(&self, index: usize) -> bool {
        self.tokens[index].0 == Token::Open && self.starts(index, "{")
    }

    pub(in crate::script::secrets) fn count(&self, steps: usize) {
        self.steps.update(|before| before.saturating_add(steps + 1));
    }
}
