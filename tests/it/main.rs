//! The integration tests, in one binary: one module a subject.

mod ends;
mod events;
mod fixture;
mod journal;
mod modes;
mod prompt;
mod redact;
