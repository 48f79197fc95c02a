//! The terminal itself: is there one, how wide is it, does it want colours, and how was it before we came.
//!
//! The line editor and [`secret`] change the terminal's mode while they read. A process that ends meanwhile, by a signal or
//! by `process::exit`, would leave a shell behind that shows nothing of what is typed. So the mode is saved once, at the
//! start, and every way out restores it through a [`TerminalGuard`]: by its `Drop`, or, where nothing is dropped, by
//! [`TerminalGuard::restore`].

use std::{
    ffi::OsStr,
    io::{self, IsTerminal, Write},
    sync::{Arc, Mutex, PoisonError},
};

use nix::{
    sys::termios::{self, FlushArg, LocalFlags, SetArg, SpecialCharacterIndices, Termios},
    unistd,
};

use super::editor;
use crate::render::{Color, Width};

/// Whether a person can be asked: there is a terminal to read from and one to show on.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// How wide what goes to standard output may be: as wide as the terminal, or as it needs to be where there is none.
#[must_use]
pub fn width() -> Width {
    match io::stdout().is_terminal().then(editor::columns).flatten() {
        Some(columns) if columns > 0 => Width::Columns(columns),
        _ => Width::Unlimited,
    }
}

/// Whether to colour what is shown; `no_color` is what the command line says.
pub(crate) fn color(no_color: bool) -> Color {
    let (wish, terminal) = (std::env::var_os("NO_COLOR"), std::env::var_os("TERM"));
    decide(no_color, wish.as_deref(), terminal.as_deref(), io::stdout().is_terminal())
}

/// Whether the terminal can draw a line again.
pub(super) fn knows_escapes() -> bool {
    is_capable(std::env::var_os("TERM").as_deref(), io::stdout().is_terminal())
}

/// See <https://no-color.org>: any value but the empty one counts.
fn decide(no_color: bool, wish: Option<&OsStr>, terminal: Option<&OsStr>, is_terminal: bool) -> Color {
    let unwanted = no_color || wish.is_some_and(|wish| !wish.is_empty());
    if unwanted || !is_capable(terminal, is_terminal) { Color::Off } else { Color::On }
}

/// Whether something that understands escape sequences shows what we write.
fn is_capable(terminal: Option<&OsStr>, is_terminal: bool) -> bool {
    is_terminal && terminal.is_some_and(|name| !name.is_empty() && name != "dumb")
}

/// Whether the terminal was closed: its end of input is then no Ctrl-D.
pub(super) fn hung_up() -> bool {
    io::stdin().is_terminal().then(|| termios::tcgetattr(io::stdin())).is_none_or(|mode| mode.is_err())
}

/// Drops what was typed before a question was shown: nobody has confirmed what he has not read.
pub(super) fn discard_typed_ahead() {
    let _ = termios::tcflush(io::stdin(), FlushArg::TCIFLUSH);
}

/// Brings the terminal back to the mode it had when this was made. Cheap to clone; the last clone restores on drop.
#[derive(Clone, Debug)]
pub(crate) struct TerminalGuard(Arc<Saved>);

#[derive(Debug)]
struct Saved(Mutex<Termios>);

impl TerminalGuard {
    /// Remembers the mode of the terminal on standard input; `None` when there is none.
    pub(crate) fn save() -> Option<Self> {
        let mode = termios::tcgetattr(io::stdin()).ok()?;
        Some(Self(Arc::new(Saved(Mutex::new(mode)))))
    }

    /// Restores the mode now, from any thread: for ways out that drop nothing. May be called again.
    pub(crate) fn restore(&self) {
        self.0.restore();
    }
}

