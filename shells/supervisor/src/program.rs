//! Starting a program: alone in a process group of its own, without input, its output in two pipes, marked as the leader of
//! a family.

use std::{ffi::OsStr, io, process::Stdio};

use tokio::process::{Child, Command};

use crate::{
    family::{Family, Identity, MARKS, Mark},
    watchdog::{self, Watched},
};

/// What no program inherits: the shell's own settings, among them the tokens it reports with.
const PRIVATE: [&str; 2] = ["ADMIN_SHELL_", "SESSION_TRACKER_"];

/// Whether a variable is a setting of the shell itself.
#[must_use]
pub fn is_private(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    PRIVATE.iter().any(|prefix| name.starts_with(prefix.as_bytes()))
}

/// A program that was started. The leader is killed when this is dropped, so that not even a panic leaves it behind.
#[derive(Debug)]
pub struct Program {
    /// The process.
    pub child: Child,
    /// It, and whatever it starts.
    pub family: Family,
    /// Until this is dropped the watchdog knows of it.
    _watched: Watched,
}

impl Program {
    /// Who the leader is, so that somebody else can find it later.
    #[must_use]
    pub fn identity(&self) -> Option<Identity> {
        self.family.leader().map(Identity::of)
    }
}

/// Starts a program as the leader of the family that the mark names.
///
/// # Errors
///
/// What the operating system said.
pub fn start(mut command: Command, mark: &Mark) -> io::Result<Program> {
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_private(name)) {
        command.env_remove(name);
    }
    command
        .env(MARKS, mark.beside(std::env::var_os(MARKS).as_deref()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    // Before it starts: a shell that is killed right after that leaves nothing either.
    let watched = watchdog::watch(mark);
    let child = command.spawn()?;
    let leader = child.id().and_then(|pid| i32::try_from(pid).ok());
    if let Some(pid) = leader {
        watched.led_by(pid);
    }
    Ok(Program { child, family: Family::of_child(mark, leader), _watched: watched })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shells_own_settings_are_private() {
        for name in ["ADMIN_SHELL_TOKEN", "ADMIN_SHELL_SECRET", "SESSION_TRACKER_SECRET", "SESSION_TRACKER_URL"] {
            assert!(is_private(OsStr::new(name)), "{name}");
        }
        for name in ["PATH", "HOME", "MY_ADMIN_SHELL_TOKEN", "ADMIN"] {
            assert!(!is_private(OsStr::new(name)), "{name}");
        }
    }
}
