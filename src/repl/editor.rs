//! The line editor: the only module that names rustyline.
//!
//! It reads whole inputs (more lines, at a prompt of their own, until it is told that there is enough), completes with Tab, and walks through earlier lines. What
//! it is not told it does not know: completion and checking are functions given by the loop, and history holds only what
//! was added after redaction. rustyline's own history file is not used: it rewrites what other shells wrote meanwhile.
//!
//! Never use it when standard input is no terminal: it would drop a last line without a newline silently.

use std::{
    borrow::Cow,
    io,
    path::PathBuf,
    sync::mpsc::{SyncSender, sync_channel},
};

use rustyline::{
    ColorMode, CompletionType, Config, Context, Editor, ExternalPrinter, Helper,
    completion::{Completer, Pair},
    error::ReadlineError,
    highlight::{CmdKind, Highlighter},
    hint::Hinter,
    history::MemHistory,
    validate::Validator,
};

use super::{
    history::{self, History},
    terminal,
};
use crate::{
    render::{columns as columns_of, visible},
    session::Candidate,
};

type Complete = Box<dyn Fn(&str, usize) -> Vec<Candidate> + Send>;
type IsWhole = Box<dyn Fn(&str) -> bool + Send>;

/// Reads inputs at a prompt.
pub(crate) struct LineEditor {
    editor: Editor<Assistant, MemHistory>,
    history: Option<History>,
    is_whole: IsWhole,
}

/// What came of reading.
#[derive(Debug)]
pub(crate) enum Read {
    /// A whole input, of one or more lines.
    Line(String),
    /// Ctrl-C: the input so far is dropped, the session goes on.
    Interrupted,
    /// Ctrl-D on an empty line.
    Eof,
    /// The terminal was closed.
    Hangup,
    /// Something was typed that is not UTF-8; the input so far is dropped.
    NotText,
    /// The terminal can not be read.
    Failed(io::Error),
}

impl LineEditor {
    /// An editor on the terminal. Without a history file, lines are remembered until the end of the session.
    pub(crate) fn open(
        complete: impl Fn(&str, usize) -> Vec<Candidate> + Send + 'static,
        is_whole: impl Fn(&str) -> bool + Send + 'static,
        history: Option<PathBuf>,
    ) -> io::Result<Self> {
        let mut editor = Editor::with_history(config(), MemHistory::with_config(&config())).map_err(into_io)?;
        editor.set_helper(Some(Assistant { complete: Box::new(complete), before: String::new() }));
        let history = history.and_then(|path| match History::open(path) {
            Ok((history, entries)) => {
                for entry in entries {
                    // Memory refuses nothing but doubles.
                    let _ = editor.add_history_entry(entry);
                }
                Some(history)
            }
            Err(error) => {
                tracing::warn!(%error, "the history file can not be used; lines are remembered for this session only");
                None
            }
        });
        Ok(Self { editor, history, is_whole: Box::new(is_whole) })
    }

    /// Reads one input. Blocks; the terminal is raw meanwhile and as before afterwards.
    pub(crate) fn read(&mut self, prompt: &str) -> Read {
        let goes_on = continuation(prompt);
        let mut text = String::new();
        loop {
            if let Some(assistant) = self.editor.helper_mut() {
                assistant.before.clone_from(&text);
            }
            match self.read_line(if text.is_empty() { prompt } else { &goes_on }) {
                Read::Line(line) => text.push_str(&line),
                // What ends a session at its prompt ends only the input here.
                Read::Eof if !text.is_empty() => return Read::Interrupted,
                other => return other,
            }
            if (self.is_whole)(&text) {
                return Read::Line(text);
            }
            text.push('\n');
        }
    }

    fn read_line(&mut self, prompt: &str) -> Read {
        match self.editor.readline(prompt) {
            Ok(line) => Read::Line(line),
            Err(ReadlineError::Interrupted) => Read::Interrupted,
            // A closed terminal looks like Ctrl-D, or like an I/O error, whichever comes first.
            Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => Read::NotText,
            Err(_) if terminal::hung_up() => Read::Hangup,
            Err(ReadlineError::Eof) => Read::Eof,
            Err(error) => Read::Failed(into_io(error)),
        }
    }

    /// Remembers an input, here and for later sessions. It has to be redacted.
    pub(crate) fn add_history(&mut self, redacted: &str) {
        if !history::is_kept(redacted) {
            return;
        }
        let _ = self.editor.add_history_entry(redacted);
        if let Some(Err(error)) = self.history.as_mut().map(|history| history.add(redacted)) {
            tracing::warn!(%error, "the history file can not be written; lines are remembered for this session only");
            self.history = None;
        }
    }

