//! `session-tracker` as a program: what it prints, what it leaves behind, how it exits.

mod end;
mod events;
mod list;
mod output;
pub(crate) mod process;
mod record;
mod schema;
mod show;
