//! The one connection that appends, and the order in which things are appended.
//!
//! Invariants:
//! - Everything that a process appends goes through one task and one connection, one transaction at a time. Work that
//!   waits is taken together: a tracker's clients share the cost of a commit.
//! - A caller that goes away does not stop a transaction halfway.
//! - A connection after a failure is thrown away. What failed before COMMIT was sent is not stored, and beginning again on
//!   another connection is safe: so a restart of the server is waited out for a moment. What failed at COMMIT is unknown.

use std::{sync::Arc, time::Duration};

use sqlx::{Connection, PgConnection};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use uuid::Uuid;

use super::{
    address::Address,
    error::{AGAIN, failed_commit, is_passing, late, translate},
    transaction::Transaction,
};
use crate::{
    event::{Draft, Event, JournalId},
    journal::{JournalError, Parcel, Stream, Verdict},
};

/// At most this many events, and this many bytes of them, are appended in one transaction of shared work.
const SHARE_EVENTS: usize = 4_000;
const SHARE_BYTES: usize = 16 << 20;
/// How long one transaction may take before its connection is given up.
const PATIENCE: Duration = Duration::from_secs(20);
/// Something to append, and whom to tell.
enum Work {
    Append(Request, Reply),
    Close(oneshot::Sender<()>),
}

/// Something to append.
enum Request {
    Record(Stream, Vec<Draft>),
    Receive(Vec<Parcel>),
}

/// What became of it.
enum Done {
    Recorded(Vec<Event>),
    Judged(Vec<Verdict>),
}

type Reply = oneshot::Sender<Result<Done, JournalError>>;

impl Request {
    /// Events, and bytes of them.
    fn size(&self) -> (usize, usize) {
        match self {
            Self::Record(_, drafts) => (drafts.len(), 0),
            Self::Receive(parcels) => {
                (parcels.len(), parcels.iter().map(|parcel| parcel.text().map_or(0, str::len)).sum())
            }
        }
    }
}

/// The queue of whoever appends.
pub(super) struct Writer(mpsc::UnboundedSender<Work>);

impl Writer {
    pub(super) fn start(address: Arc<Address>, journal: JournalId, connection: PgConnection) -> Self {
        let (queue, works) = mpsc::unbounded_channel();
        let appender = Appender { address, journal, connection: Some(connection) };
        tokio::spawn(appender.serve(works));
        Self(queue)
    }

    pub(super) async fn record(&self, stream: &Stream, drafts: &[Draft]) -> Result<Vec<Event>, JournalError> {
        match self.submit(Request::Record(stream.clone(), drafts.to_vec())).await? {
            Done::Recorded(events) => Ok(events),
            Done::Judged(_) => Err(stopped()),
        }
    }

    pub(super) async fn receive(&self, parcels: &[Parcel]) -> Result<Vec<Verdict>, JournalError> {
        match self.submit(Request::Receive(parcels.to_vec())).await? {
            Done::Judged(verdicts) => Ok(verdicts),
            Done::Recorded(_) => Err(stopped()),
        }
    }

    async fn submit(&self, request: Request) -> Result<Done, JournalError> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Work::Append(request, reply)).map_err(|_| closed())?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Waits for what is being appended and closes the connection.
    pub(super) async fn close(&self) {
        let (reply, closed) = oneshot::channel();
        if self.0.send(Work::Close(reply)).is_ok() {
            // An error says that it is closed already.
            let _ = closed.await;
        }
    }
}

/// The task that appends.
struct Appender {
    address: Arc<Address>,
    journal: JournalId,
    connection: Option<PgConnection>,
}

impl Appender {
    async fn serve(mut self, mut queue: mpsc::UnboundedReceiver<Work>) {
        let mut next = None;
        loop {
            let first = match next.take() {
                Some(work) => Some(work),
                None => queue.recv().await,
            };
            let (request, reply) = match first {
                Some(Work::Append(request, reply)) => (request, reply),
                Some(Work::Close(reply)) => {
                    self.close().await;
                    let _ = reply.send(());
                    return refuse(queue);
                }
                None => return self.close().await,
            };
            let (mut events, mut bytes) = request.size();
            let (mut requests, mut replies) = (vec![request], vec![reply]);
            while let Ok(work) = queue.try_recv() {
                let Work::Append(request, reply) = work else {
                    next = Some(work);
                    break;
                };
                let size = request.size();
                if events + size.0 > SHARE_EVENTS || bytes + size.1 > SHARE_BYTES {
                    next = Some(Work::Append(request, reply));
                    break;
                }
                (events, bytes) = (events + size.0, bytes + size.1);
                requests.push(request);
                replies.push(reply);
            }
            match self.write(&requests).await {
                Ok(done) => replies.into_iter().zip(done).for_each(|(reply, done)| drop(reply.send(done))),
                Err(error) => replies.into_iter().for_each(|reply| drop(reply.send(Err(error.clone())))),
            }
        }
    }

