//! The lines of earlier sessions, for the arrow keys. What is added here is redacted already: the journal is the record,
//! this is a convenience, and losing it loses nothing.
//!
//! One entry a line, oldest first, LF as `\n`, CR as `\r`, `\` as `\\`. The file is 0600. Several shells add to it at once: an entry
//! is one write at the end of the file, under a lock, and never rewrites what others wrote. When the file has grown to twice
//! what is kept, the next shell that opens it puts a shorter one in its place.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// How many entries are kept.
pub(super) const KEPT: usize = 10_000;
/// A longer entry was not typed by hand, and nobody looks for it with the arrow keys.
const LONGEST_BYTES: usize = 64 * 1024;
/// Entries may be long: past this size the file is shortened even when they are few.
const LARGEST_BYTES: u64 = 16 * 1024 * 1024;

/// The history file.
#[derive(Debug)]
pub(super) struct History {
    path: PathBuf,
    last: Option<String>,
}

impl History {
    /// Opens the file, or makes it; also returns its newest entries, oldest first.
    pub(super) fn open(path: PathBuf) -> io::Result<(Self, Vec<String>)> {
        if let Some(directory) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        let mut file = locked(&path)?;
        if file.metadata()?.mode() & 0o077 != 0 {
            file.set_permissions(Permissions::from_mode(0o600))?;
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        // A broken byte costs one character, not the history.
        let text = String::from_utf8_lossy(&bytes);
        let total = text.lines().count();
        let mut entries: Vec<String> = text.lines().skip(total.saturating_sub(KEPT)).map(unescape).collect();
        if bytes.len() as u64 > LARGEST_BYTES {
            entries = newest(entries, LARGEST_BYTES / 2);
        }
        if total > 2 * KEPT || bytes.len() as u64 > LARGEST_BYTES {
            replace(&path, &entries)?;
        }
        drop(file);
        Ok((Self { path, last: entries.last().cloned() }, entries))
    }

    /// Adds an entry, unless it is blank, too long, or the same as the one before.
    pub(super) fn add(&mut self, entry: &str) -> io::Result<()> {
        if !is_kept(entry) || self.last.as_deref() == Some(entry) {
            return Ok(());
        }
        let mut line = escape(entry);
        line.push('\n');
        locked(&self.path)?.write_all(line.as_bytes())?;
        self.last = Some(entry.to_owned());
        Ok(())
    }
}

/// Whether an entry is worth keeping at all.
pub(super) fn is_kept(entry: &str) -> bool {
    !entry.trim().is_empty() && entry.len() <= LONGEST_BYTES
}

/// The file, open for appending, and nobody else's until it is closed.
fn locked(path: &Path) -> io::Result<File> {
    loop {
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        file.lock()?;
        // While we waited, another shell may have put a shorter file in its place.
        let (ours, named) = (file.metadata()?, fs::metadata(path));
        if named.is_ok_and(|named| named.ino() == ours.ino() && named.dev() == ours.dev()) {
            return Ok(file);
        }
    }
}

/// Puts a file with these entries in the place of the old one, whole or not at all.
fn replace(path: &Path, entries: &[String]) -> io::Result<()> {
    let new = path.with_extension(format!("new-{}", std::process::id()));
    let text: String = entries.iter().flat_map(|entry| [escape(entry), "\n".to_owned()]).collect();
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    let replaced = file.write_all(text.as_bytes()).and_then(|()| fs::rename(&new, path));
    if replaced.is_err() {
        let _ = fs::remove_file(&new);
    }
    replaced
}

/// The newest of the entries that take no more than so many bytes together.
fn newest(mut entries: Vec<String>, limit: u64) -> Vec<String> {
    let mut bytes = 0;
    let kept = entries.iter().rev().take_while(|entry| {
        bytes += entry.len() as u64;
        bytes <= limit
    });
    let kept = kept.count();
    entries.split_off(entries.len() - kept)
}

fn escape(entry: &str) -> String {
    entry.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r")
}

fn unescape(line: &str) -> String {
    let mut entry = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('n')) => entry.push('\n'),
            ('\\', Some('r')) => entry.push('\r'),
            ('\\', Some(escaped)) => entry.push(escaped),
            (c, _) => entry.push(c),
        }
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state/history");
        (directory, path)
    }

    fn entries(path: &Path) -> Vec<String> {
        History::open(path.to_owned()).unwrap().1
    }

    #[test]
    fn entries_come_back_as_they_were() {
        let (_directory, path) = place();
        let odd = ["let a = 1;\nlet b = \"\\n\";\r", "a\\", "日本 \u{1b}", "\\r"];
        let (mut history, old) = History::open(path.clone()).unwrap();
        assert!(old.is_empty());
        for entry in odd {
            history.add(entry).unwrap();
        }
        assert_eq!(entries(&path), odd);
    }

    #[test]
    fn only_what_helps_is_kept() {
        let (_directory, path) = place();
        let (mut history, _) = History::open(path.clone()).unwrap();
        for entry in ["one", "one", "", "  \n", &"x".repeat(LONGEST_BYTES + 1), "two", "one"] {
            history.add(entry).unwrap();
        }
        assert_eq!(entries(&path), ["one", "two", "one"]);
    }

    #[test]
    fn nobody_else_can_read_it() {
        let (_directory, path) = place();
        drop(History::open(path.clone()).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        drop(History::open(path.clone()).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_grown_file_is_shortened_and_a_broken_one_is_read() {
        let (_directory, path) = place();
        drop(History::open(path.clone()).unwrap());
        let mut text: Vec<u8> = (0..=2 * KEPT).flat_map(|n| format!("entry {n}\n").into_bytes()).collect();
        text.extend(b"broken \xff byte\n");
        fs::write(&path, text).unwrap();
        let first = entries(&path);
        assert_eq!(first.len(), KEPT);
        assert_eq!(first.last().unwrap(), "broken \u{fffd} byte");
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), KEPT);
        assert_eq!(entries(&path), first);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn shells_at_once_lose_nothing() {
        let (_directory, path) = place();
        std::thread::scope(|scope| {
            for shell in 0..8 {
                let path = &path;
                scope.spawn(move || {
                    let (mut history, _) = History::open(path.clone()).unwrap();
                    for n in 0..50 {
                        history.add(&format!("{shell} {n}")).unwrap();
                        if n % 10 == shell {
                            // What a shell does that finds the file grown.
                            let file = locked(path).unwrap();
                            let text = fs::read_to_string(path).unwrap();
                            replace(path, &text.lines().map(unescape).collect::<Vec<_>>()).unwrap();
                            drop(file);
                        }
                    }
                });
            }
        });
        let mut all = entries(&path);
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 400);
    }
}
