//! Pruning and scrubbing. What may go is said in `retention`.
//!
//! Invariants:
//! - What is removed was archived and synced before, when an archive is asked for.
//! - A session goes whole and in one transaction: its bodies and its rows in the projection; what it adds to the sums moves
//!   to their base, so the sums themselves do not change and a rebuild gives them again.
//! - An observation in the journal's own stream is committed with the first session that goes.
//!
//! Postgres keeps what was removed in its files until a vacuum has been there: both end with one. It may still be in the
//! server's write-ahead log, in its archive, in replicas and in backups.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{PostgresJournal, apart::Apart, transaction::Transaction};
use crate::{
    event::{Draft, EventKind, Invalid},
    journal::{
        Journal, JournalError, Prune, Pruned, archive,
        cells::Cells,
        pace::Turn,
        pages::StreamPage,
        projection::residue,
        prunings,
        retention::{self, Candidate, FOLD, Fold},
        shown::count,
        source::Statement,
    },
};

pub(super) async fn prune(mut journal: &PostgresJournal, plan: &Prune) -> Result<Pruned, JournalError> {
    let mut apart = Apart::open(journal).await?;
    let before_us = plan.before.as_microsecond();
    let candidates = retention::candidates(&mut journal, before_us).await?;
    let mut pruned = Pruned { sessions: 0, events: 0, bytes: 0, folded: 0 };
    if let Some(path) = plan.archive.as_deref().filter(|_| !candidates.is_empty()) {
        archive::write(&mut journal, path, &candidates).await?;
    }
    let at = Timestamp::now();
    let mut rest = candidates.iter().peekable();
    while rest.peek().is_some() {
        let is_first = pruned.sessions == 0;
        let turn = Turn::begin();
        let mut done = Pruned { sessions: 0, events: 0, bytes: 0, folded: 0 };
        let mut transaction = apart.begin(journal).await?;
        while let Some(candidate) = rest.next_if(|_| !turn.is_over()) {
            transaction.prune_session(candidate, at, &mut done).await?;
        }
        if is_first && done.sessions > 0 {
            let before = prunings::of(&mut transaction.on(), journal.id()).await?;
            let draft = retention::observation(plan, at, candidates.len(), &before);
            transaction.record_own(journal, &draft).await?;
        }
        transaction.commit().await?;
        turn.rest().await;
        pruned.sessions += done.sessions;
        pruned.events += done.events;
        pruned.bytes += done.bytes;
    }
    let mut more = true;
    while more {
        let turn = Turn::begin();
        let mut transaction = apart.begin(journal).await?;
        let last = prunings::last(&mut transaction.on(), journal.id()).await?;
        while more && !turn.is_over() {
            let folded = transaction.fold(before_us, last).await?;
            pruned.folded += count(folded);
            more = folded == FOLD;
        }
        transaction.commit().await?;
        turn.rest().await;
    }
    if pruned.sessions > 0 {
        vacuum(&mut apart).await;
    }
    apart.close().await;
    Ok(pruned)
}

pub(super) async fn scrub(journal: &PostgresJournal, event_id: Uuid, observation: &Draft) -> Result<(), JournalError> {
    let mut apart = Apart::open(journal).await?;
    let mut transaction = apart.begin(journal).await?;
    let event = Statement::new("SELECT position, stream, type, text FROM events WHERE event_id = ?");
    let rows = transaction.rows(event.bind(event_id.as_bytes().as_slice())).await?;
    let Some(row) = rows.first() else {
        return Err(Invalid::new("event_id", "names no event of this journal").into());
    };
    let (position, stream): (i64, i64) = (row.cell(0)?, row.cell(1)?);
    let Some(text) = row.cell::<Option<&str>>(3)? else {
        return Err(Invalid::new("event_id", "names an event whose body was removed before").into());
    };
    let whole: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let body = whole.get("body").cloned().unwrap_or_default();
    let residue = residue(&EventKind::from(row.cell::<String>(2)?), &body).to_string();
    let removed = Statement::new("UPDATE events SET text = NULL, residue = ? WHERE position = ?");
    transaction.rows(removed.bind(residue).bind(position)).await?;
    let conflicts = Statement::new("DELETE FROM conflicts WHERE event_id = ?");
    transaction.rows(conflicts.bind(event_id.as_bytes().as_slice())).await?;
    transaction.draw_again(stream).await?;
    transaction.record_own(journal, observation).await?;
    transaction.commit().await?;
    vacuum(&mut apart).await;
    apart.close().await;
    Ok(())
}

