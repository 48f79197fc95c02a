//! The tracker over MCP: its tools, over HTTP and over standard streams, and programs of others that speak to it.

mod answers;
pub(crate) mod client;
mod foreign;
pub(crate) mod older;
mod stdio;
mod wire;
