//! The prompt: what stands between a person's terminal and a session.

pub(crate) mod complete;
pub(crate) mod editor;
mod history;
pub(crate) mod terminal;
