//! The integration tests, in one binary: one module a subject.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod arguments;
#[cfg(feature = "tracker")]
mod cli;
mod crash;
mod crowd;
mod delivery;
mod denied;
mod desk;
mod docs;
mod door;
mod ends;
mod events;
mod examples;
mod fixture;
mod house;
mod journal;
#[cfg(feature = "tracker")]
mod mcp;
mod modes;
#[cfg(feature = "postgres")]
mod postgres;
mod prompt;
mod recording;
mod redact;
mod secrets;
#[cfg(all(feature = "postgres", feature = "tracker"))]
mod server;
#[cfg(feature = "tracker")]
mod service;
mod sessions;
mod testing;
mod trouble;
mod words;
