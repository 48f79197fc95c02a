//! Child processes of a shell, in families: a program, and whatever it starts.
//!
//! | module | what happens there |
//! |---|---|
//! | [`program`] | starting one: its group, its pipes, what it does not inherit |
//! | [`family`] | finding all of its processes, and stopping them |
//! | [`watchdog`] | a second process, which stops the families of a shell that was killed |
//!
//! Invariants:
//! - A program sees none of the shell's own settings, has nothing to read from, and a process group of its own.
//! - What a family is, is decided in one place; the shell that leaves, the shell that finds what another left, and the
//!   watchdog all ask there.
//! - Not even SIGKILL of the shell leaves a family running, in programs whose `main` is [`main`].

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod family;
pub mod program;
pub mod watchdog;

pub use family::{Family, Identity, Mark, Reach, Stopped};
pub use program::{Program, is_private, start};
pub use watchdog::main;
