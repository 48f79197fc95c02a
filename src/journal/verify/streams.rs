//! The second pass: every stream, its events and what the projection says of it.

use std::collections::BTreeMap;

use super::{Check, Own, STREAMS};
use crate::{
    event::{Event, Hash, Observation},
    journal::{
        JournalError, differences,
        pages::{StoredEvent, StreamPage, StreamRow},
        projection::{Picture, Totals},
        replay::draw,
        rollups,
        source::Source,
    },
};

impl<S: Source> Check<'_, S> {
    /// The second pass: every stream, its events and its projection.
    pub(super) async fn streams(&mut self, own: &Own) -> Result<(), JournalError> {
        let base = rollups::base(self.source).await;
        let mut sums: BTreeMap<(i64, String), Totals> = self.readable(base)?;
        let mut from = 1;
        let highest = self.number("SELECT coalesce(max(id), 0) FROM streams").await?.max(own.streams);
        while from <= highest {
            let to = from + STREAMS - 1;
            let page = self.page(from, to).await?;
            let mut expected = from;
            for id in page.ids() {
                self.removed(expected, id);
                expected = id + 1;
            }
            self.unreadable_in(&page);
            // Of a stream that can not be read, nothing else can be said.
            for stream in page.streams.iter().filter(|stream| !page.unreadable.contains_key(&stream.id)) {
                if let Some(picture) = self.stream(&page, stream) {
                    let sum = sums.entry((picture.day(), picture.component.clone())).or_default();
                    *sum = sum.zip(picture.totals(), |a, b| a + b);
                }
            }
            self.removed(expected, to.min(own.streams) + 1);
            from = to + 1;
        }
        if self.report.faults.is_empty() {
            self.projection(&sums).await?;
        }
        Ok(())
    }

    /// Streams whose numbers are passed over.
    fn removed(&mut self, from: i64, to: i64) {
        for id in from..to {
            let message = format!("stream number {id} was recorded and is gone");
            self.fault("removed_session", None, None, None, message);
        }
    }

    /// Checks one stream. Answers its picture, when it is in the projection.
    pub(super) fn stream(&mut self, page: &StreamPage, stream: &StreamRow) -> Option<Picture> {
        self.report.streams += 1;
        let faults = self.report.faults.len();
        let none = Vec::new();
        let events = page.events.get(&stream.id).unwrap_or(&none);
        self.chain(stream, events);
        self.writer(stream, events);
        let drawn = if stream.is_session() && !stream.pruned {
            let said = self.said.get(&stream.name).map_or(&[][..], Vec::as_slice);
            draw(&stream.component, &page.lines(stream), said)
        } else {
            None
        };
        // An event that is not what was recorded draws something else: one fault is enough.
        if self.report.faults.len() == faults {
            self.differ(differences::of_stream(page, stream, drawn.as_ref()));
        }
        drawn.map(|drawn| drawn.picture)
    }

    /// Checks the mark of whose processes write the stream: its events name the journal that they were sealed for.
    fn writer(&mut self, stream: &StreamRow, events: &[StoredEvent]) {
        let sealed_for = events.iter().find_map(|event| Event::parse(event.text.as_deref()?).ok());
        let Some(event) = sealed_for else { return };
        let is_own = event.journal() == self.journal.id;
        if stream.own != is_own && !self.journal.is_archive {
            let (says, is) =
                if stream.own { ("our own", "another journal's") } else { ("another journal's", "our own") };
            let message = format!("`own` of the table `streams` says that {} is {says}, and it is {is}", stream.name);
            self.fault("own", Some(&stream.name), None, None, message);
        }
    }

    /// Checks that a stream is gapless and bound from its base to its head, and that each event is what it says.
    fn chain(&mut self, stream: &StreamRow, events: &[StoredEvent]) {
        let name = Some(stream.name.as_str());
        if events.is_empty() && stream.next_seq > stream.base {
            let message = format!("all events of {} are gone", stream.name);
            self.fault("removed_session", name, Some(stream.base), Some(stream.head_position), message);
            return;
        }
        let (mut next, mut before) = (stream.base, stream.base_hash);
        // An archive holds single observations of a stream, not the stream.
        let has_holes = self.journal.is_archive && !stream.is_session();
        for event in events {
            self.report.events += 1;
            let at = (Some(event.seq), Some(event.position));
            if event.seq >= stream.next_seq {
                let message = format!("seq {} of {} is beyond the head of its stream", event.seq, stream.name);
                self.fault("inserted", name, at.0, at.1, message);
                continue;
            }
            let is_next = event.seq == next;
            if !is_next && !has_holes {
                let message = match event.seq - next {
                    1 => format!("seq {next} of {} is missing", stream.name),
                    _ => format!("seq {next} to {} of {} are missing", event.seq - 1, stream.name),
                };
                self.fault("missing", name, Some(next), None, message);
            }
            self.event(stream, event, before.filter(|_| is_next));
            (next, before) = (event.seq + 1, Some(event.hash));
        }
        if next < stream.next_seq {
            let message =
                format!("{} was recorded up to seq {}, and ends at {}", stream.name, stream.next_seq - 1, next - 1);
            self.fault("cut_tail", name, Some(next), Some(stream.head_position), message);
        } else if before != stream.head_hash {
            let message = format!("the last event of {} is not the one that its head names", stream.name);
            self.fault("edited", name, Some(next - 1), Some(stream.head_position), message);
        }
    }

    fn event(&mut self, stream: &StreamRow, stored: &StoredEvent, before: Option<Hash>) {
        let at = (Some(stored.seq), Some(stored.position));
        let name = Some(stream.name.as_str());
        let Some(text) = &stored.text else {
            self.report.pruned += 1;
            let is_stub = stored.residue.as_deref().is_some_and(|residue| residue.contains("\"stub\":"));
            let is_lawful =
                !stream.is_session() || stream.pruned || is_stub || self.scrubbed.contains(&stored.event_id);
            if !is_lawful {
                let message = format!(
                    "the body of seq {} of {} is gone, and nobody has pruned or scrubbed it",
                    stored.seq, stream.name
                );
                self.fault("erased", name, at.0, at.1, message);
            } else if stream.pruned && stored.residue.is_some() {
                let message = format!("{} was pruned, and something of seq {} is left", stream.name, stored.seq);
                self.fault("residue", name, at.0, at.1, message);
            }
            return;
        };
        if stored.residue.is_some() {
            let message = format!(
                "beside the whole body of seq {} of {} stands what a scrub would leave of it",
                stored.seq, stream.name
            );
            self.fault("residue", name, at.0, at.1, message);
        }
        let what = |why: &str| format!("seq {} of {} was edited: {why}", stored.seq, stream.name);
        let event = match Event::parse(text) {
            Ok(event) => event,
            Err(error) => return self.fault("edited", name, at.0, at.1, what(&error.to_string())),
        };
        let is_same = event.hash() == stored.hash
            && event.event_id() == stored.event_id
            && i64::try_from(event.seq()) == Ok(stored.seq)
            && event.stream().as_str() == stream.name
            && event.component() == stream.component
            && event.kind().as_str() == stored.kind
            && event.timestamp().as_microsecond() == stored.time_us;
        if !is_same {
            return self.fault("edited", name, at.0, at.1, what("its text and its row differ"));
        }
        if before.is_some() && event.prev() != before {
            self.fault("edited", name, at.0, at.1, what("it is not bound to the event before it"));
        }
        if stored.kind == "observation" && !stream.is_session() && event.decode::<Observation>().is_none() {
            self.fault("edited", name, at.0, at.1, what("it is no observation"));
        }
    }
}
