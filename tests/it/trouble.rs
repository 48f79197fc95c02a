//! A journal that can not be written: reads run with a visible warning, changes are refused, nothing stored is damaged,
//! and once it can be written again work goes on and a `gap` says what was missed.
//!
//! A full disk is made twice: with a limit on the size of files, which every user may set, and with a small file system
//! of its own where the kernel lets us make one.

use std::{
    fs::{File, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use admin_shell::event::{EndReason, Event, EventKind, Gap, SessionId};
use jiff::Timestamp;
use rustix::{
    fs::{FallocateFlags, fallocate},
    process::{Resource, Rlimit, prlimit},
};
use sqlx::{Connection, Executor, SqliteConnection};

use crate::fixture::{CTRL_D, PROMPT, Place, Terminal, ask, bodies, kinds, stream, verify};

/// The only session of a journal, with its events.
#[track_caller]
fn recorded(database: &Path) -> (SessionId, Vec<Event>) {
    use admin_shell::journal::Journal;
    ask(database, async |journal| {
        let sessions = journal.sessions(&Default::default(), &Default::default()).await.expect("the journal is read");
        assert_eq!(sessions.records.len(), 1);
        let id = sessions.records[0].session_id.clone();
        let events = stream(journal, &id.clone().into()).await;
        (id, events)
    })
}

#[track_caller]
fn gap(events: &[Event]) -> Gap {
    let mut gaps: Vec<Gap> = bodies(events, EventKind::Gap);
    assert_eq!(gaps.len(), 1, "{:?}", kinds(events));
    gaps.remove(0)
}

/// From a journal that works to one that does not and back, in one session. `look` says where the journal can be read.
fn goes_through(terminal: &Terminal, look: impl Fn() -> PathBuf, why: &str, spoil: impl FnOnce(), mend: impl FnOnce()) {
    assert_eq!(terminal.run("bump()"), "1\n");
    let before = recorded(&look()).1;
    let from = Timestamp::now();
    spoil();
    let shown = terminal.run("count()");
    assert!(shown.contains("warning: not recorded: ") && shown.contains(why) && shown.ends_with("\n1\n"), "{shown}");
    let shown = terminal.run("bump()");
    assert!(shown.contains("error: `bump` changes something, and can not be recorded: "), "{shown}");
    assert!(shown.contains("help: reads still run"), "{shown}");
    let shown = terminal.run("1 + 1");
    assert!(shown.ends_with("\n2\n"), "{shown}");
    assert!(terminal.run("session().recording").contains("failing: "), "it says so itself");
    let to = Timestamp::now();
    mend();
    assert_eq!(terminal.run("bump()"), "2\n", "without a warning");

    let database = look();
    let events = recorded(&database).1;
    assert!(events[..before.len()].iter().zip(&before).all(|(now, then)| now.text() == then.text()));
    let missed = kinds(&events)[before.len()..].to_vec();
    let (again, after) = missed.split_at(missed.iter().rposition(|kind| *kind == "gap").expect("a gap") + 1);
    assert_eq!(after, ["command_start", "call_start", "call_end", "command_end"], "{missed:?}");
    // A commit that may have happened is not missed: it is written again, and what was missed before it with it.
    let unknown = again.iter().filter(|kind| **kind != "gap").count() as u64;
    let gaps: Vec<Gap> = bodies(&events, EventKind::Gap);
    let time = |text: &str| text.parse::<Timestamp>().expect("a time");
    assert!(from <= time(&gaps[0].from) && time(&gaps[gaps.len() - 1].to) <= to, "{from} {gaps:?} {to}");
    assert!(gaps.iter().all(|gap| time(&gap.from) <= time(&gap.to) && gap.reason.contains(why)), "{gaps:?}");
    // Each of the four commands would have had a start and an end, and the refused call its own event.
    assert_eq!(gaps.iter().map(|gap| gap.count).sum::<u64>(), 9 - unknown, "{gaps:?} {missed:?}");
    verify(&database);
}

#[test]
fn files_that_may_not_grow() {
    let place = Place::new();
    let terminal = place.victim().on_terminal(100, 60);
    terminal.ends_with(PROMPT);
    let limit = |bytes: Option<u64>| {
        let old = prlimit(Some(terminal.pid()), Resource::Fsize, Rlimit { current: bytes, maximum: None });
        old.expect("a limit of our own process");
    };
    goes_through(&terminal, || place.database(), "disk I/O error", || limit(Some(0)), || limit(None));
    terminal.keys(CTRL_D);
    terminal.leaves(0);
    assert_eq!(place.session().end_reason, Some(EndReason::Eof));
}

/// A shell whose data directory is a file system of so many MiB, which nobody else sees and nobody has to take away.
fn on_a_disk(place: &Place, mebibytes: u32) -> Option<(Terminal, PathBuf)> {
    std::fs::create_dir(place.path("data")).expect("a directory");
    let mount = format!("mount -t tmpfs -o size={mebibytes}m,mode=700 none data && exec \"$0\" \"$@\"");
    let mut probe = Command::new("unshare");
    probe.args(["-rm", "sh", "-c", "mount -t tmpfs none /tmp"]);
    if !probe.output().is_ok_and(|probe| probe.status.success()) {
        return None;
    }
    let terminal = place.victim().wrapped(&["unshare", "-rm", "sh", "-c", &mount]).on_terminal(100, 60);
    terminal.ends_with(PROMPT);
    let data = place.path("data/admin-shell");
    let seen = PathBuf::from(format!("/proc/{}/root{}", terminal.pid(), data.display()));
    Some((terminal, seen))
}

#[test]
fn a_full_disk() {
    let place = Place::new();
    let Some((terminal, data)) = on_a_disk(&place, 320) else {
        eprintln!("this kernel lets us mount nothing; `files_that_may_not_grow` is the same by other means");
        return;
    };
    let ballast = data.join("ballast");
    let fill = |leave: u64| {
        let disk = rustix::fs::statvfs(&data).expect("the disk's size");
        let file = File::options().create(true).append(true).open(&ballast).expect("the ballast");
        let (from, bytes) = (file.metadata().expect("its size").len(), disk.f_bavail * disk.f_frsize - leave);
        fallocate(&file, FallocateFlags::empty(), from, bytes).expect("the disk is filled");
    };
    // By way of a copy: SQLite makes of `/proc/PID/root` what it names, which from here is another place.
    let copy = || {
        let copied = place.path("copy");
        let _ = std::fs::remove_dir_all(&copied);
        std::fs::create_dir(&copied).unwrap();
        for name in ["journal.db", "journal.db-wal"] {
            std::fs::copy(data.join(name), copied.join(name)).unwrap();
        }
        copied.join("journal.db")
    };
    goes_through(&terminal, copy, "full", || fill(0), || std::fs::remove_file(&ballast).unwrap());
    // Before it is full, changes stop: what happened until now can still be recorded.
    fill(32 << 20);
    let shown = terminal.run("bump()");
    assert!(shown.contains("only 31 MiB are free") || shown.contains("only 32 MiB are free"), "{shown}");
    assert_eq!(terminal.run("count()"), "2\n", "reads are recorded and run");
    std::fs::remove_file(&ballast).unwrap();
    assert_eq!(terminal.run("bump()"), "3\n");
    verify(&copy());
    terminal.keys(CTRL_D);
    terminal.leaves(0);
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// One command each against a journal that can not be written, and the whole journal afterwards.
#[track_caller]
fn only_reads(place: &Place, why: &str) {
    let warning = format!("warning: not recorded: {why}\n");
    let ended = format!("warning: the end of the session is not recorded: {why}\n");
    let read = place.victim().args(["-c", "count()"]).run();
    assert_eq!((read.code(), read.out.as_str()), (Some(0), "0\n"), "{read:?}");
    assert_eq!(read.err, format!("{warning}{ended}"));
    let json = place.victim().args(["--json", "-c", "count()"]).run();
    assert_eq!((json.code(), json.out.as_str()), (Some(0), "0\n"), "{json:?}");
    let write = place.victim().args(["-c", "append_nonce(\"x\")"]).run();
    assert_eq!((write.code(), write.out.as_str()), (Some(1), ""), "{write:?}");
    let refused = format!("error: `append_nonce` changes something, and can not be recorded: {why}\n");
    assert!(write.err.starts_with(&format!("{warning}{refused}")), "{}", write.err);
    let wipe = place.victim().args(["--yes", "--reason", "x", "-c", "try { wipe() } catch { }"]).run();
    assert_eq!(wipe.code(), Some(1), "{wipe:?}");
    let all = place.victim().env("VICTIM_REFUSE", "all").args(["-c", "count()"]).run();
    assert_eq!((all.code(), all.out.as_str()), (Some(1), ""), "{all:?}");
    assert!(all.err.contains("error: nothing runs that can not be recorded: "), "{all:?}");
    assert!(place.nonces().is_empty());
}

#[test]
fn a_journal_that_may_only_be_read() {
    let place = Place::new();
    place.victim().args(["-c", "1"]).prints("1\n");
    let (journal, directory) = (place.database(), place.home("data"));
    let before = recorded(&journal);
    let cannot = |because: &str| format!("the journal {} can not be written: {because}", journal.display());
    set_mode(&journal, 0o400);
    only_reads(&place, &cannot("the file is read-only"));
    set_mode(&journal, 0o600);
    set_mode(&directory, 0o500);
    only_reads(&place, &cannot("its directory is read-only"));
    set_mode(&directory, 0o700);
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&journal, Some(65534), None).unwrap();
        only_reads(&place, &cannot("it belongs to user 65534, and this program runs as 0"));
        std::os::unix::fs::chown(&journal, Some(0), None).unwrap();
    } else {
        // Nobody else can give a journal away; a file of somebody else is as near as it gets.
        let others = ["--database", "/etc/passwd", "-c"];
        assert_eq!(place.victim().args(others).arg("count()").run().out, "0\n");
        assert_eq!(place.victim().args(others).arg("bump()").run().code(), Some(1));
    }
    let after = recorded(&journal);
    assert_eq!(before.0, after.0, "nothing was added");
    assert!(before.1.iter().zip(&after.1).all(|(then, now)| then.text() == now.text()));
    verify(&journal);
}

#[test]
fn a_journal_that_can_be_written_again() {
    let place = Place::new();
    place.victim().args(["-c", "1"]).prints("1\n");
    set_mode(&place.database(), 0o400);
    let terminal = place.victim().on_terminal(100, 40);
    terminal.ends_with(PROMPT).shows("Session Tracking: ✗ Disabled (the journal");
    let shown = terminal.run("count()");
    assert!(shown.starts_with("warning: not recorded: ") && shown.ends_with("\n0\n"), "{shown}");
    set_mode(&place.database(), 0o600);
    assert_eq!(terminal.run("bump()"), "1\n");
    terminal.keys(CTRL_D);
    terminal.leaves(0);
    let session = place.sessions().pop().unwrap();
    let events = place.events(&session.session_id);
    let expected = ["session_start", "gap", "command_start", "call_start", "call_end", "command_end", "session_end"];
    assert_eq!(kinds(&events), expected);
    assert!(gap(&events).reason.contains("the file is read-only"));
    assert_eq!((session.end_reason, session.write_calls), (Some(EndReason::Eof), 1));
    verify(&place.database());
}

#[test]
fn a_journal_that_is_taken_away_and_brought_back() {
    let place = Place::new();
    let terminal = place.victim().on_terminal(100, 60);
    terminal.ends_with(PROMPT);
    let (here, there) = (place.home("data"), place.path("elsewhere"));
    let take = || std::fs::rename(&here, &there).unwrap();
    let bring = || std::fs::rename(&there, &here).unwrap();
    goes_through(&terminal, || place.database(), "moved, deleted or replaced while it was open", take, bring);
    terminal.keys(CTRL_D);
    terminal.leaves(0);
}

#[test]
fn a_journal_that_is_deleted() {
    let place = Place::new();
    let terminal = place.victim().on_terminal(100, 60);
    terminal.ends_with(PROMPT);
    assert_eq!(terminal.run("bump()"), "1\n");
    std::fs::remove_dir_all(place.path("data")).unwrap();
    let shown = terminal.run("count()");
    assert!(shown.contains("warning: not recorded: ") && shown.ends_with("\n1\n"), "{shown}");
    // Another shell makes a new one; the old session does not go on in it as if nothing had happened.
    place.victim().args(["-c", "1"]).prints("1\n");
    assert!(terminal.run("bump()").contains("can not be recorded: "));
    terminal.keys(CTRL_D);
    let ran = terminal.leaves(0);
    assert!(ran.out.contains("warning: the end of the session is not recorded: "), "{}", ran.out);
    assert_eq!(place.session().commands, 1);
    verify(&place.database());
}

#[test]
fn a_place_that_is_no_place_for_a_journal() {
    let place = Place::new();
    let file = place.file("file", "text");
    let garbage = place.file("garbage.db", "this is no database, and it is not empty either".repeat(100));
    let directory = place.path("data");
    for (database, why) in [
        (file.join("below/journal.db"), "Not a directory"),
        (garbage.clone(), "it is not a journal"),
        (directory, "it is not a file"),
    ] {
        std::fs::create_dir_all(place.path("data")).unwrap();
        let read = place.victim().arg("--database").arg(&database).args(["-c", "count()"]).run();
        assert_eq!((read.code(), read.out.as_str()), (Some(0), "0\n"), "{read:?}");
        assert!(read.err.starts_with("warning: not recorded: the journal ") && read.err.contains(why), "{read:?}");
        let write = place.victim().arg("--database").arg(&database).args(["-c", "append_nonce(\"x\")"]).run();
        assert_eq!((write.code(), write.out.as_str()), (Some(1), ""), "{write:?}");
        assert!(
            write.err.contains("error: `append_nonce` changes something, and can not be recorded: the journal "),
            "{write:?}"
        );
    }
    assert!(place.nonces().is_empty());
    assert!(std::fs::read_to_string(garbage).unwrap().starts_with("this is no database"));
    assert_eq!(std::fs::read_to_string(file).unwrap(), "text");
}

#[test]
fn a_state_directory_that_can_not_be_written_is_no_trouble() {
    let place = Place::new();
    place.file("state", "not a directory");
    let terminal = place.victim().on_terminal(100, 40);
    terminal.ends_with(PROMPT);
    assert!(terminal.run("panic()").starts_with("error: `panic` panicked: on purpose\n"));
    assert_eq!(terminal.run("1 + 1"), "2\n");
    terminal.keys(CTRL_D);
    terminal.leaves(0);
    assert_eq!(place.session().commands, 2);
}

/// The journal's lock, in somebody else's hands.
struct Held {
    runtime: tokio::runtime::Runtime,
    connection: SqliteConnection,
}

impl Held {
    fn lock(place: &Place) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let url = format!("sqlite:{}", place.database().display());
        let mut connection = runtime.block_on(SqliteConnection::connect(&url)).unwrap();
        runtime.block_on(connection.execute("BEGIN IMMEDIATE")).unwrap();
        Self { runtime, connection }
    }

    fn release(mut self) {
        self.runtime.block_on(self.connection.execute("ROLLBACK")).unwrap();
        self.runtime.block_on(self.connection.close()).unwrap();
    }
}

