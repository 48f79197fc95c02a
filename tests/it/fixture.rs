//! Programs as processes: a place of their own to live in, what goes in, and exactly what has to come out.
//!
//! Every test has its own [`Place`]: data, state and configuration directories that nobody else uses. A [`Run`] is one
//! start of a program in it. What is expected is the whole output, not a part of it: a warning too many fails a test.
//!
//! Nothing here sleeps to let something happen; it polls, with a deadline that only a broken program reaches.

mod process;
pub(crate) mod random;
mod terminal;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use admin_shell::{
    event::{Event, EventKind, SessionId, StreamId},
    journal::{Entry, Filter, Journal, Page, SessionRecord, SqliteJournal},
};
use serde::de::DeserializeOwned;

pub(crate) use process::{Ran, Run, program};
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
        Run::of(command)
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
