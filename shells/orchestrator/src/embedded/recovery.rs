//! Clearing up after workers that died: their processes are stopped, their runs put back, their tickets freed.
//!
//! Whoever clears up holds the dead worker's lease meanwhile, and reads what the worker owned only then. So a run is put
//! back once, however many shells notice, and never while one of its processes lives.

use std::{collections::BTreeSet, path::Path, time::Duration};

use futures_util::future::join_all;
use supervisor::{Family, Reach, Stopped};

use crate::{
    engine::{EngineError, error::Doing},
    process::mark,
};

use super::{
    lease::Lease,
    queue,
    store::{Held, Store},
    verdict::End,
};

/// Clears up after every worker that is dead, and renews lost tickets.
pub(crate) async fn sweep(store: &Store, leases: &Path, grace: Duration) -> Result<(), EngineError> {
    let mut owners: BTreeSet<String> = Lease::owners(leases).doing("looking for workers")?.into_iter().collect();
    owners.extend(store.owners().await?);
    for owner in owners {
        bury(store, leases, &owner, grace).await?;
    }
    store.mend_tickets().await
}

/// Clears up after one worker, if it is dead.
pub(crate) async fn bury(store: &Store, leases: &Path, owner: &str, grace: Duration) -> Result<(), EngineError> {
    let Some(lease) = Lease::seize(leases, owner).doing("looking whether a worker lives")? else { return Ok(()) };
    let held = store.held_by(owner).await?;
    for ended in join_all(held.iter().map(|held| end(store, owner, held, grace))).await {
        ended?;
    }
    queue::release(store.pool(), owner).await?;
    drop(lease);
    Ok(())
}

async fn end(store: &Store, owner: &str, held: &Held, grace: Duration) -> Result<(), EngineError> {
    let family = Family::of_stranger(&mark(&held.id, held.attempt), held.process.as_ref());
    let end = match family.stop(Reach::Everything, grace).await {
        Stopped::Gone => End::Interrupted,
        Stopped::Stuck(pids) => End::Stuck(pids),
    };
    store.end(held, owner, &end, None).await?;
    Ok(())
}
