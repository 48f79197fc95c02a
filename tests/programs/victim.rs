//! A component that does every kind of thing a test of the process needs: it changes, destroys, waits, blocks, fails and
//! panics, wherever `VICTIM_PANIC` and `VICTIM_ERROR` say.
//!
//! `append_nonce(n)` is the witness of the crash tests: each line of the file at `VICTIM_FILE` is an effect that reached
//! the disk, so each must have an intent in the journal.

use std::{
    fs::OpenOptions,
    io::Write,
    path::PathBuf,
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use admin_shell::{
    Adapter, AdminShell, Approved, Callback, Command, Cx, EndReason, Helpers, Next, Outcome, Policy, Request, Result,
    Rule, Secret, Shell, Verdict, WhenUnrecorded,
};
use serde::Serialize;

#[derive(Default)]
struct Victim {
    count: AtomicU64,
}

#[derive(Serialize)]
struct Row {
    id: String,
    name: &'static str,
    state: &'static str,
    attempts: u32,
    note: String,
}

/// Whether a test asked for trouble at this place: `VICTIM_PANIC=on_start,end`.
fn asked(variable: &str, place: &str) -> bool {
    std::env::var(variable).is_ok_and(|places| places.split(',').any(|asked| asked == place))
}

fn trouble(place: &str) -> Result<()> {
    assert!(!asked("VICTIM_PANIC", place), "asked to panic in {place}");
    anyhow::ensure!(!asked("VICTIM_ERROR", place), "asked to fail in {place}");
    Ok(())
}

async fn hang(place: &str) {
    if asked("VICTIM_HANG", place) {
        std::future::pending::<()>().await;
    }
}

impl AdminShell for Victim {
    const COMPONENT: &'static str = "victim";
    const VERSION: Option<&'static str> = Some("1.2.3");

    fn helpers(helpers: &mut Helpers<Self>) {
        if asked("VICTIM_ERROR", "helpers") {
            helpers.read("eval", "Has a name that no helper can have.").run(rows);
        }
        helpers.read("rows", "Some records.").run(rows);
        helpers.read("count", "How often `bump` was called.").run(count);
        helpers.read("echo", "Answers what it is given.").param("value", "Anything.").run(echo);
        helpers.read("nan", "Numbers that JSON has no word for.").run(nan);
        helpers.read("slow", "Waits and can be interrupted.").param("seconds", "How long.").run(slow);
        helpers.read("wait_for", "Waits until a file is there.").param("path", "The file.").run(wait_for);
        helpers.read("block", "Waits and can not be interrupted.").param("seconds", "How long.").run(block);
        helpers.read("fail", "Fails.").run(fail);
        helpers.read("panic", "Panics.").param("message", "With this message.").default("on purpose").run(panic);
        helpers.read("abort", "Kills the process.").run(abort);
        helpers.read("spew", "Prints lines.").param("lines", "How many.").run(spew);
        helpers.read("call_back", "Calls a function.").param("f", "The function.").run(call_back);
        helpers
            .read("login", "Takes a secret.")
            .param("user", "Whose.")
            .secret_param("password", "The secret.")
            .run(login);
        helpers.read("ask_secret", "Asks for a secret without echo.").run(ask_secret);
        helpers.write("bump", "Counts.").run(bump);
        helpers.write("append_nonce", "Appends a line to the file.").param("nonce", "The line.").run(append_nonce);
        helpers.destroy("wipe", "Empties the file.").param("what", "What to wipe.").default("everything").run(wipe);
    }

    fn redact(&self) -> Vec<Rule> {
        trouble("redact").expect("asked to fail in redact");
        Vec::new()
    }

    fn prompt(&self) -> String {
        trouble("prompt").expect("asked to fail in prompt");
        "Victim> ".to_owned()
    }

    fn banner(&self) -> Vec<String> {
        trouble("banner").expect("asked to fail in banner");
        vec!["This one is here to be killed.".to_owned()]
    }

    async fn adapters(_: &Cx<Self>) -> Vec<Adapter> {
        hang("adapters").await;
        trouble("adapters").expect("asked to fail in adapters");
        vec![Adapter::new("disk", "ready")]
    }

    async fn on_start(_: &Cx<Self>) -> Result<()> {
        hang("on_start").await;
        trouble("on_start")
    }

    async fn before_command(_: &Cx<Self>, command: &Command) -> Result<Next> {
        trouble("before")?;
        Ok(if command.input.contains("forbidden") {
            Next::Refuse { because: "the word is forbidden".to_owned() }
        } else {
            Next::Go
        })
    }

    async fn after_command(_: &Cx<Self>, _: &Command, _: &Outcome) -> Result<()> {
        trouble("after")
    }

    async fn unfinished(_: &Cx<Self>) -> Option<String> {
        trouble("unfinished").expect("asked to fail in unfinished");
        asked("VICTIM_HANG", "leaving").then(|| "1 import is under way here, leaving stops it.".to_owned())
    }

    async fn on_end(_: &Cx<Self>, _: EndReason) -> Result<()> {
        hang("end").await;
        trouble("end")
    }
}

/// Refuses what a test wants refused, to see that a component's policy is asked.
struct Forbids;

impl Policy for Forbids {
    fn name(&self) -> &str {
        "forbids"
    }

    fn decide(&self, request: &Request<'_>) -> Verdict {
        let forbidden = std::env::var("VICTIM_FORBIDS").is_ok_and(|name| name == request.spec.name);
        if forbidden { Verdict::Refuse { because: "the test forbids it".to_owned() } } else { Verdict::Run }
    }
}

async fn rows(_: Cx<Victim>) -> Result<Vec<Row>> {
    let row = |n: u32, name, state| Row {
        id: format!("run_{n}"),
        name,
        state,
        attempts: n,
        note: "a note that is long enough to be cut where the terminal is narrow ".repeat(2),
    };
    Ok(vec![row(1, "nightly", "done"), row(2, "import", "failed"), row(3, "report", "running")])
}

async fn count(cx: Cx<Victim>) -> Result<u64> {
    Ok(cx.count.load(Ordering::Relaxed))
}

async fn echo(_: Cx<Victim>, value: serde_json::Value) -> Result<serde_json::Value> {
    Ok(value)
}

async fn nan(_: Cx<Victim>) -> Result<Vec<f64>> {
    Ok(vec![f64::NAN, f64::INFINITY, 1.5])
}

async fn slow(cx: Cx<Victim>, seconds: f64) -> Result<&'static str> {
    cx.print("slow begins");
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    Ok("slow ended")
}

