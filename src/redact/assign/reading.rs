//! Reading the value behind a sign: how far it reaches, and whether it is one.
//!
//! Everything here answers where the scanner goes on, always behind what was taken. What is not taken is read again as
//! ordinary text, because there may be names in it.

use super::{By, How, LOOK, Scan, floor, is_name};
use crate::redact::{
    MASK,
    name::{self, Class},
    value::{self, Quote},
};

/// Words before a credential that name its kind and stay readable.
const SCHEMES: &[&str] = &["bearer", "basic", "token", "digest", "negotiate", "apikey", "aws4-hmac-sha256", "hawk"];

impl Scan<'_, '_> {
    /// Reads the value of a secret name and masks it; answers where to go on.
    pub(super) fn value(&mut self, at: usize, how: How) -> usize {
        let at = if self.starts(at, "/*") {
            let comment = &self.text[at..floor(self.text, at + 4 * LOOK)];
            let end = comment.find("*/").map_or(at, |end| at + end + 2);
            self.skip(end, b" \t\r\n")
        } else {
            at
        };
        let at = self.skip_tags(at);
        if how.by == By::Element {
            let end = at + self.bytes[at..].iter().position(|&byte| byte == b'<').unwrap_or(0);
            return self.take(at, end, end);
        }
        if let Some(quote) = Quote::open(self.bytes, at) {
            return self.quoted(quote, how);
        }
        if self.starts(at, MASK) || self.starts(at, "{{") {
            return self.unquoted(at, how);
        }
        match self.byte(at) {
            _ if how.by == By::Comparison => at,
            Some(b'#') if self.byte(at + 1) == Some(b'{') => self.bracket(at + 1),
            Some(b'[' | b'{' | b'(') => self.bracket(at),
            Some(b'|' | b'>') if how.by == By::Colon => self.block(at),
            Some(_) => self.unquoted(at, how),
            None => at,
        }
    }

    /// Words that stand before a value: `new String("…")`, `!!str "…"`. A few: a loop, because a value may hold nothing else.
    fn skip_tags(&self, at: usize) -> usize {
        let mut at = at;
        for _ in 0..3 {
            let length = self.bytes[at..].iter().take(LOOK).take_while(|byte| !byte.is_ascii_whitespace()).count();
            let tag = &self.bytes[at..at + length];
            let next = self.skip(at + length, b" ");
            if next == at + length || !(tag.starts_with(b"!") || matches!(tag, b"new" | b"await")) {
                break;
            }
            at = next;
        }
        at
    }

    /// Masks a range unless it is a placeholder.
    pub(super) fn take(&mut self, start: usize, end: usize, next: usize) -> usize {
        if start < end && !value::is_placeholder(&self.text[start..end]) {
            self.spans.add(start..end);
        }
        next
    }

    /// A quoted value, what is glued to it, and what is added to it with `+`.
    fn quoted(&mut self, quote: Quote, how: How) -> usize {
        let mut quote = quote;
        loop {
            let (end, after) = quote.close(self.bytes);
            let start = self.skip_scheme(quote.start, end);
            self.take(start, end, after);
            let next = self.skip(after, b" \t");
            let shell = how.glued && how.by == By::Equals;
            // `A="b"'c'`; a mark behind which nothing goes on closes what stands around.
            if let Some(glued) = Quote::open(self.bytes, after)
                .filter(|glued| shell && self.byte(glued.start).is_some_and(|byte| byte.is_ascii_alphanumeric()))
            {
                quote = glued;
                continue;
            }
            if shell && self.byte(after).is_some_and(|byte| byte.is_ascii_alphanumeric()) {
                return self.unquoted(after, how);
            }
            match self.added(next) {
                Some(more) => quote = more,
                None => return after,
            }
        }
    }

    /// The next quotation of `"…" + name + "…"`. Best effort: whoever splits a secret can hide it.
    fn added(&self, at: usize) -> Option<Quote> {
        let mut at = at;
        for _ in 0..8 {
            if self.byte(at) != Some(b'+') {
                return None;
            }
            at = self.skip(at + 1, b" \t\r\n");
            if let Some(quote) = Quote::open(self.bytes, at) {
                return Some(quote);
            }
            at += self.bytes[at..].iter().take(LOOK).take_while(|&&byte| is_name(byte)).count();
            at = self.skip(at, b" \t");
        }
        None
    }

    fn skip_scheme(&self, start: usize, end: usize) -> usize {
        let word = self.bytes[start..end].iter().take(20);
        let word = word.take_while(|byte| !matches!(byte, b' ' | b'"' | b'\'' | b'`')).count();
        let is_scheme =
            SCHEMES.iter().any(|scheme| scheme.eq_ignore_ascii_case(&self.text[start..floor(self.text, start + word)]));
        // A scheme alone stays as well: there is nothing behind it.
        if is_scheme { self.skip(start + word, b" ").min(end) } else { start }
    }

