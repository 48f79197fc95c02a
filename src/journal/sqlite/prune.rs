//! Pruning, in turns beside whoever records meanwhile. What may go is said in `retention`.
//!
//! Invariants:
//! - What is removed was archived and synced before, when an archive is asked for.
//! - A session goes whole and in one transaction: its bodies, its rows in the projection and in the text index; what it
//!   adds to the sums moves to their base, so the sums themselves do not change and a rebuild gives them again.
//! - An observation in the journal's own stream is committed with the first session that goes. It carries on what the
//!   ones before it said: that sessions were pruned is known for ever.

use super::{SqliteJournal, pace::Turn, record::count, rows, script::Script, transaction::Transaction};
use crate::journal::{
    Journal, JournalError, Prune, Pruned, archive, prunings,
    retention::{self, Candidate, FOLD, Fold},
};

pub(super) async fn prune(journal: &SqliteJournal, plan: &Prune) -> Result<Pruned, JournalError> {
    let writer = journal.writer()?;
    let before_us = plan.before.as_microsecond();
    let candidates = retention::candidates(&mut &*journal, before_us).await?;
    let mut pruned = Pruned { sessions: 0, events: 0, bytes: 0, folded: 0 };
    if let Some(path) = plan.archive.as_deref().filter(|_| !candidates.is_empty()) {
        archive::write(&mut &*journal, path, &candidates).await?;
    }
    let mut rest = candidates.iter().peekable();
    let at = jiff::Timestamp::now();
    while rest.peek().is_some() {
        let is_first = pruned.sessions == 0;
        let mut held = writer.hold().await?;
        let turn = Turn::begin();
        let outcome = async {
            let mut transaction = held.begin().await?;
            let mut done = Pruned { sessions: 0, events: 0, bytes: 0, folded: 0 };
            while let Some(candidate) = rest.next_if(|_| !turn.is_over()) {
                transaction.prune_session(candidate, at, &mut done).await?;
            }
            if is_first && done.sessions > 0 {
                let before = prunings::of(&mut transaction.on(), journal.id()).await?;
                let draft = retention::observation(plan, at, candidates.len(), &before);
                transaction.record(&journal.own_stream(), std::slice::from_ref(&draft)).await?;
            }
            transaction.commit().await?;
            Ok(done)
        };
        let outcome = outcome.await;
        let done = held.settle(outcome).await?;
        turn.rest().await;
        pruned.sessions += done.sessions;
        pruned.events += done.events;
        pruned.bytes += done.bytes;
    }
    loop {
        let mut held = writer.hold().await?;
        let turn = Turn::begin();
        let outcome = async {
            let mut transaction = held.begin().await?;
            let last = prunings::last(&mut transaction.on(), journal.id()).await?;
            let mut folded = 0;
            let mut more = true;
            while more && !turn.is_over() {
                let now = transaction.fold(before_us, last).await?;
                folded += now;
                more = now == FOLD;
            }
            transaction.commit().await?;
            Ok((folded, more))
        };
        let outcome = outcome.await;
        let (folded, more) = held.settle(outcome).await?;
        turn.rest().await;
        pruned.folded += count(folded);
        if !more {
            return Ok(pruned);
        }
    }
}

impl Transaction<'_> {
    async fn prune_session(
        &mut self,
        candidate: &Candidate,
        at: jiff::Timestamp,
        done: &mut Pruned,
    ) -> Result<(), JournalError> {
        let page = self.page(candidate.stream, candidate.stream).await?;
        let Some(stream) = page.streams.first().filter(|s| s.head_position == candidate.head_position && !s.pruned)
        else {
            return Ok(());
        };
        let Some(drawn) = page.projected(stream) else { return Ok(()) };
        let id = stream.id;
        let mut script = Script::default();
        forget_text(&mut script, "e.stream = ?", id);
        script.add("DELETE FROM commands WHERE position IN (SELECT position FROM events WHERE stream = ?)").bind(id);
        script.add("DELETE FROM sessions WHERE stream = ?").bind(id);
        script.add("UPDATE events SET text = NULL, residue = NULL WHERE stream = ?").bind(id);
        script
            .add(
                "UPDATE streams SET pruned = ?, commands = 0, outcomes = 0, failed = 0, writes = 0, destroys = 0, \
                 running = NULL, running_position = NULL WHERE id = ?",
            )
            .bind(at.as_microsecond())
            .bind(id);
        script.add("DELETE FROM conflicts WHERE stream = ?").bind(stream.name.as_str());
        let picture = &drawn.picture;
        rows::add_totals(&mut script, "rollups_base", picture.day(), &picture.component, &picture.totals());
        self.read(script).await?;
        done.sessions += 1;
        for event in page.events.get(&id).into_iter().flatten() {
            if let Some(text) = &event.text {
                done.events += 1;
                done.bytes += text.len() as u64;
            }
        }
        Ok(())
    }

    /// Folds the beginning of what is left into the checkpoint. Answers how many headers went.
    async fn fold(&mut self, before_us: i64, last_pruning: i64) -> Result<i64, JournalError> {
        let Some(fold) = retention::foldable(&mut self.on(), before_us, last_pruning).await? else { return Ok(0) };
        let Fold { position, link, bases, folded } = fold;
        let mut script = Script::default();
        script.add("DELETE FROM events WHERE position <= ?").bind(position);
        script.add("DELETE FROM observations WHERE position <= ?").bind(position);
        script.add("UPDATE journal SET checkpoint = ?, checkpoint_link = ?").bind(position);
        script.bind(link.as_bytes().as_slice());
        for (stream, (base, hash)) in bases {
            script.add("UPDATE streams SET base = ?, base_hash = ? WHERE id = ?").bind(base);
            script.bind(hash.as_bytes().as_slice()).bind(stream);
        }
        self.read(script).await?;
        Ok(folded)
    }
}

/// Takes commands out of the text index, by a condition on their events `e`.
pub(super) fn forget_text(script: &mut Script, condition: &str, value: i64) {
    script
        .add(&format!(
            "INSERT INTO command_text (command_text, rowid, input) SELECT 'delete', c.position, c.input \
             FROM events e CROSS JOIN commands c ON c.position = e.position WHERE {condition} \
             AND c.position <= (SELECT text_position FROM journal)"
        ))
        .bind(value);
}
