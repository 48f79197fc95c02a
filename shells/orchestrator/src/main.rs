//! The program `orchestrator-shell`.

use std::process::ExitCode;

use admin_shell::Shell;
use orchestrator::Orchestrator;

fn main() -> ExitCode {
    supervisor::main(|| admin_shell::main(async || Ok(Shell::new(Orchestrator::new()))))
}
