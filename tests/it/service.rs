//! `session-tracker serve` as a service: what it lets in, what it answers, and how it stops.

mod delivery;
mod description;
pub(crate) mod doors;
pub(crate) mod fixture;
mod fleet;
mod forward;
mod life;
mod limits;
mod metrics;
mod prometheus;
mod remote;
mod rest;
mod tokens;
pub(crate) mod tools;
mod wrong;
