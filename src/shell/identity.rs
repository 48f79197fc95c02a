//! Who acts, and on which machine: what the kernel says, not what was typed.

use std::io::IsTerminal;

use jiff::{SignedDuration, Timestamp};
use nix::unistd::{User as Account, geteuid, gethostname, getppid, ttyname};

use crate::event::{Actor, ActorFacts, ActorKind, Environment, User};

impl Actor {
    /// The account that this process runs under.
    #[must_use]
    pub fn current() -> Self {
        let uid = geteuid();
        let account = Account::from_uid(uid).ok().flatten();
        let (username, home) = match account {
            Some(account) => (account.name, account.dir.to_string_lossy().into_owned()),
            None => (uid.to_string(), "/".to_owned()),
        };
        let at_terminal =
            std::io::stdin().is_terminal() || std::io::stdout().is_terminal() || std::io::stderr().is_terminal();
        let said = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty() && value.len() <= 200);
        Self {
            user: User { username, home, uid: Some(uid.as_raw()) },
            facts: ActorFacts {
                kind: if at_terminal { ActorKind::Human } else { ActorKind::Service },
                verified: true,
                sudo_user: said("SUDO_USER"),
                ssh_client: said("SSH_CLIENT"),
                tty: ttyname(std::io::stdin()).ok().map(|path| path.to_string_lossy().into_owned()),
                parent: std::fs::read_to_string(format!("/proc/{}/comm", getppid()))
                    .ok()
                    .map(|name| name.trim().to_owned()),
            },
        }
    }

    /// A name that was merely stated: recorded as unverified.
    #[must_use]
    pub fn stated(name: impl Into<String>, kind: ActorKind) -> Self {
        Self {
            user: User { username: name.into(), home: String::new(), uid: None },
            facts: ActorFacts { kind, verified: false, sudo_user: None, ssh_client: None, tty: None, parent: None },
        }
    }
}

pub(super) fn hostname() -> String {
    gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "unknown".to_owned())
}

pub(super) fn machine_id() -> Option<String> {
    one_line("/etc/machine-id")
}

pub(super) fn boot_id() -> Option<String> {
    one_line("/proc/sys/kernel/random/boot_id")
}

/// When this process started, from the kernel's own count; tells it from an earlier one with the same pid.
pub(super) fn process_start() -> Option<String> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let ticks: f64 = stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()?;
    let uptime: f64 = std::fs::read_to_string("/proc/uptime").ok()?.split(' ').next()?.parse().ok()?;
    let age = SignedDuration::try_from_secs_f64(uptime - ticks / TICKS_PER_SECOND).ok()?;
    let start = Timestamp::now().checked_sub(age).ok()?;
    Some(format!("{start:.2}"))
}

pub(super) fn environment() -> Environment {
    let cwd = std::env::current_dir().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
    Environment {
        runtime: Some(concat!("admin-shell ", env!("CARGO_PKG_VERSION")).to_owned()),
        platform: format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
        cwd,
        python_version: None,
    }
}

fn one_line(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}
