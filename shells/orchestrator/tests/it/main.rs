//! The engine with real processes and real files. Nothing here measures time: everything waits until it is so, generously.

#![allow(clippy::unwrap_used)]

mod bench;
mod life;
mod output;
mod recovery;
mod shared;
mod shell;
mod stopping;
mod trouble;
