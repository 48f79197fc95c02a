//! A home of its own for a test, and the programs that run in it. Expectations are exact: standard output, standard error
//! and exit code.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use admin_shell::{
    event::{Draft, SessionId},
    journal::SqliteJournal,
};

use crate::journal::fixture::Writing;

/// Directories for data, state and configuration, empty at first.
pub(crate) struct Home(tempfile::TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        let home = Self(tempfile::tempdir().expect("a directory for the test"));
        for directory in ["data", "state", "config"] {
            std::fs::create_dir(home.path(directory)).expect("a directory in it");
        }
        home
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Where shells and the tracker look for the journal by themselves.
    pub(crate) fn database(&self) -> PathBuf {
        self.path("data/admin-shell/journal.db")
    }

    /// The journal, made where there is none.
    pub(crate) async fn journal(&self) -> SqliteJournal {
        SqliteJournal::open(self.database().to_str().expect("a path in UTF-8")).await.expect("the journal opens")
    }

    /// A session of `component` with these events.
    pub(crate) async fn session(&self, component: &str, drafts: &[Draft]) -> SessionId {
        let journal = self.journal().await;
        let session = Writing::new(component);
        session.record(&journal, drafts).await.expect("the session is recorded");
        admin_shell::journal::Journal::close(&journal).await;
        session.id
    }

    /// `session-tracker` with these arguments.
    pub(crate) fn tracker(&self, args: &[&str]) -> Call {
        self.call(Path::new(env!("CARGO_BIN_EXE_session-tracker")), args)
    }

    /// The example shell `greeter`, built beside the test's own program.
    pub(crate) fn greeter(&self, args: &[&str]) -> Call {
        let test = std::env::current_exe().expect("the test has a path");
        let target = test.parent().and_then(Path::parent).expect("it lies in target/<profile>/deps");
        self.call(&target.join("examples/greeter"), args)
    }

    fn call(&self, program: &Path, args: &[&str]) -> Call {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.0.path()).env_clear().env("TZ", "UTC");
        for (variable, directory) in
            [("XDG_DATA_HOME", "data"), ("XDG_STATE_HOME", "state"), ("XDG_CONFIG_HOME", "config")]
        {
            command.env(variable, self.path(directory));
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Call { command, input: None }
    }
}

/// A program that is about to run.
pub(crate) struct Call {
    command: Command,
    input: Option<String>,
}

impl Call {
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// What it reads on standard input.
    pub(crate) fn input(mut self, text: impl Into<String>) -> Self {
        self.command.stdin(Stdio::piped());
        self.input = Some(text.into());
        self
    }

    /// Runs it to its end.
    #[track_caller]
    pub(crate) fn run(mut self) -> Ran {
        let mut child = self.command.spawn().expect("the program starts");
        if let (Some(mut stdin), Some(input)) = (child.stdin.take(), self.input) {
            stdin.write_all(input.as_bytes()).expect("it reads its input");
        }
        Ran::of(child.wait_with_output().expect("the program ends"))
    }

    /// Starts it with standard input open: a shell waits there for a script.
    pub(crate) fn start(mut self) -> Running {
        self.command.stdin(Stdio::piped());
        Running(self.command.spawn().expect("the program starts"))
    }
}

/// A program that runs; killed when the test is over.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    pub(crate) fn kill(&mut self) {
        self.0.kill().expect("it was alive");
        self.0.wait().expect("it is dead");
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn ended(mut self) -> Ran {
        let begun = Instant::now();
        while self.0.try_wait().expect("it can be waited for").is_none() {
            assert!(begun.elapsed() < Duration::from_secs(30), "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        let (mut stdout, mut stderr) = (String::new(), String::new());
        let read = |from: Option<&mut dyn std::io::Read>, to: &mut String| from.map(|from| from.read_to_string(to));
        let _ = read(self.0.stdout.as_mut().map(|out| out as _), &mut stdout);
        let _ = read(self.0.stderr.as_mut().map(|err| err as _), &mut stderr);
        let status = self.0.wait().expect("it is dead");
        Ran { stdout, stderr, code: status.code() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a program said, and how it exited.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: Option<i32>,
}

impl Ran {
    fn of(output: Output) -> Self {
        Self {
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
            code: output.status.code(),
        }
    }

    /// Exit code 0 and not a word on standard error; what is on standard output.
    #[track_caller]
    pub(crate) fn succeeds(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{}", self.stdout);
        self.stdout
    }

    /// The same as JSON.
    #[track_caller]
    pub(crate) fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.succeeds()).expect("one JSON document")
    }

    /// This exit code and nothing on standard output; what is on standard error.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> String {
        assert_eq!((self.code, self.stdout.as_str()), (Some(code), ""), "{}", self.stderr);
        self.stderr
    }
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(20), "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
