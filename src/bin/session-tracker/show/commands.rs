//! The commands of a session out of its events, where there is no projection to ask.

use admin_shell::{
    event::{CommandEnd, CommandStart, EventKind, StreamId},
    journal::{CommandRecord, Entry, SessionRecord},
};

use crate::{exit::Stop, reading::Reading};

/// Events read at once.
const PAGE: u32 = 1_000;

/// The last commands of a session, oldest first.
pub(super) async fn of(place: &Reading, record: &SessionRecord, most: usize) -> Result<Vec<CommandRecord>, Stop> {
    let stream = StreamId::Session(record.session_id.clone());
    let (mut commands, mut from): (Vec<CommandRecord>, u64) = (Vec::new(), 0);
    loop {
        let page = place.events(&stream, from, PAGE).await?;
        let Some(last) = page.last() else { break };
        from = 1 + match last {
            Entry::Whole(event) => event.seq(),
            Entry::Pruned { seq, .. } => *seq,
        };
        for entry in &page {
            let Entry::Whole(event) = entry else { continue };
            match event.kind() {
                EventKind::CommandStart => commands.extend(event.decode().map(|start: CommandStart| CommandRecord {
                    session_id: record.session_id.clone(),
                    component_name: record.component_name.clone(),
                    command: start.command,
                    start_time: event.timestamp(),
                    input: start.input,
                    status: "unknown".to_owned(),
                    duration_us: None,
                    error: None,
                })),
                EventKind::CommandEnd => {
                    let Some(end) = event.decode::<CommandEnd>() else { continue };
                    if let Some(command) = commands.iter_mut().rev().find(|command| command.command == end.command) {
                        command.status = end.status.as_str().to_owned();
                        command.duration_us = Some(end.duration_us);
                        command.error = end.error.map(|failure| failure.message);
                    }
                }
                _ => {}
            }
        }
    }
    commands.drain(..commands.len().saturating_sub(most));
    Ok(commands)
}
