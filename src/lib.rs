//! The audited admin console for Rust services.

pub mod event;
pub mod journal;
pub mod redact;
pub mod render;
#[allow(dead_code)]
mod repl;
pub mod session;
pub mod spec;
