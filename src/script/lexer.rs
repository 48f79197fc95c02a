//! A tolerant reader of code: words, literals and brackets with their bytes, also where the code is wrong.
//!
//! The language's own reader stops at the first error, and its positions end at column 65,535: both would leave the
//! arguments of secret parameters behind unseen. This one reads everything, knows bytes, and errs on the side of taking
//! text for literal.

use std::ops::Range;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'t> {
    /// An identifier or a keyword.
    Word(&'t str),
    /// A string, a part of one, a character, a number; with what stands between its quotes.
    Literal(&'t str),
    /// `(`, `[`, `{`, `#{`, and `${` in a string.
    Open,
    /// `#{`.
    OpenMap,
    /// `)`, `]`, `}`.
    Close,
    Comma,
    Semicolon,
    Colon,
    /// `.` and `?.`.
    Dot,
    Bang,
    Other,
    /// The end of the text.
    End,
}

/// A token and where it begins.
pub(super) type Placed<'t> = (Token<'t>, usize);

/// What was read.
pub(super) struct Lexed<'t> {
    /// The tokens, the last of which is [`Token::End`].
    pub(super) tokens: Vec<Placed<'t>>,
    /// Comments, and literals that are none: what may hide code.
    pub(super) asides: Vec<Range<usize>>,
}

/// Reads a text.
pub(super) fn lex(text: &str) -> Lexed<'_> {
    let mut reader =
        Reader { text, at: 0, lexed: Lexed { tokens: Vec::new(), asides: Vec::new() }, braces: Vec::new() };
    while reader.at < text.len() {
        reader.step();
    }
    reader.lexed.tokens.push((Token::End, text.len()));
    reader.lexed
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    lexed: Lexed<'t>,
    /// For each `${` that is open, the braces that are open in it.
    braces: Vec<usize>,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn push(&mut self, token: Token<'t>, bytes: usize) {
        self.lexed.tokens.push((token, self.at));
        self.at += bytes;
    }

    fn step(&mut self) {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return };
        match first {
            _ if first.is_whitespace() => self.at += first.len_utf8(),
            '/' if rest.starts_with("//") => self.aside(rest.find('\n').unwrap_or(rest.len())),
            '/' if rest.starts_with("/*") => self.aside(block_comment(rest)),
            '"' => self.string(1, "\""),
            '`' => {
                self.at += 1;
                self.template(1);
            }
            '\'' => self.character(),
            '#' if rest.starts_with("#{") => {
                self.enter_brace();
                self.push(Token::OpenMap, 2);
            }
            '#' => {
                let marks = rest.len() - rest.trim_start_matches('#').len();
                match rest[marks..].starts_with('"') {
                    true => self.string(marks + 1, &format!("\"{}", "#".repeat(marks))),
                    false => self.push(Token::Other, marks),
                }
            }
            '{' => {
                self.enter_brace();
                self.push(Token::Open, 1);
            }
            '}' => self.close_brace(),
            '(' | '[' => self.push(Token::Open, 1),
            ')' | ']' => self.push(Token::Close, 1),
            ',' => self.push(Token::Comma, 1),
            ';' => self.push(Token::Semicolon, 1),
            ':' if rest.starts_with("::") => self.push(Token::Other, 2),
            ':' => self.push(Token::Colon, 1),
            '.' => self.push(Token::Dot, 1),
            '?' if rest.starts_with("?.") => self.push(Token::Dot, 2),
            '!' => self.push(Token::Bang, 1),
            _ if first == '_' || first.is_alphanumeric() => {
                let end = rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len());
                let word = &rest[..end];
                let is_number = first.is_numeric();
                self.push(if is_number { Token::Literal(word) } else { Token::Word(word) }, end);
            }
            _ => self.push(Token::Other, first.len_utf8()),
        }
    }

    fn aside(&mut self, bytes: usize) {
        self.lexed.asides.push(self.at..self.at + bytes);
        self.at += bytes;
    }

    /// A string whose beginning is so many bytes long. One that is not closed is all of the rest.
    fn string(&mut self, opening: usize, closing: &str) {
        let rest = self.rest();
        let body = &rest[opening..];
        let is_raw = opening > 1;
        let end = body.match_indices(closing).map(|(at, _)| at).find(|at| {
            let escapes = body[..*at].len() - body[..*at].trim_end_matches('\\').len();
            is_raw || escapes.is_multiple_of(2)
        });
        match end {
            // Only a raw string, or a line that ends with a backslash, goes on: another quote closes something else.
            Some(end) if is_raw || !body[..end].replace("\\\n", "").contains('\n') => {
                self.push(Token::Literal(&body[..end]), opening + end + closing.len());
            }
            _ => {
                self.lexed.asides.push(self.at..self.text.len());
                self.push(Token::Literal(body), rest.len());
            }
        }
    }

    /// The text of a back-quoted string, from here to its end or to the next `${`; `back` bytes before this it began.
    fn template(&mut self, back: usize) {
        let rest = self.rest();
        let mut from = 0;
        loop {
            let Some(found) = rest[from..].find(['`', '$']) else {
                self.lexed.asides.push(self.at..self.text.len());
                self.lexed.tokens.push((Token::Literal(rest), self.at - back));
                self.at = self.text.len();
                return;
            };
            let at = from + found;
            if rest[at..].starts_with("``") {
                from = at + 2;
            } else if rest[at..].starts_with("${") {
                self.lexed.tokens.push((Token::Literal(&rest[..at]), self.at - back));
                self.at += at;
                self.braces.push(0);
                self.push(Token::Open, 2);
                return;
            } else if rest[at..].starts_with('`') {
                self.lexed.tokens.push((Token::Literal(&rest[..at]), self.at - back));
                self.at += at + 1;
                return;
            } else {
                from = at + 1;
            }
        }
    }

    /// A character. More than one between the quotes is an error in the language, and may be anything.
    fn character(&mut self) {
        let rest = self.rest();
        let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
        let body = &line[1..];
        let end = if body.starts_with('\\') {
            body.get(2..).and_then(|more| more.find('\'')).map(|at| at + 2)
        } else {
            body.find('\'')
        };
        match end {
            Some(end) => {
                if body[..end].chars().count() > 1 {
                    self.lexed.asides.push(self.at..self.at + end + 2);
                }
                self.push(Token::Literal(&body[..end]), end + 2);
            }
            None => self.push(Token::Other, 1),
        }
    }

    fn enter_brace(&mut self) {
        if let Some(open) = self.braces.last_mut() {
            *open += 1;
        }
    }

    fn close_brace(&mut self) {
        self.push(Token::Close, 1);
        match self.braces.last_mut() {
            Some(0) => {
                self.braces.pop();
                self.template(0);
            }
            Some(open) => *open -= 1,
            None => {}
        }
    }
}

