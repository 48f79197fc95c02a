//! Who serves a sink for a component: whoever holds the lock. The kernel releases it when the process dies.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use crate::event::Hash;

/// The lock, released by dropping it.
#[derive(Debug)]
pub(super) struct LaneLock(#[allow(dead_code, reason = "held, not used")] File);

/// Takes the lock of a sink and a component. `None` while somebody else holds it.
///
/// The file's name is a digest, because sinks have slashes in their names. It is never removed: somebody may have opened
/// it already, and would lock a file that nobody else finds.
pub(super) fn take(directory: &Path, sink: &str, component: &str) -> io::Result<Option<LaneLock>> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let digest = Hash::of(format!("{sink}\n{component}").as_bytes()).to_string();
    let name = digest.trim_start_matches("sha256:").get(..32).unwrap_or_default().to_owned();
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(directory.join(name))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(LaneLock(file))),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}
