//! The journal, through its trait.

mod contract;
mod filters;
mod fixture;
mod opening;
mod retention;
mod tampering;