impl Saved {
    fn restore(&self) {
        let stdin = io::stdin();
        // From the background, setting the mode would stop the process instead (SIGTTOU), and the terminal is not ours.
        if unistd::tcgetpgrp(&stdin) != Ok(unistd::getpgrp()) {
            return;
        }
        // A copy: a terminal that is held would keep the lock below, and with it whoever restores next.
        let mode = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let was_reading = termios::tcgetattr(&stdin).is_ok_and(|now| now.local_flags != mode.local_flags);
        let _ = termios::tcsetattr(&stdin, SetArg::TCSANOW, &mode);
        if was_reading && io::stdout().is_terminal() {
            // Whoever was reading has turned these on: bracketed paste off, cursor visible, and a line of its own for what
            // comes next. Last, because a terminal that is held (Ctrl-S) would keep us here.
            let _ = io::stdout().write_all(b"\x1b[?2004l\x1b[?25h\r\n");
            let _ = io::stdout().flush();
        }
    }
}

impl Drop for Saved {
    fn drop(&mut self) {
        self.restore();
    }
}

/// Asks for a secret without echo. `None` when nobody gave one: Ctrl-C, Ctrl-D, no terminal.
pub(super) fn secret(label: &str) -> Option<String> {
    let quiet = Quiet::begin()?;
    let mut out = io::stdout();
    let _ = write!(out, "{label}: ").and_then(|()| out.flush());
    let typed = typed(|byte| unistd::read(io::stdin(), byte).is_ok_and(|count| count == 1));
    drop(quiet);
    let _ = writeln!(out);
    typed
}

/// What is typed up to Enter, the editing keys of a terminal obeyed; `next` gives the next byte, or false at the end.
fn typed(mut next: impl FnMut(&mut [u8; 1]) -> bool) -> Option<String> {
    /// No secret is longer; a file poured into the terminal must not fill the memory.
    const LONGEST: usize = 64 * 1024;
    let (mut bytes, mut byte) = (Vec::new(), [0]);
    while next(&mut byte) {
        match byte[0] {
            b'\r' | b'\n' => return String::from_utf8(bytes).ok(),
            0x03 | 0x04 | 0x1c => return None,
            0x08 | 0x7f => {
                // One character back, not one byte.
                while bytes.pop().is_some_and(|byte: u8| byte & 0xc0 == 0x80) {}
            }
            0x15 => bytes.clear(),
            other if bytes.len() < LONGEST => bytes.push(other),
            _ => return None,
        }
    }
    None
}

/// The terminal without echo, byte by byte, until this is dropped.
///
/// Not line by line: the kernel would keep a line that Ctrl-C should have ended, and its signal would not end our `read`.
struct Quiet(Termios);

impl Quiet {
    fn begin() -> Option<Self> {
        let before = termios::tcgetattr(io::stdin()).ok()?;
        let mut quiet = before.clone();
        quiet.local_flags &= !(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG | LocalFlags::IEXTEN);
        quiet.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
        quiet.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
        termios::tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &quiet).ok()?;
        Some(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = termios::tcsetattr(io::stdin(), SetArg::TCSADRAIN, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_for_terminals_that_want_it() {
        let (set, empty, xterm) = (Some(OsStr::new("1")), Some(OsStr::new("")), Some(OsStr::new("xterm-256color")));
        for (no_color, wish, terminal, is_terminal, expected) in [
            (false, None, xterm, true, Color::On),
            (false, empty, xterm, true, Color::On),
            (true, None, xterm, true, Color::Off),
            (false, set, xterm, true, Color::Off),
            (false, None, Some(OsStr::new("dumb")), true, Color::Off),
            (false, None, None, true, Color::Off),
            (false, None, xterm, false, Color::Off),
        ] {
            assert_eq!(decide(no_color, wish, terminal, is_terminal), expected);
        }
    }

    #[test]
    fn a_secret_is_what_was_meant() {
        for (keys, expected) in [
            ("hunter2\r", Some("hunter2")),
            ("hunter2\nmore", Some("hunter2")),
            ("pü\u{7f}\u{7f}\u{7f}xy\u{8}\n", Some("x")),
            ("wrong\u{15}right\n", Some("right")),
            ("\n", Some("")),
            ("half", None),
            ("half\u{3}\n", None),
            ("\u{4}", None),
        ] {
            let mut bytes = keys.bytes();
            let next = |byte: &mut [u8; 1]| bytes.next().map(|next| byte[0] = next).is_some();
            assert_eq!(typed(next).as_deref(), expected, "{keys:?}");
        }
    }
}
