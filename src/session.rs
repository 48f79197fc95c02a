//! One opening of a shell by one actor: open → [`Session::execute`] → close.
//!
//! Everything that can reach the engine (prompt, `-c`, `-f`, standard input, a host program) goes through `execute`.
//! It commits the intent, evaluates, and commits the outcome; `Console` is where output and questions go meanwhile.

use std::time::Duration;

use serde_json::Value;

use crate::event::Status;

/// Where a session's output goes and its questions are answered: a terminal, a file, a test, later a socket.
pub trait Console: Send + 'static {
    /// Shows text that a script or a helper prints; a line ends where the text says so.
    fn print(&mut self, text: &str);
    /// Asks for a confirmation and a reason. `None` means that nobody answered, or no.
    fn ask(&mut self, question: &Question) -> Option<String>;
    /// Asks for a secret without echo.
    fn secret(&mut self, label: &str) -> Option<String>;
    /// Shows how far something is; `part` is 0.0..=1.0, `None` when the total is not known.
    fn progress(&mut self, label: &str, part: Option<f64>);
}

/// What the person is asked before something is destroyed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The call as it will run, arguments resolved and secrets masked: `cancel("run_01…")`.
    pub call: String,
    /// Why it is asked.
    pub because: String,
    /// What would happen, where the helper has a preview.
    pub preview: Option<String>,
}

/// How a command ended, with what a console wants to show of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Number of the command in its session, from 1.
    pub command: u64,
    /// How it ended.
    pub status: Status,
    /// Its value, the fields of records in their declared order.
    pub value: Value,
    /// What went wrong, and where.
    pub failure: Option<Failure>,
    /// How long it ran.
    pub duration: Duration,
    /// `exit(n)` was called: leave with this code.
    pub exit: Option<i32>,
    /// Sentences to show beside the result: the journal can not be written, and the like.
    pub warnings: Vec<String>,
}

/// What went wrong, in words for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A word for programs, for example `syntax`, `unknown_function`, `wrong_type`, `helper`, `limit`, `refused`.
    pub kind: String,
    /// One sentence, redacted.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// Where in the text.
    pub at: Option<At>,
}

/// A place in a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At {
    /// `repl:3`, `-c`, a file's name.
    pub source: String,
    /// The source's text, redacted.
    pub text: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// Whether a text is a whole input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// It can be executed.
    Complete,
    /// It wants more lines.
    Incomplete,
    /// It can not be parsed, however it goes on.
    Wrong(Failure),
}

/// One candidate of a completion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Byte position in the line where the replacement begins.
    pub start: usize,
    /// What to put there.
    pub replacement: String,
    /// What to show in a list, for example `cancel(id)`.
    pub display: String,
    /// One sentence about it.
    pub doc: Option<String>,
}
