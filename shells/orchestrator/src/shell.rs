//! The orchestrator's admin shell: the component, its helpers, and when its engine works.
//!
//! The engine's file lies beside the session's journal. It is opened behind the prompt, never before it:
//! - at a prompt, and in a host program, the engine works from the start of the session to its end; who leaves the prompt
//!   while runs are under way is told what becomes of them, and asked again;
//! - in a script (`-c`, `-f`, standard input) it works from a moment after the first `submit` or `retry`. A script that ends at
//!   once leaves its runs to the next shell whole; one whose runs have begun waits for those, and begins no others;
//! - in a read-only session it only looks;
//! - while the session is not recorded it starts nothing: *no record, no change* holds behind the prompt too.

mod changes;
mod queries;

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use admin_shell::{Adapter, AdminShell, Cx, EndReason, HelperError, Helpers, Mode, Result};

use crate::{
    embedded::{Conduct, Embedded, Options},
    engine::{Engine, EngineError, Gate, Wanted},
    run::Run,
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
    sessions: Vec<Cx<Orchestrator>>,
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
        Self { open: Mutex::new(Open { sessions: Vec::new(), engine: Some(Arc::new(engine)) }) }
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
    engine(cx).start(SETTLE, gate(cx));
}

/// Runs may be started while each open session is recorded: any of them may have submitted them.
fn gate(cx: &Cx<Orchestrator>) -> Gate {
    let component = Arc::downgrade(&cx.shared());
    Gate::new(move || {
        let component = component.clone();
        Box::pin(async move {
            let sessions = component.upgrade().map(|component| component.open().sessions.clone()).unwrap_or_default();
            for session in sessions {
                session.recording().await.map_err(|why| format!("the session is not recorded: {why}"))?;
            }
            Ok(())
        })
    })
}

/// Says beside a list of runs why none of them begins. Not in scripts, whose output is read by programs.
async fn say_if_held(cx: &Cx<Orchestrator>) {
    if !is_script(cx)
        && !cx.session().read_only
        && let Err(why) = cx.recording().await
    {
        cx.print(format!("note: no run begins here, because the session is not recorded: {why}"));
    }
}

/// What an engine answered, its error in the form that shells show: a sentence, and what to do next.
fn told<T>(answer: crate::engine::Result<T>) -> Result<T> {
    answer.map_err(|error: EngineError| {
        let told = HelperError::new(error.kind(), error.to_string());
        error.hint().map_or(told.clone(), |hint| told.hint(hint)).into()
    })
}

/// A run as it is shown: what is known to be secret is masked, the file has it as it was given.
fn masked(cx: &Cx<Orchestrator>, mut run: Run) -> Run {
    run.args = masked_args(cx, run.args);
    let texts = [Some(&mut run.name), Some(&mut run.program), run.error.as_mut(), run.last_line.as_mut()];
    for text in texts.into_iter().flatten() {
        *text = cx.redacted(text);
    }
    run
}

/// The arguments of a program; `--password` and what comes after it belong together, so they are looked at as one text.
fn masked_args(cx: &Cx<Orchestrator>, args: Vec<String>) -> Vec<String> {
    let together = serde_json::to_string(&args).unwrap_or_default();
    match serde_json::from_str::<Vec<String>>(&cx.redacted(&together)) {
        Ok(masked) if masked.len() == args.len() => masked,
        _ => args.iter().map(|arg| cx.redacted(arg)).collect(),
    }
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
        cx.open().sessions.push(cx.clone());
        if !is_script(cx) {
            engine.start(PROMPT_FIRST, gate(cx));
        }
        Ok(())
    }

    async fn unfinished(cx: &Cx<Self>) -> Option<String> {
        let engine = engine(cx);
        if is_script(cx) {
            // Before it is counted: nothing may begin after the count.
            engine.drain();
        }
        let (runs, them) = match engine.under_way() {
            0 => return None,
            1 => ("1 run is".to_owned(), "it"),
            many => (format!("{many} runs are"), "them"),
        };
        Some(if is_script(cx) {
            format!("{runs} under way: waiting for the end (Ctrl-C stops {them} and queues {them} again).")
        } else {
            format!(
                "{runs} under way here. Leaving stops {them}, to start anew in the next shell;\n\
                 what may start only once (attempts: 1) has then failed."
            )
        })
    }

    async fn on_end(cx: &Cx<Self>, _reason: EndReason) -> Result<()> {
        let last = {
            let mut open = cx.open();
            open.sessions.retain(|session| session.session().session_id != cx.session().session_id);
            if open.sessions.is_empty() { open.engine.take() } else { None }
        };
        if let Some(engine) = last {
            engine.close().await;
        }
        Ok(())
    }
}

fn is_script(cx: &Cx<Orchestrator>) -> bool {
    !matches!(cx.session().mode, Mode::Interactive | Mode::Embedded)
}

/// Ids that complete what was typed, the latest first.
async fn ids(cx: Cx<Orchestrator>, typed: String, wanted: Wanted) -> Result<Vec<String>> {
    let runs = engine(&cx).runs(Wanted { limit: 1000, ..wanted }).await?;
    Ok(runs.into_iter().map(|run| String::from(run.id)).filter(|id| id.starts_with(&typed)).take(50).collect())
}
