//! The processes of one program: found, asked to end, and made to.
//!
//! A process belongs to a family when any of these holds:
//! - it is in the process group of the program;
//! - it inherited the variable [`MARKS`] with the family's mark in it;
//! - it was a child of such a process when we looked.
//!
//! What escapes is a process that left the group, cleared its environment and lost its parent, all before the first
//! look. The second and the third need `/proc`; elsewhere than on Linux the process group is all there is, and what a killed shell
//! left behind is not found.
//!
//! A zombie counts as gone: it runs nothing, and where the first process of a container reaps nobody it stays for ever.

use std::{
    collections::HashSet,
    ffi::{OsStr, OsString},
    fmt,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};

/// The variable that every process of a family inherits: the marks of the families that it belongs to, the outermost
/// first, with a space between them. A shell may itself be started by a program of another shell.
pub const MARKS: &str = "PROCESS_FAMILY";

/// How long to wait after SIGKILL. Only a process inside the kernel (a dead network disk) outlives it.
const AFTER_KILL: Duration = Duration::from_secs(5);

/// The name of a family, by which its processes are found when nobody remembers them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mark(String);

impl Mark {
    /// One that nothing else has.
    #[must_use]
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().simple().to_string())
    }

    /// One that is known again later. White space in it becomes `_`: it separates marks.
    #[must_use]
    pub fn of(name: &str) -> Self {
        Self(name.replace(char::is_whitespace, "_"))
    }

    /// The value of [`MARKS`] for a child of a process that has this one.
    pub(crate) fn beside(&self, inherited: Option<&OsStr>) -> OsString {
        let mut marks = inherited.map(OsStr::to_owned).unwrap_or_default();
        if !marks.is_empty() {
            marks.push(" ");
        }
        marks.push(&self.0);
        marks
    }

    fn is_in(&self, marks: &OsStr) -> bool {
        marks.as_encoded_bytes().split(|byte| *byte == b' ').any(|mark| mark == self.0.as_bytes())
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The processes of one program.
#[derive(Clone, Debug)]
pub struct Family {
    mark: Mark,
    group: Option<i32>,
}

/// Which process a number meant when it was noted: numbers are used again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The process id, which is the id of its group.
    pub pid: i32,
    /// When the process began, in clock ticks since the machine did.
    pub began: Option<i64>,
    /// The boot and the process id namespace that both numbers belong to.
    pub home: Option<String>,
}

/// How far a stop reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The process group. A daemon that the program set free on purpose stays.
    Group,
    /// Everything that belongs to the attempt.
    Everything,
}

/// What came of a stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Nothing is left.
    Gone,
    /// These processes did not even end on SIGKILL.
    Stuck(Vec<i32>),
}

impl Identity {
    /// Notes who a process is that runs now.
    #[must_use]
    pub fn of(pid: i32) -> Self {
        Self { pid, began: proc::began(pid), home: proc::home() }
    }

    /// Whether that very process still runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.began.is_some() && self.home == proc::home() && proc::began(self.pid) == self.began
    }
}

impl Family {
    /// The family of a program that we started and have not reaped: its number can not mean another process.
    #[must_use]
    pub fn of_child(mark: &Mark, leader: Option<i32>) -> Self {
        Self { mark: mark.clone(), group: leader }
    }

    /// The family of a program that somebody else started, from what was noted of it. The group is trusted only while its
    /// leader is provably the same process; the inherited mark finds the rest.
    #[must_use]
    pub fn of_stranger(mark: &Mark, noted: Option<&Identity>) -> Self {
        let group = noted.filter(|identity| identity.is_alive()).map(|identity| identity.pid);
        Self { mark: mark.clone(), group }
    }

    pub(crate) fn leader(&self) -> Option<i32> {
        self.group
    }

    /// Asks the family to end (SIGTERM), and after the grace makes it (SIGKILL, again until nobody is left, since a
    /// process may start another while it is being killed).
    pub async fn stop(&self, reach: Reach, grace: Duration) -> Stopped {
        if reach == Reach::Group && self.has_no_group() {
            return Stopped::Gone;
        }
        // Reading /proc is quick but blocks, and a loaded machine has thousands of entries.
        let family = self.clone();
        match tokio::task::spawn_blocking(move || family.stop_here(reach, grace)).await {
            Ok(stopped) => stopped,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }

    /// The same on this thread.
    #[must_use]
    pub fn stop_here(&self, reach: Reach, grace: Duration) -> Stopped {
        if reach == Reach::Group && self.has_no_group() {
            return Stopped::Gone;
        }
        let (mut known, mut asked) = (HashSet::new(), HashSet::new());
        let begun = Instant::now();
        loop {
            let alive = proc::alive(self, reach, &mut known);
            if alive.is_empty() {
                return Stopped::Gone;
            }
            let elapsed = begun.elapsed();
            if elapsed >= grace + AFTER_KILL {
                return Stopped::Stuck(alive);
            }
            for pid in alive {
                if elapsed >= grace {
                    send(pid, Signal::SIGKILL);
                } else if asked.insert(pid) {
                    send(pid, Signal::SIGTERM);
                }
            }
            let is_young = elapsed < Duration::from_millis(200);
            std::thread::sleep(Duration::from_millis(if is_young { 10 } else { 50 }));
        }
    }

    fn has_no_group(&self) -> bool {
        self.group.is_none_or(|group| killpg(Pid::from_raw(group), None) == Err(Errno::ESRCH))
    }
}

/// One process at a time: whoever left the group must be reached too, and a process that has gone meanwhile is no error.
fn send(pid: i32, signal: Signal) {
    if let Err(error) = kill(Pid::from_raw(pid), signal)
        && error != Errno::ESRCH
    {
        tracing::warn!(pid, %signal, %error, "a process could not be signalled");
    }
}

#[cfg(target_os = "linux")]
mod proc {
    use std::{collections::HashSet, ffi::OsStr, sync::OnceLock};

