//! The seam between evaluation and whatever shows it: where output goes, who answers questions, and how a failure is
//! told. Plain types and one trait; imports nothing of ours.

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

impl Failure {
    pub(crate) fn new(kind: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind: kind.into(), message: message.into(), hint: None, at: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
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

impl Console for Box<dyn Console> {
    fn print(&mut self, text: &str) {
        (**self).print(text);
    }

    fn ask(&mut self, question: &Question) -> Option<String> {
        (**self).ask(question)
    }

    fn secret(&mut self, label: &str) -> Option<String> {
        (**self).secret(label)
    }

    fn progress(&mut self, label: &str, part: Option<f64>) {
        (**self).progress(label, part);
    }
}
