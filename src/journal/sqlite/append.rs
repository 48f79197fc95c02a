//! Recording drafts and judging sealed events, inside a transaction.
//!
//! What an event that was sealed elsewhere becomes, in this order:
//!
//! | it is | verdict |
//! |---|---|
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
    journal::{JournalError, Stream, Verdict},
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
        if let Some(known) = self.known.get(&event.event_id()) {
            return Ok(if known.hash == event.hash() {
                Verdict::Duplicate
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

    async fn follows_a_conflict(&mut self, event: &Event) -> Result<bool, JournalError> {
        let Some(prev) = event.prev() else { return Ok(false) };
        let mut script = super::script::Script::default();
        script.add("SELECT 1 FROM conflicts WHERE hash = ?").bind(prev.as_bytes().as_slice());
        Ok(self.read(script).await?.first().is_some_and(|rows| !rows.is_empty()))
    }

    async fn keep_aside(&mut self, event: &Event, reason: &str) -> Result<(), JournalError> {
        let mut script = super::script::Script::default();
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
