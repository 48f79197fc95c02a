//! A journal that fails when a test wants it to.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    event::{Draft, Event, EventKind, JournalId, SessionId, StreamId},
    journal::{
        Buried, CommandFilter, CommandRecord, DeliveryStatus, Emits, EndRequest, Entry, Filter, Fold, Found, Head,
        Heard, Journal, JournalError, JournalStatus, Kept, Milestones, Outgoing, Page, Parcel, Presence, Progress,
        Prune, Pruned, Rebuilt, Report, Rollup, Room, SessionRecord, Sessions, Stream, Verdict,
    },
};

/// What one attempt to record comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// It works.
    None,
    /// Nothing is stored, and the journal says so.
    Fails,
    /// It is stored, and the journal can not say whether.
    StoredUnknown,
    /// It is not stored, and the journal can not say whether.
    LostUnknown,
}

#[derive(Debug, Default)]
struct Plan {
    next: VecDeque<Fault>,
    broken: bool,
    at: Option<(EventKind, Fault)>,
    attempts: u64,
}

/// When the journal of a [`TestShell`](super::TestShell) fails. Clones share one plan.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Plan>>);

impl Faults {
    /// None so far.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Every attempt fails until [`mend`](Self::mend).
    pub fn break_down(&self) {
        self.plan().broken = true;
    }

    /// Attempts work again.
    pub fn mend(&self) {
        *self.plan() = Plan { attempts: self.attempts(), ..Plan::default() };
    }

    /// This many attempts work, and the one after them fails.
    pub fn fail_after(&self, attempts: usize) {
        self.plan().next.extend(std::iter::repeat_n(Fault::None, attempts).chain([Fault::Fails]));
    }

    /// The journal breaks down at the next event of this type, before it is stored.
    pub fn break_down_at(&self, kind: EventKind) {
        self.plan().at = Some((kind, Fault::Fails));
    }

    /// The next event of this type is stored, but the journal can not say so.
    pub fn unknown_stored_at(&self, kind: EventKind) {
        self.plan().at = Some((kind, Fault::StoredUnknown));
    }

    /// The next event of this type is not stored, but the journal can not say so.
    pub fn unknown_lost_at(&self, kind: EventKind) {
        self.plan().at = Some((kind, Fault::LostUnknown));
    }

    /// How often something was to be recorded.
    #[must_use]
    pub fn attempts(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).attempts
    }

    /// A journal that fails by this plan and else does what another one does.
    pub(crate) fn around(&self, journal: Arc<dyn Journal>) -> Arc<dyn Journal> {
        Arc::new(Faulty { journal, faults: self.clone() })
    }

    fn plan(&self) -> std::sync::MutexGuard<'_, Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self, drafts: &[Draft]) -> Fault {
        let mut plan = self.plan();
        plan.attempts += 1;
        if plan.broken {
            return Fault::Fails;
        }
        let due = plan.at.take_if(|(kind, _)| drafts.iter().any(|draft| draft.kind() == kind));
        match due {
            Some((_, Fault::Fails)) => {
                plan.broken = true;
                Fault::Fails
            }
            Some((_, fault)) => fault,
            None => plan.next.pop_front().unwrap_or(Fault::None),
        }
    }
}

struct Faulty {
    journal: Arc<dyn Journal>,
    faults: Faults,
}

#[async_trait]
impl Journal for Faulty {
    fn id(&self) -> &JournalId {
        self.journal.id()
    }

    async fn record(&self, stream: &Stream, drafts: &[Draft]) -> Result<Vec<Event>, JournalError> {
        let unknown = || JournalError::Unknown { because: "a test wants it so".to_owned() };
        match self.faults.next(drafts) {
            Fault::None => self.journal.record(stream, drafts).await,
            Fault::Fails => Err(JournalError::Full),
            Fault::StoredUnknown => {
                self.journal.record(stream, drafts).await?;
                Err(unknown())
            }
            Fault::LostUnknown => Err(unknown()),
        }
    }

    async fn receive(&self, parcels: &[Parcel]) -> Result<Vec<Verdict>, JournalError> {
        self.journal.receive(parcels).await
    }

    async fn head(&self) -> Result<Head, JournalError> {
        self.journal.head().await
    }

    async fn knows(&self, head: &Head) -> Result<bool, JournalError> {
        self.journal.knows(head).await
    }

    async fn after(&self, position: u64, component: Option<&str>, limit: u32) -> Result<Outgoing, JournalError> {
        self.journal.after(position, component, limit).await
    }

    async fn components(&self) -> Result<Vec<String>, JournalError> {
        self.journal.components().await
    }

    async fn cursor(&self, sink: &str, component: &str) -> Result<Option<u64>, JournalError> {
        self.journal.cursor(sink, component).await
    }

    async fn delivered(&self, progress: &Progress) -> Result<(), JournalError> {
        self.journal.delivered(progress).await
    }

