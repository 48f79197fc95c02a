//! The inspector from outside: as a program over copies of trees with planted faults, with the real tools.
//!
//! The tools of Python and JavaScript are those that `scripts/test` installs below the target directory. A test whose tool
//! is not there fails and says so.

#![allow(clippy::unwrap_used)]

mod counts;
mod format;
mod hostile;
mod large;
mod place;
mod record;
mod results;
mod stopping;
mod tree;
