//! What a script may use up. Counted a command, across every callback that a native function makes.

use std::sync::atomic::Ordering;

use rhai::Engine;

use super::run::Run;
use crate::{console::Failure, event::Status};

/// Operations of one command; a busy loop of this length runs for seconds.
const OPERATIONS: u64 = 500_000_000;
/// Calls of script functions inside each other.
const CALL_LEVELS: usize = 64;
/// Callbacks by native functions inside each other (`map` in `map` …), which the engine itself does not count.
pub(super) const CALLBACK_DEPTH: usize = 32;
/// Memory that one command may add to the process.
const MEMORY_BYTES: u64 = 512 << 20;
/// How often the memory is looked at, in operations.
const MEMORY_INTERVAL: u64 = 4_096;

/// Sets the limits that the engine checks itself.
pub(super) fn set(engine: &mut Engine) {
    engine.set_max_call_levels(CALL_LEVELS);
    engine.set_max_expr_depths(96, 64);
    engine.set_max_operations(0);
    engine.set_max_string_size(16 << 20);
    engine.set_max_array_size(1_000_000);
    engine.set_max_map_size(100_000);
    engine.set_max_variables(4_096);
    engine.set_max_functions(4_096);
    engine.set_max_modules(256);
}

/// Asked at every operation; true stops the script.
pub(super) fn exceeded(run: &Run) -> bool {
    if run.is_stopped() {
        return true;
    }
    let operations = run.operations.fetch_add(1, Ordering::Relaxed);
    if operations > OPERATIONS {
        run.stop(
            Status::Error,
            Failure::new("limit", format!("stopped after {OPERATIONS} operations")).hint("do less in one command"),
        );
        return true;
    }
    if operations.is_multiple_of(MEMORY_INTERVAL) && added_memory() > MEMORY_BYTES {
        run.stop(
            Status::Error,
            Failure::new("limit", format!("stopped: the command uses more than {} MiB of memory", MEMORY_BYTES >> 20))
                .hint("work on fewer records at once"),
        );
        return true;
    }
    false
}

/// Resident memory beyond what the process had when the first script ran. Zero where the system does not tell.
fn added_memory() -> u64 {
    use std::sync::OnceLock;
    static BASE: OnceLock<u64> = OnceLock::new();
    let now = resident_bytes();
    now.saturating_sub(*BASE.get_or_init(|| now))
}

fn resident_bytes() -> u64 {
    let Ok(text) = std::fs::read_to_string("/proc/self/statm") else { return 0 };
    text.split_ascii_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4_096
}
