//! The audited admin console for Rust services.

pub mod event;
pub mod journal;
pub mod redact;
pub mod render;
pub mod session;
pub mod spec;
