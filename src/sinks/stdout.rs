//! `stdout:`, the events of the session as lines on standard output, for whoever pipes them on.
//!
//! Only its own session and no cursor: what was printed is gone. Standard output is its own: results go to standard error
//! beside it, and at a prompt, where lines would tear what is being typed, a shell refuses it. Into a pipe go the sealed
//! texts, verbatim; on a terminal, what a terminal would obey is escaped.

use std::io::{IsTerminal, Write, stdout};

use async_trait::async_trait;

use crate::{
    delivery::{EventSink, Receipt, SinkError, Takes},
    event::Event,
    render,
};

/// What it is called.
pub const STDOUT: &str = "stdout:";

/// Prints the session's events, one sealed text a line.
#[derive(Clone, Copy, Debug, Default)]
pub struct StdoutSink(());

#[async_trait]
impl EventSink for StdoutSink {
    fn name(&self) -> &str {
        STDOUT
    }

    async fn deliver(&mut self, batch: &[Event]) -> Result<Receipt, SinkError> {
        let is_terminal = stdout().is_terminal();
        let line = |event: &Event| match serde_json::from_str(event.text()) {
            Ok(value) if is_terminal => format!("{}\n", render::json(&value)),
            _ => format!("{}\n", event.text()),
        };
        let lines: String = batch.iter().map(line).collect();
        // Whoever reads may take its time.
        let written = tokio::task::spawn_blocking(move || {
            let mut out = stdout().lock();
            out.write_all(lines.as_bytes()).and_then(|()| out.flush())
        });
        written.await.map_err(SinkError::unavailable)?.map_err(SinkError::unavailable)?;
        Ok(Receipt::accepted(batch.iter().map(Event::event_id)))
    }

    fn takes(&self) -> Takes {
        Takes::ItsSession
    }
}
