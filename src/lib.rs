//! The audited admin console for Rust services.

pub mod event;
pub mod journal;
pub mod redact;
pub mod render;
#[allow(dead_code)]
mod repl;
pub mod session;
pub mod spec;
pub mod policy;
pub mod helper;
pub use policy::Approved;
pub use helper::{Cx, Helpers};
/// x
pub type Result<T, E = anyhow::Error> = std::result::Result<T, E>;
pub mod console;
pub mod recorder;
mod script;
