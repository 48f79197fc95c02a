//! Standard streams: one client, which has started the program, until it closes them.

use rmcp::{ServiceExt, transport::stdio};

use super::Door;
use crate::tracker::Tracker;

/// Answers on the standard streams until the client closes them.
///
/// # Errors
/// When the client does not speak the protocol.
pub async fn serve_stdio(tracker: Tracker) -> std::io::Result<()> {
    let service = Door { tracker }.serve(stdio()).await.map_err(std::io::Error::other)?;
    service.waiting().await.map(drop).map_err(std::io::Error::other)
}
