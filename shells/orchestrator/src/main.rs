//! The program `orchestrator-shell`.

fn main() {}
