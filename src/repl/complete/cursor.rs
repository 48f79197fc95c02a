//! Where in a piece of Rhai the cursor stands: in code, a string or a comment, and inside which open brackets.
//!
//! Not a parser: what is being typed does not parse yet. It knows just enough of Rhai's tokens (nested comments, escapes, raw
//! strings, `${…}` in back-quoted ones) never to take the inside of a string for code.

/// What stands before the cursor.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    pub(super) inside: Inside,
    /// The word before the cursor: an identifier that began at `start`; inside a string all of the string.
    pub(super) word: &'a str,
    pub(super) start: usize,
    /// The word follows a `.`: it is a method or a field.
    pub(super) after_dot: bool,
    /// Brackets that are open, the innermost last.
    pub(super) open: Vec<Open<'a>>,
}

/// What the cursor stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inside {
    Code,
    Comment,
    /// A string with this quote.
    Text(char),
    /// A string that can not be completed: raw, or a character.
    Raw,
}

/// An open bracket.
#[derive(Debug)]
pub(super) struct Open<'a> {
    pub(super) bracket: Bracket<'a>,
    /// How many items of it are complete.
    pub(super) commas: usize,
    /// Where the item with the cursor begins.
    pub(super) item: usize,
    /// Names before a `:`, in a record.
    pub(super) keys: Vec<&'a str>,
    /// The name before the `:` of the item with the cursor, and where its value begins.
    pub(super) key: Option<(&'a str, usize)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bracket<'a> {
    /// `name(`, or `value.name(` when `method`.
    Call { name: &'a str, method: bool },
    /// `#{`
    Record,
    /// `${` in a back-quoted string.
    Interpolation,
    /// `(`, `[`, `{`
    Other,
}

impl<'a> Cursor<'a> {
    /// The cursor at byte `at` of `text`, which has to be a character boundary.
    pub(super) fn new(text: &'a str, at: usize) -> Self {
        let mut scan = Scan { text: &text[..at], at: 0, open: Vec::new(), word: None, dot: false };
        let inside = scan.run();
        let (start, end) = match inside {
            Inside::Text(_) => (scan.at, at),
            _ => scan.word.filter(|(_, end)| *end == at).unwrap_or((at, at)),
        };
        Self { inside, word: &text[start..end], start, after_dot: scan.dot, open: scan.open }
    }

    /// The code of the innermost item that stands before the word, without blanks; empty when the word begins it.
    pub(super) fn before_word(&self, text: &'a str) -> &'a str {
        let item = self.open.last().map_or(0, |open| open.key.map_or(open.item, |(_, value)| value));
        text[item..self.start].trim()
    }
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
    open: Vec<Open<'a>>,
    /// The last token, when it was a word.
    word: Option<(usize, usize)>,
    /// The last token was a `.`, or a word after one.
    dot: bool,
}

impl<'a> Scan<'a> {
    /// Reads to the end. Inside a string, `at` is where its content begins.
    fn run(&mut self) -> Inside {
        while let Some(c) = self.rest().chars().next() {
            let rest = self.rest();
            let inside = match c {
                _ if rest.starts_with("//") => self.skip_to(rest.find('\n'), Inside::Comment),
                _ if rest.starts_with("/*") => self.skip_to(end_of_comment(rest), Inside::Comment),
                '"' => self.text('"'),
                '`' => self.text('`'),
                '\'' => self.skip_to(end_of_text(&rest[1..], '\'').map(|end| end + 2), Inside::Raw),
                '#' if rest.trim_start_matches('#').starts_with('"') => self.raw(),
                '#' if rest.starts_with("#{") => self.push(Bracket::Record, 2),
                c if c.is_alphanumeric() || c == '_' => self.word(),
                c if c.is_whitespace() => self.advance(c.len_utf8()),
                c => self.punctuation(c),
            };
            if let Some(inside) = inside {
                return inside;
            }
        }
        Inside::Code
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn advance(&mut self, bytes: usize) -> Option<Inside> {
        self.at += bytes;
        None
    }

    /// Forgets the last token, and goes on `end` bytes further; without an end the cursor is inside.
    fn skip_to(&mut self, end: Option<usize>, inside: Inside) -> Option<Inside> {
        self.forget();
        match end {
            Some(end) => self.advance(end),
            None => Some(inside),
        }
    }

    fn forget(&mut self) {
        (self.word, self.dot) = (None, false);
    }

    fn word(&mut self) -> Option<Inside> {
        let rest = self.rest();
        let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        // A dot before the word belongs to it; a word before the word does not.
        self.dot = self.dot && self.word.is_none();
        self.word = Some((self.at, self.at + length));
        self.advance(length)
    }

    /// A string that begins here.
    fn text(&mut self, quote: char) -> Option<Inside> {
        self.forget();
        self.at += 1;
        self.text_goes_on(quote)
    }

    /// The rest of a string whose beginning has been read.
    fn text_goes_on(&mut self, quote: char) -> Option<Inside> {
        let rest = self.rest();
        let end = end_of_text(rest, quote);
        if quote == '`'
            && let Some(code) = rest.find("${").filter(|code| end.is_none_or(|end| *code < end))
        {
            return self.push(Bracket::Interpolation, code + 2);
        }
        match end {
            Some(end) => self.advance(end + 1),
            None => Some(Inside::Text(quote)),
        }
    }

    /// `#"…"#`, with any number of `#`.
    fn raw(&mut self) -> Option<Inside> {
        let rest = self.rest();
        let hashes = rest.len() - rest.trim_start_matches('#').len();
        let close = format!("\"{}", &rest[..hashes]);
        let end = rest[hashes + 1..].find(&close).map(|end| hashes + 1 + end + close.len());
        self.skip_to(end, Inside::Raw)
    }

    fn punctuation(&mut self, c: char) -> Option<Inside> {
        let next = self.at + c.len_utf8();
        let (word, dot) = (self.word, self.dot);
        self.forget();
        match c {
            '(' => {
                let name = word.map(|(start, end)| &self.text[start..end]).filter(|name| !is_keyword(name));
                return self.push(name.map_or(Bracket::Other, |name| Bracket::Call { name, method: dot }), 1);
            }
            '[' | '{' => return self.push(Bracket::Other, 1),
            ')' | ']' | '}' => {
                if let Some(Open { bracket: Bracket::Interpolation, .. }) = self.open.pop() {
                    self.at = next;
                    return self.text_goes_on('`');
                }
            }
            ',' | ';' => {
                if let Some(open) = self.open.last_mut() {
                    open.commas += usize::from(c == ',');
                    (open.item, open.key) = (next, None);
                }
            }
            ':' => {
                if let Some(open) = self.open.last_mut().filter(|open| open.bracket == Bracket::Record)
                    && let (None, Some((start, end))) = (open.key, word)
                {
                    open.keys.push(&self.text[start..end]);
                    open.key = Some((&self.text[start..end], next));
                }
            }
            '.' => self.dot = true,
            _ => {}
        }
        self.at = next;
        None
    }

    fn push(&mut self, bracket: Bracket<'a>, length: usize) -> Option<Inside> {
        self.forget();
        self.at += length;
        self.open.push(Open { bracket, commas: 0, item: self.at, keys: Vec::new(), key: None });
        None
    }
}

/// Where the quote stands that ends the string, from the beginning of its content.
fn end_of_text(text: &str, quote: char) -> Option<usize> {
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if quote != '`' => {
                chars.next();
            }
            c if c == quote => return Some(at),
            _ => {}
        }
    }
    None
}

/// Behind the `*/` that ends the comment; comments nest in Rhai.
fn end_of_comment(text: &str) -> Option<usize> {
    let (mut at, mut depth) = (0, 0);
    while let Some(next) = text[at..].find(['/', '*']).map(|next| at + next) {
        match text.get(next..next + 2) {
            Some("/*") => (depth, at) = (depth + 1, next + 2),
            Some("*/") => (depth, at) = (depth - 1, next + 2),
            _ => at = next + 1,
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// Words before a bracket that call nothing.
fn is_keyword(word: &str) -> bool {
    super::KEYWORDS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_end(text: &str) -> Cursor<'_> {
        Cursor::new(text, text.len())
    }

    #[test]
    fn knows_strings_and_comments_from_code() {
        for (text, inside, word) in [
            ("", Inside::Code, ""),
            ("let a = fo", Inside::Code, "fo"),
            ("fo ", Inside::Code, ""),
            ("\"in", Inside::Text('"'), "in"),
            ("\"a\\\"in", Inside::Text('"'), "a\\\"in"),
            ("\"a\" + b", Inside::Code, "b"),
            ("// fo", Inside::Comment, ""),
            ("// fo\nba", Inside::Code, "ba"),
            ("/* a /* b */ c", Inside::Comment, ""),
            ("/* a /* b */ c */ d", Inside::Code, "d"),
            ("/*/ a", Inside::Comment, ""),
            ("`a ${b", Inside::Code, "b"),
            ("`a ${b} c", Inside::Text('`'), " c"),
            ("`a ${ `x ${y}` } ` + c", Inside::Code, "c"),
            ("#\"a\" b", Inside::Raw, ""),
            ("##\"a\"# b\"## + c", Inside::Code, "c"),
            ("'a", Inside::Raw, ""),
            ("'\"' + c", Inside::Code, "c"),
            ("'\\'' + c", Inside::Code, "c"),
            ("}])", Inside::Code, ""),
            ("日本.語", Inside::Code, "語"),
        ] {
            let cursor = at_end(text);
            assert_eq!((cursor.inside, cursor.word), (inside, word), "{text}");
        }
    }

    #[test]
    fn knows_the_brackets_around_it() {
        let call = |name| Bracket::Call { name, method: false };
        for (text, bracket, commas) in [
            ("errors(", Some(call("errors")), 0),
            ("errors (a, b(1, 2), [3, 4], ", Some(call("errors")), 3),
            ("errors(#{ limit: (1, 2), ", Some(Bracket::Record), 1),
            ("a.show(", Some(Bracket::Call { name: "show", method: true }), 0),
            ("a.b.show(", Some(Bracket::Call { name: "show", method: true }), 0),
            ("a.b; show(", Some(call("show")), 0),
            ("if (a", Some(Bracket::Other), 0),
            ("f(\")\", '(', `${g(1)}", Some(call("f")), 2),
            ("f(1)", None, 0),
        ] {
            let cursor = at_end(text);
            let last = cursor.open.last();
            assert_eq!(
                last.map(|open| (open.bracket, open.commas)),
                bracket.map(|bracket| (bracket, commas)),
                "{text}"
            );
        }
        let cursor = at_end("f(#{a: 1, b: #{c: 2}, d : 3 + x");
        let record = cursor.open.last().unwrap();
        assert_eq!(record.keys, ["a", "b", "d"]);
        assert_eq!(record.key.unwrap().0, "d");
        assert!(
            at_end("a.b").after_dot && at_end("a.").after_dot && !at_end("a.b c").after_dot && !at_end("a").after_dot
        );
    }

    #[test]
    fn any_text_can_be_cut_anywhere() {
        let text = "let a = #{b: `x ${f(\"é\", 'c', /* n /* m */ */ #\"raw\"#)} y`, d: [1, 2]}; // 日本\na.show(1)";
        for at in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
            let cursor = Cursor::new(text, at);
            assert!(cursor.start + cursor.word.len() == at, "{at}");
            let _ = cursor.before_word(text);
        }
    }
}