/// Gives the room of what was removed free, so that it is written over. Who does not own the tables may not do that, and
/// the server's own vacuum comes later.
async fn vacuum(apart: &mut Apart) {
    for table in ["events", "commands", "sessions", "conflicts"] {
        if let Err(error) = sqlx::query(AssertSqlSafe(format!("VACUUM {table}"))).execute(apart.connection()).await {
            tracing::warn!(%error, "what was removed stays in the server's files until its own vacuum comes");
            return;
        }
    }
}

impl Transaction<'_> {
    /// Records in the journal's own stream, and writes it.
    async fn record_own(&mut self, journal: &PostgresJournal, draft: &Draft) -> Result<(), JournalError> {
        let own = journal.own_stream();
        self.prefetch(&[own.id.as_str()], &[draft.event_id()]).await?;
        self.record(&own, std::slice::from_ref(draft)).await?;
        self.flush().await
    }

    async fn prune_session(
        &mut self,
        candidate: &Candidate,
        at: Timestamp,
        done: &mut Pruned,
    ) -> Result<(), JournalError> {
        let page = StreamPage::read(&mut self.on(), candidate.stream, candidate.stream).await?;
        let Some(stream) = page.streams.first().filter(|s| s.head_position == candidate.head_position && !s.pruned)
        else {
            return Ok(());
        };
        let Some(drawn) = page.projected(stream) else { return Ok(()) };
        for sql in [
            "DELETE FROM commands WHERE position IN (SELECT position FROM events WHERE stream = ?)",
            "DELETE FROM sessions WHERE stream = ?",
            "UPDATE events SET text = NULL, residue = NULL WHERE stream = ?",
        ] {
            self.rows(Statement::new(sql).bind(stream.id)).await?;
        }
        let marked = Statement::new(
            "UPDATE streams SET pruned = ?, commands = 0, outcomes = 0, failed = 0, writes = 0, destroys = 0, \
             running = NULL, running_position = NULL WHERE id = ?",
        );
        self.rows(marked.bind(at.as_microsecond()).bind(stream.id)).await?;
        let conflicts = Statement::new("DELETE FROM conflicts WHERE stream = ?");
        self.rows(conflicts.bind(stream.name.as_str())).await?;
        let picture = &drawn.picture;
        let sums = BTreeMap::from([((picture.day(), picture.component.clone()), picture.totals())]);
        self.add_sums("rollups_base", &sums).await?;
        done.sessions += 1;
        for text in page.events.get(&stream.id).into_iter().flatten().filter_map(|event| event.text.as_ref()) {
            done.events += 1;
            done.bytes += text.len() as u64;
        }
        Ok(())
    }

    /// Folds the beginning of what is left into the checkpoint. Answers how many headers went.
    async fn fold(&mut self, before_us: i64, last_pruning: i64) -> Result<i64, JournalError> {
        let Some(fold) = retention::foldable(&mut self.on(), before_us, last_pruning).await? else { return Ok(0) };
        let Fold { position, link, bases, folded } = fold;
        self.rows(Statement::new("DELETE FROM events WHERE position <= ?").bind(position)).await?;
        self.rows(Statement::new("DELETE FROM observations WHERE position <= ?").bind(position)).await?;
        let checkpoint = Statement::new("UPDATE journal SET checkpoint = ?, checkpoint_link = ?");
        self.rows(checkpoint.bind(position).bind(link.as_bytes().as_slice())).await?;
        for (stream, (base, hash)) in bases {
            let moved = Statement::new("UPDATE streams SET base = ?, base_hash = ? WHERE id = ?");
            self.rows(moved.bind(base).bind(hash.as_bytes().as_slice()).bind(stream)).await?;
        }
        Ok(folded)
    }
}
