//! Room on the journal's disk: whether changes can still be recorded, and when to say that it becomes little.

use std::path::Path;

use super::{Recorder, Unrecorded};

impl Recorder {
    /// Whether there is room for changes: for more than their next few events. Outcomes that wait need no look of their
    /// own: they go in front of the intent, in one transaction with it, or the change does not run.
    pub(crate) fn admits_changes(&self) -> Result<(), Unrecorded> {
        const LEAST_FREE_BYTES: u64 = 64 << 20;
        match self.database.as_deref().and_then(free_bytes) {
            Some(free) if free < LEAST_FREE_BYTES => Err(Unrecorded::lost(format!(
                "only {} MiB are free on the journal's disk, changes want 64 MiB",
                free >> 20
            ))),
            _ => Ok(()),
        }
    }

    /// Looks at the journal's size and at the room on its disk.
    pub(crate) async fn look_at_room(&self) {
        const LARGE_BYTES: u64 = 1 << 30;
        const LITTLE_FREE_BYTES: u64 = 256 << 20;
        let mut notices = Vec::new();
        let Some(database) = self.database.as_deref() else { return };
        let size = std::fs::metadata(database).map_or(0, |file| file.len());
        if size > LARGE_BYTES {
            notices
                .push(format!("the journal has {} MiB: `session-tracker journal prune` makes it smaller", size >> 20));
        }
        if let Some(free) = free_bytes(database).filter(|free| *free < LITTLE_FREE_BYTES) {
            notices.push(format!(
                "only {} MiB are free on the journal's disk; below 64 MiB changes are refused",
                free >> 20
            ));
        }
        self.state.lock().await.notices.extend(notices);
    }
}

/// Whether the disk that holds a path may only be read.
pub(super) fn is_read_only(path: &Path) -> bool {
    let disk = path.ancestors().find(|path| path.exists()).and_then(|path| nix::sys::statvfs::statvfs(path).ok());
    disk.is_some_and(|disk| disk.flags().contains(nix::sys::statvfs::FsFlags::ST_RDONLY))
}

/// Free bytes for ordinary users on the disk that holds a path, or its nearest existing parent.
pub(crate) fn free_bytes(path: &Path) -> Option<u64> {
    let existing = path.ancestors().find(|path| path.exists())?;
    let disk = nix::sys::statvfs::statvfs(existing).ok()?;
    #[allow(clippy::useless_conversion, clippy::allow_attributes, reason = "the width differs between systems")]
    Some(u64::from(disk.blocks_available()) * u64::from(disk.fragment_size()))
}
