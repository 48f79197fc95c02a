//! Attack files: each file in `tests/denied` is one attempt to get past the door. Adding a file adds a test.
//!
//! A file says in its header what has to come of it ([`expectation`]); the rest is what somebody types. It runs in a
//! process of its own, with an end to its memory and its time, because an attack that works may take the process down.

mod expectation;
mod target;

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use expectation::{Attack, Report};

/// Longer than any attack may take, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(300);
/// Address space of the process that is attacked: what goes past the limits of scripts fails here, not on the machine.
const ADDRESS_SPACE_KIB: u64 = 12 << 20;
const FILE: &str = "ADMIN_SHELL_ATTACK";
const MARK: &str = "attack report: ";

fn files() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/denied");
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory)
        .expect("the directory of attacks")
        .map(|entry| entry.expect("its entries").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rhai"))
        .collect();
    files.sort();
    files
}

#[test]
fn every_attack_is_denied() {
    let only = std::env::var("ATTACK").unwrap_or_default();
    let files: Vec<PathBuf> = files().into_iter().filter(|path| path.to_string_lossy().contains(&only)).collect();
    assert!(files.len() >= 35 || !only.is_empty(), "the attacks shrank to {}", files.len());
    let queue = std::sync::Mutex::new(files.iter());
    let wrong = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(path) = queue.lock().expect("no thread panics").next() else { return };
                    if let Err(fault) = check(path) {
                        let name = path.file_name().expect("a file").to_string_lossy();
                        wrong.lock().expect("no thread panics").push(format!("── {name}\n{fault}"));
                    }
                }
            });
        }
    });
    let mut wrong = wrong.into_inner().expect("no thread panics");
    wrong.sort();
    assert!(wrong.is_empty(), "{} of {} attacks:\n{}", wrong.len(), files.len(), wrong.join("\n"));
}

fn check(path: &Path) -> Result<(), String> {
    let attack = Attack::read(path)?;
    let report = run_in_a_process(path)?;
    if std::env::var_os("ATTACK").is_some() {
        println!("── {}\n{report:#?}", path.display());
    }
    attack.verify(&report)
}

fn run_in_a_process(path: &Path) -> Result<Report, String> {
    let program = std::env::current_exe().expect("this program");
    let mut child = Command::new("sh")
        .args(["-c", &format!("ulimit -v {ADDRESS_SPACE_KIB}; exec \"$0\" \"$@\"")])
        .arg(program)
        .args(["denied::one_attack", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env(FILE, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a shell to start it with");
    let mut out = child.stdout.take().expect("its output");
    let mut err = child.stderr.take().expect("its errors");
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = out.read_to_string(&mut text);
        text
    });
    let complaining = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = err.read_to_string(&mut text);
        text
    });
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child to wait for") {
            break status;
        }
        if started.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("it does not end within {PATIENCE:?}"));
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let (text, complaints) = (reading.join().expect("it reads"), complaining.join().expect("it reads"));
    // libtest may write its own words in front of ours, on the same line.
    match text.lines().find_map(|line| line.split_once(MARK)) {
        Some((_, json)) if status.success() => Ok(serde_json::from_str(json).expect("a report")),
        _ => Err(format!(
            "the process ended with {status}\n{}{complaints}",
            text.lines().take(40).collect::<Vec<_>>().join("\n")
        )),
    }
}

/// Run by [`every_attack_is_denied`] in a process of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes the file from the environment"]
async fn one_attack() {
    let path = std::env::var(FILE).expect("the attack's file");
    let attack = Attack::read(Path::new(&path)).expect("an attack");
    let report = target::suffer(&attack).await;
    println!("{MARK}{}", serde_json::to_string(&report).expect("a report is data"));
}
