//! Where a journal lies, and what may be done there: paths, owners, modes, kinds of file systems.
//!
//! Invariants:
//! - A directory that we make is 0700 and a file 0600; SQLite gives `-wal` and `-shm` the mode of the database.
//! - A file of another user, or one that its owner made read-only, is opened for reading only, even by root: root would
//!   leave files behind that the owner can not use.
//! - A network file system is refused: the shared memory of WAL is not shared there, and the file is damaged sooner or later.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::ErrorKind,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nix::unistd::{AccessFlags, access, geteuid};

use crate::journal::JournalError;

/// How long a first open waits for another one to finish.
const LOCK_DEADLINE: Duration = Duration::from_secs(30);

/// What may be done with the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Write,
    /// Why it is for reading only.
    Read(String),
}

/// A journal's place on disk.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub path: PathBuf,
}

impl Site {
    /// The place that a path or a `sqlite:` URL names.
    pub(super) fn new(url_or_path: &str) -> Result<Self, JournalError> {
        let unusable = |because: &str| JournalError::Unusable { path: url_or_path.into(), because: because.to_owned() };
        if let Some((scheme, _)) = url_or_path.split_once("://").filter(|(scheme, _)| *scheme != "sqlite") {
            return Err(unusable(&format!("this program has no journal for `{scheme}:` URLs")));
        }
        let path = url_or_path.strip_prefix("sqlite:").unwrap_or(url_or_path);
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() || path.contains('\0') {
            return Err(unusable("this is no path"));
        }
        let path = std::path::absolute(path).map_err(|error| unusable(&error.to_string()))?;
        Ok(Self { path })
    }

    /// Makes the directory where it is missing.
    pub(super) fn make_directory(&self) -> Result<(), JournalError> {
        let directory = self.directory();
        if directory.is_dir() {
            return Ok(());
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|error| self.unusable(format!("its directory {} can not be made: {error}", directory.display())))
    }

    /// Refuses file systems that WAL does not work on.
    pub(super) fn check_file_system(&self) -> Result<(), JournalError> {
        match network_file_system(self.existing_ancestor()) {
            Some(kind) => Err(self.unusable(format!(
                "it is on a network file system ({kind}), where SQLite's files are damaged sooner or later; put it on a \
                 local disk with ADMIN_SHELL_DATABASE, and let machines share a tracker instead"
            ))),
            None => Ok(()),
        }
    }

