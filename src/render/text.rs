//! Text that a terminal shows and does not obey, and its width in columns.
//!
//! A helper's output, a journal's old events and a file's content all end on somebody's terminal. None of them may move
//! the cursor, change a colour, or turn the reading direction around so that one command looks like another.
//!
//! - [`visible`] keeps LF and TAB: it is for running text.
//! - [`line()`] escapes those too: it is for a cell or a key, which must not grow a second line.
//! - Widths are counted in terminal columns (Unicode UAX #11), cuts are made between grapheme clusters.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// What stands where text was cut.
pub(super) const CUT: char = '…';

/// Text whose control characters and bidirectional overrides are shown, not obeyed: ESC becomes `\u{1b}`.
///
/// LF and TAB stay.
///
/// ```
/// assert_eq!(admin_shell::render::visible("\u{1b}[2Jdone\n"), "\\u{1b}[2Jdone\n");
/// ```
#[must_use]
pub fn visible(text: &str) -> String {
    escape(text, |c| c != '\n' && c != '\t' && is_hostile(c)).into_owned()
}

/// Like [`visible`], for text that has to stay on one line: LF becomes `\n`, TAB `\t`.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    escape(text, is_hostile)
}

/// Whether a terminal would obey the character instead of showing it: Cc, or a bidirectional override or isolate.
pub(super) fn is_hostile(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escape(text: &str, hostile: impl Fn(char) -> bool) -> Cow<'_, str> {
    // Nearly every text is clean: a hundred thousand rows should not be copied to find that out.
    let Some(first) = text.find(&hostile) else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str(&text[..first]);
    for c in text[first..].chars() {
        match c {
            c if !hostile(c) => out.push(c),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c => out.extend(c.escape_unicode()),
        }
    }
    Cow::Owned(out)
}

/// How many columns a terminal needs for a line of [`visible`] text.
pub(crate) fn columns(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.width() }
}

/// The text, or as much of its beginning as fits into `limit` columns together with a `…`.
pub(crate) fn cut(text: &str, limit: usize) -> Cow<'_, str> {
    if columns(text) <= limit {
        return Cow::Borrowed(text);
    }
    if limit == 0 {
        return Cow::Borrowed("");
    }
    let (mut end, mut used) = (0, 0);
    for cluster in text.graphemes(true) {
        let width = columns(cluster);
        if used + width + 1 > limit {
            break;
        }
        used += width;
        end += cluster.len();
    }
    Cow::Owned(format!("{}{CUT}", &text[..end]))
}

/// Breaks one line of prose at spaces into lines of at most `limit` columns.
///
/// A longer word stays whole: an id or a path that a terminal wraps can still be copied, one that we broke can not.
pub(crate) fn wrap(text: &str, limit: usize) -> Vec<&str> {
    let mut lines = Vec::new();
    let (mut start, mut at, mut used) = (0, 0, 0);
    for word in text.split(' ') {
        let width = columns(word);
        let before = text[start..at].trim_end();
        if used + 1 + width > limit && !before.is_empty() {
            lines.push(before);
            (start, used) = (at, width);
        } else {
            used += width + usize::from(at > start);
        }
        at += word.len() + 1;
    }
    lines.push(&text[start..]);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_overrides_are_shown() {
        for (text, shown) in [
            ("plain, ünïcode 日本 🦀", "plain, ünïcode 日本 🦀"),
            ("a\n\tb", "a\n\tb"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("bell\u{7} del\u{7f} nul\0 cr\r", "bell\\u{7} del\\u{7f} nul\\u{0} cr\\u{d}"),
            ("csi\u{9b}31m", "csi\\u{9b}31m"),
            ("safe\u{202e}txt.exe\u{2069}", "safe\\u{202e}txt.exe\\u{2069}"),
        ] {
            assert_eq!(visible(text), shown);
        }
        assert_eq!(line("a\n\tb"), "a\\n\\tb");
    }

    #[test]
    fn every_hostile_character_is_escaped_and_no_other() {
        for c in (0..=0x10_ffff).filter_map(char::from_u32) {
            let text = c.to_string();
            let kept = line(&text) == text;
            assert_eq!(
                kept,
                !(c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c))
            );
        }
    }

    #[test]
    fn cuts_between_clusters() {
        for (text, limit, expected) in [
            ("short", 5, "short"),
            ("longer", 5, "long…"),
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…"),
            ("👩‍👩‍👧‍👦x!", 3, "👩‍👩‍👧‍👦…"),
            ("x", 0, ""),
            ("xy", 1, "…"),
        ] {
            assert_eq!(cut(text, limit), expected, "{text} in {limit}");
            assert!(columns(&cut(text, limit)) <= limit);
        }
    }

    #[test]
    fn wraps_at_spaces_and_keeps_words_whole() {
        assert_eq!(wrap("one two three", 20), ["one two three"]);
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("one two three", 3), ["one", "two", "three"]);
        assert_eq!(wrap("a /very/long/path/name b", 6), ["a", "/very/long/path/name", "b"]);
        assert_eq!(wrap("日本 語語 日本", 5), ["日本", "語語", "日本"]);
    }
}
