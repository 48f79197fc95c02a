//! The program `manager-shell`.

use std::process::ExitCode;

use admin_shell::Shell;
use manager::{Manager, view};

fn main() -> ExitCode {
    admin_shell::main(async || Ok(Shell::new(Manager::default()).renderer(view::insights)))
}
