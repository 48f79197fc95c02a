//! Where a session's events go beside the journal: its sinks, at work for as long as it is open.
//!
//! Invariants:
//! - A sink that can not be made is said before the session begins; one that does not work is nobody's business but its
//!   worker's.
//! - Delivery begins after the start of the session is committed, and ends with a flush of two seconds at most.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{AdminShell, Shell};
use crate::{
    delivery::{Begins, Delivery, EventSink, Plan, Receipt, Sender, SinkError, SinkState, SinkStatus, Takes},
    event::{Event, Mode, SessionId},
    journal::{EndRequest, Head, OWN_COMPONENT, Presence, Stub},
    recorder::{Recorder, request_end},
    sinks::{Credentials, Make, STDOUT, Schemes, WrongSink},
};

/// How long the end of a session waits for what is still to be delivered.
const FLUSH: Duration = Duration::from_secs(2);

/// The sinks that somebody wants.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// URLs, separated by commas.
    pub(crate) urls: Option<String>,
    /// They were given on the command line, for this session.
    pub(crate) now: bool,
    pub(crate) credentials: Credentials,
}

impl Wanted {
    /// What the configuration wants; `now` when the command line does.
    pub(crate) fn of(config: &crate::config::Config, now: bool) -> Self {
        let text = |hidden: &Option<crate::config::Hidden>| hidden.as_ref().map(|hidden| hidden.expose().to_owned());
        let credentials = Credentials { token: text(&config.token), secret: text(&config.secret), forwards: false };
        Self { urls: config.sink.clone(), now, credentials }
    }
}

/// A scheme that a shell adds.
pub(crate) type Scheme = (String, Make);

/// A sink that a program made: every session of its shell delivers through it.
#[derive(Clone)]
pub(crate) struct Given {
    name: String,
    takes: Takes,
    sink: Arc<tokio::sync::Mutex<dyn EventSink>>,
}

impl Given {
    pub(crate) fn new(sink: impl EventSink) -> Self {
        Self { name: sink.name().to_owned(), takes: sink.takes(), sink: Arc::new(tokio::sync::Mutex::new(sink)) }
    }
}

#[async_trait]
impl EventSink for Given {
    fn name(&self) -> &str {
        &self.name
    }

    async fn deliver(&mut self, batch: &[Event]) -> Result<Receipt, SinkError> {
        self.sink.lock().await.deliver(batch).await
    }

    async fn stand_in(&mut self, stubs: &[Stub]) -> Result<Receipt, SinkError> {
        self.sink.lock().await.stand_in(stubs).await
    }

    fn introduce(&mut self, who: &Sender) {
        if let Ok(mut sink) = self.sink.try_lock() {
            sink.introduce(who);
        }
    }

    fn quote(&mut self, receipt: Option<&Head>) {
        if let Ok(mut sink) = self.sink.try_lock() {
            sink.quote(receipt);
        }
    }

    async fn beat(&mut self, presence: &[Presence]) -> Result<Vec<EndRequest>, SinkError> {
        self.sink.lock().await.beat(presence).await
    }

    fn takes(&self) -> Takes {
        self.takes
    }
}

impl<S: AdminShell> Shell<S> {
    /// The sinks of one session.
    ///
    /// # Errors
    /// When a URL names none, or one that this kind of session can not have.
    pub(crate) fn sinks_of(&self, wanted: &Wanted, mode: Mode) -> Result<Vec<Box<dyn EventSink>>, WrongSink> {
        let mut schemes = Schemes::built_in(&wanted.credentials);
        for (scheme, make) in &self.schemes {
            let make = Arc::clone(make);
            schemes.add(scheme, move |url| make(url));
        }
        let mut sinks = schemes.open(wanted.urls.as_deref().unwrap_or_default())?;
        if mode == Mode::Interactive && sinks.iter().any(|sink| sink.name() == STDOUT) {
            return Err(WrongSink::new(
                "stdout: is for -c, -f and scripts on standard input; at a prompt its lines would tear what you type: \
                 take jsonl:FILE and follow that file, or run `session-tracker events SESSION --follow` beside it",
            ));
        }
        sinks.extend(self.sinks.iter().map(|given| Box::new(given.clone()) as Box<dyn EventSink>));
        Ok(sinks)
    }
}

/// A session's delivery.
pub(crate) struct Outlet {
    state: Mutex<State>,
    now: bool,
}

enum State {
    Waits(Vec<Box<dyn EventSink>>),
    Works(Arc<Delivery>),
    Over(Vec<SinkStatus>),
}

