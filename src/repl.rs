//! The prompt: what stands between a person's terminal and a session.

pub(crate) mod complete;
pub(crate) mod console;
pub(crate) mod editor;
pub(crate) mod help;
mod history;
pub(crate) mod screen;
pub(crate) mod terminal;
