//! A shell with everything that a helper can have, over a mail queue: the program that docs/writing-a-shell.md explains.
//!
//! `cargo run --example mail_queue -- --relay mail.example.org`

use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use admin_shell::{
    Actor, Adapter, AdminShell, Approval, Approved, Approver, Callback, Command, Cx, Effect, EndReason, Handle,
    Helpers, Next, Outcome, Policy, Question, Request, Result, Rows, Rule, Secret, Shell, Timespan, Verdict,
    event::ActorKind,
};
use anyhow::Context;
use futures_util::stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the component's own.
#[derive(Deserialize, JsonSchema)]
struct Settings {
    /// The server that letters are handed to.
    #[serde(default = "localhost")]
    relay: String,
    /// How many letters wait at the start.
    #[serde(default)]
    letters: u32,
}

fn localhost() -> String {
    "localhost".to_owned()
}

/// The component. Helpers work on this queue, not on a copy of it.
pub(crate) struct MailQueue {
    relay: String,
    letters: Mutex<BTreeMap<u32, Letter>>,
}

#[derive(Clone, Serialize)]
struct Letter {
    id: u32,
    to: String,
    subject: String,
    tries: u32,
    held: bool,
    held_seconds: Option<u64>,
}

impl MailQueue {
    pub(crate) fn new(relay: impl Into<String>, letters: u32) -> Self {
        let letter = |id| Letter {
            id,
            to: format!("reader-{id}@example.org"),
            subject: "Your invoice".to_owned(),
            tries: id % 4,
            held: false,
            held_seconds: None,
        };
        let letters = (1..=letters).map(|id| (id, letter(id))).collect();
        Self { relay: relay.into(), letters: Mutex::new(letters) }
    }

    fn letters(&self) -> MutexGuard<'_, BTreeMap<u32, Letter>> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AdminShell for MailQueue {
    const COMPONENT: &'static str = "mail-queue";
    const VERSION: Option<&'static str> = Some(env!("CARGO_PKG_VERSION"));

    fn helpers(helpers: &mut Helpers<Self>) {
        looking(helpers);
        changing(helpers);
        special(helpers);
    }

    fn banner(&self) -> Vec<String> {
        vec![format!("Relay: {}", self.relay)]
    }

    fn redact(&self) -> Vec<Rule> {
        vec![Rule::new("mailbox-(?<secret>[0-9]{8})").expect("the pattern is a regular expression")]
    }

    async fn adapters(cx: &Cx<Self>) -> Vec<Adapter> {
        vec![Adapter::new(&cx.relay, "ready")]
    }

    async fn on_start(cx: &Cx<Self>) -> Result<()> {
        anyhow::ensure!(!cx.relay.is_empty(), "no relay is configured");
        Ok(())
    }

    async fn before_command(cx: &Cx<Self>, command: &Command) -> Result<Next> {
        if command.input.len() > 10_000 {
            return Ok(Next::Refuse { because: "nobody can read a command of this length".to_owned() });
        }
        Ok(Next::Note(format!("{} letters waited", cx.letters().len())))
    }

    async fn after_command(_: &Cx<Self>, _: &Command, _: &Outcome) -> Result<()> {
        Ok(())
    }

    async fn on_end(_: &Cx<Self>, _: EndReason) -> Result<()> {
        Ok(())
    }
}

fn looking(helpers: &mut Helpers<MailQueue>) {
    helpers
        .read("queue", "The letters that wait, the oldest first.")
        .group("Looking")
        .param("limit", "How many at most.")
        .default(20)
        .example("queue()")
        .example("queue --limit 5")
        .run(queue);
    helpers
        .read("letter", "One letter.")
        .group("Looking")
        .param("id", "The letter, or its number.")
        .field("id")
        .values(numbers)
        .example("letter(1)")
        .example("letter(queue()[0])")
        .run(letter);
}

async fn queue(cx: Cx<MailQueue>, limit: usize) -> Result<Vec<Letter>> {
    Ok(cx.letters().values().take(limit).cloned().collect())
}

async fn letter(cx: Cx<MailQueue>, id: u32) -> Result<Letter> {
    cx.letters().get(&id).cloned().with_context(|| format!("there is no letter {id}"))
}

async fn numbers(cx: Cx<MailQueue>, typed: String) -> Result<Vec<u32>> {
    Ok(cx.letters().keys().copied().filter(|id| id.to_string().starts_with(&typed)).collect())
}

