//! `doctor`: tries the way of an event from a shell to where it is read, step by step, and says what to mend.
//!
//! Nothing of it stays: a session is thrown away with a journal of its own, in the journal a note is taken and taken back,
//! and sinks get an empty batch. What that does not show is said; with `--deliver` it is shown, by a session that stays.

mod reach;
mod whole_way;

use std::fmt::Write;

use admin_shell::{
    config::{Config, Overrides, data_dir},
    event::{EndReason, EventKind, Gap, JournalId, SessionEnd, SessionId},
    journal::{Found, Journal, JournalError, Progress, Room, SqliteJournal, Stream},
    redact::Redactor,
    render::visible,
};
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use crate::{answer, cli::Source, exit::Stop, health::USUAL, journal::sinks::Wanted, output::Output, remote::Remote};

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Go the whole way: record a session of component `doctor` in the journal and deliver it through every sink. It
    /// stays in the record.
    #[arg(long)]
    deliver: bool,
    #[command(flatten)]
    output: Output,
}

/// How one step went.
#[derive(Serialize)]
struct Step {
    what: &'static str,
    state: State,
    said: String,
}

impl Step {
    fn new(what: &'static str, state: State, said: String) -> Self {
        Self { what, state, said }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Good,
    Note,
    Bad,
}

#[derive(Serialize)]
struct Findings {
    healthy: bool,
    steps: Vec<Step>,
}

pub(crate) async fn run(doctor: Doctor, source: &Source) -> Result<(), Stop> {
    let mut steps = Vec::new();
    let mut say = |what, state, said: String| steps.push(Step::new(what, state, said));
    let config = Config::load(&Overrides { database: source.database.clone(), ..Overrides::default() });
    match &config {
        Ok(_) => say("configuration", State::Good, "it can be read".to_owned()),
        Err(error) => say("configuration", State::Bad, format!("{error:#}")),
    }
    let (state, said) = data_directory();
    say("data directory", state, said);
    let (state, said) = journal(source).await;
    say("journal", state, said);
    let (state, said) = throw_away().await;
    say("a throw-away session", state, said);
    if let Ok(config) = &config {
        let (state, said) = secrets(config);
        say("token", state, said);
        match &config.sink {
            None => say("sink", State::Note, "ADMIN_SHELL_SINK names none: sessions stay on this machine".to_owned()),
            Some(_) => match Wanted::default().open(source) {
                Ok(sinks) => {
                    for sink in sinks {
                        let (state, said) = reach::reach(sink, JournalId::new()).await;
                        say("sink", state, said);
                    }
                }
                Err(stop) => say("sink", State::Bad, sentence(&stop)),
            },
        }
    }
    match source.remote() {
        Ok(None) => {}
        Ok(Some(remote)) => {
            let (state, said) = tracker(&remote).await;
            say("tracker", state, said);
        }
        Err(stop) => say("tracker", State::Bad, sentence(&stop)),
    }
    if doctor.deliver {
        whole_way::go(source, &mut steps).await;
    } else {
        let said = "recording in the journal, and delivering from it: `session-tracker doctor --deliver` does, and leaves a \
                    session of component `doctor` behind";
        steps.push(Step::new("not tried", State::Note, said.to_owned()));
    }
    let findings = Findings { healthy: steps.iter().all(|step| step.state != State::Bad), steps };
    answer::one(&doctor.output, &findings, |_| {
        let mut text = String::new();
        for step in &findings.steps {
            let mark = match step.state {
                State::Good => "✓",
                State::Note => "·",
                State::Bad => "✗",
            };
            let _ = writeln!(text, "{mark} {}: {}", step.what, visible(&step.said));
        }
        text
    })?;
    if findings.healthy { Ok(()) } else { Err(Stop::Said) }
}

fn data_directory() -> (State, String) {
    let directory = data_dir();
    let existing = directory.ancestors().find(|path| path.exists()).map(std::path::Path::to_owned).unwrap_or_default();
    match tempfile_in(&existing) {
        Ok(()) => (State::Good, format!("{} can be written", directory.display())),
        Err(error) => (
            State::Bad,
            format!("{} can not be written ({error}): give it to this user, or set XDG_DATA_HOME", directory.display()),
        ),
    }
}

fn tempfile_in(directory: &std::path::Path) -> std::io::Result<()> {
    let path = directory.join(format!(".session-tracker-doctor-{}", std::process::id()));
    std::fs::File::create_new(&path)?;
    std::fs::remove_file(&path)
}

async fn journal(source: &Source) -> (State, String) {
    let place = match source.open_as_it_is().await {
        Ok(Some(place)) => place,
        Ok(None) => return (State::Note, "there is none yet: the first shell makes it".to_owned()),
        Err(stop) => return (State::Bad, sentence(&stop)),
    };
    if let Some(error) = place.journal.read_only() {
        return (State::Bad, error.to_string());
    }
    let room = match place.journal.room() {
        Room::Enough => None,
        Room::Low { free_bytes } => Some((State::Note, free_bytes)),
        Room::Critical { free_bytes } => Some((State::Bad, free_bytes)),
    };
    if let Some((state, free_bytes)) = room {
        return (state, format!("only {} MiB are free on its disk: make room", free_bytes >> 20));
    }
    let tried = async {
        let status = place.journal.status().await?;
        take_a_note(&*place.journal).await?;
        Ok::<_, JournalError>(status)
    };
    match tried.await {
        Ok(status) => {
            let (database, events, sessions) = (status.database, status.events, status.sessions);
            (State::Good, format!("{database} holds {events} events of {sessions} sessions, and can be written"))
        }
        Err(error) => (State::Bad, error.to_string()),
    }
}

/// Writes to the journal, reads it back, and takes it back: beside the record, which keeps everything.
async fn take_a_note(journal: &dyn Journal) -> Result<(), JournalError> {
    let sink = format!("doctor:{}", std::process::id());
    let note = Progress { sink: sink.clone(), component: "doctor".to_owned(), ..Progress::default() };
    journal.delivered(&note).await?;
    let is_there = journal.cursor(&sink, "doctor").await? == Some(0);
    if journal.forget_sink(&sink).await? && is_there {
        return Ok(());
    }
    Err(JournalError::Database("what was written to it is not there".to_owned()))
}

/// Makes a journal, records in it, verifies it, and deletes it.
async fn throw_away() -> (State, String) {
    let directory = std::env::temp_dir().join(format!("session-tracker-doctor-{}", std::process::id()));
    let tried = async {
        let path = directory.join("journal.db");
        let journal = SqliteJournal::open(path.to_str().unwrap_or_default()).await?;
        let session = SessionId::new();
        let stream = Stream { id: session.clone().into(), component: "doctor".to_owned() };
        let end = SessionEnd { reason: EndReason::Done, exit_code: 0, duration_us: 0, commands: 0, failed_commands: 0 };
        let redactor = Redactor::default();
        let now = Timestamp::now();
        let (from, to) = (now.to_string(), now.to_string());
        let gap = Gap { count: 0, from, to, reason: "a session to try with".to_owned() };
        let drafts = [redactor.draft(EventKind::Gap, now, &gap), redactor.draft(EventKind::SessionEnd, now, &end)];
        journal.record(&stream, &drafts).await?;
        let found = journal.find(session.as_str()).await?;
        let report = journal.verify(None).await?;
        journal.close().await;
        anyhow::ensure!(matches!(found, Found::One(_)), "what was recorded is not found");
        anyhow::ensure!(report.faults.is_empty(), "what was recorded does not verify");
        Ok::<_, anyhow::Error>(())
    };
    let tried = tried.await;
    let _ = std::fs::remove_dir_all(&directory);
    match tried {
        Ok(()) => (State::Good, "in a new SQLite journal in the directory for temporary files: recorded, synced, found, verified, and deleted again".to_owned()),
        Err(error) => (State::Bad, format!("a new journal can not be made in {}: {error:#}", directory.display())),
    }
}

fn secrets(config: &Config) -> (State, String) {
    use admin_shell::token::Secret;
    if let Some(secret) = &config.secret
        && let Err(weak) = Secret::new(secret.expose())
    {
        return (State::Bad, format!("ADMIN_SHELL_SECRET {weak}"));
    }
    match (&config.token, &config.secret) {
        (Some(_), _) => {
            (State::Good, "ADMIN_SHELL_TOKEN is set; `session-tracker token inspect` says what it is worth".to_owned())
        }
        (None, Some(_)) => (State::Good, "tokens are minted from ADMIN_SHELL_SECRET".to_owned()),
        (None, None) => (
            State::Note,
            "neither ADMIN_SHELL_TOKEN nor ADMIN_SHELL_SECRET is set: only an open tracker takes events".to_owned(),
        ),
    }
}

async fn tracker(remote: &Remote) -> (State, String) {
    match remote.health("ready").await {
        Err(stop) => {
            let hint = format!("start one with `session-tracker serve` (it listens at {USUAL}), or mend the address");
            (State::Bad, format!("{}; {hint}", sentence(&stop)))
        }
        Ok(said) => {
            let version = said["version"].as_str().unwrap_or("?");
            let reads = remote.sessions(&admin_shell::journal::Filter::default(), 1).await;
            match reads {
                Ok(_) => {
                    (State::Good, format!("{} is healthy, version {version}, and lets this token read", remote.name()))
                }
                Err(stop) if remote.has_token() => (
                    State::Note,
                    format!("{} is healthy, and this token does not read there: {}", remote.name(), sentence(&stop)),
                ),
                Err(_) => (
                    State::Bad,
                    format!(
                        "{} is healthy and asks for a token: set ADMIN_SHELL_TOKEN or ADMIN_SHELL_SECRET",
                        remote.name()
                    ),
                ),
            }
        }
    }
}

fn sentence(stop: &Stop) -> String {
    match stop {
        Stop::Usage(said) | Stop::NotFound(said) => said.clone(),
        Stop::Failed(error) => format!("{error:#}"),
        Stop::Said | Stop::Closed => String::new(),
    }
}
