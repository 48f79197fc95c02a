//! What went wrong, as people want to read it: one sentence, the place in the script with a caret, one hint.
//!
//! Only the line of the place is shown, and of a long line only what stands around the caret: scripts are made by
//! programs too, and one line of a megabyte must not fill the screen. Whatever the line holds, the caret stands below the
//! character that it means, and the column that is named is the script's own.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::{
    Color, Width,
    text::{line, visible, wrap},
};

/// Columns used when nothing says how many there are.
const UNKNOWN: usize = 120;
/// Fewer columns show nothing that helps.
const NARROWEST: usize = 20;
/// Of what is longer only the beginning is marked, so that it can be cut.
const LONGEST: usize = 40;

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report<'a> {
    /// One sentence.
    pub message: &'a str,
    /// What to do next.
    pub hint: Option<&'a str>,
    /// Where in a script.
    pub at: Option<Place<'a>>,
}

/// A place in a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// What the script is called: `repl:3`, `-c`, a file's name.
    pub source: &'a str,
    /// The whole script.
    pub text: &'a str,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The column behind the last character that is meant; without it the word that begins there is meant.
    pub end_column: Option<usize>,
}

/// The report as text, without a newline at the end.
///
/// ```
/// use admin_shell::render::{Color, Place, Report, Width, failure};
///
/// let at = Some(Place { source: "repl:3", text: "show(1) + sohw(2)", line: 1, column: 11, end_column: None });
/// let report = Report { message: "there is no helper `sohw`", hint: Some("`show` is the nearest"), at };
/// assert_eq!(
///     failure(&report, Width::Unlimited, Color::Off),
///     "error: there is no helper `sohw`
///  --> repl:3:1:11
///   |
/// 1 | show(1) + sohw(2)
///   |           ^^^^
///   |
///   = help: `show` is the nearest",
/// );
/// ```
#[must_use]
pub fn failure(report: &Report<'_>, width: Width, color: Color) -> String {
    // The renderer cuts the lines of a script and leaves words alone.
    let columns = match width {
        Width::Columns(columns) => Some(usize::from(columns).max(NARROWEST)),
        Width::Unlimited => None,
    };
    let wrapped = |text: &str, before: usize| in_lines(text, columns.map(|columns| columns.saturating_sub(before)));
    let mut group = Group::with_title(Level::ERROR.primary_title(wrapped(report.message, "error: ".len())));
    if let Some(place) = report.at {
        group = match place.shown() {
            Some((text, meant)) => group.element(
                Snippet::source(text)
                    .path(line(place.source))
                    .line_start(place.line)
                    .annotation(AnnotationKind::Primary.span(meant)),
            ),
            None => group.element(Origin::path(line(place.source)).line(place.line).char_column(place.column)),
        };
    }
    let renderer = match color {
        // Not every terminal knows hyperlinks, and there is nothing here to link to.
        Color::On => Renderer::styled().hyperlink(false),
        Color::Off => Renderer::plain(),
    };
    let renderer = renderer.term_width(columns.unwrap_or(UNKNOWN));
    match (report.hint, report.at) {
        (Some(hint), Some(at)) => {
            let before = at.line.to_string().len() + "  = help: ".len();
            renderer.render(&[group.element(Level::HELP.message(wrapped(hint, before)))])
        }
        // Below a place the hint hangs from its line; without one there is nothing to hang from.
        (Some(hint), None) => {
            let hint = Group::with_title(Level::HELP.primary_title(wrapped(hint, "help: ".len())));
            format!("{}\n{}", renderer.render(&[group]), renderer.render(&[hint]))
        }
        (None, _) => renderer.render(&[group]),
    }
}

/// The text with no line longer than that, where words allow it.
fn in_lines(text: &str, columns: Option<usize>) -> String {
    let text = visible(text);
    match columns {
        Some(columns) => text.split('\n').flat_map(|line| wrap(line, columns)).collect::<Vec<_>>().join("\n"),
        None => text,
    }
}

