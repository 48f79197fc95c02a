//! The one writer to standard output or standard error.
//!
//! Everything a shell shows goes through here, for three reasons: a closed terminal makes `println!` panic, and here a failed
//! write is nothing; a progress line has to go before something else is shown; and the prompt has to begin on a line of its
//! own, whatever a script printed before it.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::render::{Width, cut, line};

/// Which stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output: results.
    Out,
    /// Standard error: what must not mix with results, under `--json`.
    Err,
}

/// Shows text. Cheap to clone: the clones know of each other's lines.
#[derive(Clone)]
pub(crate) struct Screen(Arc<Mutex<State>>);

struct State {
    out: Box<dyn Write + Send>,
    /// What was shown last ended with a newline.
    at_start: bool,
    /// A progress line stands there, drawn at that time.
    progress: Option<Instant>,
    /// Why something did not arrive; a reader that has gone away is no reason to worry.
    error: Option<io::Error>,
}

impl Screen {
    /// A screen on a stream of this process.
    pub(crate) fn new(stream: Stream) -> Self {
        match stream {
            Stream::Out => Self::on(Box::new(io::stdout())),
            Stream::Err => Self::on(Box::new(io::stderr())),
        }
    }

    /// A screen on any writer.
    pub(crate) fn on(out: Box<dyn Write + Send>) -> Self {
        Self(Arc::new(Mutex::new(State { out, at_start: true, progress: None, error: None })))
    }

    /// Shows text as it is. Only for text that `render` made: escape sequences in it are ours.
    pub(crate) fn show(&self, text: &str) {
        let mut state = self.state();
        state.erase_progress();
        state.write(text);
    }

    /// Shows text as it is, and ends its last line; shows nothing for no text.
    pub(crate) fn show_lines(&self, text: &str) {
        if !text.is_empty() {
            self.show(text);
            self.end_line();
        }
    }

    /// Ends the line, when something stands on it.
    pub(crate) fn end_line(&self) {
        let mut state = self.state();
        state.erase_progress();
        if !state.at_start {
            state.write("\n");
        }
    }

    /// Draws the progress line, or draws it again; `part` is 0.0..=1.0. It stays until something else is shown.
    pub(crate) fn progress(&self, label: &str, part: Option<f64>, width: Width, now: Instant) {
        /// Faster than this nobody reads, and a slow connection chokes.
        const PACE: Duration = Duration::from_millis(80);
        let mut state = self.state();
        let done = part.is_some_and(|part| part >= 1.0);
        if state.progress.is_some_and(|drawn| now.saturating_duration_since(drawn) < PACE) && !done {
            return;
        }
        if state.progress.is_none() && !state.at_start {
            state.write("\n");
        }
        let text = gauge(label, part, width);
        // Back to the beginning, the text, and away with what was longer before.
        state.write(&format!("\r{text}\x1b[K"));
        state.progress = Some(now);
    }

    /// Why something that was shown did not arrive, for example on a full disk.
    pub(crate) fn write_error(&self) -> Option<String> {
        self.state().error.as_ref().map(ToString::to_string)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while writing leaves nothing half done that matters.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn write(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        // A terminal that is gone is noticed by whoever reads from it.
        if let Err(error) = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush())
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            self.error.get_or_insert(error);
        }
        self.at_start = text.ends_with('\n');
    }

    fn erase_progress(&mut self) {
        if self.progress.take().is_some() {
            self.write("\r\x1b[K");
            self.at_start = true;
        }
    }
}

/// `indexing  [########            ]  42%`, never wider than the terminal.
fn gauge(label: &str, part: Option<f64>, width: Width) -> String {
    const BAR: usize = 20;
    let Some(part) = part else { return cut(&format!("{} …", line(label)), room(width)).into_owned() };
    let part = if part.is_nan() { 0.0 } else { part.clamp(0.0, 1.0) };
    let filled = (part * BAR as f64).round() as usize;
    let bar = format!("  [{}{}] {:3.0}%", "#".repeat(filled), " ".repeat(BAR - filled), (part * 100.0).floor());
    let label = cut(&line(label), room(width).saturating_sub(bar.len())).into_owned();
    cut(&format!("{label}{bar}"), room(width)).into_owned()
}

/// One column stays free: a terminal that is full to the edge begins a new line.
fn room(width: Width) -> usize {
    match width {
        Width::Columns(columns) => usize::from(columns).saturating_sub(1),
        Width::Unlimited => 79,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A screen, and what was written on it.
    pub(crate) fn captured() -> (Screen, Arc<Mutex<Vec<u8>>>) {
        struct Shared(Arc<Mutex<Vec<u8>>>);
        impl Write for Shared {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.lock().unwrap().write(bytes)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let written = Arc::new(Mutex::new(Vec::new()));
        (Screen::on(Box::new(Shared(Arc::clone(&written)))), written)
    }

    pub(crate) fn text(written: &Arc<Mutex<Vec<u8>>>) -> String {
        String::from_utf8(written.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn lines_are_ended_once() {
        let (screen, written) = captured();
        screen.end_line();
        screen.show("half");
        screen.clone().end_line();
        screen.end_line();
        screen.show_lines("whole\n");
        screen.show_lines("");
        screen.show_lines("last");
        assert_eq!(text(&written), "half\nwhole\nlast\n");
    }

    #[test]
    fn progress_goes_before_anything_else_comes() {
        let (screen, written) = captured();
        let start = Instant::now();
        let width = Width::Columns(40);
        screen.show("printed");
        screen.progress("indexing", Some(0.25), width, start);
        screen.progress("indexing", Some(0.26), width, start + Duration::from_millis(10));
        screen.progress("indexing", Some(0.5), width, start + Duration::from_millis(100));
        screen.show("more\n");
        assert_eq!(
            text(&written),
            "printed\n\rindexing  [#####               ]  25%\x1b[K\rindexing  [##########          ]  50%\x1b[K\r\x1b[Kmore\n"
        );
    }

    #[test]
    fn a_gauge_never_passes_the_edge() {
        for (label, part, columns, expected) in [
            ("run", Some(1.0), 80, "run  [####################] 100%"),
            ("run", Some(0.999), 80, "run  [####################]  99%"),
            ("run", Some(7.0), 80, "run  [####################] 100%"),
            ("run", Some(f64::NAN), 80, "run  [                    ]   0%"),
            ("run", None, 80, "run …"),
            ("a long label of many words", Some(0.5), 40, "a long la…  [##########          ]  50%"),
            ("ru\u{1b}n\n", Some(0.0), 80, "ru\\u{1b}n\\n  [                    ]   0%"),
            ("run", Some(0.5), 10, "  [#####…"),
        ] {
            assert_eq!(gauge(label, part, Width::Columns(columns)), expected);
        }
    }

    #[test]
    fn a_closed_stream_is_nothing() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
        let screen = Screen::on(Box::new(Closed));
        screen.show_lines("text");
        screen.progress("label", None, Width::Unlimited, Instant::now());
        screen.end_line();
    }
}
