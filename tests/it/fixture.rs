//! Programs as processes: a place of their own to live in, what goes in, and exactly what has to come out.
//!
//! Every test has its own [`Place`]: data, state and configuration directories that nobody else uses. A [`Run`] is one
//! start of a program in it. What is expected is the whole output, not a part of it: a warning too many fails a test.
//!
//! Nothing here sleeps to let something happen; it polls, with a deadline that only a broken program reaches.

pub(crate) mod random;
mod terminal;

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    io::{Read, Write},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{Mutex, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use admin_shell::{
    event::{Event, EventKind, SessionId, StreamId},
    journal::{Entry, Filter, Journal, Page, SessionRecord, SqliteJournal},
};
use serde::de::DeserializeOwned;

pub(crate) use terminal::{CTRL_C, CTRL_D, ENTER, PROMPT, TAB, Terminal, UP};

/// What only a broken program reaches, on however slow a machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Polls until something is there.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < DEADLINE, "{what}: not within {DEADLINE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The directories of one user, new and empty.
pub(crate) struct Place {
    root: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let root = tempfile::Builder::new().prefix("admin-shell-").tempdir().expect("a directory for the test");
        Self { root }
    }

    /// A path in it that no program knows of.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// A file in it.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a file has a directory")).expect("the directory is made");
        std::fs::write(&path, content).expect("the file is written");
        path
    }

    /// Where programs keep what they keep: `data`, `state`, `config`.
    pub(crate) fn home(&self, kind: &str) -> PathBuf {
        self.path(kind).join("admin-shell")
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.home("data").join("journal.db")
    }

    /// Where the victim's effects are seen.
    pub(crate) fn effects(&self) -> PathBuf {
        self.path("effects")
    }

    /// The lines of the effects.
    pub(crate) fn nonces(&self) -> Vec<String> {
        std::fs::read_to_string(self.effects()).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// The shell that tests do everything with.
    pub(crate) fn victim(&self) -> Run {
        self.program(&program("victim"))
    }

    pub(crate) fn program(&self, path: &Path) -> Run {
        let mut command = Command::new(path);
        command.env_clear().current_dir(self.root.path());
        // `LLVM_PROFILE_FILE` is how coverage is collected from the processes that tests start.
        for kept in ["PATH", "LLVM_PROFILE_FILE"] {
            if let Some(value) = std::env::var_os(kept) {
                command.env(kept, value);
            }
        }
        command.env("XDG_DATA_HOME", self.path("data"));
        command.env("XDG_STATE_HOME", self.path("state"));
        command.env("XDG_CONFIG_HOME", self.path("config"));
        command.env("VICTIM_FILE", self.effects());
        command.env("NO_COLOR", "1");
        Run { command, input: Input::Nothing }
    }

    /// Asks the journal something, from this process.
    #[track_caller]
    pub(crate) fn ask<T>(&self, question: impl AsyncFnOnce(&SqliteJournal) -> T) -> T {
        ask(&self.database(), question)
    }

    /// All sessions, oldest first.
    #[track_caller]
    pub(crate) fn sessions(&self) -> Vec<SessionRecord> {
        let mut sessions = Vec::new();
        self.ask(async |journal| {
            let mut page = Page { limit: 1000, after: None };
            loop {
                let found = journal.sessions(&Filter::default(), &page).await.expect("the journal is read");
                sessions.extend(found.records);
                page.after = found.next;
                if page.after.is_none() {
                    break;
                }
            }
        });
        sessions.reverse();
        sessions
    }

    /// The sessions that are not among these; the newest page is enough for what a test has just done.
    #[track_caller]
    pub(crate) fn sessions_since(&self, known: &BTreeSet<SessionId>) -> Vec<SessionRecord> {
        let newest = self.ask(async |journal| journal.sessions(&Filter::default(), &Page::default()).await);
        let records = newest.expect("the journal is read").records;
        records.into_iter().filter(|session| !known.contains(&session.session_id)).collect()
    }

    /// The same where there may be no journal at all.
    #[track_caller]
    pub(crate) fn sessions_if_any(&self) -> Vec<SessionRecord> {
        // An empty file is no journal yet.
        let is_there = std::fs::metadata(self.database()).is_ok_and(|file| file.len() > 0);
        if is_there { self.sessions() } else { Vec::new() }
    }

    /// The only session.
    #[track_caller]
    pub(crate) fn session(&self) -> SessionRecord {
        let mut sessions = self.sessions();
        assert_eq!(sessions.len(), 1, "sessions: {sessions:#?}");
        sessions.remove(0)
    }

    /// Everything that a session recorded.
    #[track_caller]
    pub(crate) fn events(&self, session: &SessionId) -> Vec<Event> {
        self.ask(async |journal| stream(journal, &session.clone().into()).await)
    }

    /// What others said about a session: `crashed`, `end_requested`, …
    #[track_caller]
    pub(crate) fn observed(&self, session: &SessionId) -> Vec<String> {
        let observations = self.ask(async |journal| journal.observations(session).await.expect("the journal is read"));
        observations
            .iter()
            .filter_map(|event| event.decode::<admin_shell::event::Observation>())
            .map(|said| said.what)
            .collect()
    }

    /// Every file below the directories that programs write to.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut directories: Vec<PathBuf> = ["data", "state", "config"].map(|kind| self.path(kind)).into();
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() { directories.push(path) } else { files.push(path) }
            }
        }
        files.sort();
        files
    }
}