fn changing(helpers: &mut Helpers<MailQueue>) {
    helpers
        .write("hold", "Keeps a letter back.")
        .group("Changing")
        .param("id", "The letter, or its number.")
        .field("id")
        .values(numbers)
        .param("time", "How long: seconds, or text such as \"1h30m\". Without it, until it is released.")
        .example("hold(1)")
        .example(r#"hold(1, "2h")"#)
        .run(hold);
    helpers
        .write("login", "Logs in at the relay.")
        .group("Changing")
        .param("user", "The account.")
        .secret_param("password", "Its password; asked for when it is left out.")
        .example(r#"login("ada", "correct horse")"#)
        .run(login);
    helpers
        .destroy("purge", "Drops letters that were tried too often.")
        .group("Changing")
        .param("tries", "Letters with at least so many tries.")
        .preview(what_purge_drops)
        .example("purge(3)")
        .run(purge);
}

async fn hold(cx: Cx<MailQueue>, id: u32, time: Option<Timespan>) -> Result<Letter> {
    let mut letters = cx.letters();
    let letter = letters.get_mut(&id).with_context(|| format!("there is no letter {id}"))?;
    letter.held = true;
    letter.held_seconds = time.map(|Timespan(time)| time.as_secs());
    Ok(letter.clone())
}

async fn login(cx: Cx<MailQueue>, user: String, password: Secret<Option<String>>) -> Result<String> {
    let password = match password.expose() {
        Some(password) => password.clone(),
        None => cx.secret("Password").await.context("there is nobody to ask for the password")?.expose().clone(),
    };
    anyhow::ensure!(password.len() >= 4, "the relay does not know {user} by this password");
    Ok(format!("{user} at {}", cx.relay))
}

async fn what_purge_drops(cx: Cx<MailQueue>, tries: u32) -> Result<String> {
    let letters = cx.letters();
    let dropped: Vec<&str> = letters.values().filter(|l| l.tries >= tries).map(|l| l.to.as_str()).collect();
    Ok(format!("{} letters: {}", dropped.len(), dropped.join(", ")))
}

async fn purge(cx: Cx<MailQueue>, approved: Approved, tries: u32) -> Result<usize> {
    let before = cx.letters().len();
    cx.letters().retain(|_, letter| letter.tries < tries);
    let dropped = before - cx.letters().len();
    cx.print(format!("{dropped} letters dropped: {}", approved.reason()));
    Ok(dropped)
}

fn special(helpers: &mut Helpers<MailQueue>) {
    helpers
        .read("select", "The letters for which a function answers true.")
        .group("More")
        .param("test", "A function of one letter.")
        .example("select(|letter| letter.tries > 2)")
        .run(select);
    helpers
        .write("flush", "Hands every letter to the relay.")
        .group("More")
        .timeout(Duration::from_secs(600))
        .example("flush()")
        .run(flush);
    helpers.read("bounces", "Letters that came back.").group("More").example("bounces()").run(bounces);
    helpers.read("snapshot", "The queue as it is now.").group("More").example("let now = snapshot()").run(snapshot);
    helpers
        .read("gone", "The letters of a snapshot that are not in the queue any more.")
        .group("More")
        .param("since", "An earlier snapshot.")
        .example("gone(snapshot())")
        .run(gone);
}

async fn select(cx: Cx<MailQueue>, test: Callback) -> Result<Vec<Letter>> {
    let letters: Vec<Letter> = cx.letters().values().cloned().collect();
    let mut selected = Vec::new();
    for letter in letters {
        if test.call::<bool>(&letter).await? {
            selected.push(letter);
        }
    }
    Ok(selected)
}

async fn flush(cx: Cx<MailQueue>) -> Result<usize> {
    let waiting: Vec<u32> = cx.letters().keys().copied().collect();
    let progress = cx.progress(waiting.len() as u64, "sending");
    for id in &waiting {
        tokio::time::sleep(Duration::from_millis(1)).await;
        cx.letters().remove(id);
        progress.advance(1);
    }
    Ok(waiting.len())
}

async fn bounces(_: Cx<MailQueue>) -> Result<Rows<Letter>> {
    Ok(Rows::new(stream::iter(Vec::<Result<Letter>>::new())))
}

struct Snapshot(Vec<u32>);

async fn snapshot(cx: Cx<MailQueue>) -> Result<Handle<Snapshot>> {
    Ok(Handle::new(Snapshot(cx.letters().keys().copied().collect())))
}

async fn gone(cx: Cx<MailQueue>, since: Handle<Snapshot>) -> Result<Vec<u32>> {
    let letters = cx.letters();
    Ok(since.0.0.iter().copied().filter(|id| !letters.contains_key(id)).collect())
}

/// Nobody empties a busy queue alone.
pub(crate) struct FourEyes;

impl Policy for FourEyes {
    fn name(&self) -> &str {
        "four_eyes"
    }

    fn decide(&self, request: &Request<'_>) -> Verdict {
        let tries = request.args.first().and_then(|tries| tries.as_ref()?.as_u64());
        if request.spec.effect == Effect::Destroy && tries == Some(0) {
            return Verdict::Second { because: "this drops every letter".to_owned() };
        }
        Verdict::Run
    }
}

/// Asks whoever is on duty. A real one sends a message and waits for the answer.
pub(crate) struct OnDuty;

#[async_trait::async_trait]
impl Approver for OnDuty {
    async fn approve(&self, _question: &Question) -> Result<Approval> {
        Ok(Approval { by: Actor::stated("grace", ActorKind::Human), reason: "agreed on the phone".to_owned() })
    }
}

fn main() -> ExitCode {
    admin_shell::main_with(async |settings: Settings| {
        let queue = MailQueue::new(settings.relay, settings.letters);
        Ok(Shell::new(queue).policy(FourEyes).approver(OnDuty))
    })
}
