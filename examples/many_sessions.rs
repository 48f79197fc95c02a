//! A shell inside a service: two clients with sessions of their own work on the service's live state, and the service
//! goes on meanwhile.
//!
//! `cargo run --example many_sessions`

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use admin_shell::{Actor, AdminShell, Console, Cx, EndReason, Helpers, Question, Result, Shell, event::ActorKind};

/// The service: it counts, by a step that can be changed.
pub(crate) struct Counter {
    count: AtomicU64,
    step: AtomicU64,
}

impl AdminShell for Counter {
    const COMPONENT: &'static str = "counter";

    fn helpers(helpers: &mut Helpers<Self>) {
        helpers.read("count", "How far it has counted.").example("count()").run(count);
        helpers.write("step", "Sets the step.").param("by", "The new step.").example("step(2)").run(step);
    }
}

async fn count(cx: Cx<Counter>) -> Result<u64> {
    Ok(cx.count.load(Ordering::Relaxed))
}

async fn step(cx: Cx<Counter>, by: u64) -> Result<u64> {
    Ok(cx.step.swap(by, Ordering::Relaxed))
}

/// Where a client's output goes, and who answers for it: here a list of lines, and nobody.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<std::sync::Mutex<Vec<String>>>);

impl Console for Lines {
    fn print(&mut self, text: &str) {
        self.0.lock().expect("nobody panics with the lines").push(text.to_owned());
    }

    fn ask(&mut self, _: &Question) -> Option<String> {
        None
    }

    fn secret(&mut self, _: &str) -> Option<String> {
        None
    }

    fn progress(&mut self, _: &str, _: Option<f64>) {}
}

#[tokio::main]
async fn main() -> Result<()> {
    let counter = Arc::new(Counter { count: AtomicU64::new(0), step: AtomicU64::new(1) });
    let service = Arc::clone(&counter);
    tokio::spawn(async move {
        loop {
            service.count.fetch_add(service.step.load(Ordering::Relaxed), Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    });

    let shell = Shell::shared(counter);
    for name in ["ada", "grace"] {
        let session = shell.open(Actor::stated(name, ActorKind::Human)).await?;
        let console = Lines::default();
        let changed = session.execute("step(step(5) + 1)", console.clone()).await?;
        let counted = session.execute("count()", console).await?;
        println!("{name} {}: step was {}, count is {}", session.id(), changed.value, counted.value);
        session.close(EndReason::Done).await?;
    }
    Ok(())
}
