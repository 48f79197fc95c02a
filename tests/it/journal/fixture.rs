//! What the journal's tests record: sessions made of drafts, at times of the test's choosing.

use admin_shell::{
    event::{
        ActorFacts, ActorKind, CallStart, CommandEnd, CommandStart, Decision, Draft, EndReason, Environment, Event,
        EventKind, Mode, Observation, SessionEnd, SessionId, SessionStart, Status, StreamId, User,
    },
    journal::{Journal, JournalError, SqliteJournal, Stream},
    redact::Redactor,
};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Map;
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};

/// A time, in seconds after one that is nobody's birthday.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).expect("a time in this century")
}

pub(crate) fn draft(kind: EventKind, time: Timestamp, body: &impl Serialize) -> Draft {
    Redactor::default().draft(kind, time, body)
}

pub(crate) fn start_body(user: &str, host: &str) -> SessionStart {
    SessionStart {
        shell_type: "OrchestratorShell".into(),
        component_type: "orchestrator".into(),
        component_version: Some("1.2.3".into()),
        mode: Mode::Interactive,
        pid: 4711,
        process_start: None,
        user: User { username: user.into(), home: format!("/home/{user}"), uid: Some(1000) },
        actor: ActorFacts {
            kind: ActorKind::Human,
            verified: true,
            sudo_user: None,
            ssh_client: None,
            tty: None,
            parent: None,
        },
        hostname: host.into(),
        machine_id: None,
        boot_id: None,
        environment: Environment {
            runtime: Some("admin-shell 0.1.0".into()),
            platform: "linux-x86_64".into(),
            cwd: "/srv".into(),
            python_version: None,
        },
        reason: None,
        metadata: Map::new(),
    }
}

pub(crate) fn start(time: Timestamp, user: &str, host: &str) -> Draft {
    draft(EventKind::SessionStart, time, &start_body(user, host))
}

pub(crate) fn command_start(time: Timestamp, command: u64, input: &str) -> Draft {
    let body = CommandStart {
        command,
        input: Some(input.into()),
        source: "prompt".into(),
        input_bytes: None,
        input_digest: None,
    };
    draft(EventKind::CommandStart, time, &body)
}

pub(crate) fn command_end(time: Timestamp, command: u64, status: Status) -> Draft {
    let error = (status != Status::Ok)
        .then(|| admin_shell::event::Failure { kind: "helper".into(), message: "it did not work".into() });
    let body = CommandEnd {
        command,
        status,
        duration_us: 1_500,
        error,
        reads: Default::default(),
        output_bytes: 12,
        output_digest: admin_shell::event::Hash::of(b"").to_string(),
        notes: Vec::new(),
    };
    draft(EventKind::CommandEnd, time, &body)
}

pub(crate) fn call_start(time: Timestamp, command: u64, call: u64, effect: &str, verdict: &str) -> Draft {
    let body = CallStart {
        command,
        call,
        helper: "cancel".into(),
        effect: effect.into(),
        args: [("id".to_owned(), "run_1".to_owned())].into(),
        decision: Decision { verdict: verdict.into(), policy: "default".into(), reason: None, approver: None },
    };
    draft(EventKind::CallStart, time, &body)
}

pub(crate) fn end(time: Timestamp, reason: EndReason, duration_us: u64) -> Draft {
    let body = SessionEnd { reason, exit_code: 0, duration_us, commands: 0, failed_commands: 0 };
    draft(EventKind::SessionEnd, time, &body)
}

pub(crate) fn observation(time: Timestamp, about: Option<&SessionId>, what: &str) -> Draft {
    let body = Observation {
        about: about.cloned(),
        what: what.into(),
        by: "a test".into(),
        why: "to see what happens".into(),
        detail: Map::new(),
    };
    draft(EventKind::Observation, time, &body)
}

/// The word of why a body was removed.
pub(crate) fn scrubbed(time: Timestamp, event: uuid::Uuid) -> Draft {
    let body = Observation {
        about: None,
        what: "scrubbed".into(),
        by: "a test".into(),
        why: "to see what happens".into(),
        detail: Map::from_iter([("event_id".to_owned(), event.to_string().into())]),
    };
    draft(EventKind::Observation, time, &body)
}

/// A session that is being written.
#[derive(Clone)]
pub(crate) struct Writing {
    pub(crate) id: SessionId,
    pub(crate) stream: Stream,
}

