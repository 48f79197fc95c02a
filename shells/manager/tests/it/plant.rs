//! A journal as months of work leave it, written through the public journal API at times of the test's choosing.

use std::path::PathBuf;

use admin_shell::{
    Mode, Status,
    event::{
        ActorFacts, ActorKind, CommandEnd, CommandStart, Draft, EndReason, Environment, EventKind, Failure,
        Observation, SessionEnd, SessionId, SessionStart, User,
    },
    journal::{Journal, SqliteJournal, Stream},
    redact::Redactor,
};
use jiff::{SignedDuration, Timestamp, civil::date, tz::TimeZone};
use serde::Serialize;
use serde_json::Map;

/// A journal in a directory of its own.
pub(crate) struct Plot {
    pub(crate) directory: tempfile::TempDir,
    journal: SqliteJournal,
}

/// So many days after 2026-01-05, at this time of day, UTC.
pub(crate) fn at(day: i64, hour: i8, minute: i8) -> Timestamp {
    let start = date(2026, 1, 5).at(hour, minute, 0, 0).to_zoned(TimeZone::UTC).expect("a date");
    start.timestamp() + SignedDuration::from_hours(24 * day)
}

/// One session that is to be planted.
pub(crate) struct Seed {
    pub(crate) component: &'static str,
    pub(crate) user: &'static str,
    pub(crate) host: &'static str,
    pub(crate) start: Timestamp,
    /// How long it was open; `None` when it crashed.
    pub(crate) seconds: Option<i64>,
    /// Inputs, and what went wrong.
    pub(crate) commands: Vec<(String, Option<&'static str>)>,
}

impl Seed {
    pub(crate) fn new(start: Timestamp) -> Self {
        let commands = vec![("ps()".to_owned(), None)];
        Self { component: "orchestrator", user: "ada", host: "host-a", start, seconds: Some(600), commands }
    }
}

impl Plot {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory for the test");
        let path = directory.path().join("journal.db");
        let journal = SqliteJournal::open(path.to_str().expect("UTF-8")).await.expect("the journal opens");
        Self { directory, journal }
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.directory.path().join("journal.db")
    }

    pub(crate) async fn plant(&self, seed: Seed) -> SessionId {
        let id = SessionId::new();
        let stream = Stream { id: id.clone().into(), component: seed.component.to_owned() };
        let mut drafts = vec![draft(EventKind::SessionStart, seed.start, &start(&seed))];
        for (number, (input, error)) in (1..).zip(&seed.commands) {
            let time = seed.start + SignedDuration::from_secs(i64::try_from(number).expect("few"));
            let body = CommandStart {
                command: number,
                input: Some(input.clone()),
                source: "prompt".into(),
                input_bytes: None,
                input_digest: None,
            };
            drafts.push(draft(EventKind::CommandStart, time, &body));
            drafts.push(draft(EventKind::CommandEnd, time, &command_end(number, *error)));
        }
        if let Some(seconds) = seed.seconds {
            let body = SessionEnd {
                reason: EndReason::Exit,
                exit_code: 0,
                duration_us: seconds.unsigned_abs() * 1_000_000,
                commands: 0,
                failed_commands: 0,
            };
            drafts.push(draft(EventKind::SessionEnd, seed.start + SignedDuration::from_secs(seconds), &body));
        }
        self.journal.record(&stream, &drafts).await.expect("the session is recorded");
        if seed.seconds.is_none() {
            let body = Observation {
                about: Some(id.clone()),
                what: "crashed".into(),
                by: "a test".into(),
                why: "planted".into(),
                detail: Map::new(),
            };
            let observation = draft(EventKind::Observation, seed.start, &body);
            self.journal.record(&self.journal.own_stream(), &[observation]).await.expect("it is observed");
        }
        id
    }
}

fn draft(kind: EventKind, time: Timestamp, body: &impl Serialize) -> Draft {
    Redactor::default().draft(kind, time, body)
}

fn start(seed: &Seed) -> SessionStart {
    SessionStart {
        shell_type: "OrchestratorShell".into(),
        component_type: seed.component.into(),
        component_version: None,
        mode: Mode::Interactive,
        pid: 4711,
        process_start: None,
        user: User { username: seed.user.into(), home: format!("/home/{}", seed.user), uid: Some(1000) },
        actor: ActorFacts {
            kind: ActorKind::Human,
            verified: true,
            sudo_user: None,
            ssh_client: None,
            tty: None,
            parent: None,
        },
        hostname: seed.host.into(),
        machine_id: None,
        boot_id: None,
        environment: Environment {
            runtime: None,
            platform: "linux-x86_64".into(),
            cwd: "/srv".into(),
            python_version: None,
        },
        reason: None,
        metadata: Map::new(),
    }
}

fn command_end(command: u64, error: Option<&str>) -> CommandEnd {
    CommandEnd {
        command,
        status: if error.is_some() { Status::Error } else { Status::Ok },
        duration_us: 1_500,
        error: error.map(|message| Failure { kind: "helper".into(), message: message.into() }),
        reads: Default::default(),
        output_bytes: 0,
        output_digest: format!("sha256:{}", "0".repeat(64)),
        notes: Vec::new(),
    }
}
