//! The one connection that writes, and the order in which things are written.
//!
//! Invariants:
//! - Everything that is written goes through [`Writer::run`]: one transaction at a time in this process.
//! - Work that waits is taken together: whoever gets the connection serves everybody who has queued until then, in one
//!   transaction. A shell is alone and gets a transaction of its own; a tracker's clients share the cost of a commit.
//! - A caller that goes away (Ctrl-C drops its future) does not stop a transaction halfway: it runs in a task.
//! - After a failure the transaction is rolled back; when that fails too, or the failure was of the disk, the connection
//!   is thrown away and the next one opens another.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex as Queue},
    task::{Context, Poll},
};

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::{
    runtime::Handle,
    sync::{Mutex, MutexGuard, oneshot},
};

use super::{
    error::{Code, code, translate},
    migrate::{self, Look, SCHEMA_VERSION},
    opening,
    script::{Script, Stopped},
    single,
    site::Site,
    transaction::{Transaction, Uncommitted, Warm},
    upkeep::Upkeep,
};
use crate::{
    event::{Draft, Event, EventKind, JournalId},
    journal::{JournalError, Parcel, Stream, Verdict},
};

/// At most this many events are written in one transaction of shared work.
const SHARE: usize = 4_000;

/// Something to write, and whom to tell.
pub(super) enum Work {
    Record(Stream, Vec<Draft>, oneshot::Sender<Result<Vec<Event>, JournalError>>),
    Receive(Vec<Parcel>, oneshot::Sender<Result<Vec<Verdict>, JournalError>>),
}

impl Work {
    fn size(&self) -> usize {
        match self {
            Self::Record(_, drafts, _) => drafts.len(),
            Self::Receive(parcels, _) => parcels.len(),
        }
    }

    /// Few drafts of a stream that is at hand, none of which says something about another one; or the start of a session.
    fn is_short(&self, warm: &Warm) -> bool {
        let Self::Record(stream, drafts, _) = self else { return false };
        let Some(loaded) = warm.streams.get(stream.id.as_str()) else {
            return matches!(drafts.as_slice(), [start] if *start.kind() == EventKind::SessionStart);
        };
        // A session begins and ends once: whoever says it again has to be looked up.
        let ends_again = || loaded.picture.as_ref().is_some_and(|picture| picture.span.own_end);
        drafts.len() <= 4
            && drafts.iter().all(|draft| match draft.kind() {
                EventKind::Observation | EventKind::SessionStart => false,
                EventKind::SessionEnd => !ends_again(),
                _ => true,
            })
    }

    fn fail(self, error: JournalError) {
        match self {
            Self::Record(_, _, reply) => drop(reply.send(Err(error))),
            Self::Receive(_, reply) => drop(reply.send(Err(error))),
        }
    }
}

/// What became of going on from the last transaction.
enum GoneOn {
    Done(Result<(), JournalError>),
    /// It can not be done so.
    Not(Vec<Work>),
}

/// A caller serves the queue itself, which saves waking another thread. When it goes away before it is done, a task does
/// the rest: a transaction is never left halfway.
struct Serving(Option<Pin<Box<dyn Future<Output = ()> + Send>>>);

impl Future for Serving {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(serving) = self.0.as_mut() else { return Poll::Ready(()) };
        let polled = serving.as_mut().poll(context);
        if polled.is_ready() {
            self.0 = None;
        }
        polled
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let (Some(serving), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(serving);
        }
    }
}

/// What is to be told once the transaction is committed.
enum Answer {
    Record(oneshot::Sender<Result<Vec<Event>, JournalError>>, Result<Vec<Event>, JournalError>),
    Receive(oneshot::Sender<Result<Vec<Verdict>, JournalError>>, Vec<Verdict>),
}

/// The connection that writes.
pub(super) struct Writer {
    site: Option<Site>,
    options: SqliteConnectOptions,
    journal: JournalId,
    connection: Mutex<Slot>,
    queue: Queue<VecDeque<Work>>,
    pub(super) upkeep: Upkeep,
}

/// The connection, if there is one, and whether a transaction may have been left open on it.
struct Slot {
    connection: Option<SqliteConnection>,
    identity: Option<(u64, u64)>,
    interrupted: bool,
    /// What the last transaction left, as long as nothing else was done with the connection.
    warm: Option<Warm>,
    /// The connection has what it takes to record an event in one statement.
    is_prepared: bool,
}

