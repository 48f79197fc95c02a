//! The processes of one attempt: found, asked to end, and made to.
//!
//! A process belongs to an attempt when any of these holds:
//! - it is in the process group of the program;
//! - it inherited the variables [`RUN_ID`](super::RUN_ID) and [`ATTEMPT`](super::ATTEMPT) with the attempt's values;
//! - it was a child of such a process when we looked.
//!
//! What escapes is a process that left the group, cleared its environment and lost its parent, all before the first
//! look. The second and the third need `/proc`; elsewhere than on Linux the process group is all there is, and what a killed shell
//! left behind is not found.
//!
//! A zombie counts as gone: it runs nothing, and where the first process of a container reaps nobody it stays for ever.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};

use crate::run::RunId;

/// How long to wait after SIGKILL. Only a process inside the kernel (a dead network disk) outlives it.
const AFTER_KILL: Duration = Duration::from_secs(5);

/// The processes of one attempt.
#[derive(Clone, Debug)]
pub struct Family {
    run: RunId,
    attempt: u32,
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
    pub fn of_child(run: &RunId, attempt: u32, pid: i32) -> Self {
        Self { run: run.clone(), attempt, group: Some(pid) }
    }

    /// The family of a program that somebody else started, from what was noted of it. The group is trusted only while its
    /// leader is provably the same process; the inherited variables find the rest.
    #[must_use]
    pub fn of_stranger(run: &RunId, attempt: u32, noted: Option<&Identity>) -> Self {
        let group = noted.filter(|identity| identity.is_alive()).map(|identity| identity.pid);
        Self { run: run.clone(), attempt, group }
    }

    /// Asks the family to end (SIGTERM), and after the grace makes it (SIGKILL, again until nobody is left, since a
    /// process may start another while it is being killed).
    pub async fn stop(&self, reach: Reach, grace: Duration) -> Stopped {
        if reach == Reach::Group
            && self.group.is_none_or(|group| killpg(Pid::from_raw(group), None) == Err(Errno::ESRCH))
        {
            return Stopped::Gone;
        }
        let mut known = HashSet::new();
        let begun = Instant::now();
        let mut asked = HashSet::new();
        loop {
            let alive = self.alive(reach, &mut known).await;
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
            tokio::time::sleep(if elapsed < Duration::from_millis(200) {
                Duration::from_millis(10)
            } else {
                Duration::from_millis(50)
            })
            .await;
        }
    }

    async fn alive(&self, reach: Reach, known: &mut HashSet<(i32, i64)>) -> Vec<i32> {
        let (family, mut seen) = (self.clone(), std::mem::take(known));
        // Reading /proc is quick but blocks, and a loaded machine has thousands of entries.
        let looked = tokio::task::spawn_blocking(move || {
            let alive = proc::alive(&family, reach, &mut seen);
            (alive, seen)
        });
        let (alive, seen) = looked.await.unwrap_or_default();
        *known = seen;
        alive
    }
}

/// One process at a time: whoever left the group must be reached too, and a process that has gone meanwhile is no error.
fn send(pid: i32, signal: Signal) {
    if let Err(error) = kill(Pid::from_raw(pid), signal)
        && error != Errno::ESRCH
    {
        tracing::warn!(pid, %signal, %error, "a process of a run could not be signalled");
    }
}

#[cfg(target_os = "linux")]
mod proc {
    use std::{collections::HashSet, ffi::OsStr, sync::OnceLock};

    use procfs::process::{ProcState, Process, Stat, all_processes};

    use super::{Family, Reach};
    use crate::process::{ATTEMPT, RUN_ID};

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
        process.environ().is_ok_and(|environment| {
            let is = |name: &str, value: &str| environment.get(OsStr::new(name)).is_some_and(|found| found == value);
            is(RUN_ID, family.run.as_str()) && is(ATTEMPT, &family.attempt.to_string())
        })
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
