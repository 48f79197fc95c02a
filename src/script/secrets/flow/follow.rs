//! Where what ends in a secret's place came from: one step back from a name, a function, a statement.

use super::{Fact, Flow, KEYWORDS, Learned, Token};

impl<'t> Flow<'t, '_> {
    pub(super) fn follow(&mut self, fact: Fact<'t>, learned: &Learned) {
        match fact {
            Fact::Value("this") => self.follow_this(),
            Fact::Value(name) => {
                for index in self.places(name) {
                    self.value_at(index);
                }
                for body in self.bodies(name) {
                    self.range(body);
                }
            }
            Fact::Callable(name) => {
                for index in self.places(name).into_iter().chain(self.pointers(name)) {
                    if self.functions.iter().all(|function| function.at != index) {
                        self.pointed_at(index);
                    }
                }
            }
            Fact::Param(name, place) => self.parameter(name, place, learned),
            Fact::Thrown => {
                for index in self.places("throw") {
                    let end = self.end_of_value(index + 1);
                    self.range(index + 1..end);
                }
            }
            Fact::Statement(start) => {
                let statement = self.statement(start);
                let value = (statement.clone()).find_map(|index| self.assigned(index).map(|value| (index, value)));
                if let Some((sign, _)) = value {
                    for index in statement.start..sign {
                        if let Some((Token::Word(word), _)) = self.tokens.get(index)
                            && self.is_value(word, index)
                        {
                            self.learn(Fact::Callable(word));
                        }
                    }
                }
                self.range(statement);
            }
        }
    }

    /// In `x.f()` the value before the dot is `this`.
    fn follow_this(&mut self) {
        for index in self.places("this") {
            match self.functions.iter().find(|function| function.body.contains(&index)).map(|function| function.name) {
                Some(name) => self.learn(Fact::Callable(name)),
                None => self.mask_everything(),
            }
        }
    }

    /// One place where a name stands whose value is secret: where did the value come from?
    fn value_at(&mut self, index: usize) {
        if self.is_lost() {
            return;
        }
        let before = self.before(index);
        let is_key = self.after(index) == Some(Token::Colon) && matches!(before, Some(Token::OpenMap | Token::Comma));
        if before == Some(Token::Dot) || is_key {
            return;
        }
        let declared = self.functions.iter().find_map(|function| {
            let place = function.params.iter().position(|(_, at)| *at == index)?;
            Some(Fact::Param(function.name, place))
        });
        if let Some(fact) = declared {
            return self.learn(fact);
        }
        if self.closure_params.contains(&index) {
            return self.pointed_at(index);
        }
        let around = self.parents[index].and_then(|open| Some((open, self.before(open)?)));
        let outer = around.map(|(_, before)| before);
        if before == Some(Token::Word("for")) || outer == Some(Token::Word("for")) {
            return self.looped_over(index);
        }
        if outer == Some(Token::Word("catch")) {
            return self.learn(Fact::Thrown);
        }
        let end = self.chain(index);
        if let Some(value) = self.assigned(end) {
            let end = self.end_of_value(value);
            return self.range(value..end);
        }
        // A function of the language changes what it is given first: `push(list, "…")`.
        if let Some((open, Token::Word(callee))) = around
            && before == Some(Token::Open)
            && self.is_round(open)
            && !KEYWORDS.contains(&callee)
            && !(self.is_helper)(callee)
        {
            self.range(index + 1..self.partner(open));
        }
    }

    /// `for name in …`, `for (name, index) in …`.
    fn looped_over(&mut self, index: usize) {
        let begin = (index..self.tokens.len()).take(6).find(|at| self.tokens[*at].0 == Token::Word("in"));
        let Some(begin) = begin else { return };
        let parent = self.parents[begin];
        let ends = |at: &usize| self.parents[*at] == parent && self.is_block(*at);
        let end = (begin..self.tokens.len()).find(ends).unwrap_or(self.tokens.len());
        self.range(begin + 1..end);
    }

    /// Where `name.field[0].push("…")` ends. What its methods are given goes into it.
    fn chain(&mut self, index: usize) -> usize {
        let mut at = index + 1;
        loop {
            match self.tokens.get(at).map(|(token, _)| *token) {
                Some(Token::Dot) if matches!(self.after(at), Some(Token::Word(_))) => {
                    at += 2;
                    if at < self.tokens.len() && self.is_round(at) {
                        let close = self.partner(at);
                        self.range(at + 1..close);
                        at = close + 1;
                    }
                }
                Some(Token::Open) if self.starts(at, "[") => at = self.partner(at) + 1,
                Some(Token::Other) if self.starts(at, "?[") => at += 1,
                _ => return at,
            }
        }
    }

    /// The calls of a function of the script, whose argument at this place is secret.
    fn parameter(&mut self, name: &'t str, place: usize, learned: &Learned) {
        let taken =
            self.functions.iter().filter(|function| function.name == name).map(|function| function.params.len());
        let taken: Vec<usize> = taken.chain(learned.params.get(name).map(|(taken, _)| *taken)).collect();
        for index in self.places(name) {
            if self.is_lost() || self.functions.iter().any(|function| function.at == index) {
                continue;
            }
            let open = index + 1 + usize::from(self.after(index) == Some(Token::Bang));
            if open >= self.tokens.len() || !self.is_round(open) {
                self.pointed_at(index);
                continue;
            }
            let is_method = self.before(index) == Some(Token::Dot);
            let arguments = self.arguments(open);
            if is_method && place == 0 {
                self.pointed_at(index);
            }
            let given = arguments.len() + usize::from(is_method);
            match place.checked_sub(usize::from(is_method)).and_then(|place| arguments.get(place)) {
                Some(argument) if taken.contains(&given) => self.range(argument.clone()),
                // One too few, or too many: it may be the secret in the wrong place.
                _ => arguments.into_iter().for_each(|argument| self.range(argument)),
            }
        }
        for index in self.pointers(name) {
            self.pointed_at(index);
        }
    }
}
