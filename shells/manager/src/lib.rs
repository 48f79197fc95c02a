//! The manager: the tracked sessions themselves, and the shell that administers them.
//!
//! It works on the journal that its own session is recorded in, which all shells of a machine share: so it sees every one
//! of them, itself too.
//!
//! | module | what happens there |
//! |---|---|
//! | `shell` | [`Manager`], and how it reaches the journal |
//! | `shell::sessions` | helpers that look at sessions: `ps`, `active`, `show`, `commands`, `events` |
//! | `shell::patterns` | helpers that look at all of them together: `quality`, `insights` |
//! | `shell::changes` | `end` |
//! | [`row`] | what is shown of a session, a command and an event |
//! | [`view`] | how insights look |
//!
//! Architecture invariant: only the public API of admin-shell is used, the way any other component would.

pub mod row;
mod shell;
pub mod view;

pub use shell::Manager;
