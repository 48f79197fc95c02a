//! What delivery costs a command while the tracker is dead or hangs: the same session without a sink, with one that refuses
//! every call, and with one that never answers, in turns, so that the difference holds while the machine's speed drifts.

#[path = "material/report.rs"]
#[allow(dead_code, reason = "not every bench has limits of both kinds")]
mod report;

use std::time::Instant;

use admin_shell::{
    Actor, AdminShell, Cx, Helpers, Result, Session, Shell,
    console::{Console, Question},
    event::ActorKind,
    testing::{FaultySink, SinkFault},
};

use report::{Report, quantile};

const ROUNDS: usize = 400;
const LIMIT_MS: f64 = 1.0;

struct Greeter;

impl AdminShell for Greeter {
    const COMPONENT: &'static str = "greeter";

    fn helpers(helpers: &mut Helpers<Self>) {
        helpers.read("greet", "Greets someone by name.").param("name", "Whom to greet.").run(greet);
    }
}

async fn greet(_: Cx<Greeter>, name: String) -> Result<String> {
    Ok(format!("Hello, {name}!"))
}

/// Shows nothing and answers nothing.
struct Quiet;

impl Console for Quiet {
    fn print(&mut self, _: &str) {}

    fn ask(&mut self, _: &Question) -> Option<String> {
        None
    }

    fn secret(&mut self, _: &str) -> Option<String> {
        None
    }

    fn progress(&mut self, _: &str, _: Option<f64>) {}
}

struct Opened {
    session: Session,
    _directory: tempfile::TempDir,
}

async fn open(fault: Option<SinkFault>) -> Opened {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut shell = Shell::new(Greeter).database(directory.path().join("journal.db"));
    if let Some(fault) = fault {
        let sink = FaultySink::new("faulty:");
        sink.always(fault);
        shell = shell.sink(sink);
    }
    let session = shell.open(Actor::stated("bench", ActorKind::Service)).await.expect("the shell opens");
    Opened { session, _directory: directory }
}

async fn command(opened: &Opened) -> f64 {
    let begun = Instant::now();
    opened.session.execute("greet(\"Ada\")", Quiet).await.expect("it runs");
    begun.elapsed().as_secs_f64() * 1e3
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> std::process::ExitCode {
    let none = open(None).await;
    let dead = open(Some(SinkFault::Refuses)).await;
    let hanging = open(Some(SinkFault::Hangs)).await;
    let mut report = Report::new();
    let (mut alone, mut with_dead, mut with_hanging) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let base = command(&none).await;
        alone.push(base);
        with_dead.push(command(&dead).await - base);
        with_hanging.push(command(&hanging).await - base);
    }
    report.note("(a command without a sink, ms)", quantile(&mut alone, 0.5));
    for (what, values) in [("dead", &mut with_dead), ("hanging", &mut with_hanging)] {
        report.at_most(&format!("a command with the tracker {what}, ms more"), quantile(values, 0.5), LIMIT_MS);
    }
    for opened in [none, dead, hanging] {
        opened.session.close(admin_shell::EndReason::Done).await.expect("it ends");
    }
    report.exit()
}
