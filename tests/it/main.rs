//! The integration tests, in one binary: one module a subject.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

#[cfg(feature = "tracker")]
mod cli;
mod crash;
mod crowd;
mod docs;
mod ends;
mod events;
mod examples;
mod fixture;
mod house;
mod journal;
mod modes;
mod prompt;
mod redact;
mod testing;
mod trouble;
