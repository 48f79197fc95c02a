//! Several statements in one input, as a paste brings them: a line each, without the `;` that the language wants between
//! them. Pure: the text and a check in, the inputs to execute out.
//!
//! A text that the language reads as it stands is one input. Any other is cut where a line ends and what stands before is
//! whole, unless the next line can only go on with it. What is wrong stays one input, and nothing of it runs.

use crate::session::Check;

/// What an input of several lines is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// It wants more lines.
    Unfinished,
    /// Its inputs, in order.
    Inputs(Vec<String>),
}

/// Longer texts are scripts: each cut is checked by reading what stands before it.
const MOST_LINES: usize = 1_000;

/// Reads a text of one or more lines.
pub(super) fn read(text: &str, check: impl Fn(&str) -> Check) -> Block {
    let whole = || Block::Inputs(vec![text.to_owned()]);
    match check(text) {
        Check::Complete => return whole(),
        Check::Incomplete => return Block::Unfinished,
        Check::Wrong(_) => {}
    }
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    if lines.len() < 2 || lines.len() > MOST_LINES {
        return whole();
    }
    let mut inputs = Vec::new();
    let mut input = String::new();
    for (index, line) in lines.iter().enumerate() {
        if input.is_empty() && is_remark(line) {
            continue;
        }
        input.push_str(line);
        match check(input.trim_end()) {
            Check::Complete
                if lines[index + 1..].iter().find(|line| !is_remark(line)).is_some_and(|line| goes_on(line)) => {}
            Check::Complete => inputs.push(std::mem::take(&mut input).trim_end().to_owned()),
            Check::Incomplete => {}
            Check::Wrong(_) => {
                // With what the language wants between them, the error is told of what is wrong, and at its place.
                let before: String = inputs.iter().map(|input| format!("{input};\n")).collect();
                let rest = lines[index + 1..].concat();
                return Block::Inputs(vec![format!("{before}{input}{rest}")]);
            }
        }
    }
    if input.is_empty() { Block::Inputs(inputs) } else { Block::Unfinished }
}

/// A blank line, or a comment: nothing to execute.
fn is_remark(line: &str) -> bool {
    line.trim().is_empty() || line.trim_start().starts_with("//")
}

/// Whether a line can only go on with what stands before it.
fn goes_on(line: &str) -> bool {
    let line = line.trim_start();
    let word = line.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    matches!(word, "else" | "catch" | "until" | "in" | "as")
        || line.starts_with(['.', '?', '+', '-', '*', '/', '%', '=', '&', '|', '^', '<', '>', ',', ')', ']', '}'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Failure;

    /// Brackets that are open want more, `!` is wrong, and so are two words on two lines.
    fn check(text: &str) -> Check {
        let code: String =
            text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        if code.contains('!') {
            return Check::Wrong(Failure::new("syntax", "wrong"));
        }
        if code.matches(['(', '{']).count() > code.matches([')', '}']).count() {
            return Check::Incomplete;
        }
        let mut depth = 0;
        let ends = code.trim().chars().filter(|c| {
            depth += i32::from(matches!(c, '(' | '{')) - i32::from(matches!(c, ')' | '}'));
            *c == '\n' && depth == 0
        });
        match ends.count() > code.matches(['+', ';']).count() + code.matches("else").count() {
            true => Check::Wrong(Failure::new("syntax", "wants a `;`")),
            false => Check::Complete,
        }
    }

    #[track_caller]
    fn inputs(text: &str, expected: &[&str]) {
        assert_eq!(
            read(text, check),
            Block::Inputs(expected.iter().map(|&input| input.to_owned()).collect()),
            "{text:?}"
        );
    }

    #[test]
    fn a_paste_is_cut_where_its_statements_end() {
        inputs("a", &["a"]);
        inputs("a;\nb", &["a;\nb"]);
        inputs("a\nb", &["a", "b"]);
        inputs("a\n\nf(\n  1\n)\nb\n", &["a", "f(\n  1\n)", "b"]);
        inputs("// first\na\n  // second\nb", &["a", "b"]);
        inputs("a\n  + b\nc", &["a\n  + b", "c"]);
        inputs("if {\n}\nelse {\n}\nb", &["if {\n}\nelse {\n}", "b"]);
    }

    #[test]
    fn what_is_not_whole_wants_more() {
        assert_eq!(read("f(", check), Block::Unfinished);
        assert_eq!(read("a\nf(", check), Block::Unfinished);
    }

    #[test]
    fn nothing_runs_of_what_is_wrong() {
        inputs("a\nb !\nc", &["a;\nb !\nc"]);
        inputs("!", &["!"]);
    }
}
