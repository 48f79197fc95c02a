//! Command style: `errors --limit 20`, `show run_01`. A helper's name, then words.

use super::{Form, Wanted, of_param};
use crate::{
    session::Candidate,
    spec::{Registry, Spec},
};

/// An input in command style, up to the cursor.
#[derive(Debug)]
pub(super) struct Words<'a> {
    spec: &'a Spec,
    /// The words behind the name that are complete.
    done: Vec<&'a str>,
    /// The word that ends at the cursor; it may be empty.
    last: &'a str,
    start: usize,
}

impl<'a> Words<'a> {
    /// The words before byte `at`; `None` when this is not command style, or the cursor still stands in the helper's name.
    pub(super) fn before(line: &'a str, at: usize, registry: &'a Registry) -> Option<Self> {
        let text = &line[..at];
        let (name, rest) = text.trim_start().split_once([' ', '\t'])?;
        let spec = registry.get(name)?;
        // `errors - 1` and `errors = 2` are code; so is whatever goes over several lines.
        let begins = |c: char| c.is_alphanumeric() || matches!(c, '_' | '"' | '/' | '~' | '.');
        let is_words = rest.trim_start().starts_with("--") || rest.trim_start().chars().next().is_none_or(begins);
        if !is_words || text.contains('\n') {
            return None;
        }
        let mut words = split(rest);
        let last = words.pop().unwrap_or_default();
        Some(Self { spec, done: words, last, start: at - last.len() })
    }

    /// The options that are not given yet; the option that is being typed counts as not given.
    pub(super) fn options(&self) -> Vec<Candidate> {
        if self.option().is_some() || !(self.last.is_empty() || self.last.starts_with('-')) {
            return Vec::new();
        }
        let given = |name: &str| self.done.iter().any(|word| word.strip_prefix("--").is_some_and(|word| word == name));
        let free = self.spec.params.iter().filter(|param| !given(&param.name));
        let options = free.map(|param| of_param(param, self.start, format!("--{} ", param.name)));
        options.filter(|option| option.replacement.starts_with(self.last)).collect()
    }

    /// The parameter of the last word, when its helper knows values for it.
    pub(super) fn wanted(&self) -> Option<Wanted<'a>> {
        let param = match self.option() {
            Some(name) => self.spec.params.iter().position(|param| param.name == name)?,
            None if self.last.starts_with('-') => return None,
            None => self.positional(),
        };
        // In quotes the word is a string, which ends with its quote.
        let (form, open) = if self.last.starts_with('"') { (Form::Text('"'), 1) } else { (Form::Word, 0) };
        self.spec.params.get(param)?.has_values.then_some(Wanted {
            helper: &self.spec.name,
            param,
            prefix: &self.last[open..],
            start: self.start + open,
            form,
        })
    }

    /// The option whose value the last word is.
    fn option(&self) -> Option<&'a str> {
        self.done.last().and_then(|word| word.strip_prefix("--"))
    }

    /// How many words before the last one are neither options nor their values.
    fn positional(&self) -> usize {
        let mut words = self.done.iter();
        let mut count = 0;
        while let Some(word) = words.next() {
            if word.starts_with("--") {
                words.next();
            } else {
                count += 1;
            }
        }
        count
    }
}

/// Splits at blanks outside quotes; the last word, empty behind a blank, always stands in the result.
fn split(text: &str) -> Vec<&str> {
    let (mut words, mut start, mut quoted) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ' ' | '\t' if !quoted => {
                if start < at {
                    words.push(&text[start..at]);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
    words.push(&text[start..]);
    words
}
