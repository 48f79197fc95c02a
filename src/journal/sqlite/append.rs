//! Recording drafts and judging sealed events, inside a transaction.
//!
//! What an event that was sealed elsewhere becomes, in this order:
//!
//! | it is | verdict |
//! |---|---|
//! | stored as a stub, with the same hash, and whole now | accepted: it takes the stub's place |
//! | stored, with the same hash | duplicate |
//! | stored under its id with other content | conflict |
//! | of a stream that our own processes write, or of our own stream | rejected |
//! | of a pruned session, and older than its end | duplicate; newer: rejected |
//! | at a place that holds another event | conflict |
//! | the successor of an event that was kept aside as a conflict | conflict |
//! | ahead of the next place: a hole | rejected: sinks deliver in order, so what lies between was lost or buried |
//! | at the next place, not bound to the event before | rejected |
//! | of another component than its stream | rejected |
//! | at the next place and bound to the event before | accepted |
//!
//! A session begins at seq 0. Another journal's own stream may begin later, because pruning folds its beginning away.

use uuid::Uuid;

use super::transaction::Transaction;
use crate::{
    event::{Draft, Event, Invalid, Place, StreamId},
    journal::{JournalError, Parcel, Stream, Verdict},
};

impl Transaction<'_> {
    /// Seals drafts at the head of their stream. Those that are stored already are answered as they are.
    pub(super) async fn record(&mut self, stream: &Stream, drafts: &[Draft]) -> Result<Vec<Event>, JournalError> {
        let name = stream.id.as_str();
        let ids: Vec<Uuid> = drafts.iter().map(Draft::event_id).collect();
        self.prefetch(&[name], &ids).await?;
        let (mut seq, mut prev) = match self.streams.get(name) {
            Some(loaded) if loaded.pruned => {
                return Err(Invalid::new("session_id", "belongs to a session that was pruned").into());
            }
            Some(loaded) => (u64::try_from(loaded.next_seq).unwrap_or(0), loaded.head_hash),
            None => (0, None),
        };
        // Everything is sealed before anything is written, so that a draft that can not be sealed leaves no trace.
        let mut events = Vec::with_capacity(drafts.len());
        let mut fresh = Vec::with_capacity(drafts.len());
        for draft in drafts {
            if let Some(known) = self.known.get(&draft.event_id()) {
                let read = || Event::parse(known.text.as_deref()?).ok();
                let stored = known.event.clone().or_else(read).ok_or_else(|| {
                    JournalError::Damaged(format!("event {} is stored and can not be read", draft.event_id()))
                })?;
                events.push(stored);
                continue;
            }
            let place = Place { stream: &stream.id, journal: self.journal, component: &stream.component, seq, prev };
            let event = Event::seal(draft, &place)?;
            seq += 1;
            prev = Some(event.hash());
            events.push(event.clone());
            fresh.push(event);
        }
        if !fresh.is_empty() && !self.streams.contains_key(name) {
            self.open_stream(&stream.id, &stream.component, true).await?;
        }
        for event in &fresh {
            self.push(&Parcel::Whole(event.clone())).await?;
        }
        Ok(events)
    }

    /// Judges what was sealed elsewhere, in order, and stores what is accepted.
    pub(super) async fn receive(&mut self, parcels: &[Parcel]) -> Result<Vec<Verdict>, JournalError> {
        let mut names: Vec<&str> = parcels.iter().map(|parcel| parcel.stream().as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let ids: Vec<Uuid> = parcels.iter().map(Parcel::event_id).collect();
        self.prefetch(&names, &ids).await?;
        let mut verdicts = Vec::with_capacity(parcels.len());
        for parcel in parcels {
            let verdict = self.judge(parcel).await?;
            match &verdict {
                Verdict::Accepted if self.known.contains_key(&parcel.event_id()) => self.fill(parcel).await?,
                Verdict::Accepted => {
                    if !self.streams.contains_key(parcel.stream().as_str()) {
                        self.open_stream(parcel.stream(), parcel.component(), false).await?;
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
        if let Some(known) = self.known.get(&event.event_id()) {
            return Ok(if known.hash == event.hash() {
                let fills = known.is_stub && matches!(event, Parcel::Whole(_));
                if fills { Verdict::Accepted } else { Verdict::Duplicate }
            } else {
                Verdict::Conflict("another event is stored under this id".to_owned())
            });
        }
        if matches!(event.stream(), StreamId::Journal(id) if id == self.journal) {
            return Ok(Verdict::Rejected("this stream is this journal's own".to_owned()));
        }
        let seq = i64::try_from(event.seq()).unwrap_or(i64::MAX);
        let Some(stream) = self.streams.get(event.stream().as_str()) else {
            let may_begin = seq == 0 || matches!(event.stream(), StreamId::Journal(_));
            return Ok(if may_begin {
                Verdict::Accepted
            } else {
                Verdict::Rejected(format!("seq {seq} arrived before seq 0"))
            });
        };
        if stream.own {
            return Ok(Verdict::Rejected("this session is recorded by this journal's own processes".to_owned()));
        }
        if seq < stream.base || (stream.pruned && seq < stream.next_seq) {
            return Ok(Verdict::Duplicate);
        }
        if stream.pruned {
            return Ok(Verdict::Rejected("its session was pruned".to_owned()));
        }
        if stream.component != event.component() {
            return Ok(Verdict::Rejected(format!("its session belongs to component {}", stream.component)));
        }
        if seq < stream.next_seq {
            return Ok(Verdict::Conflict(format!("another event is stored at seq {seq}")));
        }
        let (next, is_bound) = (stream.next_seq, event.prev() == stream.head_hash);
        if seq == next && is_bound {
            return Ok(Verdict::Accepted);
        }
        if self.follows_a_conflict(event).await? {
            return Ok(Verdict::Conflict("it follows an event that contradicts what is stored".to_owned()));
        }
        Ok(Verdict::Rejected(if seq == next {
            format!("`prev` is not the hash of seq {}", next - 1)
        } else {
            format!("seq {seq} arrived before seq {next}")
        }))
    }

    /// Puts an event in the place of its stub, and draws its session again.
    async fn fill(&mut self, parcel: &Parcel) -> Result<(), JournalError> {
        let (name, id) = (parcel.stream().as_str(), parcel.event_id());
        self.flush().await?;
        self.write_streams().await?;
        let mut script = super::script::Script::default();
        script.add("UPDATE events SET text = ?, residue = NULL WHERE event_id = ?");
        script.bind(parcel.text()).bind(id.as_bytes().as_slice());
        script.add("SELECT id FROM streams WHERE name = ?").bind(name);
        let answers = self.read(script).await?;
        if let Some(row) = answers.iter().flatten().next() {
            self.draw_again(sqlx::Row::get(row, 0)).await?;
        }
        let mut script = super::script::Script::default();
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
        let mut script = super::script::Script::default();
        script.add("SELECT 1 FROM conflicts WHERE hash = ?").bind(prev.as_bytes().as_slice());
        Ok(self.read(script).await?.first().is_some_and(|rows| !rows.is_empty()))
    }

    async fn keep_aside(&mut self, event: &Parcel, reason: &str) -> Result<(), JournalError> {
        let mut script = super::script::Script::default();
        script.add(
            "INSERT OR IGNORE INTO conflicts (hash, event_id, stream, seq, recorded_us, reason, text) \
             VALUES (?,?,?,?,?,?,?)",
        );
        let seq = i64::try_from(event.seq()).unwrap_or(i64::MAX);
        script.bind(event.hash().as_bytes().as_slice()).bind(event.event_id().as_bytes().as_slice());
        let text = event.text().map_or_else(String::new, str::to_owned);
        script.bind(event.stream().as_str()).bind(seq).bind(self.now_us).bind(reason).bind(text);
        self.read(script).await.map(drop)
    }
}
