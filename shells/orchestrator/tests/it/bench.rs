//! A private directory with engines in it, and ways to wait.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use orchestrator::{Embedded, Engine, Options, Run, Status, Submission, embedded::Waits, engine::Gate};
use tempfile::TempDir;

/// Whatever takes longer than this does not work.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A directory for the database and for what programs write.
pub(crate) struct Bench {
    directory: PathBuf,
    /// Where the database lies in it.
    database: &'static str,
    _own: Option<TempDir>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let own = tempfile::tempdir().unwrap();
        Self { directory: own.path().to_owned(), database: "data/orchestrator.db", _own: Some(own) }
    }

    /// A bench in a directory of somebody else's, whose database lies right in it.
    pub(crate) fn at(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), database: "orchestrator.db", _own: None }
    }

    /// An engine on this bench's database that does not work yet.
    pub(crate) fn engine(&self) -> Embedded {
        engine_on(&self.database())
    }

    /// An engine that works.
    pub(crate) fn working(&self) -> Embedded {
        let engine = self.engine();
        engine.start(Duration::ZERO, Gate::open());
        engine
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.directory.join(self.database)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The lines of a file that programs write to; none while it is not there.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        std::fs::read_to_string(self.path(name)).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// A run of a shell script that works in this bench's directory.
    pub(crate) fn script(&self, name: &str, script: &str) -> Submission {
        Submission::new(name, "/bin/sh").args(["-c", script]).cwd(&self.directory)
    }
}

/// An engine whose waits are short.
pub(crate) fn engine_on(database: &Path) -> Embedded {
    let quick = Duration::from_millis(50);
    let waits = Waits { first: quick, ceiling: quick };
    Embedded::new(database, Options { waits, pulse: quick, grace: Duration::from_millis(500), ..Options::default() })
}

/// Waits until something is so.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "it never came to be that {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until a run stands so.
pub(crate) async fn reaches(engine: &Embedded, run: &Run, status: Status) -> Run {
    let id = run.id.as_str();
    until(&format!("{id} is {status}"), async || {
        let run = engine.get(id).await.unwrap();
        assert!(!run.status.is_final() || run.status == status, "{run:?} is not going to be {status}");
        (run.status == status).then_some(run)
    })
    .await
}

/// The processes that run (zombies do not) and carry this run's variable or are in this group.
pub(crate) fn left_of(run: &Run, group: Option<i32>) -> Vec<i32> {
    let marker = format!("ORCHESTRATOR_RUN_ID={}", run.id);
    procfs::process::all_processes()
        .unwrap()
        .flatten()
        .filter_map(|process| {
            let stat = process.stat().ok()?;
            let environ = std::fs::read(format!("/proc/{}/environ", stat.pid)).unwrap_or_default();
            let ours =
                environ.split(|byte| *byte == 0).any(|entry| entry == marker.as_bytes()) || group == Some(stat.pgrp);
            (ours && stat.state != 'Z').then_some(stat.pid)
        })
        .collect()
}
