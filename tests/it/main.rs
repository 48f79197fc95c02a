//! The integration tests, in one binary: one module a subject.

mod crash;
mod crowd;
mod ends;
mod events;
mod examples;
mod fixture;
mod journal;
mod modes;
mod prompt;
mod redact;
mod trouble;
