//! `jsonl:PATH`, events as JSON lines in a file that is rotated: one sealed text a line, verbatim.
//!
//! Invariants:
//! - The file and its predecessors (`PATH.1` is the youngest) are 0600.
//! - Several processes may write it: a lock beside it (`PATH.lock`) lets one at a time append and rotate.
//! - A batch is synced before it counts as delivered. After a crash a line may stand there twice, with the same
//!   `event_id`.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use file_rotate::{ContentLimit, FileRotate, compression::Compression, suffix::AppendCount};

use crate::{
    delivery::{BoxError, EventSink, Receipt, SinkError},
    event::Event,
};

/// A file that has grown past this is put aside.
const FULL_BYTES: usize = 64 << 20;
/// So many are kept beside the one that is written.
const KEPT: usize = 9;

/// Appends events to a file.
#[derive(Debug)]
pub struct JsonlSink {
    name: String,
    path: PathBuf,
    full_bytes: usize,
}

impl JsonlSink {
    /// The sink of a URL `jsonl:PATH`.
    ///
    /// # Errors
    /// When there is no path in it, or nothing can be written there.
    pub fn open(url: &str) -> Result<Self, BoxError> {
        let path = url.strip_prefix("jsonl:").unwrap_or(url);
        if path.is_empty() || path.ends_with('/') {
            return Err("jsonl: wants a path, as in jsonl:/var/log/admin-shell/events.jsonl".into());
        }
        let path = std::path::absolute(path)?;
        if path.is_dir() {
            return Err(format!("jsonl: {} is a directory", path.display()).into());
        }
        if let Some(directory) = path.parent() {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
            made.map_err(|error| format!("jsonl: the directory {}: {error}", directory.display()))?;
        }
        Ok(Self { name: format!("jsonl:{}", path.display()), path, full_bytes: FULL_BYTES })
    }

    /// Rotates when the file has grown past so many bytes.
    #[must_use]
    pub fn full_at(mut self, bytes: usize) -> Self {
        self.full_bytes = bytes.max(1);
        self
    }
}

#[async_trait]
impl EventSink for JsonlSink {
    fn name(&self) -> &str {
        &self.name
    }

    async fn deliver(&mut self, batch: &[Event]) -> Result<Receipt, SinkError> {
        let lines: String = batch.iter().flat_map(|event| [event.text(), "\n"]).collect();
        let (path, full_bytes) = (self.path.clone(), self.full_bytes);
        let written = tokio::task::spawn_blocking(move || append(&path, &lines, full_bytes)).await;
        let written = written.map_err(SinkError::unavailable)?;
        written.map_err(|error| SinkError::unavailable(format!("{}: {error}", self.path.display())))?;
        Ok(Receipt::accepted(batch.iter().map(Event::event_id)))
    }
}

fn append(path: &Path, lines: &str, full_bytes: usize) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(beside)?;
    lock.lock()?;
    let mut options = OpenOptions::new();
    options.read(true).create(true).append(true).mode(0o600);
    // Tried first: the rotating file takes note of no error when it opens.
    drop(options.open(path)?);
    let limit = ContentLimit::BytesSurpassed(full_bytes);
    let mut file = FileRotate::new(path, AppendCount::new(KEPT), limit, Compression::None, Some(options));
    // One call for all lines: the file is rotated between batches and never inside a line.
    file.write_all(lines.as_bytes())?;
    file.flush()?;
    // A full file has just been put aside: then it is that one which must be on disk.
    for written in [path.to_owned(), PathBuf::from(format!("{}.1", path.display()))] {
        match File::open(written) {
            Ok(file) => file.sync_data()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
