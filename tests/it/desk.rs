//! The component that the tests of the door administer: runs that can be shown, renamed and cancelled, and helpers that
//! misbehave.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use admin_shell::{
    AdminShell, Approved, Callback, Command, Cx, Handle, Helpers, Json, Next, Outcome, Result, Rows, Secret, Shell,
    Timespan,
    event::{Event, EventKind},
    testing::TestShell,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What happened to the component, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn did(&self, what: impl Into<String>) {
        self.0.lock().expect("nobody panics with it").push(what.into());
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().expect("nobody panics with it").clone()
    }
}

pub(crate) struct Desk {
    pub(crate) log: Log,
    /// What the hooks do at a command whose text is this.
    pub(crate) calls: AtomicUsize,
}

impl Desk {
    pub(crate) fn new(log: &Log) -> Self {
        Self { log: log.clone(), calls: AtomicUsize::new(0) }
    }
}

/// A desk in a test shell, and what happens to it.
pub(crate) async fn desk() -> (TestShell, Log) {
    let log = Log::default();
    (TestShell::new(Desk::new(&log)).await, log)
}

pub(crate) fn shell(log: &Log) -> Shell<Desk> {
    Shell::new(Desk::new(log))
}

/// Waits until something is so.
pub(crate) async fn until(so: impl Fn() -> bool) {
    let started = std::time::Instant::now();
    while !so() {
        assert!(started.elapsed() < Duration::from_secs(20), "it does not come to be");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Event types, with what matters most of each.
pub(crate) fn words(events: &[Event]) -> Vec<String> {
    let word = |event: &Event| {
        let (kind, body) = (event.kind(), event.body());
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match kind {
            EventKind::CallStart => format!("{kind} {} {}", text(&body["helper"]), text(&body["decision"]["verdict"])),
            EventKind::CallEnd => format!("{kind} {} {}", text(&body["helper"]), text(&body["status"])),
            EventKind::CommandEnd => format!("{kind} {}", text(&body["status"])),
            EventKind::Gap => format!("{kind} {}", body["count"]),
            _ => kind.to_string(),
        }
    };
    events.iter().map(word).collect()
}

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) attempts: u32,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Filter {
    pub(crate) name: Option<String>,
    pub(crate) most: Option<u8>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Order {
    Oldest,
    Newest,
}

pub(crate) struct Lease(u32);

impl AdminShell for Desk {
    const COMPONENT: &'static str = "desk";

    fn helpers(helpers: &mut Helpers<Self>) {
        helpers.read("ps", "All runs.").example("ps()").run(async |_: Cx<Self>| Ok::<_, anyhow::Error>(runs()));
        helpers
            .read("errors", "Recent failures.")
            .param("limit", "How many.")
            .default(3)
            .param("order", "Which first.")
            .example("errors(2)")
            .example(r#"errors(#{order: "oldest"})"#)
            .run(errors);
        helpers.read("show", "One run.").param("id", "Which.").field("id").example(r#"show("r1")"#).run(show);
        helpers
            .read("find", "Runs that fit.")
            .param("filter", "What they are like.")
            .example("find(#{filter: #{most: 1}})")
            .run(find);
        helpers.read("wait", "Waits.").param("time", "How long.").example("wait(0)").run(wait);
        helpers.read("hang", "Blocks its thread for a while.").run(hang);
        helpers.read("slow", "Waits for longer than it may.").timeout(Duration::from_millis(50)).run(wait_long);
        helpers.read("stuck", "Blocks for longer than it may.").timeout(Duration::from_millis(50)).run(hang);
        helpers.read("crash", "Panics.").run(async |_: Cx<Self>| -> Result<()> { panic!("it was the wrong day") });
        helpers
            .read("each", "Calls a function with each item.")
            .param("items", "A list.")
            .param("f", "The function.")
            .run(each);
        helpers.read("both", "Calls two functions at once.").param("f", "One.").param("g", "The other.").run(both);
        helpers.read("stream", "Runs, one after the other.").param("count", "How many.").run(stream);
        helpers.read("odd", "Values that are not easily told.").run(odd);
        helpers.read("echo", "Answers what it is given.").param("value", "Anything.").run(echo);
        helpers
            .read("lease", "A lease, to be held.")
            .run(async |_: Cx<Self>| Ok::<_, anyhow::Error>(Handle::new(Lease(7))));
        helpers.read("look", "Looks at a lease.").param("lease", "Which.").run(look);
        helpers.read("ask_secret", "Asks for a secret.").run(ask_secret);
        helpers.read("count", "Shows how far it is.").param("to", "How far.").run(count);
        helpers.write("note", "Writes a note.").param("text", "What.").example(r#"note("x")"#).run(note);
        helpers.write("sync", "Refreshes.").run(async |cx: Cx<Self>| {
            cx.log.did("sync");
            Ok::<_, anyhow::Error>(())
        });
        helpers.write("hang_on", "Changes something, and blocks its thread.").run(hang_on);
        helpers
            .write("rename", "Renames a run.")
            .param("id", "Which.")
            .field("id")
            .param("name", "To what.")
            .preview(would_rename)
            .run(rename);
        helpers.write("apply", "Calls a function, and is a change itself.").param("f", "The function.").run(apply);
        helpers.write("login", "Logs in.").param("user", "Who.").secret_param("password", "With what.").run(login);
        helpers
            .destroy("cancel", "Stops a run.")
            .param("id", "Which.")
            .field("id")
            .preview(would_cancel)
            .example(r#"cancel("r1")"#)
            .run(cancel);
        helpers.destroy("wipe", "Removes all runs.").run(wipe);
    }

    async fn before_command(cx: &Cx<Self>, command: &Command) -> Result<Next> {
        cx.calls.fetch_add(1, Ordering::Relaxed);
        match command.input.lines().next().unwrap_or_default() {
            "// veto" => Ok(Next::Refuse { because: "not on a Sunday".into() }),
            "// note" => Ok(Next::Note("on a Sunday".into())),
            "// fail" => anyhow::bail!("nobody knows what day it is"),
            "// panic" => panic!("no day at all"),
            "// hang" => std::future::pending().await,
            _ => Ok(Next::Go),
        }
    }

    async fn after_command(cx: &Cx<Self>, command: &Command, outcome: &Outcome) -> Result<()> {
        if command.input.starts_with("// after") {
            cx.log.did(format!("after {}", outcome.status));
            panic!("after all");
        }
        Ok(())
    }

    async fn on_end(cx: &Cx<Self>, reason: admin_shell::EndReason) -> Result<()> {
        cx.log.did(format!("end {reason}"));
        panic!("the end")
    }
}

pub(crate) fn runs() -> Vec<Run> {
    let run = |n: u32| Run { id: format!("r{n}"), name: "nightly".into(), attempts: n };
    (1..=3).map(run).collect()
}

async fn errors(_: Cx<Desk>, limit: u8, order: Option<Order>) -> Result<Vec<u8>> {
    let mut list: Vec<u8> = (1..=limit).collect();
    if let Some(Order::Newest) = order {
        list.reverse();
    }
    Ok(list)
}

async fn show(_: Cx<Desk>, id: String) -> Result<Run> {
    runs().into_iter().find(|run| run.id == id).ok_or_else(|| anyhow::anyhow!("there is no run {id}"))
}

async fn find(_: Cx<Desk>, filter: Filter) -> Result<usize> {
    let named = runs().into_iter().filter(|run| filter.name.as_ref().is_none_or(|name| run.name == *name));
    Ok(named.count().min(filter.most.map_or(usize::MAX, usize::from)))
}

async fn wait(_: Cx<Desk>, time: Timespan) -> Result<()> {
    tokio::time::sleep(time.0).await;
    Ok(())
}

async fn wait_long(_: Cx<Desk>) -> Result<()> {
    tokio::time::sleep(Duration::from_secs(30)).await;
    Ok(())
}

async fn hang(_: Cx<Desk>) -> Result<()> {
    std::thread::sleep(Duration::from_secs(2));
    Ok(())
}

async fn hang_on(cx: Cx<Desk>) -> Result<()> {
    cx.log.did("hang_on");
    std::thread::sleep(Duration::from_secs(2));
    Ok(())
}

async fn each(_: Cx<Desk>, items: Vec<Value>, f: Callback) -> Result<Vec<Value>> {
    let mut answers = Vec::new();
    for item in items {
        answers.push(f.call((item,)).await?);
    }
    Ok(answers)
}

async fn both(_: Cx<Desk>, f: Callback, g: Callback) -> Result<(Value, Value)> {
    let (f, g) = tokio::join!(f.call::<Value>(()), g.call::<Value>(()));
    Ok((f?, g?))
}

async fn stream(_: Cx<Desk>, count: u32) -> Result<Rows<Run>> {
    let rows = (1..=count).map(|n| match n {
        5 => Err(anyhow::anyhow!("the fifth is broken")),
        n => Ok(Run { id: format!("r{n}"), name: "streamed".into(), attempts: n }),
    });
    Ok(Rows::new(futures_util::stream::iter(rows)))
}

async fn odd(_: Cx<Desk>) -> Result<Value> {
    Ok(json!({
        "zeta": u64::MAX, "nan": f64::NAN, "alpha": i64::MIN, "half": 0.5,
        "list": [{"second": 2, "first": 1}], "null": null,
    }))
}

async fn echo(_: Cx<Desk>, Json(value): Json<Value>) -> Result<Value> {
    Ok(value)
}

async fn look(_: Cx<Desk>, lease: Handle<Lease>) -> Result<u32> {
    Ok(lease.0.0)
}

async fn ask_secret(cx: Cx<Desk>) -> Result<()> {
    let secret = cx.secret("Token").await.ok_or_else(|| anyhow::anyhow!("nobody typed one"))?;
    anyhow::bail!("{} is not the one", secret.expose())
}

async fn count(cx: Cx<Desk>, to: u64) -> Result<()> {
    let progress = cx.progress(to, "counting");
    for _ in 0..to {
        progress.advance(1);
    }
    Ok(())
}

async fn note(cx: Cx<Desk>, text: String) -> Result<usize> {
    cx.log.did(format!("note {}", text.chars().take(40).collect::<String>()));
    Ok(text.len())
}

async fn would_rename(_: Cx<Desk>, id: String, name: String) -> Result<String> {
    anyhow::ensure!(name != "nobody", "nobody can be called that");
    Ok(format!("{id}: nightly → {name}"))
}

async fn rename(cx: Cx<Desk>, id: String, name: String) -> Result<()> {
    cx.log.did(format!("rename {id} {name}"));
    Ok(())
}

async fn apply(cx: Cx<Desk>, f: Callback) -> Result<Value> {
    let answer = f.call(()).await?;
    cx.log.did("applied");
    Ok(answer)
}

async fn login(cx: Cx<Desk>, user: String, password: Secret<String>) -> Result<usize> {
    cx.log.did(format!("login {user}"));
    anyhow::ensure!(password.expose().len() > 4, "{} is too short", password.expose());
    Ok(password.expose().len())
}

async fn would_cancel(_: Cx<Desk>, id: String) -> Result<String> {
    Ok(format!("{id} would stop"))
}

async fn cancel(cx: Cx<Desk>, approved: Approved, id: String) -> Result<()> {
    cx.log.did(format!("cancel {id}: {}", approved.reason()));
    Ok(())
}

async fn wipe(cx: Cx<Desk>, approved: Approved) -> Result<()> {
    cx.log.did(format!("wipe for {}", approved.by().user.username));
    Ok(())
}
