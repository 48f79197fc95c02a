//! Delivery: from a journal to a sink, whatever happens on the way.

mod beats;
#[cfg(feature = "tracker")]
mod chaos;
mod contract;
mod model;
#[cfg(feature = "http")]
mod rest;
mod shells;
mod worker;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use admin_shell::{
    delivery::Plan,
    journal::{Journal, Parcel, SqliteJournal},
};

/// A journal in a directory of its own, with a plan that delivers one component and the journal's own words.
pub(crate) struct Source {
    pub(crate) journal: SqliteJournal,
    pub(crate) directory: tempfile::TempDir,
}

impl Source {
    /// In memory, with nothing but locks on disk.
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        Self { journal: SqliteJournal::in_memory().await.expect("a journal"), directory }
    }

    pub(crate) fn plan(&self) -> Plan {
        plan(Arc::new(self.journal.clone()), self.directory.path())
    }
}

pub(crate) fn plan(journal: Arc<dyn Journal>, directory: &Path) -> Plan {
    let components = vec!["orchestrator".to_owned(), "journal".to_owned()];
    Plan { journal, components, locks: directory.join("sinks"), session: None }
}

/// Everything that a journal holds, by stream, in order.
pub(crate) async fn held(journal: &SqliteJournal) -> BTreeMap<String, Vec<Parcel>> {
    let mut streams: BTreeMap<String, Vec<Parcel>> = BTreeMap::new();
    let mut from = 0;
    loop {
        let outgoing = journal.after(from, None, 1_000).await.expect("the journal can be read");
        let Some(last) = outgoing.placed.last() else { return streams };
        from = last.position;
        for placed in outgoing.placed {
            streams.entry(placed.parcel.stream().to_string()).or_default().push(placed.parcel);
        }
    }
}

/// The same parcels, by stream, in order.
pub(crate) fn by_stream(parcels: &[Parcel]) -> BTreeMap<String, Vec<Parcel>> {
    let mut streams: BTreeMap<String, Vec<Parcel>> = BTreeMap::new();
    for parcel in parcels {
        streams.entry(parcel.stream().to_string()).or_default().push(parcel.clone());
    }
    streams
}
