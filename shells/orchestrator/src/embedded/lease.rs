//! Proof of life: a worker holds a lock on a file of its name for as long as its process lives.
//!
//! The kernel releases the lock with the process, however that ends, and never while it only sleeps. So a worker whose
//! lease can be locked by somebody else is dead, and what it had may be taken from it. Neither heartbeats nor process ids
//! can say that: a stopped laptop misses beats, and containers share hostnames and reuse process ids.
//!
//! Two rules keep it sound: a lease gets its name only once it is locked, and it is removed only by whoever holds its lock.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

const PREFIX: &str = "wrk_";

/// A locked lease: our own while we live, or a dead worker's while we clear up after it. Dropping it removes the file.
#[derive(Debug)]
pub(crate) struct Lease {
    owner: String,
    path: PathBuf,
    /// Holds the lock.
    _file: File,
}

impl Lease {
    /// Takes a lease under a new name.
    pub(crate) fn take(directory: &Path) -> io::Result<Self> {
        let owner = format!("{PREFIX}{}", uuid::Uuid::now_v7().simple());
        let path = directory.join(&owner);
        let unnamed = directory.join(format!(".{owner}"));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unnamed)?;
        file.lock()?;
        fs::rename(&unnamed, &path)?;
        Ok(Self { owner, path, _file: file })
    }

    /// Takes the lease of a dead worker; `None` while the worker lives.
    ///
    /// A lease that somebody removed by hand is made again, so that two who clear up do not meet.
    pub(crate) fn seize(directory: &Path, owner: &str) -> io::Result<Option<Self>> {
        let path = directory.join(owner);
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { owner: owner.to_owned(), path, _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The workers that have a lease, alive or dead.
    pub(crate) fn owners(directory: &Path) -> io::Result<Vec<String>> {
        let mut owners = Vec::new();
        for entry in fs::read_dir(directory)? {
            if let Ok(name) = entry?.file_name().into_string()
                && name.starts_with(PREFIX)
            {
                owners.push(name);
            }
        }
        Ok(owners)
    }

    /// The worker's name.
    pub(crate) fn owner(&self) -> &str {
        &self.owner
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // What stays behind is found without a lock, and removed, by the next shell that looks.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_seized_only_from_the_dead() {
        let directory = tempfile::tempdir().unwrap();
        let lease = Lease::take(directory.path()).unwrap();
        let owner = lease.owner().to_owned();
        assert_eq!(Lease::owners(directory.path()).unwrap().as_slice(), std::slice::from_ref(&owner));
        assert!(Lease::seize(directory.path(), &owner).unwrap().is_none());

        drop(lease);
        assert!(Lease::owners(directory.path()).unwrap().is_empty());

        let seized = Lease::seize(directory.path(), &owner).unwrap().expect("its worker is gone");
        assert!(Lease::seize(directory.path(), &owner).unwrap().is_none(), "two must not clear up at once");
        drop(seized);
    }
}
