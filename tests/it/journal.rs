//! The journal, through its trait.

mod contract;
mod fixture;
