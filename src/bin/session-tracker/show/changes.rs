//! What a session has changed: its calls of helpers that write or destroy, with who decided, why, and what came of it.

use admin_shell::{
    Width,
    event::{CallEnd, CallStart, EventKind, SessionId, StreamId},
    journal::Entry,
};
use serde_json::{Value, json};

use crate::{clock, exit::Stop, reading::Reading};

/// Events read at once.
const PAGE: u32 = 1_000;
/// Changes that are shown; `events` shows all.
const SHOWN: usize = 200;

/// A call, and how it ended where it has.
pub(super) struct Change {
    start: CallStart,
    end: Option<CallEnd>,
}

/// The changes of a session, in their order.
pub(super) async fn of(place: &Reading, session: &SessionId) -> Result<Vec<Change>, Stop> {
    let stream = StreamId::Session(session.clone());
    let mut changes: Vec<Change> = Vec::new();
    let mut from = 0;
    loop {
        let page = place.events(&stream, from, PAGE).await?;
        for entry in &page {
            let event = match entry {
                Entry::Whole(event) => event,
                Entry::Pruned { seq, .. } => {
                    from = seq + 1;
                    continue;
                }
            };
            from = event.seq() + 1;
            match event.kind() {
                EventKind::CallStart => {
                    changes.extend(event.decode().map(|start| Change { start, end: None }));
                }
                EventKind::CallEnd => {
                    let Some(end) = event.decode::<CallEnd>() else { continue };
                    let is_its =
                        |change: &&mut Change| (change.start.command, change.start.call) == (end.command, end.call);
                    if let Some(change) = changes.iter_mut().rev().find(is_its) {
                        change.end = Some(end);
                    }
                }
                _ => {}
            }
        }
        if page.is_empty() {
            return Ok(changes);
        }
    }
}

/// The changes as people read them.
pub(super) fn table(changes: &[Change], width: Width) -> String {
    let last = &changes[changes.len().saturating_sub(SHOWN)..];
    let rows: Vec<Vec<Value>> = last.iter().map(Change::row).collect();
    let more = if last.len() < changes.len() {
        format!(" (the last {} of {}; `events` has all)", last.len(), changes.len())
    } else {
        String::new()
    };
    let names = ["#", "effect", "call", "decision", "outcome", "reason", "approver"];
    format!("Changes{more}\n{}", admin_shell::render::table(&names, &rows, width))
}

impl Change {
    fn row(&self) -> Vec<Value> {
        let start = &self.start;
        let args: Vec<String> = start.args.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        vec![
            json!(format!("{}.{}", start.command, start.call)),
            json!(start.effect),
            json!(format!("{}({})", start.helper, args.join(", "))),
            json!(start.decision.verdict),
            json!(self.outcome()),
            json!(start.decision.reason),
            json!(start.decision.approver),
        ]
    }

    fn outcome(&self) -> String {
        match &self.end {
            Some(end) => {
                let error = end.error.as_ref().map(|error| format!(": {}", error.message)).unwrap_or_default();
                format!("{} in {}{error}", end.status, clock::length_us(end.duration_us))
            }
            None if self.start.decision.verdict == "refused" => "did not run".to_owned(),
            None => "unknown".to_owned(),
        }
    }
}
