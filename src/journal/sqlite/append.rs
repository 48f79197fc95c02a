//! Recording drafts and storing what was sealed elsewhere, inside a transaction.

use uuid::Uuid;

use super::{script::Script, transaction::Transaction};
use crate::{
    event::{Draft, Event},
    journal::{
        JournalError, Parcel, Stream, Verdict,
        cells::Cells,
        judge::{Judgement, follows_a_conflict, judge},
        sealing::{Sealed, seal},
    },
};

impl Transaction<'_> {
    /// Seals drafts at the head of their stream. Those that are stored already are answered as they are.
    pub(super) async fn record(&mut self, stream: &Stream, drafts: &[Draft]) -> Result<Vec<Event>, JournalError> {
        let name = stream.id.as_str();
        let ids: Vec<Uuid> = drafts.iter().map(Draft::event_id).collect();
        self.provide(&[name], &ids).await?;
        let Sealed { events, fresh } = seal(stream, drafts, self.journal, self.streams.get(name), &self.known)?;
        if !fresh.is_empty() && !self.streams.contains_key(name) {
            self.open_stream(&stream.id, &stream.component, true);
        }
        for event in &fresh {
            self.push(&event.clone().into()).await?;
        }
        Ok(events)
    }

    /// Judges what was sealed elsewhere, in order, and stores what is accepted.
    pub(super) async fn receive(&mut self, parcels: &[Parcel]) -> Result<Vec<Verdict>, JournalError> {
        let mut names: Vec<&str> = parcels.iter().map(|parcel| parcel.stream().as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let ids: Vec<Uuid> = parcels.iter().map(Parcel::event_id).collect();
        self.provide(&names, &ids).await?;
        let mut verdicts = Vec::with_capacity(parcels.len());
        for parcel in parcels {
            let verdict = self.judge(parcel).await?;
            match &verdict {
                Verdict::Accepted if self.known.contains_key(&parcel.event_id()) => self.fill(parcel).await?,
                Verdict::Accepted => {
                    if !self.streams.contains_key(parcel.stream().as_str()) {
                        self.open_stream(parcel.stream(), parcel.component(), false);
                    }
                    self.push(parcel).await?;
                }
                Verdict::Conflict(reason) => self.keep_aside(parcel, reason).await?,
                Verdict::Duplicate | Verdict::Rejected(_) => {}
            }
            verdicts.push(verdict);
        }
        Ok(verdicts)
    }

    async fn judge(&mut self, event: &Parcel) -> Result<Verdict, JournalError> {
        let known = self.known.get(&event.event_id());
        let stream = self.streams.get(event.stream().as_str());
        match judge(event, self.journal, known, stream) {
            Judgement::Is(verdict) => Ok(verdict),
            Judgement::UnlessItFollowsAConflict(verdict) => {
                Ok(if self.follows_a_conflict(event).await? { follows_a_conflict() } else { verdict })
            }
        }
    }

    /// Puts an event in the place of its stub, and draws its session again.
    async fn fill(&mut self, parcel: &Parcel) -> Result<(), JournalError> {
        let (name, id) = (parcel.stream().as_str(), parcel.event_id());
        self.flush().await?;
        self.write_streams().await?;
        let mut script = Script::default();
        script.add("UPDATE events SET text = ?, residue = NULL WHERE event_id = ?");
        script.bind(parcel.text()).bind(id.as_bytes().as_slice());
        script.add("SELECT id FROM streams WHERE name = ?").bind(name);
        let answers = self.read(script).await?;
        if let Some(row) = answers.iter().flatten().next() {
            self.draw_again(row.cell(0)?).await?;
        }
        let mut script = Script::default();
        script.add(
            "INSERT INTO command_text (rowid, input) SELECT c.position, c.input FROM events e JOIN commands c \
             ON c.position = e.position WHERE e.event_id = ? AND c.input IS NOT NULL \
             AND c.position <= (SELECT text_position FROM journal)",
        );
        script.bind(id.as_bytes().as_slice());
        self.read(script).await?;
        if let Some(known) = self.known.get_mut(&id) {
            known.is_stub = false;
        }
        // What follows in this transaction finds the stream as it is now.
        self.streams.remove(name);
        self.prefetch(&[name], &[]).await
    }

    async fn follows_a_conflict(&mut self, event: &Parcel) -> Result<bool, JournalError> {
        let Some(prev) = event.prev() else { return Ok(false) };
        let mut script = Script::default();
        script.add("SELECT 1 FROM conflicts WHERE hash = ?").bind(prev.as_bytes().as_slice());
        Ok(self.read(script).await?.first().is_some_and(|rows| !rows.is_empty()))
    }

    async fn keep_aside(&mut self, event: &Parcel, reason: &str) -> Result<(), JournalError> {
        let mut script = Script::default();
        script.add(
            "INSERT OR IGNORE INTO conflicts (hash, event_id, stream, seq, recorded_us, reason, text) \
             VALUES (?,?,?,?,?,?,?)",
        );
        let seq = i64::try_from(event.seq()).unwrap_or(i64::MAX);
        script.bind(event.hash().as_bytes().as_slice()).bind(event.event_id().as_bytes().as_slice());
        script.bind(event.stream().as_str()).bind(seq).bind(self.now_us).bind(reason);
        script.bind(event.text().unwrap_or_default());
        self.read(script).await.map(drop)
    }
}
