//! What every shell offers its scripts itself: `help`, `session`, `exit`, `sleep`, and where `print` goes.

use std::{sync::Arc, time::Duration};

use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, Position};

use super::{engine::Stage, value};
use crate::{console::Failure, event::Status, helper::Timespan};

type Returned = Result<Dynamic, Box<EvalAltResult>>;

/// The longest that `sleep` takes.
const LONGEST_SLEEP: f64 = 86_400.0;

pub(super) fn register(engine: &mut Engine, stage: &Arc<Stage>) {
    let at = Arc::clone(stage);
    engine.on_print(move |text| {
        if let Some(run) = at.run() {
            run.print(&format!("{text}\n"));
        }
    });
    let at = Arc::clone(stage);
    engine.on_debug(move |text, _, _| {
        if let Some(run) = at.run() {
            run.print(&format!("{text}\n"));
        }
    });

    let at = Arc::clone(stage);
    engine.register_fn("help", move || at.show_help(None));
    let at = Arc::clone(stage);
    engine.register_fn("help", move |name: ImmutableString| at.show_help(Some(&name)));

    let at = Arc::clone(stage);
    engine.register_fn("session", move || value::from_json(at.session(), &at.orders));

    let at = Arc::clone(stage);
    engine.register_fn("exit", move || -> Returned { exit(&at, &Dynamic::from(0_i64)) });
    let at = Arc::clone(stage);
    engine.register_fn("exit", move |code: Dynamic| -> Returned { exit(&at, &code) });

    let at = Arc::clone(stage);
    engine.register_fn("sleep", move |seconds: i64| -> Returned { sleep(&at, &seconds.to_string()) });
    let at = Arc::clone(stage);
    engine.register_fn("sleep", move |seconds: f64| -> Returned { sleep(&at, &seconds.to_string()) });
    let at = Arc::clone(stage);
    engine.register_fn("sleep", move |time: ImmutableString| -> Returned { sleep(&at, &time) });
}

/// The same for a name without parentheses; `None` for any other name.
pub(super) fn bare(stage: &Stage, name: &str) -> Option<Returned> {
    match name {
        "help" => {
            stage.show_help(None);
            Some(Ok(Dynamic::UNIT))
        }
        "session" => Some(Ok(value::from_json(stage.session(), &stage.orders))),
        "exit" | "quit" => Some(exit(stage, &Dynamic::from(0_i64))),
        _ => None,
    }
}

fn exit(stage: &Stage, code: &Dynamic) -> Returned {
    let code = code.as_int().ok().and_then(|code| i32::try_from(code).ok()).filter(|code| (0..=255).contains(code));
    let Some(code) = code else { return Err("`exit` wants an integer from 0 to 255".into()) };
    if let Some(run) = stage.run() {
        run.leave(code);
    }
    Err(EvalAltResult::ErrorTerminated(Dynamic::UNIT, Position::NONE).into())
}

fn sleep(stage: &Stage, time: &str) -> Returned {
    let wrong = || Box::<EvalAltResult>::from(format!("`sleep` wants 0 to {LONGEST_SLEEP} seconds"));
    let Timespan(length) = Timespan::parse(time).map_err(|_| wrong())?;
    if length > Duration::from_secs_f64(LONGEST_SLEEP) {
        return Err(wrong());
    }
    let Some(run) = stage.run() else { return Ok(Dynamic::UNIT) };
    let cancelled = run.cx.cancelled.clone();
    let interrupted = run.setting.runtime.block_on(async {
        tokio::select! {
            () = tokio::time::sleep(length) => false,
            () = cancelled.cancelled() => true,
        }
    });
    if interrupted {
        run.stop(Status::Cancelled, Failure::new("cancelled", "interrupted"));
        return Err(EvalAltResult::ErrorTerminated(Dynamic::UNIT, Position::NONE).into());
    }
    Ok(Dynamic::UNIT)
}
