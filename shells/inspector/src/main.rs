//! The program `inspector-shell`.

use std::process::ExitCode;

use admin_shell::Shell;
use inspector::{Inspector, Settings, view};

fn main() -> ExitCode {
    supervisor::main(|| {
        admin_shell::main_with(
            async |settings: Settings| Ok(Shell::new(Inspector::new(settings)?).renderer(view::show)),
        )
    })
}
