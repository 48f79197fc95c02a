//! What flows into secret parameters by name, in one text: from a variable, through a function, out of a loop.
//!
//! The value of a variable is not known before the text runs, and the text is recorded before that. So everything that
//! may end in the place of a secret is followed backwards from there, by name alone: what is assigned to such a name,
//! put into it, given to a function whose parameter is such a name, answered by such a function. Every literal that is
//! met on the way is masked. Scopes and conditions are not looked at: one name is one variable, wherever it stands.
//!
//! It goes wrong towards masking: a function that is passed around (`Fn("login")`, `let f = |p| login("a", p)`) makes a
//! secret of every literal in the statements that name it, and a text that is too entangled to follow loses all of its
//! literals.

use std::{
    cell::Cell,
    collections::{HashMap, HashSet},
    ops::Range,
};

mod follow;
mod learned;
mod reading;

pub(in crate::script) use self::learned::{Learned, Lesson};
use super::super::lexer::{Placed, Token};

/// Steps from token to token that reading a text may take: calls inside of calls are read once for each, and a name that
/// stands in a long statement many times has all of it followed as often.
const MOST_STEPS: usize = 2_000_000;

/// Words of the language, which are no variables.
#[rustfmt::skip]
const KEYWORDS: &[&str] = &[
    "Fn", "as", "break", "call", "catch", "const", "continue", "curry", "debug", "do", "else", "export", "false", "fn",
    "for", "global", "if", "import", "in", "is_def_var", "let", "loop", "print", "private", "return", "switch",
    "throw", "true", "try", "type_of", "until", "while",
];

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Fact<'t> {
    /// What this name holds, or what the function of this name answers, ends in a secret's place.
    Value(&'t str),
    /// What this name is called with does, and nobody knows at which place.
    Callable(&'t str),
    /// The argument at this place of this function does.
    Param(&'t str, usize),
    /// What is thrown does.
    Thrown,
    /// Everything in the statement that begins at this token does.
    Statement(usize),
}

/// A function that the text defines.
struct Function<'t> {
    name: &'t str,
    /// Where its name stands.
    at: usize,
    params: Vec<(&'t str, usize)>,
    body: Range<usize>,
}

/// A text in which values are followed.
pub(super) struct Flow<'t, 's> {
    text: &'t str,
    tokens: &'s [Placed<'t>],
    /// For each token, the bracket around it.
    parents: Vec<Option<usize>>,
    /// For each opening bracket its closing one, and the other way round.
    partners: HashMap<usize, usize>,
    words: HashMap<&'t str, Vec<usize>>,
    functions: Vec<Function<'t>>,
    /// Names between the bars of `|a, b| …`.
    closure_params: HashSet<usize>,
    /// Names of the functions and variables that the text declares.
    declared: HashSet<&'t str>,
    is_helper: &'s dyn Fn(&str) -> bool,
    known: HashSet<Fact<'t>>,
    queue: Vec<Fact<'t>>,
    spans: Vec<Range<usize>>,
    steps: Cell<usize>,
}

impl<'t, 's> Flow<'t, 's> {
    pub(super) fn new(text: &'t str, tokens: &'s [Placed<'t>], is_helper: &'s dyn Fn(&str) -> bool) -> Self {
        let (mut parents, mut partners, mut open) = (Vec::with_capacity(tokens.len()), HashMap::new(), Vec::new());
        let mut words: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, (token, _)) in tokens.iter().enumerate() {
            if *token == Token::Close
                && let Some(opening) = open.pop()
            {
                partners.insert(opening, index);
                partners.insert(index, opening);
            }
            parents.push(open.last().copied());
            match token {
                Token::Open | Token::OpenMap => open.push(index),
                Token::Word(word) => words.entry(word).or_default().push(index),
                _ => {}
            }
        }
        for opening in open {
            partners.insert(opening, tokens.len().saturating_sub(1));
        }
        let mut flow = Self {
            text,
            tokens,
            parents,
            partners,
            words,
            functions: Vec::new(),
            closure_params: HashSet::new(),
            declared: HashSet::new(),
            is_helper,
            known: HashSet::new(),
            queue: Vec::new(),
            spans: Vec::new(),
            steps: Cell::new(0),
        };
        flow.functions = flow.defined();
        flow.closure_params = flow.between_bars();
        flow.declared = flow.declarations();
        flow
    }

    /// Whether the text defines a function or a variable of that name.
    pub(super) fn defines(&self, name: &str) -> bool {
        self.declared.contains(name)
    }

    /// Whether it is too entangled to follow.
    pub(super) fn is_lost(&self) -> bool {
        self.steps.get() > MOST_STEPS
    }

    /// The arguments of a call whose bracket opens at this token.
    pub(super) fn arguments(&self, open: usize) -> Vec<Range<usize>> {
        let close = self.partner(open);
        let mut arguments = Vec::new();
        let mut start = open + 1;
        for index in open + 1..close {
            if self.tokens[index].0 == Token::Comma && self.parents[index] == Some(open) {
                arguments.push(start..index);
                start = index + 1;
            }
        }
        self.count(close.saturating_sub(open));
        if start < close {
            arguments.push(start..close);
        }
        arguments
    }

    /// The tokens of this range end in a secret's place: its literals are masked, its names are followed.
    pub(super) fn range(&mut self, range: Range<usize>) {
        self.count(range.len());
        for index in range {
            match self.tokens.get(index).map(|(token, _)| *token) {
                Some(Token::Literal(text)) if !self.is_function(text) => self.mask(index),
                Some(Token::Word(word)) if self.is_value(word, index) => self.learn(Fact::Value(word)),
                _ => {}
            }
        }
    }

    /// A function that takes a secret is named here, and not called: whatever it is given stands in the statement.
    pub(super) fn pointed_at(&mut self, index: usize) {
        if self.is_lost() {
            return;
        }
        let statement = self.statement(index);
        self.learn(Fact::Statement(statement.start));
    }

    /// A name that may hold the named arguments of a call: only a record can.
    pub(super) fn may_hold_names(&mut self, name: &'t str) {
        if self.is_lost() {
            return;
        }
        let places = self.words.get(name).cloned().unwrap_or_default();
        let holds = |index: &usize| {
            self.assigned(index + 1).is_some_and(|value| matches!(self.tokens[value].0, Token::OpenMap))
                || self.before(*index) != Some(Token::Dot) && self.after(*index) == Some(Token::Dot)
        };
        self.count(places.len());
        if places.iter().any(holds) {
            self.learn(Fact::Value(name));
        }
    }

    /// Follows what was found, with what earlier inputs taught; the byte ranges to mask, and what later ones have to know.
    pub(super) fn finish(mut self, learned: &Learned) -> (Vec<Range<usize>>, Lesson) {
        let words: Vec<&'t str> = self.words.keys().copied().collect();
        let literals: Vec<&'t str> = self.tokens.iter().filter_map(|(token, _)| literal(*token)).collect();
        for word in words.into_iter().chain(literals) {
            if self.functions.iter().any(|function| function.name == word) {
                continue;
            }
            if let Some((_, places)) = learned.params.get(word) {
                places.iter().for_each(|place| self.learn(Fact::Param(word, *place)));
            }
            if learned.callables.contains(word) {
                self.learn(Fact::Callable(word));
            }
        }
        while let Some(fact) = self.queue.pop()
            && !self.is_lost()
        {
            self.follow(fact, learned);
        }
        if self.is_lost() {
            self.mask_everything();
        }
        let lesson = self.lesson();
        (self.spans, lesson)
    }

    fn lesson(&self) -> Lesson {
        let mut lesson = Lesson::default();
        lesson.defined.extend(self.functions.iter().map(|function| function.name.to_owned()));
        for fact in &self.known {
            match fact {
                Fact::Callable(name) => {
                    lesson.learned.callables.insert((*name).to_owned());
                }
                Fact::Param(name, place) => {
                    if let Some(function) = self.functions.iter().find(|function| function.name == *name) {
                        let entry = lesson.learned.params.entry((*name).to_owned()).or_default();
                        entry.0 = function.params.len();
                        entry.1.insert(*place);
                    }
                }
                Fact::Value(_) | Fact::Thrown | Fact::Statement(_) => {}
            }
        }
        lesson
    }

    fn learn(&mut self, fact: Fact<'t>) {
        if self.known.insert(fact) {
            self.queue.push(fact);
        }
    }

    fn mask(&mut self, index: usize) {
        let end = self.tokens.get(index + 1).map_or(self.text.len(), |(_, at)| *at);
        self.spans.push(self.tokens[index].1..end);
    }

    fn mask_everything(&mut self) {
        for index in 0..self.tokens.len() {
            if let Token::Literal(_) = self.tokens[index].0 {
                self.mask(index);
            }
        }
    }
}

fn literal(token: Token<'_>) -> Option<&str> {
    match token {
        Token::Literal(text) => Some(text),
        _ => None,
    }
}
