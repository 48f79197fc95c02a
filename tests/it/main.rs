//! The integration tests, in one binary: one module a subject.

#[cfg(feature = "tracker")]
mod cli;
mod events;
mod house;
mod journal;
mod redact;
mod testing;