impl Writing {
    pub(crate) fn new(component: &str) -> Self {
        let id = SessionId::new();
        let stream = Stream { id: StreamId::Session(id.clone()), component: component.into() };
        Self { id, stream }
    }

    pub(crate) async fn record(&self, journal: &dyn Journal, drafts: &[Draft]) -> Result<Vec<Event>, JournalError> {
        journal.record(&self.stream, drafts).await
    }

    /// Start, some commands that succeed, and an end.
    pub(crate) async fn whole(&self, journal: &dyn Journal, from: i64, commands: u64) -> Vec<Event> {
        let mut drafts = vec![start(at(from), "ada", "host-a")];
        for command in 1..=commands {
            drafts.push(command_start(at(from + 1), command, &format!("show({command})")));
            drafts.push(command_end(at(from + 2), command, Status::Ok));
        }
        drafts.push(end(at(from + 3), EndReason::Exit, 3_000_000));
        self.record(journal, &drafts).await.expect("the session is recorded")
    }
}

/// A directory for a test, and the journal's path in it.
pub(crate) struct Place {
    pub(crate) directory: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a directory for the test") }
    }

    pub(crate) fn path(&self) -> String {
        self.directory.path().join("data/journal.db").to_str().expect("a path in UTF-8").to_owned()
    }

    pub(crate) async fn open(&self) -> SqliteJournal {
        SqliteJournal::open(&self.path()).await.expect("the journal opens")
    }
}

/// What keeps a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    #[cfg(feature = "postgres")]
    Postgres,
}

/// A place for a journal of any kind.
pub(crate) struct Store {
    pub(crate) kind: Kind,
    pub(crate) place: Place,
    /// The database, where it is not a file.
    #[cfg(feature = "postgres")]
    database: String,
}

impl Store {
    pub(crate) async fn new(kind: Kind) -> Self {
        Self {
            kind,
            place: Place::new(),
            #[cfg(feature = "postgres")]
            database: match kind {
                Kind::Sqlite => String::new(),
                Kind::Postgres => crate::postgres::Server::shared().database().await,
            },
        }
    }

    /// The journal, opened once more.
    pub(crate) async fn open(&self) -> Arc<dyn Journal> {
        match self.kind {
            Kind::Sqlite => Arc::new(self.place.open().await),
            #[cfg(feature = "postgres")]
            Kind::Postgres => {
                let url = crate::postgres::Server::shared().url(&self.database);
                Arc::new(admin_shell::journal::PostgresJournal::open(&url).await.expect("the journal opens"))
            }
        }
    }

    /// Runs SQL behind the journal's back.
    pub(crate) async fn run(&self, sql: &str) {
        self.numbers(sql).await;
    }

    /// The numbers that a query gives, row by row.
    pub(crate) async fn numbers(&self, sql: &str) -> Vec<Vec<i64>> {
        let query = || sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match self.kind {
            Kind::Sqlite => {
                let url = format!("sqlite:{}", self.place.path());
                let mut connection = SqliteConnection::connect(&url).await.expect("opens");
                let rows = query().fetch_all(&mut connection).await.expect("runs");
                connection.close().await.expect("closes");
                rows.iter().map(|row| (0..row.len()).map(|at| row.get(at)).collect()).collect()
            }
            #[cfg(feature = "postgres")]
            Kind::Postgres => {
                let mut connection = crate::postgres::Server::shared().connect(&self.database).await;
                let rows = query().fetch_all(&mut connection).await.expect("runs");
                connection.close().await.expect("closes");
                rows.iter().map(|row| (0..row.len()).map(|at| row.get(at)).collect()).collect()
            }
        }
    }
}

/// Runs a test on every kind of journal that is kept.
macro_rules! on_every_store {
    ($($(#[$attribute:meta])* async fn $name:ident($store:ident: &Store) $body:block)+) => {$(
        $(#[$attribute])*
        mod $name {
            use super::*;

            async fn run($store: &Store) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn sqlite() {
                run(&Store::new($crate::journal::fixture::Kind::Sqlite).await).await;
            }

            #[cfg(feature = "postgres")]
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn postgres() {
                run(&Store::new($crate::journal::fixture::Kind::Postgres).await).await;
            }
        }
    )+};
}
pub(crate) use on_every_store;
