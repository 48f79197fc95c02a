//! `stdout:`, the events of the session as lines on standard output, for whoever pipes them on.
//!
//! Only its own session and no cursor: what was printed is gone.

use std::io::Write;

use async_trait::async_trait;

use crate::{
    delivery::{EventSink, Receipt, SinkError, Takes},
    event::Event,
};

/// Prints the session's events, one sealed text a line.
#[derive(Clone, Copy, Debug, Default)]
pub struct StdoutSink(());

#[async_trait]
impl EventSink for StdoutSink {
    fn name(&self) -> &str {
        "stdout:"
    }

    async fn deliver(&mut self, batch: &[Event]) -> Result<Receipt, SinkError> {
        let lines: String = batch.iter().flat_map(|event| [event.text(), "\n"]).collect();
        let mut out = std::io::stdout().lock();
        out.write_all(lines.as_bytes()).and_then(|()| out.flush()).map_err(SinkError::unavailable)?;
        Ok(Receipt::accepted(batch.iter().map(Event::event_id)))
    }

    fn takes(&self) -> Takes {
        Takes::ItsSession
    }
}
