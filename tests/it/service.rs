//! `session-tracker serve` as a service: what it lets in, what it answers, and how it stops.

mod delivery;
pub(crate) mod fixture;
mod life;
mod limits;
mod metrics;
mod remote;
mod rest;
mod tokens;
