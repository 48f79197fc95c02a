//! `session-tracker serve` as a service: what it lets in, what it answers, and how it stops.

pub(crate) mod fixture;
mod life;
mod limits;
mod rest;
mod tokens;
