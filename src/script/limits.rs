//! What a script may use up. Counted a command, across every callback that a native function makes.
//!
//! The engine bounds the size of each value. What many values come to together (memory), how long their handling takes
//! (processor time) and how deep functions hold functions is bounded here, because each of them can take the process
//! down: the kernel ends a process that has eaten its memory, and letting go of a deep tower of values overflows the
//! stack. Nested lists and records can only be made deeper by going through all of them, so the limit of processor time
//! bounds their depth too; a function that captures a function goes deeper at no cost, so towers of these are measured.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use nix::{
    time::ClockId,
    unistd::{SysconfVar, sysconf},
};
use rhai::{Array, Dynamic, Engine, FnPtr, Map, Scope};

use super::run::Run;
use crate::{console::Failure, event::Status};

/// The stack of the evaluating thread. Address space, not memory: only what a deep recursion touches is used.
pub(super) const STACK_BYTES: usize = 256 << 20;
/// Operations of one command, unless the shell says otherwise.
pub(crate) const OPERATIONS: u64 = 500_000_000;
/// Processor time of one command, helpers not counted, unless the shell says otherwise.
pub(crate) const PROCESSOR_TIME: Duration = Duration::from_secs(20);
/// Calls of script functions inside each other, also through natives and helpers that call them back.
const CALL_LEVELS: usize = 64;
/// Functions that hold functions that hold functions.
const TOWER_DEPTH: usize = 16;
/// Values looked at to find how high a tower is. One that hides by its breadth costs more memory than there is.
const TOWER_NODES: usize = 2_048;
/// Memory that the variables of a session may use, and one command on top of what they do.
const MEMORY_BYTES: u64 = 512 << 20;
/// Memory that a command may use even when the variables have it all: it may be what lets go of them.
const LEAST_BYTES: u64 = 16 << 20;
/// The longest string.
pub(super) const STRING_BYTES: usize = 4 << 20;
/// Items of a list, and of the lists inside of it.
pub(super) const LIST_ITEMS: usize = 1_000_000;
/// Fields of a record, and of the records inside of it; for a list of records, all of theirs.
const RECORD_FIELDS: usize = 250_000;
/// What one operation can allocate: a copy of the largest value.
const OPERATION_BYTES: u64 = 40 << 20;
/// The most operations between two looks at memory and processor time.
const LOOK_INTERVAL: u64 = 256;

/// Sets the limits that the engine checks itself.
pub(super) fn set(engine: &mut Engine) {
    engine.set_max_call_levels(CALL_LEVELS);
    engine.set_max_expr_depths(96, 64);
    engine.set_max_operations(0);
    engine.set_max_string_size(STRING_BYTES);
    engine.set_max_array_size(LIST_ITEMS);
    engine.set_max_map_size(RECORD_FIELDS);
    engine.set_max_variables(4_096);
    engine.set_max_functions(4_096);
    engine.set_max_modules(256);
}

/// What one command has used up.
pub(super) struct Meter {
    operations: AtomicU64,
    /// The number of operations at which memory and processor time are looked at again.
    next_look: AtomicU64,
    /// What the process and the thread had used when the command began.
    start: OnceLock<Start>,
    /// What the session's variables took before the command.
    held_bytes: u64,
}

struct Start {
    memory: u64,
    processor: Duration,
}

impl Meter {
    /// A meter for a command; `held_bytes` of memory belong to the session's variables.
    pub(super) fn new(held_bytes: u64) -> Self {
        Self { operations: AtomicU64::new(0), next_look: AtomicU64::new(0), start: OnceLock::new(), held_bytes }
    }

    /// Memory that the process has beyond what it had when the command began.
    pub(super) fn added_memory(&self) -> u64 {
        self.start.get().map_or(0, |start| resident_bytes().saturating_sub(start.memory))
    }
}

/// Why a script goes no further.
pub(super) enum Stopped {
    /// It has run into a limit.
    Here,
    /// It was stopped by something that happened before: a refusal, an interrupt.
    Elsewhere,
}