async fn wait_for(cx: Cx<Victim>, path: PathBuf) -> Result<()> {
    cx.print("wait begins");
    while !path.exists() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}

async fn block(cx: Cx<Victim>, seconds: f64) -> Result<&'static str> {
    cx.print("block begins");
    std::thread::sleep(Duration::from_secs_f64(seconds));
    Ok("block ended")
}

async fn fail(_: Cx<Victim>) -> Result<()> {
    anyhow::bail!("it did not work")
}

async fn panic(_: Cx<Victim>, message: String) -> Result<()> {
    panic!("{message}")
}

async fn abort(_: Cx<Victim>) -> Result<()> {
    std::process::abort()
}

async fn spew(cx: Cx<Victim>, lines: u64) -> Result<()> {
    for line in 0..lines {
        cx.print(format_args!("line {line} of a long output"));
    }
    Ok(())
}

async fn call_back(_: Cx<Victim>, f: Callback) -> Result<serde_json::Value> {
    f.call(()).await
}

async fn login(_: Cx<Victim>, user: String, password: Secret<String>) -> Result<String> {
    anyhow::ensure!(!password.expose().is_empty(), "an empty password");
    Ok(format!("{user} is in"))
}

async fn ask_secret(cx: Cx<Victim>) -> Result<String> {
    Ok(match cx.secret("Token").await {
        Some(secret) => format!("given, {} characters", secret.expose().chars().count()),
        None => "not given".to_owned(),
    })
}

async fn bump(cx: Cx<Victim>) -> Result<u64> {
    Ok(cx.count.fetch_add(1, Ordering::Relaxed) + 1)
}

fn file() -> Result<PathBuf> {
    std::env::var_os("VICTIM_FILE").map(PathBuf::from).ok_or_else(|| anyhow::anyhow!("VICTIM_FILE is not set"))
}

async fn append_nonce(_: Cx<Victim>, nonce: String) -> Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(file()?)?;
    file.write_all(format!("{nonce}\n").as_bytes())?;
    Ok(file.sync_all()?)
}

async fn wipe(_: Cx<Victim>, approved: Approved, what: String) -> Result<String> {
    std::fs::write(file()?, "")?;
    Ok(format!("{what} is wiped: {}", approved.reason()))
}

fn main() -> ExitCode {
    admin_shell::main(async || {
        hang("open").await;
        trouble("open")?;
        let choice = if asked("VICTIM_REFUSE", "all") { WhenUnrecorded::RefuseAll } else { WhenUnrecorded::default() };
        Ok(Shell::new(Victim::default()).policy(Forbids).when_unrecorded(choice).renderer(|value, _| {
            let asked = value.as_str().is_some_and(|text| text == "renderer");
            assert!(!asked, "asked to panic in the renderer");
            None
        }))
    })
}
