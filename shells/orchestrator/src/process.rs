//! Programs as processes: started, listened to, and stopped with everything that they started.
//!
//! A program gets its own process group, no standard input, two pipes for its output, the environment of the shell
//! without the shell's secrets, and two variables of its own: [`RUN_ID`] and [`ATTEMPT`]. It and its children are a family of
//! the `supervisor`, marked with the run and the attempt: that is how they are found again when nobody remembers them, when
//! they left the group (`setsid`), and when the shell that started them was killed before it could note a process id.

mod capture;

use std::{io, path::Path};

use nix::sys::signal::Signal;
use supervisor::{Mark, Program};
use tokio::process::Command;

use crate::run::RunId;

pub use capture::{Capture, Segment, Stream, Taken, listen};

/// The variable that tells a program, and everything that it starts, which run it belongs to.
pub const RUN_ID: &str = "ORCHESTRATOR_RUN_ID";

/// The variable that tells a program which attempt of its run it is, from 1.
pub const ATTEMPT: &str = "ORCHESTRATOR_ATTEMPT";

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
    /// Starts the program as the leader of its attempt's family.
    ///
    /// # Errors
    ///
    /// What the operating system said; a missing directory is told from a missing program.
    pub fn start(&self) -> io::Result<Program> {
        if !self.cwd.is_dir() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("its directory {} is not there", self.cwd.display()),
            ));
        }
        let mut command = Command::new(self.program);
        command
            .args(self.args)
            .current_dir(self.cwd)
            .env(RUN_ID, self.run.as_str())
            .env(ATTEMPT, self.attempt.to_string());
        supervisor::start(command, &mark(self.run, self.attempt))
    }
}

/// The mark of an attempt's processes. Shells that did not start them know it too.
#[must_use]
pub fn mark(run: &RunId, attempt: u32) -> Mark {
    Mark::of(&format!("{run}/{attempt}"))
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
    fn signals_have_names() {
        assert_eq!(signal_name(9), "SIGKILL");
        assert_eq!(signal_name(250), "signal 250");
    }
}