impl Writer {
    /// `site` is `None` for a journal in memory, which can not be opened again.
    pub(super) fn new(
        site: Option<Site>,
        options: SqliteConnectOptions,
        journal: JournalId,
        connection: SqliteConnection,
    ) -> Self {
        let identity = site.as_ref().and_then(Site::identity);
        let slot = Slot { connection: Some(connection), identity, interrupted: false, warm: None, is_prepared: false };
        Self {
            site,
            options,
            journal,
            connection: Mutex::new(slot),
            queue: Queue::default(),
            upkeep: Upkeep::default(),
        }
    }

    /// Queues drafts and waits until they are stored.
    pub(super) async fn record(
        self: &Arc<Self>,
        stream: &Stream,
        drafts: &[Draft],
    ) -> Result<Vec<Event>, JournalError> {
        let (reply, answer) = oneshot::channel();
        self.submit(Work::Record(stream.clone(), drafts.to_vec(), reply), answer).await
    }

    /// Queues what was sealed elsewhere and waits until it is judged and stored.
    pub(super) async fn receive(self: &Arc<Self>, parcels: &[Parcel]) -> Result<Vec<Verdict>, JournalError> {
        let (reply, answer) = oneshot::channel();
        self.submit(Work::Receive(parcels.to_vec(), reply), answer).await
    }

    /// Queues work, and serves the queue until the answer is there.
    async fn submit<T>(
        self: &Arc<Self>,
        work: Work,
        mut answer: oneshot::Receiver<Result<T, JournalError>>,
    ) -> Result<T, JournalError> {
        self.queue.lock().expect("nobody panics with the queue").push_back(work);
        let mut serving = Serving(Some(Box::pin(Arc::clone(self).serve())));
        let answered = poll_fn(|context| {
            let served = Pin::new(&mut serving).poll(context);
            match Pin::new(&mut answer).poll(context) {
                Poll::Pending if served.is_ready() => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
                Poll::Ready(answer) => Poll::Ready(Some(answer)),
            }
        });
        let answered = answered.await;
        // Served and not answered: it was taken by somebody else, who answers when the transaction is over.
        let answer = match answered {
            Some(answer) => answer,
            None => answer.await,
        };
        answer.unwrap_or_else(|_| Err(stopped()))
    }

    /// Serves whoever is in the queue; nobody, when somebody else has served them meanwhile.
    async fn serve(self: Arc<Self>) {
        let mut slot = self.connection.lock().await;
        let works = self.take();
        if works.is_empty() {
            return;
        }
        if let Err(error) = self.ready(&mut slot).await {
            return works.into_iter().for_each(|work| work.fail(error.clone()));
        }
        let events = works.iter().map(Work::size).sum();
        let works = match self.go_on(&mut slot, works).await {
            GoneOn::Done(outcome) => return self.served(slot, outcome, events).await,
            GoneOn::Not(works) => works,
        };
        let Some(connection) = slot.connection.as_mut() else { return };
        let outcome = self.write(connection, works).await;
        let outcome = outcome.map(|warm| slot.warm = Some(warm));
        self.served(slot, outcome, events).await;
    }

    async fn served(
        self: &Arc<Self>,
        mut slot: MutexGuard<'_, Slot>,
        outcome: Result<(), JournalError>,
        events: usize,
    ) {
        self.settle(&mut slot, outcome).await;
        drop(slot);
        if self.site.is_some() && self.upkeep.is_due(events) {
            let writer = Arc::clone(self);
            tokio::spawn(async move { writer.look_after().await });
        }
    }

    /// Records in one trip, where the last transaction left all that is needed: a shell's commands, one after the other.
    async fn go_on(&self, slot: &mut Slot, mut works: Vec<Work>) -> GoneOn {
        let (1, Some(warm)) = (works.len(), slot.warm.take()) else { return GoneOn::Not(works) };
        let Some(Work::Record(stream, drafts, reply)) = works.pop_if(|work| work.is_short(&warm)) else {
            return GoneOn::Not(works);
        };
        let Some(connection) = slot.connection.as_mut() else {
            return GoneOn::Not(vec![Work::Record(stream, drafts, reply)]);
        };
        if !std::mem::replace(&mut slot.is_prepared, true)
            && let Err(error) =
                connection.execute(AssertSqlSafe([single::prepare(), opening::prepare()].concat())).await
        {
            tracing::debug!(%error, "events are recorded with more than one statement");
        }
        let mut transaction = Transaction::go_on(connection, self.path(), &self.journal, warm);
        let (result, outcome) = match transaction.record(&stream, &drafts).await {
            Err(error) => (Err(error), Ok(())),
            Ok(events) => match transaction.commit_and_keep().await {
                Ok(warm) => {
                    slot.warm = Some(warm);
                    (Ok(events), Ok(()))
                }
                Err(Uncommitted::Failed(error)) => (Err(error.clone()), Err(error)),
                Err(Uncommitted::Stale) => {
                    self.settle(slot, Err(JournalError::Damaged("stale".to_owned()))).await;
                    slot.interrupted = true;
                    return GoneOn::Not(vec![Work::Record(stream, drafts, reply)]);
                }
            },
        };
        drop(reply.send(result));
        GoneOn::Done(outcome)
    }