/// Ctrl-C ends the wait soon.
#[track_caller]
fn interrupts(terminal: &Terminal) {
    let begun = std::time::Instant::now();
    terminal.keys("\u{3}");
    terminal.shows("interrupted").ends_with(PROMPT);
    assert!(begun.elapsed() < std::time::Duration::from_secs(2), "{:?}", begun.elapsed());
}

/// The same for the very first commit: the command waits for the start of its session.
#[test]
fn a_wait_for_the_start_of_the_session_can_be_interrupted() {
    let place = Place::new();
    let first = place.victim().on_terminal(100, 60);
    first.ends_with(PROMPT);
    first.keys(CTRL_D);
    first.leaves(0);
    let held = Held::lock(&place);
    let terminal = place.victim().on_terminal(100, 60);
    terminal.ends_with(PROMPT);
    terminal.keys("bump()\r");
    std::thread::sleep(std::time::Duration::from_millis(500));
    interrupts(&terminal);
    held.release();
    assert_eq!(terminal.run("bump()"), "1\n", "the interrupted one did not run");
    terminal.keys(CTRL_D);
    terminal.leaves(0);
    let session = place.sessions().into_iter().find(|session| session.commands > 0).expect("the second session");
    assert_eq!(
        kinds(&place.events(&session.session_id)),
        [
            "session_start",
            "command_start",
            "command_end",
            "command_start",
            "call_start",
            "call_end",
            "command_end",
            "session_end"
        ]
    );
    verify(&place.database());
}

