//! The inspector: the quality checks of a source tree, and the shell that runs them.
//!
//! An *adapter* is one tool on one directory of the tree; a *run* is some adapters side by side; a *finding* is what one of
//! them complains about.
//!
//! | module | what happens there |
//! |---|---|
//! | [`config`] | what can be set, for the program and for a tree |
//! | [`detect`] | which languages a tree has, and where |
//! | [`adapter`] | which tools apply, where they are, and how they are asked |
//! | [`process`] | a tool as a process: started, listened to within bounds, stopped with everything it started |
//! | [`parse`] | what tools answer, read as findings |
//! | [`finding`], `fingerprint` | what is found, and what makes it the same tomorrow |
//! | [`check`], [`run`] | one adapter to its outcome; many side by side |
//! | [`store`] | what was found, kept per tree |
//! | [`export`] | findings for other programs |
//! | [`hooks`], [`git`] | what git runs when; what it says of a tree |
//! | [`report`], [`view`] | what a run answers, and how that looks |
//! | `shell` | [`Inspector`] and its helpers |
//!
//! Architecture invariant: only the public API of admin-shell is used, the way any other component would.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod adapter;
pub mod check;
pub mod config;
pub mod detect;
pub mod export;
pub mod finding;
mod fingerprint;
pub mod git;
pub mod hooks;
pub mod parse;
pub mod process;
pub mod report;
pub mod run;
mod shell;
pub mod source;
pub mod store;
pub mod view;

pub use config::Settings;
pub use shell::Inspector;