    async fn receipts(&self, sink: &str, component: &str) -> Result<Vec<Kept>, JournalError> {
        self.journal.receipts(sink, component).await
    }

    async fn deliveries(&self) -> Result<Vec<DeliveryStatus>, JournalError> {
        self.journal.deliveries().await
    }

    async fn buried(&self, sink: Option<&str>) -> Result<Vec<Buried>, JournalError> {
        self.journal.buried(sink).await
    }

    async fn unbury(&self, sink: &str, positions: &[u64]) -> Result<(), JournalError> {
        self.journal.unbury(sink, positions).await
    }

    async fn forget_sink(&self, sink: &str) -> Result<bool, JournalError> {
        self.journal.forget_sink(sink).await
    }

    async fn beat(&self, presence: &[Presence]) -> Result<(), JournalError> {
        self.journal.beat(presence).await
    }

    async fn end_requests(&self, of: &[SessionId]) -> Result<Vec<EndRequest>, JournalError> {
        self.journal.end_requests(of).await
    }

    async fn presences(&self, since: Timestamp) -> Result<Vec<Heard>, JournalError> {
        self.journal.presences(since).await
    }

    async fn was_heard(&self, session: &SessionId) -> Result<bool, JournalError> {
        self.journal.was_heard(session).await
    }

    async fn emitted(&self) -> Result<Vec<(String, Vec<Emits>)>, JournalError> {
        self.journal.emitted().await
    }

    async fn retire_presences(&self, now: Timestamp) -> Result<u64, JournalError> {
        self.journal.retire_presences(now).await
    }

    async fn writers(&self, of: &[StreamId]) -> Result<Vec<(StreamId, String)>, JournalError> {
        self.journal.writers(of).await
    }

    async fn bind_writers(&self, writers: &[(StreamId, String)]) -> Result<(), JournalError> {
        self.journal.bind_writers(writers).await
    }

    async fn milestones(&self, after: u64, limit: u32) -> Result<Milestones, JournalError> {
        self.journal.milestones(after, limit).await
    }

    async fn fold(&self, name: &str) -> Result<Option<Fold>, JournalError> {
        self.journal.fold(name).await
    }

    async fn carry_on(&self, name: &str, from: Option<u64>, fold: &Fold) -> Result<bool, JournalError> {
        self.journal.carry_on(name, from, fold).await
    }

    async fn rollups(
        &self,
        days: std::ops::RangeInclusive<i64>,
        component: Option<&str>,
    ) -> Result<Vec<Rollup>, JournalError> {
        self.journal.rollups(days, component).await
    }

    async fn durations(
        &self,
        after: Timestamp,
        before: Timestamp,
        component: Option<&str>,
        limit: u32,
    ) -> Result<Vec<(String, u64)>, JournalError> {
        self.journal.durations(after, before, component, limit).await
    }

    async fn sessions(&self, filter: &Filter, page: &Page) -> Result<Sessions, JournalError> {
        self.journal.sessions(filter, page).await
    }

    async fn find(&self, id_or_prefix: &str) -> Result<Found, JournalError> {
        self.journal.find(id_or_prefix).await
    }

    async fn events(&self, stream: &StreamId, from: u64, limit: u32) -> Result<Vec<Entry>, JournalError> {
        self.journal.events(stream, from, limit).await
    }

    async fn observations(&self, about: &SessionId) -> Result<Vec<Event>, JournalError> {
        self.journal.observations(about).await
    }

    async fn commands(&self, filter: &CommandFilter) -> Result<Vec<CommandRecord>, JournalError> {
        self.journal.commands(filter).await
    }

    async fn open_sessions(&self) -> Result<Vec<SessionRecord>, JournalError> {
        self.journal.open_sessions().await
    }

    async fn oldest_open(&self, component: &str) -> Result<Option<u64>, JournalError> {
        self.journal.oldest_open(component).await
    }

    async fn active_sessions(&self) -> Result<Vec<(String, u64)>, JournalError> {
        self.journal.active_sessions().await
    }

    async fn verify(&self, only: Option<&SessionId>) -> Result<Report, JournalError> {
        self.journal.verify(only).await
    }

    async fn status(&self) -> Result<JournalStatus, JournalError> {
        self.journal.status().await
    }

    async fn prune(&self, plan: &Prune) -> Result<Pruned, JournalError> {
        self.journal.prune(plan).await
    }

    async fn scrub(&self, event_id: Uuid, observation: &Draft) -> Result<(), JournalError> {
        self.journal.scrub(event_id, observation).await
    }

    async fn rebuild(&self) -> Result<Rebuilt, JournalError> {
        self.journal.rebuild().await
    }

    async fn close(&self) {
        self.journal.close().await;
    }

    fn room(&self) -> Room {
        self.journal.room()
    }
}
