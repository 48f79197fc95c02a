//! The component that is attacked: everything that changes something is written to a list.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use admin_shell::{
    AdminShell, Approved, Callback, Cx, Handle, Helpers, Json, Result, Secret, Shell,
    event::{CallEnd, CallStart, CommandEnd, Event, EventKind},
    journal::Journal,
    session::Source,
    testing::TestShell,
};
use serde::Serialize;
use serde_json::Value;

use super::expectation::{Attack, Report};

#[derive(Default)]
struct Target {
    effects: Arc<Mutex<Vec<String>>>,
}

impl Target {
    fn did(&self, effect: impl Into<String>) {
        self.effects.lock().expect("nobody panics with it").push(effect.into());
    }
}

impl AdminShell for Target {
    const COMPONENT: &'static str = "target";

    fn helpers(helpers: &mut Helpers<Self>) {
        helpers.read("ps", "All runs.").run(async |_: Cx<Self>| Ok::<_, anyhow::Error>(runs()));
        helpers.read("show", "One run.").param("id", "Which.").field("id").run(show);
        helpers
            .read("each", "Calls a function with each item.")
            .param("items", "A list.")
            .param("f", "A function.")
            .run(each);
        helpers.read("both", "Calls two functions at once.").param("f", "One.").param("g", "The other.").run(both);
        helpers.read("echo", "Answers what it is given.").param("value", "Anything.").run(echo);
        helpers.read("nap", "Sleeps for ten seconds.").run(nap);
        helpers.read("hold", "A handle.").run(async |_: Cx<Self>| Ok::<_, anyhow::Error>(Handle::new(Held)));
        helpers.write("note", "Writes a note.").param("text", "What.").run(note);
        helpers.write("sync", "Refreshes.").run(sync);
        helpers.write("drop_held", "Drops a handle's thing.").param("handle", "Which.").run(drop_held);
        helpers.write("login", "Logs in.").param("user", "Who.").secret_param("password", "With what.").run(login);
        helpers
            .write("unlock", "Opens a door.")
            .secret_param("pin", "Of the door.")
            .param("door", "Which.")
            .run(unlock);
        helpers
            .write("connect", "Reaches a host.")
            .param("host", "Which.")
            .secret_param("phrase", "None for a guest.")
            .default("")
            .run(connect);
        helpers.destroy("cancel", "Stops a run.").param("id", "Which.").field("id").preview(would_cancel).run(cancel);
        helpers.destroy("swap", "Swaps two runs.").param("a", "One.").param("b", "The other.").run(swap);
        helpers.destroy("wipe", "Removes everything.").run(wipe);
    }
}

#[derive(Clone, Serialize)]
struct Run {
    id: String,
    name: &'static str,
    attempts: u64,
}

struct Held;

fn runs() -> Vec<Run> {
    (1..=3).map(|n| Run { id: format!("r{n}"), name: "nightly", attempts: n }).collect()
}

async fn show(_: Cx<Target>, id: String) -> Result<Run> {
    runs().into_iter().find(|run| run.id == id).ok_or_else(|| anyhow::anyhow!("there is no run {id}"))
}

async fn each(_: Cx<Target>, items: Vec<Value>, f: Callback) -> Result<Vec<Value>> {
    let mut answers = Vec::new();
    for item in items {
        answers.push(f.call((item,)).await?);
    }
    Ok(answers)
}

async fn both(_: Cx<Target>, f: Callback, g: Callback) -> Result<()> {
    let _ = tokio::join!(f.call::<Value>(()), g.call::<Value>(()));
    Ok(())
}

async fn echo(_: Cx<Target>, Json(value): Json<Value>) -> Result<Value> {
    Ok(value)
}

async fn nap(_: Cx<Target>) -> Result<()> {
    tokio::time::sleep(Duration::from_secs(10)).await;
    Ok(())
}

async fn note(cx: Cx<Target>, text: String) -> Result<usize> {
    cx.did(format!("note {}", text.chars().take(40).collect::<String>()));
    Ok(text.len())
}

async fn sync(cx: Cx<Target>) -> Result<()> {
    cx.did("sync");
    Ok(())
}

async fn drop_held(cx: Cx<Target>, _: Handle<Held>) -> Result<()> {
    cx.did("drop_held");
    Ok(())
}

/// A component that is not careful: its error repeats the password.
async fn login(cx: Cx<Target>, user: String, password: Secret<String>) -> Result<()> {
    cx.did(format!("login {user}"));
    cx.print(format!("logging in as {user}"));
    anyhow::bail!("{user} can not log in with {}", password.expose())
}

async fn unlock(cx: Cx<Target>, _: Secret<String>, door: String) -> Result<()> {
    cx.did(format!("unlock {door}"));
    Ok(())
}

async fn connect(cx: Cx<Target>, host: String, _: Secret<String>) -> Result<()> {
    cx.did(format!("connect {host}"));
    Ok(())
}

async fn would_cancel(_: Cx<Target>, id: String) -> Result<String> {
    Ok(format!("{id} would stop"))
}

async fn cancel(cx: Cx<Target>, _: Approved, id: String) -> Result<()> {
    cx.did(format!("cancel {id}"));
    Ok(())
}

