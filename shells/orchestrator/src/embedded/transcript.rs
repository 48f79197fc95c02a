//! A run's output as text: each line labelled with its stream, in the order in which the lines were finished.
//!
//! ```text
//! --- attempt 1 ---
//! stdout | copying 3 files
//! stderr | disk is full
//! --- attempt 2 ---
//! stdout | (2097152 bytes came before; the last 1048576 are kept)
//! stdout | copying 3 files
//! ```

use std::fmt::Write as _;

use crate::process::Stream;

use super::store::Piece;

const LABELS: [&str; 2] = ["stdout", "stderr"];

/// Renders what is kept. `written` is what the run wrote to each stream in all, `limit` what is kept of each at most.
pub(crate) fn render(mut pieces: Vec<Piece>, written: [u64; 2], limit: usize) -> String {
    let kept = [Stream::Out, Stream::Err].map(|stream| trim(&mut pieces, stream, limit));
    let mut text = String::new();
    let mut open: [Vec<u8>; 2] = Default::default();
    let mut told = [false; 2];
    let mut attempt = None;
    for piece in pieces {
        if attempt != Some(piece.attempt) {
            finish(&mut text, &mut open);
            let _ = writeln!(text, "--- attempt {} ---", piece.attempt);
            attempt = Some(piece.attempt);
        }
        let stream = piece.stream as usize;
        if !std::mem::replace(&mut told[stream], true) {
            let dropped = written[stream].saturating_sub(kept[stream]);
            if dropped > 0 {
                let _ = writeln!(
                    text,
                    "{} | ({dropped} bytes came before; the last {} are kept)",
                    LABELS[stream], kept[stream]
                );
            }
        }
        for part in piece.bytes.split_inclusive(|byte| *byte == b'\n') {
            open[stream].extend_from_slice(part);
            if part.ends_with(b"\n") {
                line(&mut text, stream, &mut open[stream]);
            }
        }
    }
    finish(&mut text, &mut open);
    text
}

/// Cuts what is kept of a stream to exactly the limit, from the front, and says how much that is.
fn trim(pieces: &mut [Piece], stream: Stream, limit: usize) -> u64 {
    let of_stream = |piece: &&mut Piece| piece.stream == stream;
    let kept: usize = pieces.iter().filter(|piece| piece.stream == stream).map(|piece| piece.bytes.len()).sum();
    let mut surplus = kept.saturating_sub(limit);
    for piece in pieces.iter_mut().filter(of_stream) {
        let cut = surplus.min(piece.bytes.len());
        piece.bytes.drain(..cut);
        surplus -= cut;
    }
    kept.min(limit) as u64
}

/// Lines without an end yet: the program is still writing them, or ended in the middle.
fn finish(text: &mut String, open: &mut [Vec<u8>; 2]) {
    for (stream, rest) in open.iter_mut().enumerate() {
        if !rest.is_empty() {
            line(text, stream, rest);
        }
    }
}

/// Whole lines are decoded, never pieces: a character may be split between two.
fn line(text: &mut String, stream: usize, bytes: &mut Vec<u8>) {
    let decoded = String::from_utf8_lossy(bytes);
    let _ = writeln!(text, "{} | {}", LABELS[stream], decoded.trim_end_matches(['\n', '\r']));
    bytes.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(attempt: u32, stream: Stream, text: &[u8]) -> Piece {
        Piece { attempt, stream, bytes: text.to_vec() }
    }

    #[test]
    fn lines_are_labelled_and_put_together_again() {
        let pieces = vec![
            piece(1, Stream::Out, b"one\ntw"),
            piece(1, Stream::Err, b"oh \xc3"),
            piece(1, Stream::Out, b"o\n"),
            piece(1, Stream::Err, b"\xa9\nbad \xff"),
            piece(2, Stream::Out, b"three"),
        ];
        let expected = "--- attempt 1 ---\nstdout | one\nstdout | two\nstderr | oh é\nstderr | bad \u{fffd}\n--- attempt 2 ---\nstdout | three\n";
        assert_eq!(render(pieces, [12, 10], 1000), expected);
    }

    #[test]
    fn what_was_dropped_is_said() {
        let pieces = vec![piece(3, Stream::Out, b"abcdef"), piece(3, Stream::Out, b"gh")];
        assert_eq!(
            render(pieces, [100, 0], 4),
            "--- attempt 3 ---\nstdout | (96 bytes came before; the last 4 are kept)\nstdout | efgh\n"
        );
    }

    #[test]
    fn silence_is_empty() {
        assert_eq!(render(Vec::new(), [0, 0], 10), "");
    }
}
