//! What is done behind the commits: filling the text index, and moving the WAL into the database.
//!
//! Neither is on the way of a command. Both are asked for once enough was written, and done by one task at a time. The
//! text index wants the write lock, so it waits until nobody writes; only when a great deal has piled up it takes turns
//! with those who do. Moving the WAL wants no lock.
//!
//! A WAL that was moved whole is written anew from its beginning; one that was not grows, and to grow costs a commit more
//! than all its pages do, because the file's size must be synced too. So it is moved before it is large, and when
//! writers leave it no rest, the last of it is moved while they wait.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use sqlx::SqliteConnection;

use super::{pace::Turn, script::Script, writer::Writer};
use crate::journal::{
    JournalError,
    cells::{Cells, number},
};

/// After about so many pages it is worth the trouble: some megabytes of WAL.
const WORTH: u64 = 1_000;
/// After about so many more the WAL is moved, idle or not.
const WAL_PAGES: u64 = 1_000;
/// A commit writes about so many pages beside one for each event.
const PAGES_OF_A_COMMIT: u64 = 4;
/// After so many events the text index is filled, idle or not.
const MANY: u64 = 20_000;
/// Nobody writes: no event came for so long.
const IDLE: Duration = Duration::from_millis(20);
/// Commands that are put into the text index in one turn.
const COMMANDS: i64 = 32;
/// A WAL that has grown this large is emptied, even if writers have to wait for it.
const LARGE_PAGES: i64 = 16_000;

/// What is left to do.
#[derive(Default)]
pub(super) struct Upkeep {
    events: AtomicU64,
    /// A guess at what was written to the WAL.
    pages: AtomicU64,
    is_running: AtomicBool,
}

impl Upkeep {
    /// Counts what one commit has written. True when it is this caller's turn to look after it.
    pub(super) fn is_due(&self, events: usize) -> bool {
        let events = events as u64;
        self.events.fetch_add(events, Ordering::Relaxed);
        let pages = events + PAGES_OF_A_COMMIT;
        let before = self.pages.fetch_add(pages, Ordering::Relaxed);
        before + pages >= WORTH && !self.is_running.swap(true, Ordering::AcqRel)
    }

    fn done(&self) {
        self.events.store(0, Ordering::Relaxed);
        self.pages.store(0, Ordering::Relaxed);
        self.is_running.store(false, Ordering::Release);
    }
}

impl Writer {
    /// Looks after the file until nothing is left to do.
    pub(super) async fn look_after(&self) {
        self.until_idle().await;
        if let Err(error) = self.fill_text(None).await {
            tracing::debug!(%error, "the text index is filled later");
        }
        if let Err(error) = self.checkpoint().await {
            tracing::debug!(%error, "the write-ahead log is checkpointed later");
        }
        self.upkeep.done();
    }

    async fn until_idle(&self) {
        let pages = || self.upkeep.pages.load(Ordering::Relaxed);
        let (mut last, mut moved) = (pages(), 0);
        loop {
            tokio::time::sleep(IDLE).await;
            let now = pages();
            if now == last || self.upkeep.events.load(Ordering::Relaxed) >= MANY {
                return;
            }
            last = now;
            if now - moved >= WAL_PAGES {
                moved = now;
                if let Err(error) = self.checkpoint().await {
                    tracing::debug!(%error, "the write-ahead log is checkpointed later");
                }
            }
        }
    }

    /// Puts commands into the text index, all of them or for a number of turns.
    pub(super) async fn fill_text(&self, turns: Option<usize>) -> Result<(), JournalError> {
        let mut turns = turns;
        loop {
            let mut held = self.hold().await?;
            let turn = Turn::begin();
            let outcome = async {
                let mut transaction = held.begin().await?;
                let mut more = true;
                while more && !turn.is_over() {
                    let mut script = Script::default();
                    script.add(
                        "SELECT max(position), count(*) FROM (SELECT position FROM commands WHERE position > \
                         (SELECT text_position FROM journal) ORDER BY position LIMIT ?)",
                    );
                    script.bind(COMMANDS);
                    let answers = transaction.read(script).await?;
                    let Some(row) = answers.first().and_then(|rows| rows.first()) else { break };
                    let Some(upto) = row.cell::<Option<i64>>(0)? else {
                        more = false;
                        break;
                    };
                    more = row.cell::<i64>(1)? == COMMANDS;
                    let mut script = Script::default();
                    script.add(
                        "INSERT INTO command_text (rowid, input) SELECT position, input FROM commands \
                         WHERE position > (SELECT text_position FROM journal) AND position <= ?",
                    );
                    script.bind(upto).add("UPDATE journal SET text_position = ?").bind(upto);
                    transaction.read(script).await?;
                }
                transaction.commit().await?;
                Ok(more)
            };
            let outcome = outcome.await;
            let more = held.settle(outcome).await?;
            turn.rest().await;
            turns = turns.map(|turns| turns.saturating_sub(1));
            if !more || turns == Some(0) {
                return Ok(());
            }
        }
    }

    /// Moves the WAL into the database, on a connection of its own so that nobody waits for the disk; for the last of
    /// it they do wait, when it has grown meanwhile.
    async fn checkpoint(&self) -> Result<(), JournalError> {
        let Some(mut connection) = self.another().await? else { return Ok(()) };
        let before = self.upkeep.pages.load(Ordering::Relaxed);
        let mut pages = self.move_wal(&mut connection, "PRAGMA wal_checkpoint(PASSIVE)").await?;
        if self.upkeep.pages.load(Ordering::Relaxed) > before {
            let writing = self.rest().await;
            pages = self.move_wal(&mut connection, "PRAGMA wal_checkpoint(PASSIVE)").await?;
            drop(writing);
        }
        if pages > LARGE_PAGES {
            self.move_wal(&mut connection, "PRAGMA wal_checkpoint(TRUNCATE)").await?;
        }
        sqlx::Connection::close(connection).await.map_err(|error| self.translate(&error))
    }

    /// How many pages the WAL has.
    async fn move_wal(&self, connection: &mut SqliteConnection, pragma: &str) -> Result<i64, JournalError> {
        let mut script = Script::default();
        script.add(pragma);
        let answers = script.run(connection).await.map_err(|stopped| self.translate(&stopped.error))?;
        let row = answers.first().and_then(|rows| rows.first());
        number(row, 1)
    }
}
