//! The integration tests, in one binary: one module a subject.

mod arguments;
mod denied;
mod desk;
mod door;
mod events;
mod journal;
mod recording;
mod redact;
mod sessions;
mod testing;
