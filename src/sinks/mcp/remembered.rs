//! What a server of the older generation calls our sessions.
//!
//! The server makes its own ids, and an end may be delivered by another process than the start was. So each name that a
//! server gives is kept in a file beside the locks of delivery, before the start counts as delivered. There is one file for
//! each sink and component, and only the process that holds the lane's lock writes it.
//!
//! Format: one JSON object a line, `{"session_id": ours, "theirs": the server's}`; `theirs` is null once it has ended. Mode
//! 0600. A last line that was cut off by a crash is skipped: then its start was not delivered either.

use std::{
    collections::HashMap,
    fs::OpenOptions,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::delivery::{Sender, SinkError};

/// The names of open sessions.
pub(super) struct Remembered {
    file: Option<PathBuf>,
    names: HashMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    session_id: String,
    theirs: Option<String>,
}

impl Remembered {
    /// What was kept for a sink and its sender. Without a directory it is kept in memory only.
    pub(super) fn read(sink: &str, sender: Option<&Sender>) -> Result<Self, SinkError> {
        let directory = sender.and_then(|sender| sender.keep.as_deref());
        let file = directory.map(|directory| {
            let component = sender.and_then(|sender| sender.component.as_deref()).unwrap_or("*");
            let digest = Sha256::digest(format!("{sink}\n{component}"));
            let name: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
            directory.join(format!("{name}.ids"))
        });
        let mut names = HashMap::new();
        let text = match file.as_deref().map(std::fs::read_to_string) {
            Some(Ok(text)) => text,
            Some(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(SinkError::unavailable(format!("what the server calls sessions can not be read: {error}")));
            }
            _ => String::new(),
        };
        for line in text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok()) {
            match line.theirs {
                Some(theirs) => names.insert(line.session_id, theirs),
                None => names.remove(&line.session_id),
            };
        }
        Ok(Self { file, names })
    }

    /// What the server calls a session.
    pub(super) fn name(&self, session: &str) -> Option<&str> {
        self.names.get(session).map(String::as_str)
    }

    /// Keeps a name, on disk before anything else happens.
    pub(super) fn keep(&mut self, session: &str, theirs: &str) -> Result<(), SinkError> {
        self.write(&Line { session_id: session.to_owned(), theirs: Some(theirs.to_owned()) })?;
        self.names.insert(session.to_owned(), theirs.to_owned());
        Ok(())
    }

    /// A session has ended: its name is not needed any more.
    pub(super) fn forget(&mut self, session: &str) -> Result<(), SinkError> {
        self.names.remove(session);
        if self.names.is_empty() {
            if let Some(file) = &self.file {
                let _ = std::fs::remove_file(file);
            }
            return Ok(());
        }
        self.write(&Line { session_id: session.to_owned(), theirs: None })
    }

    fn write(&self, line: &Line) -> Result<(), SinkError> {
        let Some(file) = &self.file else { return Ok(()) };
        let text = serde_json::to_string(line).map_err(SinkError::unavailable)?;
        append(file, &format!("{text}\n")).map_err(|error| {
            SinkError::unavailable(format!("what the server calls a session can not be kept: {error}"))
        })
    }
}

fn append(file: &Path, text: &str) -> std::io::Result<()> {
    if let Some(directory) = file.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(file)?;
    file.write_all(text.as_bytes())?;
    file.sync_data()
}
