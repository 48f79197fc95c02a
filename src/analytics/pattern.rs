//! What two texts have in common that differ only in what they are about: `cancel("run_1")` and `cancel("run_2")`.

/// What stands for a value.
const ANY: char = '…';

/// The text with quoted values and numbers left open, and blanks made one.
///
/// A digit inside a word belongs to the word (`phase2`), unless letters and digits are mixed as in ids (`run_01a7`): then
/// the word is a value.
pub(super) fn pattern(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.trim();
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '"' | '`' | '\'' => quoted(rest, first, &mut out),
            c if c.is_whitespace() => {
                out.push(' ');
                rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len())
            }
            c if is_word(c) => word(rest, &mut out),
            c => {
                out.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    out
}

/// A quoted value; a quote that is never closed is an apostrophe.
fn quoted(rest: &str, quote: char, out: &mut String) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => {
                out.extend([quote, ANY, quote]);
                return at + quote.len_utf8();
            }
            _ => {}
        }
    }
    out.push(quote);
    quote.len_utf8()
}

fn word(rest: &str, out: &mut String) -> usize {
    let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    let word = &rest[..end];
    if is_value(word) {
        out.push(ANY);
    } else {
        out.push_str(word);
    }
    end
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Numbers, and words that go from letters to digits and on, or hold a digit after an underscore: ids.
fn is_value(word: &str) -> bool {
    let digits = word.chars().filter(char::is_ascii_digit).count();
    if digits == word.chars().count() {
        return true;
    }
    let changes =
        word.as_bytes().windows(2).filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit()).count();
    word.starts_with(|c: char| c.is_ascii_digit())
        || changes > 1
        || word.split('_').skip(1).any(|part| part.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::pattern;

    #[test]
    fn values_are_left_open() {
        for (text, expected) in [
            (r#"cancel("run_1")"#, r#"cancel("…")"#),
            (r#"cancel("with \" inside")"#, r#"cancel("…")"#),
            ("errors --limit 20", "errors --limit …"),
            ("let x = 5;\n  x + 1", "let x = …; x + …"),
            ("no run `run_01a7` here", "no run `…` here"),
            ("no run run_01a7", "no run …"),
            ("phase2() and x1", "phase2() and x1"),
            ("it can't be", "it can't be"),
            ("2026-03-01T12:00:00Z", "…-…-…:…:…"),
            ("", ""),
        ] {
            assert_eq!(pattern(text), expected, "{text}");
        }
    }
}
