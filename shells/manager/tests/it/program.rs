//! `manager-shell -c` over a planted journal.

use std::process::{Command, Output};

use serde_json::Value;

use crate::plant::Plot;

pub(crate) fn run(plot: &Plot, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_manager-shell"));
    command.args(args).arg("--database").arg(plot.database()).env_clear().env("TZ", "UTC");
    for variable in ["XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"] {
        command.env(variable, plot.directory.path());
    }
    command.output().expect("the shell runs")
}

/// What a piece of code answers, as JSON.
#[track_caller]
pub(crate) fn answer(plot: &Plot, code: &str) -> Value {
    let output = run(plot, &["--json", "-c", code]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

/// What a person sees.
#[track_caller]
pub(crate) fn shown(plot: &Plot, code: &str) -> String {
    let output = run(plot, &["-c", code]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}