async fn swap(cx: Cx<Target>, _: Approved, a: Json<Value>, b: Json<Value>) -> Result<()> {
    cx.did(format!("swap {} {}", a.0, b.0));
    Ok(())
}

async fn wipe(cx: Cx<Target>, _: Approved) -> Result<()> {
    cx.did("wipe");
    Ok(())
}

/// Types an attack into a shell and reports what came of it.
pub(super) async fn suffer(attack: &Attack) -> Report {
    let target = Target::default();
    let effects = Arc::clone(&target.effects);
    let scripts = tempfile::tempdir().expect("a directory");
    write_modules(scripts.path());
    let mut shell = Shell::new(target).scripts(scripts.path()).compute_limit(attack.computes);
    if let Some(limit) = attack.operations {
        shell = shell.operation_limit(limit);
    }
    let shell = TestShell::of(shell).await;
    if attack.confirms {
        shell.confirms("an attack");
    }
    let started = Instant::now();
    let mut printed = String::new();
    let mut history = Vec::new();
    let mut last = None;
    for input in &attack.inputs {
        history.push(shell.session().redacted(input));
        let ran = match attack.as_file {
            true => shell.run_source(Source::script("attack.rhai", input.as_bytes())).await,
            false => shell.run(input).await,
        };
        printed.push_str(ran.printed());
        last = Some(ran);
    }
    let (seconds, processor_seconds) = (started.elapsed().as_secs_f64(), processor_seconds());
    let memory_mib = peak_memory_mib();
    let last = last.expect("an attack has an input");
    let left = last.outcome.exit.is_some();
    let events = shell.events().await;
    let effects = effects.lock().expect("nobody panics with it").clone();
    let asked = shell.asked();
    // Whatever happened: the next command runs, and only what it says.
    let alive = left || shell.run("40 + 2").await.outcome.value == 42;
    shell.close().await;
    let journal = shell.journal().await;
    let verified = journal.verify(None).await.expect("it can be verified").faults;
    let failure = last.outcome.failure.clone();
    Report {
        ends: last.outcome.exit.map_or_else(|| last.status.to_string(), |code| format!("exit {code}")),
        kind: failure.as_ref().map(|failure| failure.kind.clone()).unwrap_or_default(),
        message: failure.map(|failure| failure.message).unwrap_or_default(),
        shown: last.failure().unwrap_or_default(),
        value: last.outcome.value.to_string(),
        events: events.iter().skip(1).map(word).collect(),
        texts: events.iter().map(|event| event.text().to_owned()).collect(),
        effects,
        printed,
        asked: asked.into_iter().map(|question| question.call).collect(),
        history,
        seconds,
        processor_seconds,
        memory_mib,
        alive,
        verified: verified.into_iter().map(|fault| fault.message).collect(),
    }
}

fn word(event: &Event) -> String {
    let kind = event.kind();
    match kind {
        EventKind::CallStart => {
            let body: CallStart = event.decode().expect("a call's start");
            format!("{kind} {} {}", body.helper, body.decision.verdict)
        }
        EventKind::CallEnd => {
            let body: CallEnd = event.decode().expect("a call's end");
            format!("{kind} {} {}", body.helper, body.status)
        }
        EventKind::CommandEnd => format!("{kind} {}", event.decode::<CommandEnd>().expect("a command's end").status),
        _ => kind.to_string(),
    }
}

fn write_modules(directory: &std::path::Path) {
    let modules = [
        ("tools.rhai", "fn twice(x) { x * 2 }\n"),
        (
            "evil.rhai",
            "fn cancel(id) { print(`cancelled ${id}`); true }\nfn stop(id) { cancel(id) }\nexport const cancelled = true;\n",
        ),
        ("again.rhai", "import \"again\" as again;\nfn f() { 1 }\n"),
        ("ping.rhai", "import \"pong\" as pong;\n"),
        ("pong.rhai", "import \"ping\" as ping;\n"),
        ("acts.rhai", "export const done = cancel(\"r1\");\n"),
        ("calls.rhai", "fn stop(id) { cancel(id) }\n"),
    ];
    for (name, code) in modules {
        std::fs::write(directory.join(name), code).expect("a module");
    }
    for depth in 0..=20 {
        let code = format!("import \"deep{}\" as deeper;\n", depth + 1);
        std::fs::write(directory.join(format!("deep{depth}.rhai")), code).expect("a module");
    }
    std::fs::write(directory.join("deep21.rhai"), "fn f() { 1 }\n").expect("a module");
    std::fs::write(directory.join("huge.rhai"), format!("fn f() {{ 1 }}\n//{}", "x".repeat(1 << 20)))
        .expect("a module");
    std::fs::write(directory.with_file_name("outside.rhai"), "fn f() { 1 }").expect("a module outside");
}

/// Processor time of this process; zero where the system does not tell.
fn processor_seconds() -> f64 {
    /// Of the unit that Linux tells it in (`USER_HZ`).
    const A_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    // The eleventh and twelfth behind the name: for the program, and for it in the kernel.
    (ticks(11) + ticks(12)) / A_SECOND
}

/// The most memory that this process ever had; zero where the system does not tell.
fn peak_memory_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) >> 10
}
