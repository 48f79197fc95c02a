//! What is assigned to a name that means a secret, in whatever language: `let password = "…"`, `#{token: "…"}`,
//! `--password x`, `PGPASSWORD=x cmd`, `"api_key": "…"`, `Authorization: Bearer …`, `?sig=…`, `<secret>…</secret>`.
//!
//! The scanner reads names from left to right. Behind one that means a secret it looks for something that assigns, and
//! behind that for a value. It always goes on behind what it took, so that its time is linear.

mod reading;

use super::{
    name::{self, Class},
    span::Spans,
    value::Quote,
};

/// Words that set something: in `put("password", "x")` the second argument is the secret, in `search("password", "x")` not.
const SETTERS: &[&str] =
    &["add", "append", "define", "env", "export", "header", "insert", "put", "set", "setenv", "store", "with", "write"];

/// Longest stretch that is looked at to decide how something is meant.
const LOOK: usize = 64;

/// Finds the values of names that mean a secret.
pub(super) fn find(text: &str, spans: &mut Spans) {
    let bytes = text.as_bytes();
    let mut scan = Scan { text, bytes, spans, bracket_end: 0, in_string: false };
    let mut at = 0;
    while at < bytes.len() {
        if !is_name(bytes[at]) {
            scan.pass(at, at + 1);
            at += 1;
            continue;
        }
        let start = at;
        while at < bytes.len() && is_name(bytes[at]) {
            at += 1;
        }
        let next = scan.name(start, at).max(at);
        scan.pass(at, next);
        at = next;
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// How a value was announced.
#[derive(Clone, Copy)]
struct How {
    class: Class,
    by: By,
    /// Nothing stands between the sign and the value: `A=b`, as in shells, URLs and options.
    glued: bool,
    /// `let` or `const` stands before: what is not quoted is a variable.
    code: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    /// `=`, `:=`, `=>`, `<-`.
    Equals,
    /// `:`.
    Colon,
    /// `==`, `!=`.
    Comparison,
    /// A space after an option, a comma between arguments.
    Space,
    /// `<name>`.
    Element,
}

struct Scan<'t, 's> {
    text: &'t str,
    bytes: &'t [u8],
    spans: &'s mut Spans,
    /// The strings before this place were taken by a bracket around them.
    bracket_end: usize,
    /// Whether an odd number of quotation marks stands before on this line.
    in_string: bool,
}

impl Scan<'_, '_> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    fn starts(&self, at: usize, with: &str) -> bool {
        self.bytes[at.min(self.bytes.len())..].starts_with(with.as_bytes())
    }

    fn skip(&self, at: usize, set: &[u8]) -> usize {
        at + self.bytes[at.min(self.bytes.len())..].iter().take_while(|byte| set.contains(byte)).count()
    }

    /// Keeps count of quotation marks on the way.
    fn pass(&mut self, start: usize, end: usize) {
        for at in start..end {
            match self.bytes[at] {
                b'\n' => self.in_string = false,
                b'"' if at == 0 || self.bytes[at - 1] != b'\\' => self.in_string = !self.in_string,
                _ => {}
            }
        }
    }

    /// Whether the mark here ends a label: `print("Password: ")`, `"password: " + x`.
    fn closes_label(&self, at: usize, quoted: bool) -> bool {
        let next = self.skip(at + 1, b" \t");
        self.in_string
            && !quoted
            && self.byte(at) == Some(b'"')
            && self.byte(next).is_none_or(|byte| matches!(byte, b')' | b'+' | b',' | b';' | b']' | b'}' | b'\n'))
    }

    /// Reads one name; answers where to go on.
    fn name(&mut self, start: usize, end: usize) -> usize {
        let before = start.checked_sub(1).and_then(|before| self.byte(before));
        let Some(class) = self.classify(start, end, before) else { return end };
        let quoted = Quote::open(self.bytes, end).filter(|_| matches!(before, Some(b'"' | b'\'' | b'`')));
        let close = quoted.map_or(end, |quote| quote.start);
        let flag = self.byte(start) == Some(b'-');

        if before == Some(b'<') && self.byte(end) == Some(b'>') {
            return self.value(end + 1, How { class, by: By::Element, glued: true, code: false });
        }
        if let Some((at, by)) = self.sign(close).or_else(|| self.owner(close, class)) {
            let mut value = self.skip(at, b" \t");
            if by != By::Colon || quoted.is_some() {
                let line = self.skip(value, b" \t\r\n");
                if Quote::open(self.bytes, line).is_some() {
                    value = line;
                }
            }
            if self.closes_label(value, quoted.is_some()) {
                return value;
            }
            let how = How { class, by, glued: value == at, code: self.is_declared(start) };
            if how.glued
                && by == By::Equals
                && let Some(end) = self.fenced(value, before)
            {
                return self.take(value, end, end);
            }
            return self.value(value, how);
        }
        if self.byte(end) == Some(b'(') && self.is_setter(start, end) {
            return self.arguments(end);
        }
        let space = self.skip(close, b" \t");
        let how = How { class, by: By::Space, glued: false, code: false };
        let opens = Quote::open(self.bytes, space).is_some();
        if flag && quoted.is_none() && space > close && (opens || self.byte(space).is_some_and(begins_argument)) {
            return self.value(space, how);
        }
        if quoted.is_some() && self.byte(space) == Some(b',') && (flag || self.is_set(start)) {
            let argument = self.skip(space + 1, b" \t\r\n");
            if Quote::open(self.bytes, argument).is_some() {
                return self.value(argument, how);
            }
        }
        // `the password is "…"`, `the password is hunter2`; not `the password is required`.
        if class == Class::Password
            && let Some(verb) = ["is ", "was "].iter().find(|verb| self.starts(space, verb))
        {
            let said = space + verb.len();
            let word = self.bytes[said..].iter().take(LOOK).take_while(|byte| !byte.is_ascii_whitespace());
            if Quote::open(self.bytes, said).is_some() || word.clone().any(u8::is_ascii_digit) {
                return self.value(said, how);
            }
        }
        // `IDENTIFIED BY PASSWORD '…'`, `invalid password "…"`; not `unexpected token ")"`, `to pass '-x'`.
        let verb = ["pass", "pin"].iter().any(|verb| self.text[start..end].eq_ignore_ascii_case(verb));
        if class == Class::Password && quoted.is_none() && space > close && opens && !verb {
            return self.value(space, how);
        }
        self.value_field(close, class).unwrap_or(end)
    }

    fn classify(&self, start: usize, end: usize, before: Option<u8>) -> Option<Class> {
        let name = &self.text[start..end];
        let in_query = matches!(before, Some(b'?' | b'&')) && self.byte(end) == Some(b'=');
        if in_query && name::is_secret_in_query(name) {
            return Some(Class::Token);
        }
        if let Some(class) = name::classify(name) {
            let unexpected =
                class == Class::Token && matches!(self.word_before(start), Some("unexpected" | "expected"));
            return (!unexpected).then_some(class);
        }
        // `API key: …`: the name is two words.
        if name::ends_pair(name)
            && let Some(word) = self.word_before(start).filter(|word| !word.is_empty() && !name::is_secret(word))
            && let Some(class) = name::classify(&[word, name].join("_"))
        {
            return Some(class);
        }
        // `\napi_key`: the letter belongs to an escape.
        if before == Some(b'\\') && matches!(self.byte(start), Some(b'n' | b'r' | b't')) {
            return name::classify(&self.text[start + 1..end]);
        }
        None
    }

    /// The word before a single space.
    fn word_before(&self, start: usize) -> Option<&str> {
        let space = start.checked_sub(1).filter(|&space| self.bytes[space] == b' ')?;
        let length = self.bytes[..space].iter().rev().take(LOOK).take_while(|byte| byte.is_ascii_alphabetic()).count();
        Some(&self.text[space - length..space])
    }

    fn is_declared(&self, start: usize) -> bool {
        matches!(self.word_before(start), Some("let" | "const" | "mut" | "static" | "var"))
    }

    /// The sign that assigns, and where it ends.
    fn sign(&self, at: usize) -> Option<(usize, By)> {
        // `cfg["password"] = …` and `tokens[0] = …`.
        let index = if self.byte(at) == Some(b'[') { self.skip(at + 1, b"0123456789").min(at + 8) } else { at };
        let at = if self.byte(index) == Some(b']') { index + 1 } else { at };
        let at = self.skip(at, b" \t");
        const SIGNS: &[(&str, By)] = &[
            ("===", By::Comparison),
            ("!==", By::Comparison),
            ("==", By::Comparison),
            ("!=", By::Comparison),
            ("=>", By::Equals),
            ("<-", By::Equals),
            ("→", By::Equals),
            ("??=", By::Equals),
            ("||=", By::Equals),
            ("+=", By::Equals),
            ("?=", By::Equals),
            (":=", By::Equals),
            ("=", By::Equals),
            ("%3D", By::Equals),
            ("%3d", By::Equals),
            ("%3A", By::Colon),
            ("%3a", By::Colon),
        ];
        if let Some((sign, by)) = SIGNS.iter().find(|(sign, _)| self.starts(at, sign)) {
            return Some((at + sign.len(), *by));
        }
        // `token::Kind` is a path, `secret://…` an address.
        let colon = self.byte(at) == Some(b':') && !self.starts(at + 1, ":") && !self.starts(at + 1, "//");
        if colon {
            return Some((at + 1, By::Colon));
        }
        (self.byte(at) == Some(b'?') && self.byte(at + 1) == Some(b':')).then_some((at + 2, By::Colon))
    }

    /// `password for ada: …`, `password of "ada" = …`.
    fn owner(&self, at: usize, class: Class) -> Option<(usize, By)> {
        let word = [" for ", " of "].iter().find(|word| self.starts(at, word)).filter(|_| class == Class::Password)?;
        let quoted = b"\"'`@";
        let start = self.skip(at + word.len(), quoted);
        let length = self.bytes[start..].iter().take(LOOK).take_while(|&&byte| is_name(byte) || byte == b'@').count();
        self.sign(self.skip(start + length, quoted))
    }

    /// Where the value of `"password=two words"` or `;Password=two words;` ends: what stands around it says so.
    fn fenced(&self, at: usize, before: Option<u8>) -> Option<usize> {
        let fence = before.filter(|byte| matches!(byte, b'"' | b'\'' | b'`' | b';'))?;
        let ends = |byte: u8| matches!(byte, b'"' | b'\'' | b'`' | b'\n' | b'\\' | b';' | b'&' | b'=' | b'$' | b'<');
        let length = self.bytes[at..].iter().take(4 * LOOK).position(|&byte| ends(byte))?;
        (length > 0 && self.bytes[at + length] == fence).then_some(at + length)
    }

    /// `set_password`, `with_token`: what is called is what is set.
    fn is_setter(&self, start: usize, end: usize) -> bool {
        let verb = self.text[start..end].rsplit('.').next().unwrap_or_default();
        ["set", "change", "update", "with", "use"].iter().any(|known| {
            let rest = verb.strip_prefix(known);
            rest.is_some_and(|rest| rest.starts_with('_') || rest.starts_with(|c: char| c.is_ascii_uppercase()))
        })
    }

    /// Masks the strings of `set_password("ada", "…")`: all but the first, which says whose; the first when it is alone.
    fn arguments(&mut self, open: usize) -> usize {
        let mut strings: Vec<(usize, usize)> = Vec::new();
        let mut at = open + 1;
        while strings.len() < 8 {
            at = self.skip(at, b" \t\r\n,");
            let Some(quote) = Quote::open(self.bytes, at) else { break };
            let (end, after) = quote.close(self.bytes);
            strings.push((quote.start, end));
            at = after;
        }
        for &(start, end) in &strings[usize::from(strings.len() > 1)..] {
            self.take(start, end, end);
        }
        at.max(open + 1)
    }

    /// Whether a quoted name is the first argument of a call that sets something, or of a bare tuple.
    fn is_set(&self, start: usize) -> bool {
        let quote = self.bytes[..start].iter().rev().take(16).take_while(|byte| b"\"'`\\".contains(byte)).count();
        let before = &self.bytes[..start - quote];
        let Some((b'(' | b'[', before)) = before.split_last() else { return false };
        let length = before.iter().rev().take(LOOK).take_while(|&&byte| is_name(byte)).count();
        let callee = &self.text[before.len() - length..before.len()];
        callee.is_empty()
            || callee.split(['_', '.', '-']).any(|word| SETTERS.contains(&word.to_ascii_lowercase().as_str()))
    }

    /// `{"name": "DB_PASSWORD", "value": "…"}` and its forms in YAML: the name is a value itself.
    fn value_field(&mut self, close: usize, class: Class) -> Option<usize> {
        let gap = self.bytes[close..].iter().take(LOOK).take_while(|byte| b" \t\r\n,".contains(byte)).count();
        let at = close + gap;
        let key = Quote::open(self.bytes, at).map_or(at, |quote| quote.start);
        if gap == 0 || !self.starts(key, "value") {
            return None;
        }
        let end = key + "value".len();
        let end = if key > at { Quote::open(self.bytes, end)?.start } else { end };
        let (sign, by) = self.sign(end)?;
        let start = self.skip(sign, b" \t");
        Some(self.value(start, How { class, by, glued: start == sign, code: false }))
    }
}

fn begins_argument(byte: u8) -> bool {
    !byte.is_ascii_whitespace() && !matches!(byte, b'-' | b'|' | b'>' | b'&' | b';' | b')' | b']' | b'}' | b',' | b'.')
}

fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
