//! The processes of one tool: its group, and whoever descends from it although it left the group.
//!
//! Descendants are found by their parents, in `/proc`, at the moment of the look; a process that left the group and lost its
//! parent before is one that was set free on purpose. Elsewhere than on Linux the group is all there is.

use std::collections::HashSet;

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};

/// A tool and what it started.
#[derive(Debug)]
pub(super) struct Family {
    leader: Option<Pid>,
}

/// A process: its number, and when it began, since numbers are used again.
type Known = HashSet<(i32, u64)>;

impl Family {
    pub(super) fn of(leader: Option<u32>) -> Self {
        Self { leader: leader.and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw) }
    }

    /// Asks all of them to end, and answers who they are.
    pub(super) fn ask(&self) -> Known {
        let Some(leader) = self.leader else { return Known::new() };
        let known = proc::descendants(leader.as_raw());
        let _ = killpg(leader, Signal::SIGTERM);
        for (pid, _) in &known {
            let _ = kill(Pid::from_raw(*pid), Signal::SIGTERM);
        }
        known
    }

    /// Kills all of them, and whoever they started meanwhile; whether there was anybody.
    pub(super) fn kill(&self, known: &Known) -> bool {
        let Some(leader) = self.leader else { return false };
        let mut left = proc::group_runs(leader.as_raw());
        let descendants = proc::descendants(leader.as_raw());
        let still: Vec<i32> =
            known.iter().filter(|(pid, began)| proc::began(*pid) == Some(*began)).map(|(pid, _)| *pid).collect();
        let below: Vec<(i32, u64)> = still.iter().flat_map(|pid| proc::descendants(*pid)).collect();
        for pid in still.iter().copied().chain(descendants.iter().chain(&below).map(|(pid, _)| *pid)) {
            left |= kill(Pid::from_raw(pid), Signal::SIGKILL).is_ok();
        }
        let _ = killpg(leader, Signal::SIGKILL);
        left
    }

    /// Kills the group.
    pub(super) fn kill_group(&self) {
        if let Some(leader) = self.leader {
            let _ = killpg(leader, Signal::SIGKILL);
        }
    }
}

#[cfg(target_os = "linux")]
mod proc {
    use procfs::process::{ProcState, Process, Stat, all_processes};

    use super::Known;

    fn runs(stat: &Stat) -> bool {
        !matches!(stat.state(), Ok(ProcState::Zombie | ProcState::Dead))
    }

    fn all() -> Vec<Stat> {
        let stats = all_processes().into_iter().flatten().filter_map(|process| process.ok()?.stat().ok());
        stats.filter(runs).collect()
    }

    pub(super) fn began(pid: i32) -> Option<u64> {
        Process::new(pid).and_then(|process| process.stat()).ok().filter(runs).map(|stat| stat.starttime)
    }

    pub(super) fn group_runs(group: i32) -> bool {
        all().iter().any(|stat| stat.pgrp == group)
    }

    pub(super) fn descendants(leader: i32) -> Known {
        let all = all();
        let mut found = Known::new();
        let mut parents = vec![leader];
        while let Some(parent) = parents.pop() {
            for stat in all.iter().filter(|stat| stat.ppid == parent) {
                if found.insert((stat.pid, stat.starttime)) {
                    parents.push(stat.pid);
                }
            }
        }
        found
    }
}

#[cfg(not(target_os = "linux"))]
mod proc {
    use nix::{sys::signal::killpg, unistd::Pid};

    use super::Known;

    pub(super) fn began(_: i32) -> Option<u64> {
        None
    }

    pub(super) fn group_runs(group: i32) -> bool {
        killpg(Pid::from_raw(group), None).is_ok()
    }

    pub(super) fn descendants(_: i32) -> Known {
        Known::new()
    }
}