    /// Every string in the branches of `if x { "…" } else { "…" }`.
    fn branches(&mut self, at: usize) -> usize {
        let mut next = at;
        for _ in 0..8 {
            let line = &self.text[next..floor(self.text, next + 2 * LOOK)];
            let Some(open) = line.find(['{', ';', '\n']).filter(|&open| line[open..].starts_with('{')) else { break };
            self.bracket(next + open);
            next = self.bracket_end.max(next + open + 1);
            if !self.starts(next, " else") {
                break;
            }
        }
        at
    }

    /// Every string in a list, a record or an argument list; the names inside are read as well.
    fn bracket(&mut self, open: usize) -> usize {
        if open < self.bracket_end {
            return open + 1;
        }
        let mut depth = 0_usize;
        let mut strings = false;
        let mut at = open;
        while at < self.bytes.len() {
            match self.bytes[at] {
                b'"' | b'\'' | b'`' | b'\\' => {
                    if let Some(quote) = Quote::open(self.bytes, at) {
                        let (end, after) = quote.close(self.bytes);
                        // A key is no value.
                        let next = self.skip(after, b" \t");
                        if self.byte(next) != Some(b':') {
                            self.take(quote.start, end, after);
                        }
                        strings = true;
                        at = after.max(at + 1);
                        continue;
                    }
                }
                b'[' | b'{' | b'(' => depth += 1,
                b']' | b'}' | b')' => depth -= 1,
                _ => {}
            }
            at += 1;
            if depth == 0 {
                break;
            }
        }
        self.bracket_end = at;
        let inner =
            &self.text[open + 1..at.max(open + 2).min(self.bytes.len()) - usize::from(depth == 0 && at > open + 1)];
        let numbers = inner.split([',', ' ']).all(|item| item.trim().is_empty() || value::is_number(item.trim()));
        if self.bytes[open] == b'[' && !strings && !numbers && depth == 0 {
            return self.take(open + 1, at - 1, at);
        }
        open + 1
    }

    /// A block of YAML: the lines that are indented deeper.
    fn block(&mut self, at: usize) -> usize {
        let header = self.bytes[at..].iter().take(8).take_while(|&&byte| !matches!(byte, b'\n' | b'\r')).count();
        let start = self.skip(at + header, b"\r\n");
        let indent = self.skip(start, b" ") - start;
        if start == at + header || indent == 0 {
            return at;
        }
        let mut end = start;
        while self.skip(end, b" ") - end >= indent && end < self.bytes.len() {
            end += self.bytes[end..].iter().position(|&byte| byte == b'\n').map_or(self.bytes.len() - end, |i| i + 1);
        }
        let last = self.text[..end].trim_end().len().max(start + indent);
        self.take(start + indent, last.min(end), end)
    }

    /// A value without quotation marks: a word, or a line of a header.
    fn unquoted(&mut self, at: usize, how: How) -> usize {
        if how.by == By::Comparison
            || self.starts(at, "$(")
            || self.byte(at).is_none_or(|byte| byte.is_ascii_whitespace())
        {
            return at;
        }
        if how.by == By::Colon
            && let Some(next) = self.behind_type(at)
        {
            return self.value(next, How { by: By::Equals, ..how });
        }
        // Before the word is measured: a call holds other names, and measuring it again for each would take for ever.
        if (how.class != Class::Header || how.by != By::Colon)
            && let Some(open) = self.call(at)
        {
            return if value::is_wrapper(&self.text[at..open]) { self.bracket(open) } else { open };
        }
        if self.starts(at, "if ") || self.starts(at, "switch ") || self.starts(at, "match ") {
            return self.branches(at);
        }
        let first = &self.text[at..self.word_end(at)];
        if matches!(how.by, By::Colon | By::Space) && value::is_prose(first) {
            return at + first.len();
        }
        let start = self.skip_scheme(at, floor(self.text, at + LOOK));
        let end = match how.class {
            Class::Header | Class::Phrase => self.line_end(start),
            Class::Password | Class::Token => self.word_end(start),
        };
        let word = &self.text[start..end];
        let no_secret =
            how.by == By::Colon && value::is_type(word) || value::is_number(word) && !value::is_pin(how.class, word);
        if word.is_empty() || no_secret {
            return end;
        }
        let field = value::is_identifier(word)
            && !how.glued
            && (word.contains("::") || word.contains('.') && name::is_secret(word));
        // `PWD=/home/ada` is where a shell stands.
        let directory = how.class == Class::Password && word.starts_with(['/', '~']) && self.is_working_directory(at);
        if field || directory || how.code && value::is_variable_name(word) {
            return end;
        }
        self.take(start, end, end)
    }

