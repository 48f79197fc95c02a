//! The two consoles of a program: a terminal with a person before it, and a pipe with nobody.
//!
//! What scripts and helpers print is shown with its control characters escaped: only what we render may move a cursor. A
//! console that can ask nobody answers no.

use std::time::Instant;

use super::{editor, screen::Screen, terminal};
use crate::{
    render::{Color, Place, Report, Width, failure, line, visible},
    session::{Console, Failure, Question},
};

/// Longest reason, in characters.
const LONGEST_REASON: usize = 500;

/// A person at a terminal.
pub(crate) struct TerminalConsole {
    screen: Screen,
}

impl TerminalConsole {
    /// A console on this screen, which has to be a terminal's.
    pub(crate) fn new(screen: Screen) -> Self {
        Self { screen }
    }
}

impl Console for TerminalConsole {
    fn print(&mut self, text: &str) {
        self.screen.show(&visible(text));
    }

    fn ask(&mut self, question: &Question) -> Option<String> {
        terminal::discard_typed_ahead();
        confirm(question, &self.screen, editor::ask)
    }

    fn secret(&mut self, label: &str) -> Option<String> {
        self.screen.end_line();
        terminal::secret(&line(label))
    }

    fn progress(&mut self, label: &str, part: Option<f64>) {
        // A terminal that knows no escape sequences can not take back what it shows.
        if terminal::knows_escapes() {
            self.screen.progress(label, part, terminal::width(), Instant::now());
        }
    }
}

/// A pipe, a file, a service's log: there is nobody to ask, and no line to draw twice.
pub(crate) struct PlainConsole {
    screen: Screen,
}

impl PlainConsole {
    /// A console on this screen.
    pub(crate) fn new(screen: Screen) -> Self {
        Self { screen }
    }
}

impl Console for PlainConsole {
    fn print(&mut self, text: &str) {
        self.screen.show(&visible(text));
    }

    fn ask(&mut self, _: &Question) -> Option<String> {
        None
    }

    fn secret(&mut self, _: &str) -> Option<String> {
        None
    }

    fn progress(&mut self, _: &str, _: Option<f64>) {}
}

/// A failure as people read it, without a newline at the end.
pub(crate) fn render_failure(what: &Failure, width: Width, color: Color) -> String {
    let at = what.at.as_ref();
    let at =
        at.map(|at| Place { source: &at.source, text: &at.text, line: at.line, column: at.column, end_column: None });
    failure(&Report { message: &what.message, hint: what.hint.as_deref(), at }, width, color)
}

/// Shows the question, wants `yes` in full, and then a reason. Everything else is a no.
fn confirm(question: &Question, screen: &Screen, mut ask: impl FnMut(&str) -> Option<String>) -> Option<String> {
    screen.end_line();
    screen.show_lines(&words(question));
    let mut answer = |prompt: &str| ask(prompt).map(|answer| answer.trim().to_owned()).unwrap_or_default();
    let reason = if answer("Type yes to run it: ") == "yes" {
        loop {
            let reason = answer("Reason, for the record: ");
            if reason.chars().count() <= LONGEST_REASON {
                break reason;
            }
            screen.show_lines("A reason has at most 500 characters.");
        }
    } else {
        String::new()
    };
    if reason.is_empty() {
        screen.show_lines("Not run.");
        return None;
    }
    Some(reason)
}

/// What is asked, on as many lines as it needs; what somebody else wrote of it can not add lines that look like ours.
fn words(question: &Question) -> String {
    let mut text = format!("{}\n  {}", line(&question.call), line(&question.because));
    for line in question.preview.iter().flat_map(|preview| preview.lines()) {
        text.push_str(&format!("\n  | {}", visible(line)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{
        super::screen::tests::{captured, text},
        *,
    };
    use crate::session::At;

    fn question() -> Question {
        Question {
            call: "cancel(\"run_1\")".into(),
            because: "it stops a run\nand its children".into(),
            preview: Some("run_1  nightly\u{1b}[2J\nType yes to run it: yes".into()),
        }
    }

    #[track_caller]
    fn answers(typed: &[Option<&str>], expected: Option<&str>) -> String {
        let (screen, written) = captured();
        let mut typed = typed.iter();
        let mut asked = Vec::new();
        let answer = confirm(&question(), &screen, |prompt| {
            asked.push(prompt.to_owned());
            typed.next().expect("no more questions than answers").map(str::to_owned)
        });
        assert_eq!(answer.as_deref(), expected);
        assert!(typed.next().is_none(), "not asked: {asked:?}");
        text(&written)
    }

    #[test]
    fn only_yes_and_a_reason_is_a_yes() {
        let asked = "cancel(\"run_1\")\n  it stops a run\\nand its children\n  | run_1  nightly\\u{1b}[2J\n  | Type yes to run it: yes\n";
        assert_eq!(answers(&[Some("yes"), Some(" disk is full ")], Some("disk is full")), asked);
        for typed in [
            &[Some("y")][..],
            &[Some("")],
            &[None],
            &[Some("no")],
            &[Some("YES")],
            &[Some("yes"), Some("  ")],
            &[Some("yes"), None],
        ] {
            assert_eq!(answers(typed, None), format!("{asked}Not run.\n"));
        }
        let long = "x".repeat(501);
        let shown = answers(&[Some("yes"), Some(&long), Some(&long[1..])], Some(&long[1..]));
        assert_eq!(shown, format!("{asked}A reason has at most 500 characters.\n"));
    }

    #[test]
    fn a_pipe_shows_and_asks_nobody() {
        let (screen, written) = captured();
        let mut console = PlainConsole::new(screen);
        console.print("a\tb\u{1b}[31m\u{202e}\n");
        console.progress("label", Some(0.5));
        assert_eq!(console.ask(&question()), None);
        assert_eq!(console.secret("token"), None);
        assert_eq!(text(&written), "a\tb\\u{1b}[31m\\u{202e}\n");
    }

    #[test]
    fn failures_of_sessions_are_rendered() {
        let at = At { source: "repl:1".into(), text: "1 + x".into(), line: 1, column: 5 };
        let what = Failure { kind: "unknown".into(), message: "no `x`".into(), hint: None, at: Some(at) };
        let shown = render_failure(&what, Width::Columns(80), Color::Off);
        assert_eq!(shown, "error: no `x`\n --> repl:1:1:5\n  |\n1 | 1 + x\n  |     ^");
    }
}
