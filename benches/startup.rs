//! From the start of a process to its first prompt, on a pseudo-terminal, against a prompt that is only rustyline and Rhai;
//! and the memory of a shell that waits at its prompt.
//!
//! This program is all three: it runs itself again as the shell or as the bare prompt. Each pair is run one after the other,
//! so that the ratio holds while the machine's speed drifts.

#[path = "material/report.rs"]
#[allow(dead_code, reason = "not every bench has limits of both kinds")]
mod report;

use std::{
    io::Read,
    time::{Duration, Instant},
};

use admin_shell::{AdminShell, Cx, Helpers, Result, Shell};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use report::{Report, quantile};

const ROLE: &str = "STARTUP_BENCH_ROLE";
const ROUNDS: usize = 40;

struct Greeter;

impl AdminShell for Greeter {
    const COMPONENT: &'static str = "greeter";

    fn helpers(helpers: &mut Helpers<Self>) {
        helpers.read("greet", "Greets someone by name.").param("name", "Whom to greet.").run(greet);
    }
}

async fn greet(_: Cx<Greeter>, name: String) -> Result<String> {
    Ok(format!("Hello, {name}!"))
}

fn main() -> std::process::ExitCode {
    match std::env::var(ROLE).as_deref() {
        Ok("shell" | "dead") => admin_shell::main(async || Ok(Shell::new(Greeter))),
        Ok("bare") => bare(),
        _ => measure(),
    }
}

fn bare() -> std::process::ExitCode {
    let engine = rhai::Engine::new();
    let mut scope = rhai::Scope::new();
    let mut editor = rustyline::DefaultEditor::new().expect("a terminal");
    while let Ok(line) = editor.readline("Greeter> ") {
        println!("{:?}", engine.eval_with_scope::<rhai::Dynamic>(&mut scope, &line));
    }
    std::process::ExitCode::SUCCESS
}

struct Started {
    to_prompt: Duration,
    resident_bytes: u64,
}

fn start(role: &str, data: &std::path::Path) -> Started {
    let pty =
        native_pty_system().openpty(PtySize { rows: 30, cols: 100, ..PtySize::default() }).expect("a pseudo-terminal");
    let mut command = CommandBuilder::new(std::env::current_exe().expect("our own path"));
    command.env(ROLE, role);
    if role == "dead" {
        // Nobody listens there.
        command.env("ADMIN_SHELL_SINK", "http://127.0.0.1:9");
    }
    for variable in ["XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"] {
        command.env(variable, data);
    }
    let mut reader = pty.master.try_clone_reader().expect("the terminal's output");
    let began = Instant::now();
    let mut child = pty.slave.spawn_command(command).expect("our own program starts");
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    while !seen.windows(8).any(|part| part == b"Greeter>") {
        let count = reader.read(&mut buffer).expect("a prompt");
        assert!(count > 0, "the program ended before its prompt: {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&buffer[..count]);
    }
    let to_prompt = began.elapsed();
    std::thread::sleep(Duration::from_millis(30));
    let status = child
        .process_id()
        .and_then(|pid| std::fs::read_to_string(format!("/proc/{pid}/statm")).ok())
        .unwrap_or_default();
    let pages: u64 = status.split_ascii_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    drop(pty.master.take_writer().map(|mut writer| std::io::Write::write_all(&mut writer, b"\x04")));
    let _ = child.wait();
    Started { to_prompt, resident_bytes: pages * 4096 }
}

fn measure() -> std::process::ExitCode {
    let data = tempfile::tempdir().expect("a temporary directory");
    for role in ["shell", "bare", "dead"] {
        start(role, data.path());
    }
    let (mut shell, mut bare, mut ratios, mut memory) = (Vec::new(), Vec::new(), Vec::new(), 0);
    let mut added = Vec::new();
    for _ in 0..ROUNDS {
        let (ours, theirs) = (start("shell", data.path()), start("bare", data.path()));
        ratios.push(ours.to_prompt.as_secs_f64() / theirs.to_prompt.as_secs_f64());
        shell.push(ours.to_prompt.as_secs_f64() * 1e3);
        bare.push(theirs.to_prompt.as_secs_f64() * 1e3);
        memory = memory.max(ours.resident_bytes);
        if cfg!(feature = "http") {
            let dead = start("dead", data.path());
            added.push((dead.to_prompt.as_secs_f64() - ours.to_prompt.as_secs_f64()) * 1e3);
        }
    }
    if added.is_empty() {
        added.push(0.0);
    }
    let mut report = Report::new();
    report.at_most("start to prompt, ms", quantile(&mut shell, 0.5), 6.0);
    report.at_most("start to prompt / bare rustyline + Rhai", quantile(&mut ratios, 0.5), 2.0);
    report.at_most("start with the tracker dead, ms more", quantile(&mut added, 0.5), 1.0);
    report.at_most("memory at the prompt, MiB", memory as f64 / f64::from(1 << 20), 25.0);
    report.note("(bare rustyline + Rhai to prompt, ms)", quantile(&mut bare, 0.5));
    report.exit()
}