/// Asks any journal something.
#[track_caller]
pub(crate) fn ask<T>(database: &Path, question: impl AsyncFnOnce(&SqliteJournal) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let path = database.to_str().expect("a path in UTF-8");
        let journal = SqliteJournal::open_existing(path).await.expect("the journal opens").expect("there is a journal");
        let answer = question(&journal).await;
        journal.close().await;
        answer
    })
}

/// How many of something: by default as many as a quick run can afford, more when a variable says so.
pub(crate) fn many(variable: &str, usually: u32) -> u32 {
    std::env::var(variable).map_or(usually, |number| number.parse().expect("a number"))
}

/// The journal has no fault.
#[track_caller]
pub(crate) fn verify(database: &Path) {
    let report = ask(database, async |journal| journal.verify(None).await.expect("the journal is read"));
    assert!(report.faults.is_empty(), "{:#?}", report.faults);
}

/// All events of a stream.
pub(crate) async fn stream(journal: &dyn Journal, stream: &StreamId) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        let entries = journal.events(stream, events.len() as u64, 1000).await.expect("the journal is read");
        let is_last = entries.len() < 1000;
        events.extend(entries.into_iter().map(|entry| match entry {
            Entry::Whole(event) => event,
            pruned @ Entry::Pruned { .. } => panic!("nothing was pruned here: {pruned:?}"),
        }));
        if is_last {
            return events;
        }
    }
}

/// The bodies of one kind of event.
pub(crate) fn bodies<T: DeserializeOwned>(events: &[Event], kind: EventKind) -> Vec<T> {
    events.iter().filter(|event| *event.kind() == kind).map(|event| event.decode().expect("its body")).collect()
}

/// The types of events, in order.
pub(crate) fn kinds(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.kind().as_str()).collect()
}

/// One start of a program.
pub(crate) struct Run {
    command: Command,
    input: Input,
}

enum Input {
    /// None: it ends at once.
    Nothing,
    Bytes(Vec<u8>),
    /// It stays open and nothing comes.
    Open,
}

impl Run {
    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// What comes from standard input; without it there is nothing.
    pub(crate) fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = Input::Bytes(input.into());
        self
    }

    /// Standard input stays open, and nothing comes from it.
    pub(crate) fn waiting_for_input(mut self) -> Self {
        self.input = Input::Open;
        self
    }

    /// Starts it with these signals ignored, as `nohup` does. Before any argument.
    pub(crate) fn ignoring(self, signals: &str) -> Self {
        self.wrapped(&["sh", "-c", &format!("trap '' {signals}; exec \"$0\" \"$@\"")])
    }

    /// Starts it by way of a command that takes it as its last arguments. Before any argument.
    pub(crate) fn wrapped(self, by: &[&str]) -> Self {
        let mut command = Command::new(by[0]);
        command.args(&by[1..]).arg(self.command.get_program());
        command.env_clear().envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        if let Some(directory) = self.command.get_current_dir() {
            command.current_dir(directory);
        }
        Self { command, input: self.input }
    }

    /// Runs it to its end.
    #[track_caller]
    pub(crate) fn run(self) -> Ran {
        self.start().wait()
    }

    /// Runs it; it has to succeed with exactly this on standard output, and nothing on standard error.
    #[track_caller]
    pub(crate) fn prints(self, out: &str) {
        let ran = self.run();
        assert_eq!((ran.code(), ran.out.as_str(), ran.err.as_str()), (Some(0), out, ""));
    }

    /// Runs it; it has to fail with this code and exactly this on standard error, and nothing on standard output.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, err: &str) {
        let ran = self.run();
        assert_eq!((ran.code(), ran.out.as_str(), ran.err.as_str()), (Some(code), "", err));
    }

    /// Starts it with pipes.
    #[track_caller]
    pub(crate) fn start(mut self) -> Running {
        self.command.stdin(if matches!(self.input, Input::Nothing) { Stdio::null() } else { Stdio::piped() });
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().expect("the program starts");
        let stdin = child.stdin.take();
        let (mut writer, mut open) = (None, None);
        match (self.input, stdin) {
            // A program may end without having read everything.
            (Input::Bytes(bytes), Some(mut stdin)) => {
                writer = Some(std::thread::spawn(move || drop(stdin.write_all(&bytes))));
            }
            (_, stdin) => open = stdin,
        }
        let out = reader(child.stdout.take().expect("it is piped"));
        let err = reader(child.stderr.take().expect("it is piped"));
        Running { child, out: Some(out), err: Some(err), writer, _open: open }
    }

    /// Starts it on a terminal of this size.
    #[track_caller]
    pub(crate) fn on_terminal(self, columns: u16, rows: u16) -> Terminal {
        let set: Vec<(OsString, OsString)> =
            self.command.get_envs().filter_map(|(name, value)| Some((name.into(), value?.into()))).collect();
        let mut arguments = vec![self.command.get_program().to_owned()];
        arguments.extend(self.command.get_args().map(OsStr::to_owned));
        let directory = self.command.get_current_dir().map(Path::to_owned);
        Terminal::start(&arguments, &set, directory.as_deref(), columns, rows)
    }
}