/// Asked at every operation, on the evaluating thread.
pub(super) fn exceeded(run: &Run) -> Option<Stopped> {
    if run.notices_stop() {
        return Some(Stopped::Elsewhere);
    }
    let meter = &run.meter;
    let operations = meter.operations.fetch_add(1, Ordering::Relaxed);
    if operations < meter.next_look.load(Ordering::Relaxed) {
        return None;
    }
    let start = meter.start.get_or_init(|| Start { memory: resident_bytes(), processor: processor_time() });
    let left = MEMORY_BYTES.saturating_sub(meter.held_bytes).max(LEAST_BYTES).saturating_sub(meter.added_memory());
    // The nearer the limit, the more often: what happens until the next look has to fit into what is left.
    let interval = (left / OPERATION_BYTES).clamp(1, LOOK_INTERVAL);
    let look = (operations + interval).min(run.setting.operation_limit.max(operations) + 1);
    meter.next_look.store(look, Ordering::Relaxed);
    let failure = if left == 0 {
        let message = format!("stopped: more than {} MiB of memory are used", MEMORY_BYTES >> 20);
        Failure::new("limit", message).hint("work on fewer records at once, and let go of large variables: big = ()")
    } else if operations > run.setting.operation_limit {
        let message = format!("stopped after {} operations", run.setting.operation_limit);
        Failure::new("limit", message).hint("do less in one command")
    } else if processor_time().saturating_sub(start.processor) > run.setting.compute_limit {
        let message = format!("stopped after {:?} of computing", run.setting.compute_limit);
        Failure::new("limit", message).hint("do less in one command")
    } else {
        return None;
    };
    run.stop(Status::Error, failure);
    Some(Stopped::Here)
}

/// Resident memory of the process. Zero where the system does not tell, and then the size of single values is what
/// bounds a script.
fn resident_bytes() -> u64 {
    static STATM: OnceLock<Option<(File, u64)>> = OnceLock::new();
    let opened = STATM.get_or_init(|| {
        let page = sysconf(SysconfVar::PAGE_SIZE).ok().flatten().and_then(|bytes| u64::try_from(bytes).ok());
        Some((File::open("/proc/self/statm").ok()?, page.unwrap_or(4_096)))
    });
    let Some((file, page_bytes)) = opened else { return 0 };
    let mut text = [0; 128];
    let length = file.read_at(&mut text, 0).unwrap_or(0);
    let resident = text[..length].split(|byte| *byte == b' ').nth(1).and_then(|pages| std::str::from_utf8(pages).ok());
    resident.and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * page_bytes
}

fn processor_time() -> Duration {
    ClockId::CLOCK_THREAD_CPUTIME_ID.now().map(Duration::from).unwrap_or_default()
}

/// Whether a captured value is a function that holds functions that hold functions, too deep to let go of safely.
pub(super) fn is_tower(value: &Dynamic) -> bool {
    let mut nodes = 0;
    is_deep(value, 0, 0, &mut nodes)
}

fn is_deep(value: &Dynamic, functions: usize, depth: usize, nodes: &mut usize) -> bool {
    *nodes += 1;
    if functions > TOWER_DEPTH || depth > 64 {
        return true;
    }
    if *nodes > TOWER_NODES {
        return false;
    }
    if let Some(function) = value.read_lock::<FnPtr>() {
        return function.iter_curry().any(|held| is_deep(held, functions + 1, depth + 1, nodes));
    }
    if let Some(items) = value.read_lock::<Array>() {
        return items.iter().any(|item| is_deep(item, functions, depth + 1, nodes));
    }
    if let Some(fields) = value.read_lock::<Map>() {
        return fields.values().any(|field| is_deep(field, functions, depth + 1, nodes));
    }
    false
}

/// About how much memory a value takes. Text that is shared between values counts each time.
pub(super) fn size_bytes(value: &Dynamic) -> u64 {
    let own = size_of::<Dynamic>() as u64;
    if let Ok(text) = value.as_immutable_string_ref() {
        return own + text.len() as u64;
    }
    if let Some(items) = value.read_lock::<Array>() {
        return own + items.iter().map(size_bytes).sum::<u64>();
    }
    if let Some(fields) = value.read_lock::<Map>() {
        return own + fields.values().map(|field| 64 + size_bytes(field)).sum::<u64>();
    }
    value.read_lock::<rhai::Blob>().map_or(own, |bytes| own + bytes.len() as u64)
}

/// Memory that a session's variables take, as far as it matters: kept from command to command.
#[derive(Clone, Default)]
pub(crate) struct Held(Arc<AtomicU64>);

impl Held {
    /// Less than this is not worth going through the variables for.
    const WORTH_KNOWING: u64 = 16 << 20;

    pub(super) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Measures anew when the last command took or gave much. Forgets the variables that it added when there is no room
    /// for them; those before stay, as they were `before` it.
    pub(super) fn update(&self, meter: &Meter, variables: &mut Scope<'_>, before: usize) {
        if self.bytes() == 0 && meter.added_memory() <= Self::WORTH_KNOWING {
            return;
        }
        let measure = |variables: &Scope<'_>| variables.iter_raw().map(|(_, _, value)| size_bytes(value)).sum::<u64>();
        let mut bytes = measure(variables);
        if bytes > MEMORY_BYTES && variables.len() > before {
            variables.rewind(before);
            bytes = measure(variables);
        }
        self.0.store(if bytes > Self::WORTH_KNOWING { bytes } else { 0 }, Ordering::Relaxed);
    }
}
