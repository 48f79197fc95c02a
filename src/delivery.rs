//! From the journal to other places: sinks, and what brings them what the journal holds, whatever happens on the way.

pub mod wire;
