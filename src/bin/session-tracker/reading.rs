//! What is read from: the journal of this machine, or a tracker that is asked in its stead.

use admin_shell::{
    analytics::{self, Answer, Query, Span},
    event::{Event, SessionId, StreamId},
    journal::{Entry, Filter, Found, Page, SessionRecord},
};

use crate::{
    cli::Source,
    exit::Stop,
    find,
    place::{Place, no_journal},
    remote::Remote,
};

/// Something that can be read.
pub(crate) enum Reading {
    /// The journal of this machine.
    Here(Place),
    /// A tracker.
    There(Remote),
}

impl Source {
    /// The tracker to ask, where one is named: by `--tracker`, or by `SESSION_TRACKER_URL` when no journal is.
    pub(crate) fn remote(&self) -> Result<Option<Remote>, Stop> {
        let named = match &self.tracker {
            Some(url) if self.database.is_some() => {
                return Err(Stop::Usage(format!("--tracker {url}: must not go with --database: which one is meant?")));
            }
            Some(url) => Some(url.clone()),
            None if self.database.is_some() => None,
            None => std::env::var("SESSION_TRACKER_URL").ok().filter(|url| !url.is_empty()),
        };
        named.as_deref().map(Remote::new).transpose()
    }

    /// Whatever is to be read; `None` where there is no journal yet.
    pub(crate) async fn reading_if_there(&self) -> Result<Option<Reading>, Stop> {
        match self.remote()? {
            Some(remote) => Ok(Some(Reading::There(remote))),
            None => Ok(self.open_if_there().await?.map(Reading::Here)),
        }
    }

    /// The same where there is nothing to say without a journal.
    pub(crate) async fn reading(&self) -> Result<Reading, Stop> {
        match self.reading_if_there().await? {
            Some(reading) => Ok(reading),
            None => Err(no_journal(&self.database()?)),
        }
    }

    /// For what works on the journal itself: a tracker that was named by `--tracker` is the wrong place.
    pub(crate) fn refuse_tracker(&self, command: &str) -> Result<(), Stop> {
        match &self.tracker {
            None => Ok(()),
            Some(_) => Err(Stop::Usage(format!(
                "--tracker: `{command}` works on a journal itself: run it where that lies, with --database"
            ))),
        }
    }
}

impl Reading {
    /// The newest sessions, and whether there are more.
    pub(crate) async fn sessions(&self, filter: &Filter, limit: u32) -> Result<(Vec<SessionRecord>, bool), Stop> {
        match self {
            Self::Here(place) => {
                let found = place.journal.sessions(filter, &Page { limit, after: None }).await?;
                Ok((found.records, found.next.is_some()))
            }
            Self::There(remote) => remote.sessions(filter, limit).await,
        }
    }

    /// The session that an id, or the beginning of one, names.
    pub(crate) async fn session(&self, typed: &str) -> Result<SessionRecord, Stop> {
        match self {
            Self::Here(place) => find::session(&*place.journal, typed).await,
            Self::There(remote) => remote.session(typed).await,
        }
    }

    /// The stream that an id names.
    pub(crate) async fn stream(&self, typed: &str) -> Result<StreamId, Stop> {
        match self {
            Self::Here(place) => find::stream(&*place.journal, typed).await,
            Self::There(remote) if !typed.starts_with("jrnl_") => Ok(remote.session(typed).await?.session_id.into()),
            Self::There(_) => {
                typed.parse().map_err(|_| Stop::NotFound(format!("no journal's stream is named `{typed}`")))
            }
        }
    }

    /// One page of events, in order of `seq`.
    pub(crate) async fn events(&self, stream: &StreamId, from: u64, limit: u32) -> Result<Vec<Entry>, Stop> {
        match self {
            Self::Here(place) => Ok(place.journal.events(stream, from, limit).await?),
            Self::There(remote) => remote.events(stream, from, limit).await,
        }
    }

    /// What others said about a session.
    pub(crate) async fn observations(&self, session: &SessionId) -> Result<Vec<Event>, Stop> {
        match self {
            Self::Here(place) => Ok(place.journal.observations(session).await?),
            Self::There(remote) => remote.observations(session).await,
        }
    }

    /// The record of a session as it is now; `None` when there is none.
    pub(crate) async fn again(&self, session: &str) -> Result<Option<SessionRecord>, Stop> {
        match self {
            Self::Here(place) => {
                place.sweep().await;
                Ok(match place.journal.find(session).await? {
                    Found::One(record) => Some(*record),
                    Found::Many(_) | Found::None => None,
                })
            }
            Self::There(remote) => match remote.session(session).await {
                Ok(record) => Ok(Some(record)),
                Err(Stop::NotFound(_)) => Ok(None),
                Err(stop) => Err(stop),
            },
        }
    }

    /// Statistics.
    pub(crate) async fn analytics(&self, query: Query, span: &Span) -> Result<Answer, Stop> {
        match self {
            Self::Here(place) => Ok(analytics::ask(&*place.journal, query, span).await?),
            Self::There(remote) => remote.analytics(query, span).await,
        }
    }
}
