//! The integration tests, in one binary: one module a subject.

mod events;
mod fixture;
mod journal;
mod modes;
mod prompt;
mod redact;
