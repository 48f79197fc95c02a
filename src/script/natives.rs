//! What every shell offers its scripts itself: `help`, `session`, `exit`, `sleep`, and where `print` goes.

use std::{sync::Arc, time::Duration};

use rhai::{Dynamic, Engine, EvalAltResult, Map, Position};

use super::{engine::Stage, run::Run, strings, value};
use crate::helper::{Blame, HelperError, Timespan};

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
    engine.register_fn("help", move || -> Returned {
        at.show_help(None).map_err(|error| at.fail(error))?;
        Ok(Dynamic::UNIT)
    });
    let at = Arc::clone(stage);
    engine.register_fn("help", move |name: Dynamic| -> Returned {
        let wrong = HelperError::new("wrong_type", "`help` wants the name of a helper, as a string");
        let name = name.into_immutable_string().map_err(|_| at.fail(wrong.hint("write help(\"session\")")))?;
        at.show_help(Some(&name)).map_err(|error| at.fail(error))?;
        Ok(Dynamic::UNIT)
    });

    let at = Arc::clone(stage);
    engine.register_fn("session", move || value::from_json(at.session(), &at.orders));

    let at = Arc::clone(stage);
    engine.register_fn("exit", move || -> Returned { exit(&at, &Dynamic::from(0_i64)) });
    let at = Arc::clone(stage);
    engine.register_fn("exit", move |code: Dynamic| -> Returned { exit(&at, &code) });

    // For each type that the language's own takes, or its own would be the better fit.
    let at = Arc::clone(stage);
    engine.register_fn("sleep", move |seconds: i64| -> Returned { sleep(&at, &seconds.to_string()) });
    let at = Arc::clone(stage);
    engine.register_fn("sleep", move |seconds: f64| -> Returned { sleep(&at, &seconds.to_string()) });
    let at = Arc::clone(stage);
    engine.register_fn("sleep", move |time: Dynamic| -> Returned { sleep(&at, &time.to_string()) });

    let at = Arc::clone(stage);
    // The language's own follows a function that captures its own record for ever.
    engine.register_fn("to_json", move |record: &mut Map| -> Result<String, Box<EvalAltResult>> {
        let value = value::to_json(&Dynamic::from(record.clone()), &at.orders);
        value
            .map(|value| value.to_string())
            .map_err(|big| at.fail(HelperError::new("limit", format!("the record is {big}"))))
    });
    strings::register(engine);
}

/// What the names of ours mean without parentheses: what people type who want to leave.
pub(super) fn bare(name: &str, stage: &Arc<Stage>) -> Result<Option<Dynamic>, Box<EvalAltResult>> {
    match name {
        "exit" | "quit" => exit(stage, &Dynamic::from(0_i64)).map(Some),
        "help" => {
            stage.show_help(None).map_err(|error| stage.fail(error))?;
            Ok(Some(Dynamic::UNIT))
        }
        "session" => Ok(Some(value::from_json(stage.session(), &stage.orders))),
        _ => Ok(None),
    }
}

fn exit(stage: &Stage, code: &Dynamic) -> Returned {
    let code = code.as_int().ok().and_then(|code| i32::try_from(code).ok()).filter(|code| (0..=255).contains(code));
    let Some(code) = code else {
        return Err(stage.fail(no_code()));
    };
    if let Some(run) = stage.run() {
        run.leave(code);
    }
    Err(EvalAltResult::ErrorTerminated(Dynamic::UNIT, Position::NONE).into())
}

/// What help says about a name of ours.
pub(super) fn about(name: &str) -> Option<&'static str> {
    Some(match name.trim().trim_end_matches("()") {
        "help" => "help(name?)\n  Lists the helpers, or says more about one of them.\n",
        "session" => "session()\n  This session: its id, since when, how many commands, its mode.\n",
        "exit" | "quit" => "exit(code = 0)\n  Ends the session with an exit code from 0 to 255.\n",
        "sleep" => "sleep(time)\n  Waits: seconds, or text such as \"1m30s\". Ctrl-C ends it.\n",
        "print" => "print(value)\n  Shows a value.\n",
        "debug" => "debug(value)\n  Shows a value as the language sees it.\n",
        _ => return None,
    })
}

fn no_code() -> HelperError {
    HelperError::new("out_of_range", "`exit` wants an integer from 0 to 255")
        .hint("write exit() when all is well, exit(1) when not")
        .blame(Blame::Value(0, "code".to_owned()))
}

/// `exit 4`, as people type it who know command lines.
pub(super) fn leave(run: &Run, word: Option<&str>) -> Result<(), HelperError> {
    let code = word.map_or(Some(0), |word| word.parse::<u8>().ok());
    code.map(|code| run.leave(code.into())).ok_or_else(no_code)
}

fn sleep(stage: &Stage, time: &str) -> Returned {
    let wrong = || {
        let message = format!("`sleep` wants 0 to {LONGEST_SLEEP} seconds, or text such as \"1m30s\"");
        let error = HelperError::new("out_of_range", message).hint("write sleep(2), sleep(0.5) or sleep(\"1m30s\")");
        stage.fail(error.blame(Blame::Value(0, "time".to_owned())))
    };
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
        run.notices_stop();
        return Err(EvalAltResult::ErrorTerminated(Dynamic::UNIT, Position::NONE).into());
    }
    Ok(Dynamic::UNIT)
}