/// Bytes of a comment that may hold others.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(found) = text[at..].find(['/', '*']) {
        let here = &text[at + found..];
        if here.starts_with("/*") {
            depth += 1;
            at += found + 2;
        } else if here.starts_with("*/") {
            depth -= 1;
            at += found + 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += found + 1;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads(text: &str, expected: &str) {
        let lexed = lex(text);
        let word = |(token, at): &Placed<'_>| match token {
            Token::Word(word) => format!("{word}@{at}"),
            Token::Literal(text) => format!("<{text}>@{at}"),
            Token::Open => "(".to_owned(),
            Token::OpenMap => "#{".to_owned(),
            Token::Close => ")".to_owned(),
            Token::Comma => ",".to_owned(),
            Token::Semicolon => ";".to_owned(),
            Token::Colon => ":".to_owned(),
            Token::Dot => ".".to_owned(),
            Token::Bang => "!".to_owned(),
            Token::Other => "?".to_owned(),
            Token::End => format!("end@{at}"),
        };
        let shown: Vec<String> = lexed.tokens.iter().map(word).collect();
        let asides: Vec<&str> = lexed.asides.iter().map(|aside| &text[aside.clone()]).collect();
        assert_eq!(format!("{} {asides:?}", shown.join(" ")), expected, "{text}");
    }

    #[test]
    fn code() {
        reads("f(a, 1.5);", "f@0 ( a@2 , <1>@5 . <5>@7 ) ; end@10 []");
        reads("#{a: 'x'}?.b!", "#{ a@2 : <x>@5 ) . b@11 ! end@13 []");
        reads("a::b += [é]", "a@0 ? b@3 ? ? ( é@9 ) end@12 []");
    }

    #[test]
    fn strings() {
        reads(r#""a\"b\\" c"#, r#"<a\"b\\>@0 c@9 end@10 []"#);
        reads(r##"#"a"b"# c"##, r##"<a"b>@0 c@8 end@9 []"##);
        reads("`a``b` c", "<a``b>@0 c@7 end@8 []");
        reads(
            "`a${f({1})}b${`c${d}`}` e",
            "<a>@0 ( f@4 ( ( <1>@7 ) ) ) <b>@11 ( <c>@14 ( d@18 ) <>@20 ) <>@22 e@24 end@25 []",
        );
        reads(r"'\'' '\u0041' 'abc'", r#"<\'>@0 <\u0041>@5 <abc>@14 end@19 ["'\\''", "'\\u0041'", "'abc'"]"#);
    }

    #[test]
    fn what_is_wrong_is_read_too() {
        reads("f(\"a", "f@0 ( <a>@2 end@4 [\"\\\"a\"]");
        reads("f(\"a\n\"b\")", "f@0 ( <a\n\"b\")>@2 end@9 [\"\\\"a\\n\\\"b\\\")\"]");
        reads("`a ${b", "<a >@0 ( b@5 end@6 []");
        reads("it's } ) a", "it@0 ? s@3 ) ) a@9 end@10 []");
    }

    #[test]
    fn comments() {
        reads("a // b\nc /* d /* e */ f */ g", r#"a@0 c@7 g@27 end@28 ["// b", "/* d /* e */ f */"]"#);
        reads("/* a", r#"end@4 ["/* a"]"#);
    }
}
