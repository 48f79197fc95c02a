//! The orchestrator: workflow runs, and the shell that administers them.
//!
//! A *run* is one program that somebody asked for: queued durably, started by whichever open shell is free, retried
//! with growing waits, stopped when it takes too long or when it is cancelled, and kept with its output and its end.
//!
//! | module | what happens there |
//! |---|---|
//! | [`run`] | the vocabulary: [`Run`], [`Status`], [`Submission`], and what is shown of them |
//! | [`engine`] | the trait [`Engine`]: what the shell asks of any engine |
//! | [`embedded`] | the engine inside the shell: apalis on SQLite, one worker per open shell |
//! | `shell` | [`Orchestrator`], its helpers, and when its engine works |
//! | [`process`] | starting a program, catching its output, stopping it with everything it started |
//!
//! Invariants, wherever you look:
//! - A run executes at most once at a time, however many shells are open and however they die.
//! - What a run started is gone before the run starts again.
//! - Output is bounded: a program that floods costs its own history, never the disk or the memory.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod embedded;
pub mod engine;
pub mod process;
pub mod run;
mod shell;

pub use embedded::{Embedded, Options};
pub use engine::{Engine, EngineError, State};
pub use run::{Active, Change, Failure, Run, RunId, Status, Submission};
pub use shell::Orchestrator;