    use procfs::process::{ProcState, Process, Stat, all_processes};

    use super::{Family, MARKS, Reach};

    pub(super) fn began(pid: i32) -> Option<i64> {
        let stat = Process::new(pid).and_then(|process| process.stat()).ok()?;
        runs(&stat).then(|| stat.starttime.cast_signed())
    }

    /// Process ids mean nothing after a reboot, nor in another container.
    pub(super) fn home() -> Option<String> {
        static HOME: OnceLock<Option<String>> = OnceLock::new();
        HOME.get_or_init(|| {
            let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
            let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
            Some(format!("{} {}", boot.trim(), namespace.display()))
        })
        .clone()
    }

    /// Who of the family runs now. What was once found stays known by its number and its beginning, so that the children of
    /// a process that has changed its group are found as well.
    pub(super) fn alive(family: &Family, reach: Reach, known: &mut HashSet<(i32, i64)>) -> Vec<i32> {
        let here: Vec<(Process, Stat)> = all_processes()
            .into_iter()
            .flatten()
            .filter_map(|process| {
                let process = process.ok()?;
                let stat = process.stat().ok()?;
                (runs(&stat) && stat.pid.cast_unsigned() != std::process::id()).then_some((process, stat))
            })
            .collect();
        for (process, stat) in &here {
            let grouped = family.group == Some(stat.pgrp);
            if grouped || (reach == Reach::Everything && is_marked(process, family)) {
                known.insert(key(stat));
            }
        }
        if reach == Reach::Everything {
            loop {
                let parents: HashSet<i32> = here
                    .iter()
                    .map(|(_, stat)| key(stat))
                    .filter(|key| known.contains(key))
                    .map(|(pid, _)| pid)
                    .collect();
                let children = here.iter().filter(|(_, stat)| parents.contains(&stat.ppid)).map(|(_, stat)| key(stat));
                let before = known.len();
                known.extend(children);
                if known.len() == before {
                    break;
                }
            }
        }
        here.iter().map(|(_, stat)| key(stat)).filter(|key| known.contains(key)).map(|(pid, _)| pid).collect()
    }

    fn key(stat: &Stat) -> (i32, i64) {
        (stat.pid, stat.starttime.cast_signed())
    }

    fn runs(stat: &Stat) -> bool {
        !matches!(stat.state(), Ok(ProcState::Zombie | ProcState::Dead))
    }

    /// The environment of another user's process can not be read; such a process is found by its group or its parent.
    fn is_marked(process: &Process, family: &Family) -> bool {
        process
            .environ()
            .is_ok_and(|environment| environment.get(OsStr::new(MARKS)).is_some_and(|marks| family.mark.is_in(marks)))
    }
}

#[cfg(not(target_os = "linux"))]
mod proc {
    use std::collections::HashSet;

    use nix::{sys::signal::killpg, unistd::Pid};

    use super::{Family, Reach};

    pub(super) fn began(_pid: i32) -> Option<i64> {
        None
    }

    pub(super) fn home() -> Option<String> {
        None
    }

    /// Without `/proc` only the whole group can be asked for: its negative number stands for it.
    pub(super) fn alive(family: &Family, _reach: Reach, _known: &mut HashSet<(i32, i64)>) -> Vec<i32> {
        family
            .group
            .filter(|group| killpg(Pid::from_raw(*group), None).is_ok())
            .map(|group| -group)
            .into_iter()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_among_others() {
        let (outer, inner) = (Mark::of("run_1 2"), Mark::random());
        let marks = inner.beside(Some(&outer.beside(None)));
        assert!(outer.is_in(&marks) && inner.is_in(&marks), "{marks:?}");
        for other in [Mark::of("run_1"), Mark::of("run_1_22"), Mark::random()] {
            assert!(!other.is_in(&marks), "{other}");
        }
    }
}
