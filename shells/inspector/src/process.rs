//! A tool as a process: listened to within bounds, stopped with everything that it started. It and what it starts are a
//! family of the `supervisor`.
//!
//! Invariants:
//! - A tool has nothing to read from: one that asks for input sees its end.
//! - It sees none of our secrets: `ADMIN_SHELL_…`, `SESSION_TRACKER_…`, `INSPECTOR_…`, and no variable whose name says that
//!   it holds one, but those that the tree's configuration passes.
//! - What it writes goes to a file that has no name, up to [`MOST_BYTES`]; the rest is read and dropped, so that it is
//!   never held up.
//! - When this returns, nothing of its group runs any more, however it ended.

use std::{
    ffi::OsStr,
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    os::unix::process::ExitStatusExt,
    path::Path,
    time::{Duration, Instant},
};

use supervisor::{Mark, Reach};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::Command,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::parse::Input;

/// The most that is kept of each output.
pub const MOST_BYTES: u64 = 256 << 20;
/// How long a tool has to end by itself when it is told to.
const GRACE: Duration = Duration::from_millis(300);
/// How long pipes stay open for after their tool has ended: what it left behind may hold them.
const DRAIN: Duration = Duration::from_millis(500);

/// Settings of this shell; the supervisor keeps back those of every shell.
const PRIVATE: &str = "INSPECTOR_";
/// Parts of names that say that a variable holds a secret.
const SECRET: [&str; 9] =
    ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "PRIVATE_KEY", "API_KEY", "ACCESS_KEY"];

/// A tool about to be started.
#[derive(Clone, Copy, Debug)]
pub struct Launch<'a> {
    /// The program.
    pub program: &'a Path,
    /// Its arguments.
    pub args: &'a [String],
    /// Where it runs.
    pub directory: &'a Path,
    /// Variables that it gets although their name says that they hold a secret.
    pub pass: &'a [String],
    /// How long it may take.
    pub timeout: Duration,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// By itself, with this code.
    Exited(i32),
    /// By this signal, which was not ours.
    Signalled(i32),
    /// It took too long.
    TimedOut,
    /// It was told to stop.
    Stopped,
    /// It could not be started.
    NotStarted(String),
}

/// What came of it.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub how: How,
    /// How long it took.
    pub duration: Duration,
    /// Standard output and standard error.
    pub outputs: [Spool; 2],
}

/// One output, in a file without a name.
#[derive(Debug, Default)]
pub struct Spool {
    file: Option<File>,
    /// How many bytes were written by the tool.
    pub written: u64,
}

impl Spool {
    /// Whether some of it was dropped.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.written > MOST_BYTES
    }

    /// The output from its beginning. Readers share one place in the file: one at a time.
    pub fn duplicate(&mut self) -> Box<dyn Input + Send> {
        let file = self.file.as_ref().and_then(|file| file.try_clone().ok());
        let file = file.and_then(|mut file| file.seek(SeekFrom::Start(0)).is_ok().then_some(file));
        file.map_or_else(|| Box::new(std::io::empty()) as Box<dyn Input + Send>, |file| Box::new(file))
    }

    /// The first, or the last, part of it as text.
    #[must_use]
    pub fn part(&self, from_end: bool, most: u64) -> String {
        let Some(mut file) = self.file.as_ref().and_then(|file| file.try_clone().ok()) else { return String::new() };
        let kept = self.written.min(MOST_BYTES);
        let start = if from_end { kept.saturating_sub(most) } else { 0 };
        let mut bytes = Vec::new();
        if file.seek(SeekFrom::Start(start)).is_err() || file.take(most).read_to_end(&mut bytes).is_err() {
            return String::new();
        }
        let text = String::from_utf8_lossy(&bytes).trim().to_owned();
        match text.split_once('\n') {
            // Half a line at the beginning says nothing.
            Some((_, rest)) if start > 0 => rest.to_owned(),
            _ => text,
        }
    }
}

