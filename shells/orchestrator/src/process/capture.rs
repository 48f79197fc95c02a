//! What a program writes, kept within bounds while it waits to be stored.
//!
//! Both pipes feed one [`Capture`], which keeps the order in which the pieces arrived. It holds at most its limit of each
//! stream: of a flood the oldest is dropped and counted. Whoever stores takes what is there from time to time; the
//! program itself is never held up by the store.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::io::{AsyncRead, AsyncReadExt};

/// Above this many pieces a piece joins the latest of its stream: lines may then change places by a moment.
const PIECES: usize = 256;

/// How much of the standard error is searched for its last line.
const TAIL: usize = 4096;

/// How much of that line is kept.
const LINE_CHARS: usize = 300;

/// Which of a program's two outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// A piece of output, as the program wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where it came from.
    pub stream: Stream,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// What a program wrote since the last time somebody took it.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// The pieces that were kept, in order.
    pub segments: Vec<Segment>,
    /// How many bytes were written to standard output and to standard error, kept or not.
    pub written: [u64; 2],
}

impl Taken {
    /// Whether the program wrote nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.written == [0; 2]
    }

    /// How many bytes were kept.
    #[must_use]
    pub fn size(&self) -> usize {
        self.segments.iter().map(|segment| segment.bytes.len()).sum()
    }
}

/// The output that waits to be stored. A cheap clone.
#[derive(Clone, Debug)]
pub struct Capture {
    held: Arc<Mutex<Held>>,
    limit: usize,
}

#[derive(Debug, Default)]
struct Held {
    segments: VecDeque<Segment>,
    waiting: [usize; 2],
    written: [u64; 2],
    tail: VecDeque<u8>,
}

impl Capture {
    /// Holds at most so many bytes of each stream.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { held: Arc::default(), limit }
    }

    /// Takes a piece in.
    pub fn push(&self, stream: Stream, bytes: &[u8]) {
        let mut held = self.lock();
        held.written[stream as usize] += bytes.len() as u64;
        if stream == Stream::Err {
            held.tail.extend(bytes);
            let surplus = held.tail.len().saturating_sub(TAIL);
            held.tail.drain(..surplus);
        }
        let crowded = held.segments.len() >= PIECES;
        let joins = held
            .segments
            .iter_mut()
            .rev()
            .take(if crowded { PIECES } else { 1 })
            .find(|segment| segment.stream == stream);
        match joins {
            Some(segment) => segment.bytes.extend_from_slice(bytes),
            None => held.segments.push_back(Segment { stream, bytes: bytes.to_vec() }),
        }
        held.waiting[stream as usize] += bytes.len();
        held.drop_surplus(stream, self.limit);
    }

    /// Gives away what waits.
    #[must_use]
    pub fn take(&self) -> Taken {
        let mut held = self.lock();
        held.waiting = [0; 2];
        Taken { segments: held.segments.drain(..).collect(), written: std::mem::take(&mut held.written) }
    }

    /// The last line of the standard error that is not blank.
    #[must_use]
    pub fn last_line(&self) -> Option<String> {
        let tail: Vec<u8> = self.lock().tail.iter().copied().collect();
        let text = String::from_utf8_lossy(&tail);
        let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
        Some(line.chars().take(LINE_CHARS).collect())
    }

    /// A thread that panicked while it held the lock has left whole pieces behind; they are good.
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn drop_surplus(&mut self, stream: Stream, limit: usize) {
        while self.waiting[stream as usize] > limit {
            let surplus = self.waiting[stream as usize] - limit;
            let Some(place) = self.segments.iter().position(|segment| segment.stream == stream) else { return };
            let segment = &mut self.segments[place];
            if segment.bytes.len() <= surplus {
                self.waiting[stream as usize] -= segment.bytes.len();
                self.segments.remove(place);
            } else {
                segment.bytes.drain(..surplus);
                self.waiting[stream as usize] -= surplus;
            }
        }
    }
}

/// Reads a pipe to its end. An error ends it too: the program has gone, or has closed it in its own way.
pub async fn listen(mut pipe: impl AsyncRead + Unpin, stream: Stream, capture: Capture) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read) = pipe.read(&mut buffer).await {
        if read == 0 {
            return;
        }
        capture.push(stream, &buffer[..read]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(segments: &[Segment], stream: Stream) -> String {
        segments
            .iter()
            .filter(|segment| segment.stream == stream)
            .map(|segment| String::from_utf8_lossy(&segment.bytes))
            .collect()
    }

    #[test]
    fn pieces_keep_their_order() {
        let capture = Capture::new(100);
        for (stream, piece) in [(Stream::Out, "a"), (Stream::Out, "b"), (Stream::Err, "c"), (Stream::Out, "d")] {
            capture.push(stream, piece.as_bytes());
        }
        let pieces: Vec<_> =
            capture.take().segments.into_iter().map(|segment| String::from_utf8(segment.bytes).unwrap()).collect();
        assert_eq!(pieces, ["ab", "c", "d"]);
        assert!(capture.take().is_empty());
    }

    #[test]
    fn of_a_flood_the_end_stays() {
        let capture = Capture::new(1000);
        for number in 0..10_000 {
            capture.push(Stream::Out, format!("{number}\n").as_bytes());
            capture.push(Stream::Err, b"!");
        }
        let Taken { segments, written } = capture.take();
        assert!(segments.len() <= PIECES + 1);
        let out = text(&segments, Stream::Out);
        assert_eq!(out.len(), 1000);
        assert!(out.ends_with("9998\n9999\n"), "{out}");
        assert_eq!(text(&segments, Stream::Err).len(), 1000);
        assert_eq!(written, [48_890, 10_000]);
    }

    #[test]
    fn the_last_line_is_what_a_person_wants_to_read() {
        let capture = Capture::new(10);
        assert_eq!(capture.last_line(), None);
        capture.push(Stream::Err, b"first\nfatal: no \xff such thing\n\n  \n");
        capture.push(Stream::Out, b"other\n");
        assert_eq!(capture.last_line().as_deref(), Some("fatal: no \u{fffd} such thing"));
    }
}
