//! Recording drafts and storing what was sealed elsewhere, inside a transaction.

use uuid::Uuid;

use super::{script::Script, transaction::Transaction};
use crate::{
    event::{Draft, Event},
    journal::{
        JournalError, Stream, Verdict,
        judge::{Judgement, follows_a_conflict, judge},
        sealing::{Sealed, seal},
    },
};

impl Transaction<'_> {
    /// Seals drafts at the head of their stream. Those that are stored already are answered as they are.
    pub(super) async fn record(&mut self, stream: &Stream, drafts: &[Draft]) -> Result<Vec<Event>, JournalError> {
        let name = stream.id.as_str();
        let ids: Vec<Uuid> = drafts.iter().map(Draft::event_id).collect();
        self.prefetch(&[name], &ids).await?;
        let Sealed { events, fresh } = seal(stream, drafts, self.journal, self.streams.get(name), &self.known)?;
        if !fresh.is_empty() && !self.streams.contains_key(name) {
            self.open_stream(&stream.id, &stream.component, true).await?;
        }
        for event in &fresh {
            self.push(event).await?;
        }
        Ok(events)
    }

    /// Judges sealed events in order and stores those that are accepted.
    pub(super) async fn append(&mut self, events: &[Event]) -> Result<Vec<Verdict>, JournalError> {
        let mut names: Vec<&str> = events.iter().map(|event| event.stream().as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let ids: Vec<Uuid> = events.iter().map(Event::event_id).collect();
        self.prefetch(&names, &ids).await?;
        let mut verdicts = Vec::with_capacity(events.len());
        for event in events {
            let verdict = self.judge(event).await?;
            match &verdict {
                Verdict::Accepted => {
                    if !self.streams.contains_key(event.stream().as_str()) {
                        self.open_stream(event.stream(), event.component(), false).await?;
                    }
                    self.push(event).await?;
                }
                Verdict::Conflict(reason) => self.keep_aside(event, reason).await?,
                Verdict::Duplicate | Verdict::Rejected(_) => {}
            }
            verdicts.push(verdict);
        }
        Ok(verdicts)
    }

    async fn judge(&mut self, event: &Event) -> Result<Verdict, JournalError> {
        let known = self.known.get(&event.event_id());
        let stream = self.streams.get(event.stream().as_str());
        match judge(event, self.journal, known, stream) {
            Judgement::Is(verdict) => Ok(verdict),
            Judgement::UnlessItFollowsAConflict(verdict) => {
                Ok(if self.follows_a_conflict(event).await? { follows_a_conflict() } else { verdict })
            }
        }
    }

    async fn follows_a_conflict(&mut self, event: &Event) -> Result<bool, JournalError> {
        let Some(prev) = event.prev() else { return Ok(false) };
        let mut script = Script::default();
        script.add("SELECT 1 FROM conflicts WHERE hash = ?").bind(prev.as_bytes().as_slice());
        Ok(self.read(script).await?.first().is_some_and(|rows| !rows.is_empty()))
    }

    async fn keep_aside(&mut self, event: &Event, reason: &str) -> Result<(), JournalError> {
        let mut script = Script::default();
        script.add(
            "INSERT OR IGNORE INTO conflicts (hash, event_id, stream, seq, recorded_us, reason, text) \
             VALUES (?,?,?,?,?,?,?)",
        );
        let seq = i64::try_from(event.seq()).unwrap_or(i64::MAX);
        script.bind(event.hash().as_bytes().as_slice()).bind(event.event_id().as_bytes().as_slice());
        script.bind(event.stream().as_str()).bind(seq).bind(self.now_us).bind(reason).bind(event.text());
        self.read(script).await.map(drop)
    }
}