fn reader(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).expect("the output is read");
        bytes
    })
}

/// A program that runs.
pub(crate) struct Running {
    child: Child,
    out: Option<JoinHandle<Vec<u8>>>,
    err: Option<JoinHandle<Vec<u8>>>,
    writer: Option<JoinHandle<()>>,
    _open: Option<ChildStdin>,
}

impl Running {
    pub(crate) fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(self.pid(), signal).expect("the process is there");
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(mut self) -> Ran {
        let status = wait(&mut self.child);
        if let Some(writer) = self.writer.take() {
            writer.join().expect("the input was written");
        }
        let text = |thread: Option<JoinHandle<Vec<u8>>>| {
            let bytes = thread.and_then(|thread| thread.join().ok()).expect("the output was read");
            String::from_utf8(bytes).expect("output is UTF-8")
        };
        Ran { status, out: text(self.out.take()), err: text(self.err.take()) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A test that failed must not leave a process behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for the end of a process.
#[track_caller]
fn wait(child: &mut Child) -> ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("the process is ours") {
            return status;
        }
        if begun.elapsed() > DEADLINE {
            let _ = child.kill();
            panic!("the process did not end within {DEADLINE:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// What came of a program.
#[derive(Debug)]
pub(crate) struct Ran {
    status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Its exit code; `None` when a signal killed it.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The signal that killed it.
    pub(crate) fn signal(&self) -> Option<i32> {
        self.status.signal()
    }
}

/// The path of an example, built when it is missing or older than what it is made of: `cargo test --test it` builds no
/// examples, and a stale one would be tested silently.
pub(crate) fn program(name: &str) -> PathBuf {
    static LOOKED_AT: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let test = std::env::current_exe().expect("this program has a path");
    let target = test.parent().and_then(Path::parent).expect("tests lie in target/PROFILE/deps").to_owned();
    let path = target.join("examples").join(name);
    let mut looked_at = LOOKED_AT.lock().unwrap_or_else(PoisonError::into_inner);
    if looked_at.insert(name.to_owned()) && !is_current(&path) {
        build_examples(&target);
    }
    assert!(path.exists(), "there is no example {name}");
    path
}

/// Whether a program is newer than its sources, as the compiler lists them.
fn is_current(path: &Path) -> bool {
    let age = |path: &Path| std::fs::metadata(path).and_then(|metadata| metadata.modified());
    let (Ok(built), Ok(list)) = (age(path), std::fs::read_to_string(path.with_extension("d"))) else { return false };
    let mut sources = list.split_once(": ").map_or("", |(_, sources)| sources).split_whitespace();
    sources.all(|source| age(Path::new(source)).is_ok_and(|changed| changed <= built))
}

fn build_examples(target: &Path) {
    let mut features = Vec::new();
    for (name, is_on) in [("tracker", cfg!(feature = "tracker")), ("testing", cfg!(feature = "testing"))] {
        features.extend(is_on.then_some(name));
    }
    let profile = match target.file_name().and_then(OsStr::to_str) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "build",
        "--examples",
        "--no-default-features",
        "--features",
        &features.join(","),
        "--profile",
        profile,
    ]);
    cargo.args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"), "--target-dir"]);
    cargo.arg(target.parent().expect("a profile lies in a target directory"));
    let status = cargo.status().expect("cargo runs");
    assert!(status.success(), "the examples do not compile");
}
