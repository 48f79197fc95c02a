//! The integration tests, in one binary: one module a subject.

mod denied;
mod events;
mod journal;
mod redact;
mod testing;