    /// Where the value begins when a type stands before it: `const TOKEN: &str = "…"`.
    fn behind_type(&self, at: usize) -> Option<usize> {
        let line = &self.text[at..floor(self.text, at + LOOK)];
        let (kind, _) = line.split_once('=').filter(|(kind, _)| value::is_type(kind))?;
        Some(self.skip(at + kind.len() + 1, b" \t"))
    }

    /// The bracket of a call that begins here: `env("X")`.
    fn call(&self, at: usize) -> Option<usize> {
        let path = self.bytes[at..]
            .iter()
            .take(LOOK)
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'!'))
            .count();
        let open = at + path;
        (path > 0 && self.byte(open) == Some(b'(') && self.bytes[at].is_ascii_alphabetic()).then_some(open)
    }

    fn is_working_directory(&self, value: usize) -> bool {
        let from = value.saturating_sub(8);
        let before = String::from_utf8_lossy(&self.bytes[from..value]).to_lowercase();
        before.trim_end_matches([' ', '=', ':', '"']).ends_with("pwd")
    }

    fn line_end(&self, at: usize) -> usize {
        let line =
            self.bytes[at..].iter().position(|byte| matches!(byte, b'\n' | b'\r')).map_or(self.bytes.len(), |i| at + i);
        // Inside a quotation the line ends with it: `-H "Cookie: a=b" https://…`. A mark behind `=` or a space opens a
        // quotation of the value's own, as in `Digest username="ada"`.
        let mut open = None;
        for i in at..line {
            let byte = self.bytes[i];
            match open {
                _ if !matches!(byte, b'"' | b'\'' | b'`') => {}
                Some(mark) if mark == byte => open = None,
                Some(_) => {}
                None if matches!(self.bytes[i - 1], b'=' | b',' | b' ') => open = Some(byte),
                None if self.byte(i + 1).is_some_and(is_name) => {}
                None => return i - self.bytes[at..i].iter().rev().take_while(|&&byte| byte == b'\\').count(),
            }
        }
        line
    }

    fn word_end(&self, at: usize) -> usize {
        if let Some(end) = self.placeholder_end(at) {
            return end;
        }
        let next_is = |i: usize, test: fn(u8) -> bool| self.byte(i + 1).is_none_or(test);
        let mut i = at;
        while let Some(byte) = self.byte(i) {
            let ends = match byte {
                b'<' => true,
                b'\\' if self.byte(i + 1).is_some_and(|byte| matches!(byte, b'"' | b'\'' | b'`')) => {
                    self.byte(i + 2).is_none_or(|byte| !byte.is_ascii_alphanumeric())
                }
                b'\\' => {
                    // The character behind a backslash belongs to the word, also when it is a space.
                    i += 1;
                    i += self.text.get(i..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
                    continue;
                }
                b',' | b';' | b'&' | b'|' => next_is(i, ends_clause) || self.is_assignment(i + 1),
                b'"' | b'\'' | b'`' | b')' | b']' | b'}' | b'>' => next_is(i, |byte| !byte.is_ascii_alphanumeric()),
                b'%' => self.starts(i, "%26"),
                byte => byte.is_ascii_whitespace(),
            };
            if ends {
                break;
            }
            i += 1;
        }
        i
    }

    /// `${VAR}`, `<password>`, `{{ var }}`, the mask: words although they hold characters that end one.
    fn placeholder_end(&self, at: usize) -> Option<usize> {
        let close = match self.byte(at)? {
            b'$' if self.starts(at, "${{") => "}}",
            b'$' if self.starts(at, "${") => "}",
            b'{' if self.starts(at, "{{") => "}}",
            b'<' => ">",
            b'[' if self.starts(at, MASK) => "]",
            _ => return None,
        };
        let line = &self.text[at..floor(self.text, at + LOOK)];
        let end = at + line.find(close)? + close.len();
        let whole = self.byte(end).is_none_or(|byte| !is_name(byte)) && !self.text[at..end].contains('\n');
        whole.then_some(end)
    }

    /// Whether another assignment begins here: `,user=bob`.
    fn is_assignment(&self, at: usize) -> bool {
        let at = self.skip(at, b"\"'");
        let length = self.bytes[at..].iter().take(LOOK).take_while(|&&byte| is_name(byte)).count();
        let end = self.skip(at + length, b"\"'");
        length > 0 && matches!(self.byte(end), Some(b'=' | b':'))
    }
}

fn ends_clause(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`' | b')' | b']' | b'}' | b'&' | b'|')
}
