//! What a server of the older generation calls our sessions.
//!
//! The server makes its own ids, and an end may be delivered by another process than the start was. So each name that a
//! server gives is kept in a file beside the locks of delivery, before the start counts as delivered. There is one file for
//! each sink and component, and only the process that holds the lane's lock writes it.
//!
//! Format: one JSON object a line, `{"session_id": ours, "theirs": the server's}`; `theirs` is null once it has ended. Mode
//! 0600. A last line that was cut off by a crash is skipped: then its start was not delivered either.
//!
//! The file does not grow with all sessions ever: when most of its lines say nothing any more it is written anew beside
//! itself and takes its own place. Of sessions that never say an end the newest are remembered.

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::delivery::{Sender, SinkError};

/// Sessions that are remembered, at most.
const MOST_NAMES: usize = 10_000;
/// Lines that say nothing any more and may stay.
const SPARE_LINES: usize = 1_000;

/// The names of open sessions.
pub(super) struct Remembered {
    file: Option<PathBuf>,
    names: BTreeMap<String, String>,
    /// Lines of the file.
    lines: usize,
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
        let mut names = BTreeMap::new();
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
        let lines = text.lines().count();
        Ok(Self { file, names, lines })
    }

    /// What the server calls a session.
    pub(super) fn name(&self, session: &str) -> Option<&str> {
        self.names.get(session).map(String::as_str)
    }

    /// Keeps a name, on disk before anything else happens.
    pub(super) fn keep(&mut self, session: &str, theirs: &str) -> Result<(), SinkError> {
        self.write(&Line { session_id: session.to_owned(), theirs: Some(theirs.to_owned()) })?;
        self.names.insert(session.to_owned(), theirs.to_owned());
        while self.names.len() > MOST_NAMES {
            // Ids begin with the time: the first is the oldest.
            self.names.pop_first();
        }
        self.shorten();
        Ok(())
    }

    /// A session has ended: its name is not needed any more.
    pub(super) fn forget(&mut self, session: &str) -> Result<(), SinkError> {
        self.names.remove(session);
        if self.names.is_empty() {
            if let Some(file) = &self.file {
                let _ = std::fs::remove_file(file);
            }
            self.lines = 0;
            return Ok(());
        }
        self.write(&Line { session_id: session.to_owned(), theirs: None })?;
        self.shorten();
        Ok(())
    }

    /// Writes the file anew when most of its lines say nothing any more. Where that fails it is as it was, only long.
    fn shorten(&mut self) {
        let Some(file) = self.file.as_deref().filter(|_| self.lines > 2 * self.names.len() + SPARE_LINES) else {
            return;
        };
        let line = |(session_id, theirs): (&String, &String)| {
            serde_json::to_string(&Line { session_id: session_id.clone(), theirs: Some(theirs.clone()) })
                .map(|line| line + "\n")
        };
        let anew = file.with_extension("ids.new");
        let written = self.names.iter().map(line).collect::<Result<String, _>>().map_err(std::io::Error::from);
        let written = written.and_then(|text| {
            // What a crash left there.
            let _ = std::fs::remove_file(&anew);
            append(&anew, &text)?;
            std::fs::rename(&anew, file)
        });
        match written {
            Ok(()) => self.lines = self.names.len(),
            Err(error) => tracing::warn!(%error, "what a server calls sessions was not written anew"),
        }
    }

    fn write(&mut self, line: &Line) -> Result<(), SinkError> {
        let Some(file) = &self.file else { return Ok(()) };
        let text = serde_json::to_string(line).map_err(SinkError::unavailable)?;
        append(file, &format!("{text}\n")).map_err(|error| {
            SinkError::unavailable(format!("what the server calls a session can not be kept: {error}"))
        })?;
        self.lines += 1;
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::JournalId;

    #[test]
    fn the_file_is_bounded_and_still_knows_who_is_open() {
        let directory = tempfile::tempdir().expect("a directory");
        let sender = Sender { journal: JournalId::new(), component: None, keep: Some(directory.path().to_owned()) };
        let open = || Remembered::read("mcp+http://x/mcp", Some(&sender)).expect("it reads");
        let mut remembered = open();
        remembered.keep("sess_first", "1").expect("kept");
        let mut longest = 0;
        for number in 0..600 {
            let session = format!("sess_x{number:05}");
            remembered.keep(&session, "theirs").expect("kept");
            remembered.forget(&session).expect("forgotten");
            longest = longest.max(remembered.lines);
        }
        assert!(longest <= 1_005, "{longest} lines");
        let file = remembered.file.clone().expect("it has a file");
        assert_eq!(std::fs::read_to_string(&file).expect("it is there").lines().count(), remembered.lines);
        let again = open();
        assert_eq!((again.name("sess_first"), again.names.len()), (Some("1"), 1));
        for number in 0..MOST_NAMES {
            remembered.names.insert(format!("sess_y{number:05}"), "theirs".to_owned());
        }
        remembered.keep("sess_z", "the newest").expect("kept");
        assert_eq!((remembered.names.len(), remembered.name("sess_first")), (MOST_NAMES, None));
        assert_eq!(remembered.name("sess_z"), Some("the newest"));
    }
}
