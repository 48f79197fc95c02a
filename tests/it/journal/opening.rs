//! Opening: first opens at once, other owners, read-only places, full disks, files that are not ours.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    sync::Arc,
};

use admin_shell::{
    event::Status,
    journal::{Found, Journal, JournalError, SqliteJournal},
};
use sqlx::{Connection, Executor, SqliteConnection};

use super::fixture::{Place, Writing, at, command_end, command_start, start};

fn mode(path: &str) -> u32 {
    fs::metadata(path).expect("it is there").mode() & 0o777
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[tokio::test]
async fn files_are_for_their_owner_only() {
    let place = Place::new();
    let journal = place.open().await;
    Writing::new("orchestrator").whole(&journal, 0, 1).await;
    let path = place.path();
    assert_eq!(mode(path.strip_suffix("/journal.db").expect("a file in a directory")), 0o700);
    for suffix in ["", "-wal", "-shm", ".lock"] {
        assert_eq!(mode(&format!("{path}{suffix}")), 0o600, "{suffix}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_first_opens_at_once() {
    for _ in 0..50 {
        let place = Arc::new(Place::new());
        let opens: Vec<_> = (0..8)
            .map(|number| {
                let place = Arc::clone(&place);
                tokio::spawn(async move {
                    let journal = place.open().await;
                    Writing::new("orchestrator").whole(&journal, number, 1).await;
                    journal.id().clone()
                })
            })
            .collect();
        let mut ids = Vec::new();
        for open in opens {
            ids.push(open.await.expect("no open fails"));
        }
        ids.dedup();
        assert_eq!(ids.len(), 1, "they all opened the same journal");
        let journal = place.open().await;
        assert_eq!(journal.status().await.expect("status").sessions, 8);
        let report = journal.verify(None).await.expect("verified");
        assert!(report.faults.is_empty(), "{:?}", report.faults);
    }
}

/// Run by [`eight_processes_write_at_once`] in processes of its own.
#[tokio::test]
async fn one_of_eight_processes() {
    let Ok(path) = std::env::var("JOURNAL_OF_EIGHT") else { return };
    let journal = SqliteJournal::open(&path).await.expect("the journal opens");
    let session = Writing::new("orchestrator");
    session.record(&journal, &[start(at(0), "ada", "host-a")]).await.expect("recorded");
    for command in 1..=30 {
        session.record(&journal, &[command_start(at(1), command, "ps()")]).await.expect("recorded");
        session.record(&journal, &[command_end(at(2), command, Status::Ok)]).await.expect("recorded");
    }
    journal.close().await;
}

#[tokio::test]
async fn eight_processes_write_at_once() {
    for _ in 0..3 {
        let place = Place::new();
        let program = std::env::current_exe().expect("the test's own program");
        let children: Vec<_> = (0..8)
            .map(|_| {
                std::process::Command::new(&program)
                    .args(["journal::opening::one_of_eight_processes", "--exact"])
                    .env("JOURNAL_OF_EIGHT", place.path())
                    .stdout(std::process::Stdio::null())
                    .spawn()
                    .expect("the process starts")
            })
            .collect();
        for mut child in children {
            assert!(child.wait().expect("it ends").success());
        }
        let journal = place.open().await;
        let status = journal.status().await.expect("status");
        assert_eq!((status.sessions, status.position), (8, 8 * 61));
        let report = journal.verify(None).await.expect("verified");
        assert!(report.faults.is_empty(), "{:?}", report.faults);
    }
}

#[tokio::test]
async fn a_dropped_journal_opens_again() {
    let place = Place::new();
    let session = Writing::new("orchestrator");
    let journal = place.open().await;
    let id = journal.id().clone();
    session.record(&journal, &[start(at(0), "ada", "host-a")]).await.expect("recorded");
    drop(journal);
    let journal = place.open().await;
    assert_eq!(*journal.id(), id);
    let events = session.record(&journal, &[command_start(at(1), 1, "ps()")]).await.expect("recorded");
    assert_eq!(events[0].seq(), 1);
}

#[tokio::test]
async fn reading_makes_no_journal() {
    let place = Place::new();
    assert!(SqliteJournal::open_existing(&place.path()).await.expect("no error").is_none());
    assert!(!fs::exists(place.path()).expect("it can be asked"));
    let journal = place.open().await;
    Writing::new("orchestrator").whole(&journal, 0, 1).await;
    let other = SqliteJournal::open_existing(&place.path()).await.expect("no error").expect("it is there now");
    assert_eq!(other.status().await.expect("status").sessions, 1);
}

#[tokio::test]
async fn a_read_only_file_is_read() {
    for (what, mode) in [("the file", 0o400), ("its directory", 0o500)] {
        for closes in [true, false] {
            let place = Place::new();
            let path = place.path();
            let writing = place.open().await;
            let session = Writing::new("orchestrator");
            session.whole(&writing, 0, 1).await;
            if closes {
                writing.close().await;
            }
            let which = if what == "the file" { path.clone() } else { path.replace("/journal.db", "") };
            fs::set_permissions(&which, fs::Permissions::from_mode(mode)).expect("the mode is set");
            let journal = SqliteJournal::open(&path).await.expect("it opens for reading");
            assert!(matches!(journal.find(session.id.as_str()).await.expect("found"), Found::One(_)), "{what}");
            let refused = session.record(&journal, &[start(at(1), "eve", "host-a")]).await;
            let Err(JournalError::ReadOnly { because, .. }) = refused else { panic!("{refused:?}") };
            assert!(because.contains(what), "{because}");
            let report = journal.verify(None).await.expect("verified");
            assert!(report.faults.is_empty(), "{:?}", report.faults);
            let warnings = journal.status().await.expect("status").warnings;
            assert!(warnings.iter().any(|warning| warning.contains("reading only")), "{warnings:?}");
            fs::set_permissions(&which, fs::Permissions::from_mode(0o700)).expect("the mode is set");
        }
    }
}

#[tokio::test]
async fn another_owners_journal_is_read() {
    if !is_root() {
        // Only root can give a file away.
        return;
    }
    let place = Place::new();
    let path = place.path();
    let journal = place.open().await;
    let session = Writing::new("orchestrator");
    session.whole(&journal, 0, 1).await;
    journal.close().await;
    chown(&path, Some(12_345), None).expect("root may");
    let journal = SqliteJournal::open(&path).await.expect("it opens for reading");
    let refused = session.record(&journal, &[start(at(1), "eve", "host-a")]).await;
    let Err(JournalError::ReadOnly { because, .. }) = refused else { panic!("{refused:?}") };
    assert!(because.contains("12345"), "{because}");
    assert_eq!(journal.status().await.expect("status").sessions, 1);
    for suffix in ["-wal", "-shm"] {
        let left = fs::metadata(format!("{path}{suffix}")).is_ok_and(|file| file.uid() == 0);
        assert!(!left, "root left a file of its own: {suffix}");
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused_also_by_who_has_it_open() {
    let place = Place::new();
    let journal = place.open().await;
    let session = Writing::new("orchestrator");
    session.record(&journal, &[start(at(0), "ada", "host-a")]).await.expect("recorded");
    session.record(&journal, &[command_start(at(1), 1, "ps()")]).await.expect("recorded, in one statement");
    let mut connection = SqliteConnection::connect(&format!("sqlite:{}", place.path())).await.expect("opens");
    // As a migration leaves the file.
    connection.execute("ALTER TABLE schema_3 RENAME TO schema_99; PRAGMA user_version = 99").await.expect("runs");
    connection.close().await.expect("closes");
    let refused = session.record(&journal, &[command_end(at(2), 1, Status::Ok)]).await;
    assert!(matches!(refused, Err(JournalError::TooNew { found: 99, .. })), "{refused:?}");
    let refused = SqliteJournal::open(&place.path()).await;
    assert!(matches!(refused, Err(JournalError::TooNew { found: 99, .. })), "{refused:?}");
    let status = sqlite_position(&place).await;
    assert_eq!(status, 2, "nothing was written");
}

async fn sqlite_position(place: &Place) -> i64 {
    let mut connection = SqliteConnection::connect(&format!("sqlite:{}", place.path())).await.expect("opens");
    sqlx::query_scalar("SELECT max(position) FROM events").fetch_one(&mut connection).await.expect("a number")
}

#[tokio::test]
async fn what_is_no_journal_is_refused() {
    let place = Place::new();
    let directory = place.directory.path();
    let text = directory.join("notes.db");
    fs::write(&text, "this is a note, and a long one at that, so that nobody takes it for an empty file")
        .expect("written");
    let wrong = SqliteJournal::open(text.to_str().expect("a path")).await;
    assert!(matches!(wrong, Err(JournalError::Unusable { .. } | JournalError::Damaged(_))), "{wrong:?}");
    assert!(fs::read_to_string(&text).expect("read").starts_with("this is a note"), "it is left as it was");
    let wrong = SqliteJournal::open(directory.to_str().expect("a path")).await;
    assert!(matches!(wrong, Err(JournalError::Unusable { .. })), "{wrong:?}");
    let wrong = SqliteJournal::open("mysql://localhost/x").await;
    assert!(matches!(wrong, Err(JournalError::Unusable { .. })), "{wrong:?}");
}

#[tokio::test]
async fn a_journal_that_was_moved_away_is_not_written_to() {
    let place = Place::new();
    let journal = place.open().await;
    let session = Writing::new("orchestrator");
    session.record(&journal, &[start(at(0), "ada", "host-a")]).await.expect("recorded");
    let path = place.path();
    for suffix in ["", "-wal", "-shm"] {
        fs::rename(format!("{path}{suffix}"), format!("{path}.away{suffix}")).expect("moved");
    }
    let refused = session.record(&journal, &[command_start(at(1), 1, "ps()")]).await;
    assert!(matches!(refused, Err(JournalError::Unusable { .. })), "{refused:?}");
    for suffix in ["-wal", "-shm", ""] {
        fs::rename(format!("{path}.away{suffix}"), format!("{path}{suffix}")).expect("moved back");
    }
    session.record(&journal, &[command_start(at(1), 1, "ps()")]).await.expect("it goes on");
}

/// A disk of 2 MiB, which only root can make.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new() -> Option<Self> {
        let directory = tempfile::tempdir().expect("a directory");
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"])
            .arg(directory.path())
            .stderr(std::process::Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(directory))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_said_and_survived() {
    let Some(disk) = SmallDisk::new() else { return };
    let path = disk.0.path().join("journal.db");
    let journal = SqliteJournal::open(path.to_str().expect("a path")).await.expect("it opens");
    let session = Writing::new("orchestrator");
    session.record(&journal, &[start(at(0), "ada", "host-a")]).await.expect("recorded");
    assert!(matches!(journal.room(), admin_shell::journal::Room::Critical { .. }));
    // Something else fills the disk.
    let ballast = disk.0.path().join("ballast");
    let mut size = 4 * 1024 * 1024;
    while size > 0 {
        let mut file = fs::OpenOptions::new().append(true).create(true).open(&ballast).expect("opens");
        if std::io::Write::write_all(&mut file, &vec![1; size]).is_err() {
            size /= 2;
        }
    }
    let drafts = [command_start(at(1), 1, &"x".repeat(20_000)), command_end(at(2), 1, Status::Ok)];
    let refused = session.record(&journal, &drafts).await;
    assert!(matches!(refused, Err(JournalError::Full)), "{refused:?}");
    assert!(matches!(session.record(&journal, &drafts).await, Err(JournalError::Full)), "it stays full");
    fs::remove_file(&ballast).expect("removed");
    let events = session.record(&journal, &drafts).await.expect("there is room again");
    assert_eq!((events[0].seq(), events[1].seq()), (1, 2));
    let report = journal.verify(None).await.expect("verified");
    assert!(report.faults.is_empty(), "{:?}", report.faults);
}

/// The same without root: run in a process of its own, whose files may not grow past a limit.
#[test]
fn files_that_may_not_grow_are_survived() {
    let place = Place::new();
    let program = std::env::current_exe().expect("the test's own program");
    let status = std::process::Command::new("sh")
        .args(["-c", "ulimit -f 1024; trap '' XFSZ; exec \"$0\" --exact journal::opening::under_a_limit"])
        .arg(&program)
        .env("JOURNAL_UNDER_A_LIMIT", place.path())
        .stdout(std::process::Stdio::null())
        .status()
        .expect("the process starts");
    assert!(status.success());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let journal = place.open().await;
        let report = journal.verify(None).await.expect("verified");
        assert!(report.faults.is_empty(), "{:?}", report.faults);
    });
}

#[tokio::test]
async fn under_a_limit() {
    let Ok(path) = std::env::var("JOURNAL_UNDER_A_LIMIT") else { return };
    let journal = SqliteJournal::open(&path).await.expect("it opens");
    let session = Writing::new("orchestrator");
    session.record(&journal, &[start(at(0), "ada", "host-a")]).await.expect("recorded");
    let mut refusals = 0;
    for command in 1..200 {
        let drafts = [command_start(at(1), command, &"x".repeat(20_000))];
        // Said again with the same drafts: a new connection may have emptied the write-ahead log and find room.
        for _ in 0..3 {
            match session.record(&journal, &drafts).await {
                Ok(_) => break,
                Err(JournalError::Full | JournalError::Unknown { .. } | JournalError::Database(_)) => refusals += 1,
                Err(other) => panic!("{other:?}"),
            }
        }
    }
    assert!(refusals > 0, "the limit was never met");
    assert!(matches!(journal.find(session.id.as_str()).await.expect("reading goes on"), Found::One(_)));
    let report = journal.verify(None).await.expect("verified");
    assert!(report.faults.is_empty(), "{:?}", report.faults);
}