/// Somebody else holds the journal's lock: Ctrl-C ends the wait for it, and nothing is lost, doubled or made up.
#[test]
fn a_wait_for_the_journal_can_be_interrupted() {
    let place = Place::new();
    let terminal = place.victim().on_terminal(100, 60);
    terminal.ends_with(PROMPT);
    assert_eq!(terminal.run("bump()"), "1\n");
    let held = Held::lock(&place);
    terminal.keys("bump()\r");
    std::thread::sleep(std::time::Duration::from_millis(1_000));
    interrupts(&terminal);
    held.release();
    assert_eq!(terminal.run("bump()"), "2\n", "the interrupted one did not run");
    terminal.keys(CTRL_D);
    terminal.leaves(0);
    let session = place.session();
    let events = place.events(&session.session_id);
    assert_eq!(kinds(&events).iter().filter(|kind| **kind == "command_start").count(), 3, "{:?}", kinds(&events));
    let ends: Vec<admin_shell::event::CommandEnd> = bodies(&events, EventKind::CommandEnd);
    let status: Vec<String> = ends.iter().map(|end| end.status.to_string()).collect();
    assert_eq!(status, ["ok", "cancelled", "ok"]);
    verify(&place.database());
}

/// Reading needs no room and no writing: not on a full disk, and not where nothing can be written.
#[test]
fn the_record_is_read_on_a_full_disk_and_on_a_read_only_one() {
    let place = Place::new();
    let mut probe = Command::new("unshare");
    probe.args(["-rm", "sh", "-c", "mount -t tmpfs none /tmp"]);
    if !probe.output().is_ok_and(|probe| probe.status.success()) {
        eprintln!("this kernel lets us mount nothing; `opening` reads a read-only file by other means");
        return;
    }
    place.victim().args(["-c", "bump()"]).prints("1\n");
    let (tracker, journal) = (env!("CARGO_BIN_EXE_session-tracker"), place.database());
    let script = format!(
        "set -e; mkdir disk; mount -t tmpfs -o size=8m none disk; cp {journal} disk/journal.db
        read() {{ for command in list verify 'journal status' 'list --text bump' 'show sess_'; do
            {tracker} --database disk/journal.db $command || echo DID NOT: $command $1; done; }}
        dd if=/dev/zero of=disk/ballast bs=1k 2>/dev/null || true; dd if=/dev/zero of=disk/more bs=16 2>/dev/null || true
        read full; rm disk/ballast disk/more; mount -o remount,ro disk; read ro",
        journal = journal.display()
    );
    let ran = Command::new("unshare").args(["-rm", "sh", "-c", &script]).current_dir(place.path(".")).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success() && !out.contains("DID NOT"), "{out}{err}");
    assert_eq!(out.matches("Consistent: 6 events in 1 stream.").count(), 2, "{out}{err}");
}