/// Runs a tool to its end, whichever comes first: its own, its limit, or `stop`.
pub async fn run(launch: Launch<'_>, stop: &CancellationToken) -> Finished {
    let begun = Instant::now();
    let finished = |how, outputs| Finished { how, duration: begun.elapsed(), outputs };
    if stop.is_cancelled() {
        return finished(How::Stopped, Default::default());
    }
    let mut program = match supervisor::start(command(launch), &Mark::random()) {
        Ok(program) => program,
        Err(error) => {
            let why = format!("{} can not be started: {error}", launch.program.display());
            return finished(How::NotStarted(why), Default::default());
        }
    };
    let outputs = [program.child.stdout.take().map(listen), program.child.stderr.take().map(listen)];
    let how = tokio::select! {
        biased;
        () = stop.cancelled() => How::Stopped,
        status = program.child.wait() => match status {
            Ok(status) => match (status.code(), status.signal()) {
                (Some(code), _) => How::Exited(code),
                (None, signal) => How::Signalled(signal.unwrap_or_default()),
            },
            Err(error) => How::NotStarted(error.to_string()),
        },
        () = tokio::time::sleep(launch.timeout) => How::TimedOut,
    };
    match how {
        How::Stopped | How::TimedOut => {
            program.family.stop(Reach::Everything, GRACE).await;
            // Gone, but not buried yet.
            let _ = tokio::time::timeout(DRAIN, program.child.wait()).await;
        }
        // What it left behind in its group would go on for nobody; what it set free on purpose stays.
        _ => {
            program.family.stop(Reach::Group, Duration::ZERO).await;
        }
    }
    let [out, err] = outputs;
    let outputs = [drained(out).await, drained(err).await];
    finished(how, outputs)
}

/// The first line that a program prints, for its version.
pub async fn first_line(program: &Path, args: &[String], directory: &Path) -> Option<String> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let launch = Launch { program, args, directory, pass: &[], timeout: PATIENCE };
    let finished = run(launch, &CancellationToken::new()).await;
    let text = finished.outputs[0].part(false, 4_096);
    (finished.how == How::Exited(0)).then(|| text.lines().next().map(str::trim).map(str::to_owned)).flatten()
}

fn command(launch: Launch<'_>) -> Command {
    let mut command = Command::new(launch.program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_hidden(name, launch.pass)) {
        command.env_remove(name);
    }
    command
        .args(launch.args)
        .current_dir(launch.directory)
        .env_remove("FORCE_COLOR")
        .env_remove("CLICOLOR_FORCE")
        .env("NO_COLOR", "1")
        .env("CARGO_TERM_COLOR", "never")
        .env("CARGO_TERM_PROGRESS_WHEN", "never")
        .env("NEXTEST_EXPERIMENTAL_LIBTEST_JSON", "1")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("GIT_TERMINAL_PROMPT", "0");
    command
}

fn is_hidden(name: &OsStr, pass: &[String]) -> bool {
    let Some(name) = name.to_str() else { return false };
    if name.starts_with(PRIVATE) {
        return true;
    }
    let upper = name.to_ascii_uppercase();
    SECRET.iter().any(|word| upper.contains(word)) && !pass.iter().any(|passed| passed == name)
}

fn listen(pipe: impl AsyncRead + Unpin + Send + 'static) -> (JoinHandle<()>, std::sync::Arc<std::sync::Mutex<Spool>>) {
    let spool = std::sync::Arc::new(std::sync::Mutex::new(Spool { file: tempfile::tempfile().ok(), written: 0 }));
    let shared = std::sync::Arc::clone(&spool);
    let mut pipe = pipe;
    let task = tokio::spawn(async move {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = pipe.read(&mut buffer).await {
            let mut spool = shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let room = usize::try_from(MOST_BYTES.saturating_sub(spool.written)).unwrap_or(usize::MAX);
            let kept = spool.file.as_mut().map(|file| file.write_all(&buffer[..read.min(room)]));
            if matches!(kept, Some(Err(_))) {
                // A full disk: what was kept is kept, and the tool is not held up.
                spool.file = None;
            }
            spool.written += read as u64;
        }
    });
    (task, spool)
}

async fn drained(output: Option<(JoinHandle<()>, std::sync::Arc<std::sync::Mutex<Spool>>)>) -> Spool {
    let Some((mut task, spool)) = output else { return Spool::default() };
    if tokio::time::timeout(DRAIN, &mut task).await.is_err() {
        task.abort();
    }
    let mut spool = spool.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    std::mem::take(&mut *spool)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stay_here() {
        let pass = ["NPM_TOKEN".to_owned()];
        for (name, hidden) in [
            ("ADMIN_SHELL_TOKEN", true),
            ("INSPECTOR_FAIL_ON", true),
            ("GITHUB_TOKEN", true),
            ("aws_secret_access_key", true),
            ("NPM_TOKEN", false),
            ("PATH", false),
            ("CARGO_HOME", false),
        ] {
            assert_eq!(is_hidden(OsStr::new(name), &pass), hidden, "{name}");
        }
    }
}
