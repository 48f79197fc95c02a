//! What stands before a dot: `run.`, `ps()[0].`, `show("run_01").`.

use crate::session::Receiver;

/// Reads the end of a text that ends with a dot. `None` when it is more than a name, a call of it, and an item of that.
pub(super) fn before(text: &str) -> Option<Receiver<'_>> {
    let text = text.trim_end().strip_suffix('.')?;
    let text = text.strip_suffix('?').unwrap_or(text).trim_end();
    let (text, is_item) = without_brackets(text, '[', ']')?;
    let (text, is_called) = without_brackets(text, '(', ')')?;
    let start = text
        .rfind(|c: char| !(c.is_alphanumeric() || c == '_'))
        .map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    let (rest, name) = text.split_at(start);
    let is_name = name.starts_with(|first: char| first.is_alphabetic() || first == '_');
    (is_name && !rest.trim_end().ends_with('.')).then_some(Receiver { name, is_called, is_item })
}

/// The text before the brackets that it ends with, and whether there are any; `None` where they are not opened.
fn without_brackets(text: &str, open: char, close: char) -> Option<(&str, bool)> {
    if !text.ends_with(close) {
        return Some((text, false));
    }
    let (mut depth, mut quoted) = (0_usize, false);
    for (at, c) in text.char_indices().rev() {
        match c {
            '"' => quoted = !quoted,
            _ if quoted => {}
            c if c == close => depth += 1,
            c if c == open => {
                depth -= 1;
                if depth == 0 {
                    return Some((text[..at].trim_end(), true));
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_called_and_taken() {
        for (text, expected) in [
            ("run.", Some(("run", false, false))),
            ("let a = run.", Some(("run", false, false))),
            ("ps()[0].", Some(("ps", true, true))),
            ("ps[-1].", Some(("ps", false, true))),
            ("print(show(\"a)b\").", Some(("show", true, false))),
            ("errors(f(1), [2])[i + 1] .", Some(("errors", true, true))),
            ("a.b.", None),
            ("a.f().", None),
            ("(a).", None),
            ("[1].", None),
            ("1.", None),
            ("\"x\".", None),
            ("0].", None),
            ("日本.", Some(("日本", false, false))),
        ] {
            let read = before(text).map(|receiver| (receiver.name, receiver.is_called, receiver.is_item));
            assert_eq!(read, expected, "{text}");
        }
    }
}