    fn take(&self) -> Vec<Work> {
        let mut queue = self.queue.lock().expect("nobody panics with the queue");
        let mut size = 0;
        let mut works = Vec::new();
        while let Some(work) = queue.pop_front_if(|work| works.is_empty() || size + work.size() <= SHARE) {
            size += work.size();
            works.push(work);
        }
        works
    }

    /// Writes everything in one transaction and tells everybody. The error is for the connection's sake.
    async fn write(&self, connection: &mut SqliteConnection, works: Vec<Work>) -> Result<Warm, JournalError> {
        let mut transaction = match self.begin(connection, &works).await {
            Ok(transaction) => transaction,
            Err(error) => {
                works.into_iter().for_each(|work| work.fail(error.clone()));
                return Err(error);
            }
        };
        let mut answers = Vec::with_capacity(works.len());
        let mut failure = None;
        for work in works {
            if let Some(error) = &failure {
                work.fail(JournalError::clone(error));
                continue;
            }
            match work {
                Work::Record(stream, drafts, reply) => match transaction.record(&stream, &drafts).await {
                    Ok(events) => answers.push(Answer::Record(reply, Ok(events))),
                    // Nothing of it was written, so the others go on.
                    Err(error @ JournalError::Invalid(_)) => answers.push(Answer::Record(reply, Err(error))),
                    Err(error) => {
                        failure = Some(error.clone());
                        drop(reply.send(Err(error)));
                    }
                },
                Work::Receive(parcels, reply) => match transaction.receive(&parcels).await {
                    Ok(verdicts) => answers.push(Answer::Receive(reply, verdicts)),
                    Err(error) => {
                        failure = Some(error.clone());
                        drop(reply.send(Err(error)));
                    }
                },
            }
        }
        let outcome = match failure {
            Some(error) => Err(error),
            None => transaction.commit_and_keep().await.map_err(Uncommitted::into_error),
        };
        for answer in answers {
            match (answer, &outcome) {
                (Answer::Record(reply, result), Ok(_)) => drop(reply.send(result)),
                (Answer::Receive(reply, verdicts), Ok(_)) => drop(reply.send(Ok(verdicts))),
                (Answer::Record(reply, _), Err(error)) => drop(reply.send(Err(error.clone()))),
                (Answer::Receive(reply, _), Err(error)) => drop(reply.send(Err(error.clone()))),
            }
        }
        outcome
    }