    /// What may be done with the file as it is now.
    ///
    /// # Errors
    /// When it is there and is no file.
    pub(super) fn access(&self) -> Result<Access, JournalError> {
        let directory = self.directory();
        let metadata = match fs::metadata(&self.path) {
            Ok(metadata) if metadata.is_file() => metadata,
            Ok(metadata) if metadata.is_dir() => return Err(self.unusable("it is not a file but a directory")),
            Ok(_) => return Err(self.unusable("it is not a file but a device or a pipe")),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(match self.why_not_writable(directory) {
                    Some(because) => Access::Read(because),
                    None => Access::Write,
                });
            }
            Err(error) => return Err(self.unusable(error.to_string())),
        };
        let us = geteuid().as_raw();
        if metadata.uid() != us {
            return Ok(Access::Read(format!("it belongs to user {}, and this program runs as {us}", metadata.uid())));
        }
        Ok(match self.why_not_writable(&self.path).or_else(|| self.why_not_writable(directory)) {
            Some(because) => Access::Read(because),
            None => Access::Write,
        })
    }

    /// Makes the file, 0600, where it is missing.
    pub(super) fn make_file(&self) -> Result<(), JournalError> {
        let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&self.path);
        made.map(drop).map_err(|error| self.unusable(error.to_string()))
    }

    /// Takes the lock under which a journal is made and migrated. It goes with the file handle, so a process that dies
    /// leaves none behind. Waiting is polling: a blocking lock could not be given up.
    pub(super) async fn lock(&self) -> Result<File, JournalError> {
        let mut path = self.path.clone().into_os_string();
        path.push(".lock");
        let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = open.map_err(|error| self.unusable(format!("its lock file: {error}")))?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(fs::TryLockError::WouldBlock) if begun.elapsed() < LOCK_DEADLINE => {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                Err(fs::TryLockError::WouldBlock) => return Err(JournalError::Busy { waited: begun.elapsed() }),
                Err(fs::TryLockError::Error(error)) => {
                    return Err(self.unusable(format!("its lock file: {error}")));
                }
            }
        }
    }

    /// Whether somebody holds the lock under which a journal is made.
    pub(super) fn is_being_made(&self) -> bool {
        let held = |lock: File| matches!(lock.try_lock_shared(), Err(fs::TryLockError::WouldBlock));
        File::open(self.beside(".lock")).is_ok_and(held)
    }

    /// Device and inode of the file, to notice that it was moved or replaced.
    pub(super) fn identity(&self) -> Option<(u64, u64)> {
        fs::metadata(&self.path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
    }

    /// What a mode that lets others write means for the record.
    pub(super) fn open_to_others(&self) -> Option<String> {
        let mode = fs::metadata(&self.path).ok()?.mode() & 0o777;
        let who = match mode {
            _ if mode & 0o002 != 0 => "everybody on this machine",
            _ if mode & 0o020 != 0 => "the file's group",
            _ => return None,
        };
        let path = self.path.display();
        Some(format!("Its mode is {mode:04o}: {who} can write to it, and so change the record. chmod 600 {path}"))
    }

    /// Free bytes where the journal lies.
    // The types of these numbers differ between platforms.
    #[allow(clippy::useless_conversion)]
    pub(super) fn free_bytes(&self) -> Option<u64> {
        let stat = nix::sys::statvfs::statvfs(self.existing_ancestor()).ok()?;
        Some(u64::from(stat.blocks_available()).saturating_mul(u64::from(stat.fragment_size())))
    }

    /// Bytes of the database and of what belongs to it.
    pub(super) fn bytes(&self) -> u64 {
        let size = |suffix: &str| fs::metadata(self.beside(suffix)).map_or(0, |metadata| metadata.len());
        size("") + size("-wal") + size("-shm")
    }

    /// The path of a file that belongs to the database: `-wal`, `-shm`, `.lock`.
    pub(super) fn beside(&self, suffix: &str) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(suffix);
        path.into()
    }

    pub(super) fn unusable(&self, because: impl Into<String>) -> JournalError {
        JournalError::Unusable { path: self.path.clone(), because: because.into() }
    }

    fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    fn existing_ancestor(&self) -> &Path {
        self.path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"))
    }

    /// Root may write everywhere, so the mode is asked too: without the owner's write bit somebody meant it to be read.
    fn why_not_writable(&self, path: &Path) -> Option<String> {
        let metadata = fs::metadata(path).ok()?;
        let what = if metadata.is_dir() { "its directory" } else { "the file" };
        if metadata.mode() & 0o222 == 0 {
            return Some(format!("{what} is read-only"));
        }
        access(path, AccessFlags::W_OK).err().map(|errno| format!("{what} is not writable: {}", errno.desc()))
    }
}

/// The name of the network file system that a path is on.
#[cfg(target_os = "linux")]
// The type of the number differs between architectures.
#[allow(clippy::useless_conversion)]
fn network_file_system(path: &Path) -> Option<&'static str> {
    use nix::sys::statfs;
    const CIFS: i64 = 0xff53_4d42;
    const SMB2: i64 = 0xfe53_4d42;
    const NINE_P: i64 = 0x0102_1997;
    const CEPH: i64 = 0x00c3_6400;
    let kind = statfs::statfs(path).ok()?.filesystem_type();
    let named = [
        (statfs::NFS_SUPER_MAGIC, "nfs"),
        (statfs::SMB_SUPER_MAGIC, "smb"),
        (statfs::AFS_SUPER_MAGIC, "afs"),
        (statfs::CODA_SUPER_MAGIC, "coda"),
        (statfs::NCP_SUPER_MAGIC, "ncp"),
    ];
    if let Some((_, name)) = named.iter().find(|(magic, _)| *magic == kind) {
        return Some(name);
    }
    if kind == statfs::FUSE_SUPER_MAGIC {
        return network_fuse(path);
    }
    match i64::from(kind.0) {
        CIFS => Some("cifs"),
        SMB2 => Some("smb"),
        NINE_P => Some("9p"),
        CEPH => Some("ceph"),
        _ => None,
    }
}

/// FUSE carries local file systems too, and all share one magic number: the mount's own type tells them apart.
#[cfg(target_os = "linux")]
fn network_fuse(path: &Path) -> Option<&'static str> {
    const NETWORKED: [&str; 5] = ["fuse.sshfs", "fuse.rclone", "fuse.s3fs", "fuse.glusterfs", "fuse.davfs2"];
    let path = path.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let covering = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let point = fields.next()?.replace("\\040", " ");
        path.starts_with(&point).then_some((point.len(), fields.next()?))
    });
    let (_, kind) = covering.max_by_key(|(length, _)| *length)?;
    NETWORKED.into_iter().find(|name| *name == kind)
}

#[cfg(not(target_os = "linux"))]
fn network_file_system(_path: &Path) -> Option<&'static str> {
    None
}
