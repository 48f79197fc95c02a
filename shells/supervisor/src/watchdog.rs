//! A second process beside a shell: it waits until the shell is gone, and then stops the families that the shell still had.
//!
//! A shell that is killed can not stop anything, so somebody else has to: the same program, started again with a variable in
//! its environment, before the first family. Its standard input is a pipe that only the shell can write to. The kernel closes it
//! with the shell, however that ends. A death signal of the parent (`PR_SET_PDEATHSIG`) would reach the leader alone, and
//! whenever the thread that started it ends.
//!
//! Over the pipe it hears a line for each event: `begin MARK` before a program starts, `leader MARK PID` after that,
//! `end MARK` when its family is no concern any more. It reads nothing else and writes nothing. It has a process group of its
//! own, so that neither Ctrl-C nor a closed terminal reaches it, and goes when the shell goes.

use std::{
    collections::HashMap,
    io::{BufRead, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use nix::sys::signal::{SigSet, Signal};

use crate::family::{Family, Identity, Mark, Reach};

/// The variable that makes a program be the watchdog of the one that started it.
const ROLE: &str = "PROCESS_FAMILY_WATCHDOG";

/// How long families of a dead shell have to end by themselves when they are told to.
const GRACE: Duration = Duration::from_millis(300);

/// Whether this program can be its own watchdog: its `main` is ours.
static ABLE: AtomicBool = AtomicBool::new(false);

static KENNEL: Mutex<Kennel> = Mutex::new(Kennel { families: Vec::new(), watchdog: None });

/// What the watchdog has to know, and how it is told.
struct Kennel {
    families: Vec<(Mark, Option<i32>)>,
    watchdog: Option<Child>,
}

/// Runs a program whose families do not outlive it; or, where it was started for that, watches over another.
///
/// A program that embeds a shell and has a `main` of its own goes without a watchdog: started again, it would not know what
/// for.
pub fn main(program: impl FnOnce() -> ExitCode) -> ExitCode {
    if std::env::var_os(ROLE).is_some() {
        wait_and_stop();
        return ExitCode::SUCCESS;
    }
    ABLE.store(true, Ordering::Relaxed);
    let code = program();
    kennel().close();
    code
}

/// A family that the watchdog knows of.
#[derive(Debug)]
pub(crate) struct Watched {
    mark: Mark,
}

/// Tells the watchdog of a family that is about to begin; starts the watchdog first where it does not run.
pub(crate) fn watch(mark: &Mark) -> Watched {
    let mut kennel = kennel();
    kennel.families.push((mark.clone(), None));
    kennel.tell(&format!("begin {mark}\n"));
    Watched { mark: mark.clone() }
}

impl Watched {
    pub(crate) fn led_by(&self, pid: i32) {
        let mut kennel = kennel();
        if let Some((_, leader)) = kennel.families.iter_mut().find(|(mark, _)| *mark == self.mark) {
            *leader = Some(pid);
        }
        kennel.tell(&format!("leader {} {pid}\n", self.mark));
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut kennel = kennel();
        kennel.families.retain(|(mark, _)| *mark != self.mark);
        kennel.tell(&format!("end {}\n", self.mark));
    }
}

fn kennel() -> MutexGuard<'static, Kennel> {
    KENNEL.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Kennel {
    /// Lines are short: a pipe takes each as a whole. A watchdog that somebody ended is replaced, and told everything.
    fn tell(&mut self, line: &str) {
        if self.watchdog.as_mut().is_some_and(|watchdog| say(watchdog, line).is_ok()) {
            return;
        }
        if let Some(mut dead) = self.watchdog.take() {
            let _ = dead.kill();
            let _ = dead.wait();
        }
        if !ABLE.load(Ordering::Relaxed) || self.families.is_empty() {
            return;
        }
        let mut all = String::new();
        for (mark, leader) in &self.families {
            all.push_str(&format!("begin {mark}\n"));
            if let Some(pid) = leader {
                all.push_str(&format!("leader {mark} {pid}\n"));
            }
        }
        let begun = begin().and_then(|mut watchdog| say(&mut watchdog, &all).map(|()| watchdog));
        match begun {
            Ok(watchdog) => self.watchdog = Some(watchdog),
            Err(error) => tracing::warn!(%error, "there is no watchdog: programs would outlive a shell that is killed"),
        }
    }

    /// At the end of a shell that ends by itself. What it still has is stopped while nobody waits.
    fn close(&mut self) {
        let Some(mut watchdog) = self.watchdog.take() else { return };
        drop(watchdog.stdin.take());
        if self.families.is_empty() {
            // It goes at once. Where the first process of a container reaps nobody, it would stay as a zombie.
            let _ = watchdog.wait();
        }
    }
}

fn say(watchdog: &mut Child, text: &str) -> std::io::Result<()> {
    match &mut watchdog.stdin {
        Some(pipe) => pipe.write_all(text.as_bytes()),
        None => Err(std::io::ErrorKind::BrokenPipe.into()),
    }
}

fn begin() -> std::io::Result<Child> {
    let itself = std::env::current_exe()?;
    // A program that was built or installed anew meanwhile is still this one.
    let program = if itself.exists() { itself.clone() } else { PathBuf::from("/proc/self/exe") };
    let mut name = itself.file_name().unwrap_or_default().to_owned();
    name.push("-watchdog");
    let mut command = Command::new(program);
    command.arg0(name).env_clear().env(ROLE, "1").current_dir(Path::new("/")).process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

/// What the second process does.
fn wait_and_stop() {
    let mut held = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
        held.add(signal);
    }
    // Whoever ends everything politely ends the shell too, and that is what it waits for.
    let _ = held.thread_block();
    let families = listen(std::io::stdin().lock());
    std::thread::scope(|scope| {
        for (mark, leader) in &families {
            scope.spawn(|| Family::of_stranger(mark, leader.as_ref()).stop_here(Reach::Everything, GRACE));
        }
    });
}

/// Hears what the shell says until it is gone; answers the families that it had then.
fn listen(from: impl BufRead) -> HashMap<Mark, Option<Identity>> {
    let mut families = HashMap::new();
    // A line that is cut is of a shell that was killed while it wrote.
    for line in from.lines().map_while(Result::ok) {
        let mut words = line.split(' ');
        let (Some(word), Some(mark)) = (words.next(), words.next()) else { continue };
        let mark = Mark::of(mark);
        match (word, words.next().and_then(|pid| pid.parse().ok())) {
            ("begin", _) => {
                families.insert(mark, None);
            }
            ("leader", Some(pid)) => {
                families.insert(mark, Some(Identity::of(pid)));
            }
            ("end", _) => {
                families.remove(&mark);
            }
            _ => {}
        }
    }
    families
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_began_and_did_not_end_is_left() {
        let me = std::process::id();
        let said = format!("begin a\nbegin b\nleader a {me}\nend b\nbegin c\nnonsense\nleader c x\nend");
        let families = listen(said.as_bytes());
        assert_eq!(families.len(), 2);
        assert_eq!(families[&Mark::of("a")].as_ref().map(|identity| identity.pid.cast_unsigned()), Some(me));
        assert_eq!(families[&Mark::of("c")], None);
    }

    #[test]
    fn a_program_with_a_main_of_its_own_is_not_started_again() {
        let watched = watch(&Mark::of("here"));
        assert!(kennel().watchdog.is_none());
        drop(watched);
        assert!(kennel().families.is_empty());
    }
}
