//! The integration tests, in one binary: one module a subject.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

#[cfg(feature = "tracker")]
mod cli;
mod docs;
mod events;
mod house;
mod journal;
mod redact;
mod testing;