    async fn close(&mut self) {
        if let Some(connection) = self.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::debug!(%error, "the connection to the journal was not closed cleanly");
        }
    }

    /// Writes everything in one transaction; once more when the connection was cut before the commit was tried.
    async fn write(&mut self, requests: &[Request]) -> Result<Vec<Result<Done, JournalError>>, JournalError> {
        let mut is_second = false;
        loop {
            let mut connection = self.connection().await?;
            let error = match append(&mut connection, &self.address, &self.journal, requests).await {
                Ok(done) => {
                    self.connection = Some(connection);
                    return Ok(done);
                }
                Err(error) => error,
            };
            // After a failure it is not known what the connection is in the middle of: it is not used again.
            let is_cut = !matches!(timeout(Duration::from_secs(1), connection.ping()).await, Ok(Ok(())));
            if is_second || !is_cut || matches!(error, JournalError::Unknown { .. }) {
                return Err(error);
            }
            is_second = true;
        }
    }

    /// The connection, opened again where need be.
    async fn connection(&mut self) -> Result<PgConnection, JournalError> {
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        let mut again = AGAIN.iter();
        loop {
            let error = match self.address.connect().await {
                Ok(connection) => return Ok(connection),
                Err(error) => error,
            };
            match again.next().filter(|_| is_passing(&error)) {
                Some(pause) => tokio::time::sleep(*pause).await,
                None => return Err(translate(&error, &self.address)),
            }
        }
    }
}

/// Appends everything in one transaction.
async fn append(
    connection: &mut PgConnection,
    address: &Address,
    journal: &JournalId,
    requests: &[Request],
) -> Result<Vec<Result<Done, JournalError>>, JournalError> {
    let prepared = async {
        let mut transaction = Transaction::begin(connection, address, journal).await?;
        let (names, ids) = needs(requests);
        transaction.prefetch(&names, &ids).await?;
        let mut done = Vec::with_capacity(requests.len());
        for request in requests {
            done.push(match request {
                Request::Record(stream, drafts) => match transaction.record(stream, drafts).await {
                    Ok(events) => Ok(Done::Recorded(events)),
                    // Nothing of it was written, so the others go on.
                    Err(error @ JournalError::Invalid(_)) => Err(error),
                    Err(error) => return Err(error),
                },
                Request::Receive(parcels) => Ok(Done::Judged(transaction.receive(parcels).await?)),
            });
        }
        transaction.flush().await?;
        Ok((transaction, done))
    };
    let late = || late(PATIENCE);
    let prepared = timeout(PATIENCE, prepared).await.unwrap_or_else(|_| Err(translate(&late(), address)));
    let (transaction, done) = prepared?;
    let committed = timeout(PATIENCE, transaction.commit()).await;
    committed.unwrap_or_else(|_| Err(failed_commit(&late(), address)))?;
    Ok(done)
}

/// Answers whoever is still in the queue.
fn refuse(mut queue: mpsc::UnboundedReceiver<Work>) {
    queue.close();
    while let Ok(work) = queue.try_recv() {
        match work {
            Work::Append(_, reply) => drop(reply.send(Err(closed()))),
            Work::Close(reply) => _ = reply.send(()),
        }
    }
}

fn closed() -> JournalError {
    JournalError::Database("the journal is closed".to_owned())
}

fn stopped() -> JournalError {
    JournalError::Unknown { because: "the program is stopping".to_owned() }
}

/// The streams and ids that some work is about.
fn needs(requests: &[Request]) -> (Vec<&str>, Vec<Uuid>) {
    let (mut names, mut ids) = (Vec::new(), Vec::new());
    for request in requests {
        match request {
            Request::Record(stream, drafts) => {
                names.push(stream.id.as_str());
                ids.extend(drafts.iter().map(Draft::event_id));
            }
            Request::Receive(parcels) => {
                names.extend(parcels.iter().map(|parcel| parcel.stream().as_str()));
                ids.extend(parcels.iter().map(Parcel::event_id));
            }
        }
    }
    names.sort_unstable();
    names.dedup();
    (names, ids)
}