impl Outlet {
    pub(crate) fn new(sinks: Vec<Box<dyn EventSink>>, now: bool) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State::Waits(sinks)), now })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it has sinks that begin with this session.
    pub(crate) fn begins_now(&self) -> bool {
        self.now && matches!(&*self.state(), State::Waits(sinks) if !sinks.is_empty())
    }

    /// Begins to deliver.
    pub(crate) async fn begin(
        self: &Arc<Self>,
        recorder: &Arc<Recorder>,
        locks: PathBuf,
        session: SessionId,
        component: &str,
    ) {
        if !matches!(&*self.state(), State::Waits(sinks) if !sinks.is_empty()) {
            return;
        }
        let Ok(journal) = recorder.journal().await else { return };
        let begins = match recorder.head_before().await {
            Some(position) if self.now => Begins::After(position),
            _ => Begins::Oldest,
        };
        let (requests, mut asked) = mpsc::unbounded_channel::<EndRequest>();
        {
            let mut state = self.state();
            let State::Waits(sinks) = &mut *state else { return };
            let sinks = std::mem::take(sinks).into_iter().map(|sink| (sink, begins)).collect();
            let plan = Plan {
                journal: Arc::clone(&journal),
                components: vec![component.to_owned(), OWN_COMPONENT.to_owned()],
                locks,
                session: Some(session.clone()),
            };
            *state = State::Works(Arc::new(Delivery::start(&plan, sinks, &requests)));
        }
        let nudged = Arc::downgrade(self);
        recorder.on_commit(Box::new(move || {
            if let Some(outlet) = nudged.upgrade()
                && let State::Works(delivery) = &*outlet.state()
            {
                delivery.nudge();
            }
        }));
        tokio::spawn(async move {
            // The journal remembers it, and the session looks there: the same way as for a request made on this machine.
            while let Some(request) = asked.recv().await {
                if request.session_id == session {
                    match request_end(&*journal, &session, &request.by, &request.why).await {
                        Ok(()) => return,
                        Err(error) => tracing::warn!(%error, "a request to end could not be recorded"),
                    }
                }
            }
        });
    }

    /// Delivers what the end of the session has left, for a while, and stops.
    pub(crate) async fn finish(&self) {
        let delivery = match &*self.state() {
            State::Works(delivery) => Some(Arc::clone(delivery)),
            State::Waits(_) => None,
            State::Over(_) => return,
        };
        let Some(delivery) = delivery else {
            // It never began, and is not to begin any more.
            let last = self.status();
            *self.state() = State::Over(last);
            return;
        };
        delivery.flush(FLUSH).await;
        let last = delivery.status();
        *self.state() = State::Over(last);
    }

    /// How each sink stands.
    pub(crate) fn status(&self) -> Vec<SinkStatus> {
        match &*self.state() {
            State::Waits(sinks) => sinks
                .iter()
                .map(|sink| SinkStatus { sink: sink.name().to_owned(), breaker: "closed", ..SinkStatus::default() })
                .collect(),
            State::Works(delivery) => delivery.status(),
            State::Over(last) => last.clone(),
        }
    }

    /// What `session()` says of them.
    pub(crate) fn record(&self) -> Value {
        json!(self.status())
    }

    /// What the banner says of them; nothing without any.
    pub(crate) fn words(&self) -> Option<String> {
        let words: Vec<String> = self.status().iter().map(word).collect();
        (!words.is_empty()).then(|| words.join("; "))
    }

    /// Nothing is known yet of one of them.
    pub(crate) fn is_connecting(&self) -> bool {
        self.status().iter().any(|status| status.state == SinkState::Connecting)
    }

    /// Standard output belongs to one of them.
    pub(crate) fn prints(&self) -> bool {
        self.status().iter().any(|status| status.sink == STDOUT)
    }

    /// One of them does not work.
    pub(crate) fn is_down(&self) -> bool {
        self.status().iter().any(SinkStatus::is_down)
    }
}

fn word(status: &SinkStatus) -> String {
    let scheme = status.sink.split(':').next().unwrap_or_default();
    let who = if scheme.starts_with("http") || scheme.starts_with("mcp") { "tracker" } else { scheme };
    let why = status.error.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
    match status.state {
        SinkState::Connecting => format!("{who} connecting"),
        SinkState::Delivering | SinkState::Idle => format!("{who} connected"),
        SinkState::Unavailable | SinkState::Open => {
            format!("{who} unavailable{why}; events wait in the journal")
        }
        SinkState::Stopped => format!("{who} stopped{why}"),
    }
}
