//! The journal, through its trait.

mod contract;
mod filters;
pub(crate) mod fixture;
#[cfg(feature = "postgres")]
mod fleet;
mod model;
mod opening;
mod presence;
mod retention;
mod tampering;
mod writing;
