//! The integration tests, in one binary: one module a subject.

mod docs;
mod events;
mod house;
mod journal;
mod redact;
mod testing;