    /// A way to show lines above the prompt while it waits. `None` when the terminal can not do that.
    pub(crate) fn notices(&mut self) -> Option<Notices> {
        /// Enough for every sink to change its mind; more would only be a scroll of old news.
        const WAITING: usize = 64;
        let mut printer = self.editor.create_external_printer().ok()?;
        let (sender, receiver) = sync_channel::<String>(WAITING);
        // Printing waits while a list of completions is shown, or for ever on a terminal that is held (Ctrl-S). Whoever has
        // news must not wait with it. The thread ends with the last sender.
        let print = move || receiver.into_iter().try_for_each(|text| printer.print(text).ok());
        std::thread::Builder::new().name("notices".into()).spawn(print).ok()?;
        Some(Notices(sender))
    }
}

/// Shows lines above the prompt; never blocks.
#[derive(Clone, Debug)]
pub(crate) struct Notices(SyncSender<String>);

impl Notices {
    /// Shows the text on lines of its own; false when the terminal takes no more.
    pub(crate) fn show(&self, text: &str) -> bool {
        self.0.try_send(format!("{}\n", visible(text))).is_ok()
    }
}

/// Asks a question; `None` for Ctrl-C, Ctrl-D or a closed terminal. Answers are not remembered.
pub(super) fn ask(question: &str) -> Option<String> {
    // An editor of its own: the one at the prompt belongs to the loop, and would offer its history and its completions.
    let mut editor: Editor<(), MemHistory> = Editor::with_history(config(), MemHistory::new()).ok()?;
    editor.readline(question).ok()
}

/// How many columns the terminal has.
pub(super) fn columns() -> Option<u16> {
    let mut editor: Editor<(), MemHistory> = Editor::with_history(config(), MemHistory::new()).ok()?;
    editor.dimensions().map(|(columns, _)| columns)
}

fn config() -> Config {
    Config::builder()
        .completion_type(CompletionType::List)
        .completion_show_all_if_ambiguous(true)
        .max_history_size(history::KEPT)
        .and_then(|config| config.history_ignore_dups(true))
        .map(|config| config.auto_add_history(false).bracketed_paste(true))
        // There are no colours here to be turned off; highlighting is also what hides control characters.
        .map(|config| config.color_mode(ColorMode::Forced).build())
        .unwrap_or_default()
}

fn into_io(error: ReadlineError) -> io::Error {
    match error {
        ReadlineError::Io(error) => error,
        ReadlineError::Errno(error) => error.into(),
        other => io::Error::other(other.to_string()),
    }
}

/// What stands before the second and later lines of an input.
fn continuation(prompt: &str) -> String {
    format!("{:>width$} ", "...>", width = columns_of(prompt.trim_end()))
}

/// What rustyline asks while somebody types.
struct Assistant {
    complete: Complete,
    /// The lines before the one that is being typed.
    before: String,
}

impl Helper for Assistant {}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let mut candidates = (self.complete)(&format!("{}{line}", self.before), self.before.len() + at);
        candidates.retain(|candidate| candidate.start >= self.before.len());
        candidates.iter_mut().for_each(|candidate| candidate.start -= self.before.len());
        Ok(offers(candidates, line, at))
    }
}

/// rustyline replaces from one place for all candidates: that of the first. What a terminal would obey is not offered.
fn offers(candidates: Vec<Candidate>, line: &str, at: usize) -> (usize, Vec<Pair>) {
    /// More is no choice, and past 65,535 rustyline panics.
    const MOST: usize = 1000;
    let start = candidates.first().map_or(at, |first| first.start);
    if start > at || !line.is_char_boundary(start) {
        return (at, Vec::new());
    }
    let same = candidates.into_iter().filter(|candidate| candidate.start == start);
    let safe = same
        .filter(|candidate| !candidate.replacement.contains(['\n', '\t']))
        .filter(|candidate| visible(&candidate.replacement) == candidate.replacement);
    let pairs = safe.map(|candidate| Pair { display: visible(&candidate.display), replacement: candidate.replacement });
    (start, pairs.take(MOST).collect())
}

impl Validator for Assistant {}

impl Hinter for Assistant {
    type Hint = String;
}

impl Highlighter for Assistant {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        if is_clean(line) {
            return Cow::Borrowed(line);
        }
        // Pasted text and recalled lines may hold anything. One character for one: rustyline counts columns itself.
        Cow::Owned(line.chars().map(picture).collect())
    }

    fn highlight_char(&self, line: &str, _: usize, _: CmdKind) -> bool {
        !is_clean(line)
    }
}

/// The character, or a picture of one that a terminal would obey.
fn picture(c: char) -> char {
    match c {
        '\0'..='\u{1f}' if c != '\n' && c != '\t' => char::from_u32(0x2400 + u32::from(c)).unwrap_or(c),
        '\u{7f}' => '␡',
        c if !is_clean(c.encode_utf8(&mut [0; 4])) => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

fn is_clean(text: &str) -> bool {
    visible(text) == text
}

#[cfg(test)]
mod tests;