    /// Begins a transaction, and reads in the same trip what all of the work needs.
    async fn begin<'c>(
        &'c self,
        connection: &'c mut SqliteConnection,
        works: &[Work],
    ) -> Result<Transaction<'c>, JournalError> {
        let (mut names, mut ids) = (Vec::new(), Vec::new());
        for work in works {
            match work {
                Work::Record(stream, drafts, _) => {
                    names.push(stream.id.as_str());
                    ids.extend(drafts.iter().map(Draft::event_id));
                }
                Work::Receive(parcels, _) => {
                    names.extend(parcels.iter().map(|parcel| parcel.stream().as_str()));
                    ids.extend(parcels.iter().map(Parcel::event_id));
                }
            }
        }
        names.sort_unstable();
        names.dedup();
        Transaction::begin(connection, self.path(), &self.journal, &names, &ids).await
    }

    /// A connection in a known state, opened again where need be.
    async fn ready<'s>(&self, slot: &'s mut Slot) -> Result<&'s mut SqliteConnection, JournalError> {
        if slot.interrupted {
            slot.warm = None;
            // A task died in the middle, with its runtime. Rolling back is all that a journal in memory can do.
            match (&self.site, slot.connection.as_mut()) {
                (None, Some(connection)) => drop(sqlx::query("ROLLBACK").execute(connection).await),
                _ => slot.connection = None,
            }
        }
        if let Some(site) = &self.site {
            let there = site.identity();
            // Also without a connection: another journal at this path does not know the sessions that are open here.
            if there.is_none() || there != slot.identity {
                slot.connection = None;
                return Err(site.unusable("it was moved, deleted or replaced while it was open"));
            }
            if slot.connection.is_none() {
                let mut opened = self.options.connect().await.map_err(|error| translate(&error, &site.path))?;
                // A file that was deleted leaves its inode to the next one: only the id tells them apart.
                match migrate::look(&mut opened, &site.path).await? {
                    Look::Current(id) if id == self.journal => slot.connection = Some(opened),
                    _ => return Err(site.unusable("another journal has taken its place while it was open")),
                }
                slot.warm = None;
                slot.is_prepared = false;
                slot.identity = there;
            }
        }
        slot.interrupted = true;
        slot.connection.as_mut().ok_or_else(|| JournalError::Database("the journal is closed".to_owned()))
    }

    /// Leaves the connection fit for the next one.
    async fn settle(&self, slot: &mut Slot, outcome: Result<(), JournalError>) {
        slot.interrupted = false;
        let Err(error) = outcome else { return };
        slot.warm = None;
        let Some(connection) = slot.connection.as_mut() else { return };
        let mut rollback = Script::default();
        rollback.add("ROLLBACK");
        let rolled_back = match rollback.run(connection).await {
            Ok(_) => true,
            // SQLite has rolled back by itself.
            Err(Stopped { error, .. }) => error.to_string().contains("no transaction is active"),
        };
        let of_the_disk = matches!(error, JournalError::Unknown { .. } | JournalError::Database(_));
        if self.site.is_some() && (!rolled_back || of_the_disk) {
            slot.connection = None;
        }
    }

    /// Holds the connection for something else than events: pruning, rebuilding, or reading where there is no other.
    pub(super) async fn hold(&self) -> Result<Held<'_>, JournalError> {
        let mut slot = self.connection.lock().await;
        self.ready(&mut slot).await?;
        slot.warm = None;
        Ok(Held { writer: self, slot })
    }

    /// Holds the connection to read, where there is no other: nothing needs to be settled.
    pub(super) async fn hold_to_read(&self) -> Result<Held<'_>, JournalError> {
        let mut held = self.hold().await?;
        held.slot.interrupted = false;
        Ok(held)
    }

    /// Nobody in this process writes until the answer is dropped. The connection stays as it is.
    pub(super) async fn rest(&self) -> impl Sized {
        self.connection.lock().await
    }

    /// Waits for what is being written and closes the connection.
    pub(super) async fn close(&self) {
        let mut slot = self.connection.lock().await;
        if let Some(connection) = slot.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "the journal was not closed cleanly");
        }
    }

    /// Another connection like the one that writes.
    pub(super) async fn another(&self) -> Result<Option<SqliteConnection>, JournalError> {
        if self.site.is_none() {
            return Ok(None);
        }
        self.options.connect().await.map(Some).map_err(|error| self.translate(&error))
    }

    pub(super) fn options(&self) -> &SqliteConnectOptions {
        &self.options
    }

    pub(super) fn translate(&self, error: &sqlx::Error) -> JournalError {
        translate(error, self.path())
    }

    fn path(&self) -> &std::path::Path {
        self.site.as_ref().map_or(std::path::Path::new(":memory:"), |site| &site.path)
    }
}

/// The connection, held for a while.
pub(super) struct Held<'w> {
    writer: &'w Writer,
    slot: MutexGuard<'w, Slot>,
}

impl Held<'_> {
    /// The connection itself.
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        self.slot.connection.as_mut().expect("it was made ready before it was held")
    }

    /// Begins a transaction; [`settle`](Self::settle) must follow with its outcome.
    pub(super) async fn begin(&mut self) -> Result<Transaction<'_>, JournalError> {
        let writer = self.writer;
        Transaction::begin(self.connection(), writer.path(), &writer.journal, &[], &[]).await
    }

    /// Leaves the connection fit for the next one.
    pub(super) async fn settle<T>(mut self, outcome: Result<T, JournalError>) -> Result<T, JournalError> {
        self.writer.settle(&mut self.slot, outcome.as_ref().map(drop).map_err(JournalError::clone)).await;
        outcome
    }
}

/// Reads the version, so that a program that is too old stops before it writes.
pub(super) fn check_version(found: i64) -> Result<(), JournalError> {
    if found == SCHEMA_VERSION {
        return Ok(());
    }
    Err(JournalError::TooNew { found, known: SCHEMA_VERSION })
}

/// What a failed COMMIT means: a full disk wrote nothing, anything else may have.
pub(super) fn failed_commit(error: &sqlx::Error, path: &std::path::Path) -> JournalError {
    match code(error) {
        Code::Full | Code::Busy | Code::ReadOnly => translate(error, path),
        _ => JournalError::Unknown { because: error.to_string() },
    }
}

fn stopped() -> JournalError {
    JournalError::Unknown { because: "the program is stopping".to_owned() }
}
