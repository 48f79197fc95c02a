//! A run: adapters side by side within the machine's cores, those of one chain one after the other.
//!
//! Invariants:
//! - What was found stays found: each adapter's findings are in the store when it ends, however the run ends.
//! - When a run returns, no process of it is left.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use admin_shell::{Progress, Result};
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::sync::Semaphore;

use crate::{
    adapter::Adapter,
    check::{self, Room},
    report::{Checked, Verdict},
};

/// Says what happens while it happens.
pub struct Live {
    /// The line that is drawn again and again.
    pub progress: Progress,
    /// Called with each adapter that has ended.
    pub ended: Box<dyn Fn(&Checked) + Send + Sync>,
}

/// What runs at this moment, since when.
#[derive(Default)]
struct Board {
    running: BTreeMap<String, Instant>,
    done: usize,
    total: usize,
}

impl Board {
    fn line(&self) -> String {
        let running = self.running.iter().map(|(name, since)| format!("{name} {}s", since.elapsed().as_secs()));
        format!("{}/{} done; {}", self.done, self.total, running.collect::<Vec<_>>().join(", "))
    }
}

/// Runs adapters to their ends, and the run with them.
///
/// # Errors
/// When the store can not be written.
pub async fn run(room: &Room, adapters: Vec<Adapter>, live: &Live) -> Result<Verdict> {
    let begun = Instant::now();
    let board = Arc::new(Mutex::new(Board { total: adapters.len(), ..Board::default() }));
    let cores = std::thread::available_parallelism().map_or(2, usize::from).max(2);
    let free = Semaphore::new(cores);
    let mut chains: BTreeMap<String, Vec<Adapter>> = BTreeMap::new();
    for (number, adapter) in adapters.into_iter().enumerate() {
        let key = adapter.chain.clone().unwrap_or_else(|| format!("\u{ff} {number:06}"));
        chains.entry(key).or_default().push(adapter);
    }
    let mut chains: Vec<Vec<Adapter>> = chains.into_values().collect();
    // The longest first: it decides how long all of it takes.
    chains.sort_by_key(|chain| std::cmp::Reverse(chain.len()));
    let mut working: FuturesUnordered<_> = chains.iter().map(|chain| work(room, chain, &free, &board, live)).collect();
    let ticking = async {
        loop {
            tokio::time::sleep(Duration::from_millis(250)).await;
            let line = locked(&board).line();
            live.progress.relabel(line);
        }
    };
    let all = async {
        let mut worst = Verdict::Pass;
        while let Some(verdict) = working.next().await {
            worst = worst.max(verdict?);
        }
        Ok::<_, anyhow::Error>(worst)
    };
    let verdict = tokio::select! {
        verdict = all => verdict?,
        () = ticking => unreachable!("it ticks for ever"),
    };
    room.store.finish(room.run, verdict, begun.elapsed()).await?;
    Ok(verdict)
}

async fn work(room: &Room, chain: &[Adapter], free: &Semaphore, board: &Mutex<Board>, live: &Live) -> Result<Verdict> {
    let _turn = free.acquire().await?;
    let (mut worst, mut broken) = (Verdict::Pass, None::<String>);
    for adapter in chain {
        let checked = if room.stop.is_cancelled() {
            check::skip(room, adapter, Verdict::Cancelled, "stopped before it began").await?
        } else if let Some(before) = &broken {
            let why = format!("it does not compile, {before} says why");
            check::skip(room, adapter, Verdict::Skipped, &why).await?
        } else {
            locked(board).running.insert(adapter.label(), Instant::now());
            let outcome = check::check(room, adapter).await?;
            if outcome.is_broken {
                broken = Some(adapter.name.clone());
            }
            outcome.checked
        };
        let mut shown = locked(board);
        shown.running.remove(&adapter.label());
        shown.done += 1;
        let line = shown.line();
        drop(shown);
        (live.ended)(&checked);
        live.progress.relabel(line);
        live.progress.advance(1);
        // What is not there, or was left out for a reason that another adapter tells, is not what the run is judged by.
        if !matches!(checked.verdict, Verdict::Missing | Verdict::Skipped) {
            worst = worst.max(checked.verdict);
        }
    }
    Ok(worst)
}

fn locked(board: &Mutex<Board>) -> MutexGuard<'_, Board> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}
