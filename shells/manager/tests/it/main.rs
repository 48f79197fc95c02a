//! The manager's shell from outside: through its door, and as a program over a journal with planted faults.

mod patterns;
mod plant;
mod program;
mod sessions;
