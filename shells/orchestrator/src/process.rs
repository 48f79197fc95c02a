//! Programs as processes: started, listened to, and stopped with everything that they started.
//!
//! A program gets its own process group, no standard input, two pipes for its output, the environment of the shell
//! without the shell's secrets, and two variables of its own: [`RUN_ID`] and [`ATTEMPT`]. Its children inherit these, and that
//! is how they are found again when nobody remembers them: when they left the group (`setsid`), and when the shell that
//! started them was killed before it could note a process id. See [`family`] for what is found and what is not.

mod capture;
pub mod family;

use std::{ffi::OsStr, io, path::Path, process::Stdio};

use nix::sys::signal::Signal;
use tokio::process::{Child, Command};

use crate::run::RunId;

pub use capture::{Capture, Segment, Stream, Taken, listen};
pub use family::{Family, Identity, Reach, Stopped};

/// The variable that tells a program, and everything that it starts, which run it belongs to.
pub const RUN_ID: &str = "ORCHESTRATOR_RUN_ID";

/// The variable that tells a program which attempt of its run it is, from 1.
pub const ATTEMPT: &str = "ORCHESTRATOR_ATTEMPT";

/// What no program inherits: the shell's own settings, among them the tokens it reports with.
const PRIVATE: [&str; 2] = ["ADMIN_SHELL_", "SESSION_TRACKER_"];

/// A program about to be started.
#[derive(Clone, Copy, Debug)]
pub struct Launch<'a> {
    /// The run that it belongs to.
    pub run: &'a RunId,
    /// Which attempt of the run it is.
    pub attempt: u32,
    /// The program: a path, or a name that is looked up in `PATH`.
    pub program: &'a str,
    /// Its arguments.
    pub args: &'a [String],
    /// The directory that it runs in.
    pub cwd: &'a Path,
}

impl Launch<'_> {
    /// Starts the program in a process group of its own.
    ///
    /// The leader is killed when the [`Child`] is dropped, so that not even a panic leaves it behind.
    ///
    /// # Errors
    ///
    /// What the operating system said; a missing directory is told from a missing program.
    pub fn start(&self) -> io::Result<Child> {
        if !self.cwd.is_dir() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("its directory {} is not there", self.cwd.display()),
            ));
        }
        let mut command = Command::new(self.program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_private(name)) {
            command.env_remove(name);
        }
        command
            .args(self.args)
            .current_dir(self.cwd)
            .env(RUN_ID, self.run.as_str())
            .env(ATTEMPT, self.attempt.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }
}

fn is_private(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    PRIVATE.iter().any(|prefix| name.starts_with(prefix.as_bytes()))
}

/// The name of a signal, such as `SIGKILL`; its number when it has none.
#[must_use]
pub fn signal_name(number: i32) -> String {
    Signal::try_from(number).map_or_else(|_| format!("signal {number}"), |signal| signal.as_str().to_owned())
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

    #[test]
    fn signals_have_names() {
        assert_eq!(signal_name(9), "SIGKILL");
        assert_eq!(signal_name(250), "signal 250");
    }
}
