//! The orchestrator's admin shell: the component, its helpers, and when its engine works.
//!
//! The engine's file lies beside the session's journal. It is opened behind the prompt, never before it:
//! - at a prompt, and in a host program, the engine works from the start of the session to its end;
//! - in a script (`-c`, `-f`, standard input) it works from a moment after the first `submit` or `retry`. A script that ends at
//!   once leaves its runs to the next shell whole, instead of starting them only to stop them;
//! - in a read-only session it only looks.

mod changes;
mod queries;

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use admin_shell::{Adapter, AdminShell, Cx, EndReason, Helpers, Mode, Result};

use crate::{
    embedded::{Conduct, Embedded, Options},
    engine::{Engine, Wanted},
};

/// The prompt comes first: opening the engine must not take the processor from it.
const PROMPT_FIRST: Duration = Duration::from_millis(30);

/// How long a script may take after a `submit` before the runs begin here.
const SETTLE: Duration = Duration::from_millis(250);

/// The component. Shared by all sessions of a process, which share one engine.
#[derive(Default)]
pub struct Orchestrator {
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    sessions: usize,
    engine: Option<Arc<dyn Engine>>,
}

impl Orchestrator {
    /// With the engine inside the shell, beside the journal.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With another engine. It is closed with the last session.
    #[must_use]
    pub fn with(engine: impl Engine) -> Self {
        Self { open: Mutex::new(Open { sessions: 0, engine: Some(Arc::new(engine)) }) }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The engine that this session works with.
fn engine(cx: &Cx<Orchestrator>) -> Arc<dyn Engine> {
    let mut open = cx.open();
    let made = open.engine.get_or_insert_with(|| {
        let conduct = if cx.session().read_only { Conduct::Looks } else { Conduct::Works };
        let database = Path::new(&cx.session().database).with_file_name("orchestrator.db");
        Arc::new(Embedded::new(database, Options { conduct, ..Options::default() }))
    });
    Arc::clone(made)
}

/// Lets the engine take what was just queued, when it does not work already.
fn work_soon(cx: &Cx<Orchestrator>) {
    engine(cx).start(SETTLE);
}

impl AdminShell for Orchestrator {
    const COMPONENT: &'static str = "orchestrator";
    const VERSION: Option<&'static str> = Some(env!("CARGO_PKG_VERSION"));

    fn helpers(helpers: &mut Helpers<Self>) {
        queries::register(helpers);
        changes::register(helpers);
    }

    async fn adapters(cx: &Cx<Self>) -> Vec<Adapter> {
        let engine = engine(cx);
        vec![Adapter::new(engine.name(), engine.state().to_string())]
    }

    async fn on_start(cx: &Cx<Self>) -> Result<()> {
        let engine = engine(cx);
        cx.open().sessions += 1;
        if matches!(cx.session().mode, Mode::Interactive | Mode::Embedded) {
            engine.start(PROMPT_FIRST);
        }
        Ok(())
    }

    async fn on_end(cx: &Cx<Self>, _reason: EndReason) -> Result<()> {
        let last = {
            let mut open = cx.open();
            open.sessions = open.sessions.saturating_sub(1);
            if open.sessions == 0 { open.engine.take() } else { None }
        };
        if let Some(engine) = last {
            engine.close().await;
        }
        Ok(())
    }
}

/// Ids that complete what was typed, the latest first.
async fn ids(cx: Cx<Orchestrator>, typed: String, wanted: Wanted) -> Result<Vec<String>> {
    let runs = engine(&cx).runs(Wanted { limit: 1000, ..wanted }).await?;
    Ok(runs.into_iter().map(|run| String::from(run.id)).filter(|id| id.starts_with(&typed)).take(50).collect())
}