impl Place<'_> {
    /// The line to show, and what the carets point at: as far as it is said, or the word that begins there, or one character.
    fn shown(&self) -> Option<(String, Range<usize>)> {
        let source = self.text.split('\n').nth(self.line.checked_sub(1)?)?;
        let source = source.strip_suffix('\r').unwrap_or(source);
        // The renderer knows tabs, C0 controls and overrides, and takes one column for each; not so the C1 controls. The
        // joiner it would drop. One character for one, so that the column which it counts is the script's.
        let text: String = source
            .chars()
            .map(|c| if matches!(c, '\u{80}'..='\u{9f}' | '\u{200d}') { char::REPLACEMENT_CHARACTER } else { c })
            .collect();
        let start = text.char_indices().nth(self.column.max(1) - 1).map_or(text.len(), |(at, _)| at);
        let length = self.end_column.map_or(0, |end| end.saturating_sub(self.column.max(1)));
        let word = text[start..].chars().enumerate().take(LONGEST);
        let word = word.take_while(|(at, c)| if length > 0 { *at < length } else { c.is_alphanumeric() || *c == '_' });
        let one = text[start..].chars().next().map_or(0, char::len_utf8);
        let meant = start..start + word.map(|(_, c)| c.len_utf8()).sum::<usize>().max(one);
        Some((text, meant))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn shows(text: &str, line: usize, column: usize, width: u16, expected: &str) {
        let at = Some(Place { source: "repl:7", text, line, column, end_column: None });
        let report = Report { message: "it does not work", hint: Some("try something else"), at };
        let shown = failure(&report, Width::Columns(width), Color::Off);
        assert_eq!(shown, expected.trim_matches('\n'), "\n{shown}\n");
    }

    #[test]
    fn one_line_of_many_is_shown() {
        shows(
            "let a = 1;\nlet b = a + cuont;\nb",
            2,
            13,
            80,
            "
error: it does not work
 --> repl:7:2:13
  |
2 | let b = a + cuont;
  |             ^^^^^
  |
  = help: try something else
",
        );
    }

    #[test]
    fn the_caret_stays_below_what_it_means() {
        shows(
            "\tx(\"\u{1b}[31m日本\u{202e}\") + ]",
            1,
            18,
            80,
            "
error: it does not work
 --> repl:7:1:18
  |
1 |     x(\"␛[31m日本�\") + ]
  |                       ^
  |
  = help: try something else
",
        );
    }

    #[test]
    fn long_lines_are_cut_around_the_caret() {
        let text = format!("{}HERE{}", "a + ".repeat(500), " + b".repeat(500));
        shows(
            &text,
            1,
            2001,
            50,
            "
error: it does not work
 --> repl:7:1:2001
  |
1 | ...+ a + a + a + a + HERE + b + b + b + b +...
  |                      ^^^^
  |
  = help: try something else
",
        );
    }

    #[test]
    fn as_far_as_it_is_said() {
        for (end_column, carets) in [(14, "^^^^^^"), (10, "^^^^^"), (8, "^^^"), (1, "^"), (5, "^")] {
            let at = Some(Place { source: "-c", text: "x = a+b c;", line: 1, column: 5, end_column: Some(end_column) });
            let shown = failure(&Report { message: "m", hint: None, at }, Width::Columns(80), Color::Off);
            let marked = shown.lines().last().unwrap_or_default().trim_start_matches(['|', ' ']);
            assert_eq!(marked, carets, "{end_column}: {shown}");
        }
    }

    #[test]
    fn places_at_and_past_the_end() {
        shows(
            "let a =",
            1,
            8,
            80,
            "
error: it does not work
 --> repl:7:1:8
  |
1 | let a =
  |        ^
  |
  = help: try something else
",
        );
        shows(
            "let a =",
            9,
            1,
            80,
            "
error: it does not work
--> repl:7:9:1
 = help: try something else
",
        );
    }

    #[test]
    fn long_sentences_are_wrapped_at_words() {
        let at = Some(Place { source: "-c", text: "first(1)", line: 1, column: 1, end_column: None });
        let message = "the first of the runs that were asked for is not there any more";
        let mut report = Report { message, hint: Some("ask for another one, or for all of them at once"), at };
        assert_eq!(
            failure(&report, Width::Columns(40), Color::Off),
            "error: the first of the runs that were
       asked for is not there any more
 --> -c:1:1
  |
1 | first(1)
  | ^^^^^
  |
  = help: ask for another one, or for
          all of them at once"
        );
        report.at = None;
        assert_eq!(
            failure(&report, Width::Columns(40), Color::Off),
            "error: the first of the runs that were
       asked for is not there any more
help: ask for another one, or for all of
      them at once"
        );
        assert!(failure(&report, Width::Unlimited, Color::Off).starts_with(&format!("error: {message}\n")));
    }

    #[test]
    fn without_a_place() {
        let mut report = Report { message: "no \u{1b} such thing", hint: None, at: None };
        assert_eq!(failure(&report, Width::Unlimited, Color::Off), "error: no \\u{1b} such thing");
        report.message = "first line\nsecond line";
        report.hint = Some("a hint\nin two lines");
        assert_eq!(
            failure(&report, Width::Unlimited, Color::Off),
            "error: first line\n       second line\nhelp: a hint\n      in two lines"
        );
    }

    #[test]
    fn the_longest_input_is_no_trouble() {
        for text in ["x".repeat(256 * 1024), "x + ".repeat(64 * 1024), "\u{1b}".repeat(256 * 1024)] {
            let at = Some(Place { source: "-c", text: &text, line: 1, column: 100_001, end_column: None });
            let shown = failure(&Report { message: "m", hint: None, at }, Width::Columns(80), Color::Off);
            assert!(shown.len() < 1000, "{} bytes", shown.len());
        }
    }

    #[test]
    fn colour_only_when_asked() {
        let at = Some(Place { source: "-c", text: "1 +", line: 1, column: 3, end_column: None });
        let report = Report { message: "m", hint: Some("h"), at };
        assert!(failure(&report, Width::Unlimited, Color::On).contains("\u{1b}["));
        assert!(!failure(&report, Width::Unlimited, Color::Off).contains('\u{1b}'));
    }

    #[test]
    fn every_place_of_every_text_can_be_shown() {
        for text in ["", "\n", "a", "日本\u{200d}👩‍👩‍👧", "\t\u{1b}\u{202e}", "e\u{301}\r\nx"] {
            for (line, column, width) in (0..4).flat_map(|l| (0..9).flat_map(move |c| (0..40).map(move |w| (l, c, w))))
            {
                let at = Some(Place { source: "s", text, line, column, end_column: Some(width.into()) });
                let report = Report { message: "m", hint: None, at };
                let shown = failure(&report, Width::Columns(width), Color::Off);
                assert!(!shown.contains(['\u{1b}', '\u{202e}', '\t']), "{shown}");
            }
        }
    }
}
