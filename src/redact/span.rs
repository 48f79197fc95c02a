//! Byte ranges that are to be masked: how they are collected, merged and replaced.

use std::ops::Range;

use super::MASK;

/// Ranges found in one pass over one text, in any order, overlapping or not.
#[derive(Debug, Default)]
pub(super) struct Spans(Vec<Range<usize>>);

impl Spans {
    /// Adds a range that begins and ends between characters.
    pub(super) fn add(&mut self, span: Range<usize>) {
        if span.start < span.end {
            self.0.push(span);
        }
    }

    /// Those that begin at this place or behind it, counted from there.
    pub(super) fn behind(&self, start: usize) -> Vec<Range<usize>> {
        let behind = self.0.iter().filter(|span| span.start >= start);
        behind.map(|span| span.start - start..span.end - start).collect()
    }

    /// Adds what was found in the visible part of a text, at its place in the whole.
    pub(super) fn add_mapped(&mut self, found: Spans, visible: &Visible) {
        for span in found.0 {
            self.add(visible.origin[span.start]..visible.origin[span.end - 1] + 1);
        }
    }

    /// The text with every range masked; `None` when that changes nothing.
    ///
    /// Ranges that touch become one mask, and a range that touches an older mask swallows it: two masks side by side
    /// would tell that a secret had parts.
    pub(super) fn mask(mut self, text: &str) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        self.0.extend(text.match_indices(MASK).map(|(start, mask)| start..start + mask.len()));
        self.0.sort_unstable_by_key(|span| (span.start, span.end));
        let mut masked = String::with_capacity(text.len() + 2 * MASK.len());
        let mut copied = 0;
        let mut spans = self.0.into_iter().peekable();
        while let Some(mut span) = spans.next() {
            while let Some(next) = spans.next_if(|next| next.start <= span.end) {
                span.end = span.end.max(next.end);
            }
            masked.push_str(&text[copied..span.start]);
            masked.push_str(MASK);
            copied = span.end;
        }
        masked.push_str(&text[copied..]);
        (masked != text).then_some(masked)
    }
}

/// A range as wide as the whole characters it touches.
pub(super) fn widen(text: &str, span: &Range<usize>) -> Range<usize> {
    let mut start = span.start.min(text.len());
    let mut end = span.end.clamp(start, text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}

/// A text without its invisible characters, and where each byte of it came from.
pub(super) struct Visible {
    pub(super) text: String,
    origin: Vec<usize>,
}

impl Visible {
    /// `None` when every character is visible, which is nearly always.
    pub(super) fn of(text: &str) -> Option<Self> {
        let suspicious = |&byte: &u8| !matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r');
        if !text.as_bytes().iter().any(suspicious) || !text.chars().any(is_invisible) {
            return None;
        }
        let mut visible = Self { text: String::with_capacity(text.len()), origin: Vec::with_capacity(text.len()) };
        let mut at = 0;
        while let Some(character) = text[at..].chars().next() {
            let end = at + character.len_utf8();
            if !is_invisible(character) {
                visible.text.push(character);
                visible.origin.extend(at..end);
            }
            at = if character == '\u{1b}' { end_of_escape(text, end) } else { end };
        }
        Some(visible)
    }
}

/// Control and format characters that a terminal does not show.
fn is_invisible(character: char) -> bool {
    match character {
        '\t' | '\n' | '\r' => false,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' => true,
        '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' => true,
        '\u{e0000}'..='\u{e0fff}' => true,
        other => other.is_control(),
    }
}

/// Where a terminal's control sequence (`ESC [ … letter`: colours and the like) ends. Bounded: none is longer.
fn end_of_escape(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    if bytes.get(start) != Some(&b'[') {
        return start;
    }
    let parameters = bytes[start + 1..].iter().take(32).take_while(|byte| matches!(byte, b'0'..=b'?')).count();
    let last = start + 1 + parameters;
    if bytes.get(last).is_some_and(|byte| matches!(byte, b'@'..=b'~')) { last + 1 } else { start }
}
