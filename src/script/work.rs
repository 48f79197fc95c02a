//! A decoded call while it runs: on the runtime, served by the evaluating thread, stopped by an interrupt or its limit.

use std::{panic::AssertUnwindSafe, sync::mpsc::Sender, time::Duration};

use futures_util::FutureExt;
use serde_json::Value;

use super::{
    door::{Invoke, Stop},
    run::Run,
};
use crate::{
    console::Failure,
    event::Status,
    helper::{Ended, FromHelper, HelperError, Output, Prepared},
    policy::Approved,
    spec::Spec,
};

/// Runs a decoded call on the runtime and serves it until it is done.
pub(super) fn execute(
    run: &Run,
    number: u64,
    prepared: Prepared,
    approved: Option<Approved>,
    limit: Option<Duration>,
    invoke: Invoke<'_>,
) -> Ended {
    let cx = run.cx.clone();
    let done = Done { line: cx.line.clone(), call: number, result: None };
    run.setting.runtime.spawn(async move {
        let cancelled = cx.cancelled.clone();
        let work = AssertUnwindSafe(async move { prepared.start(cx, approved).await }).catch_unwind();
        let limited = async {
            match limit {
                Some(limit) => tokio::time::timeout(limit, work).await.map_err(|_| ()),
                None => Ok(work.await),
            }
        };
        // The future is dropped at the end of this statement, before anybody hears that it is over.
        let result = tokio::select! {
            // First, so that nothing of it runs when the command was stopped before.
            biased;
            () = cancelled.cancelled() => Ended::Cancelled,
            result = limited => match result {
                Ok(Ok(answer)) => Ended::Answer(answer),
                Ok(Err(panic)) => Ended::Panicked(panic_message(&*panic)),
                Err(()) => Ended::TimedOut,
            },
        };
        done.with(result);
    });
    run.serve(number, limit, invoke)
}

/// Says that a call is over; also when the runtime is shut down and drops it, because somebody waits.
struct Done {
    line: Sender<FromHelper>,
    call: u64,
    result: Option<Ended>,
}

impl Done {
    fn with(mut self, result: Ended) {
        self.result = Some(result);
    }
}

impl Drop for Done {
    fn drop(&mut self) {
        let result = self.result.take().unwrap_or(Ended::Abandoned);
        // Nobody listens when the command was over before.
        let _ = self.line.send(FromHelper::Done { call: self.call, result });
    }
}

/// What came of it: its answer, or how it ended and why.
pub(super) fn outcome(run: &Run, spec: &Spec, ended: Ended) -> Result<Output, (Status, HelperError)> {
    let name = &spec.name;
    match ended {
        Ended::Answer(Ok(output)) => Ok(output),
        Ended::Answer(Err(error)) => {
            let error = match error.downcast::<HelperError>() {
                Ok(error) => error,
                Err(error) => {
                    HelperError::new("helper", format!("`{name}` failed: {error:#}")).hint(what_there_is(spec))
                }
            };
            Err((Status::Error, error))
        }
        Ended::Panicked(message) => Err((
            Status::Error,
            HelperError::new("panic", format!("`{name}` panicked: {message}"))
                .hint("the session goes on; please report it"),
        )),
        Ended::Cancelled => {
            Err((Status::Cancelled, HelperError::new("cancelled", format!("`{name}` was interrupted"))))
        }
        Ended::TimedOut => {
            let limit = spec.timeout.unwrap_or_default();
            Err((Status::Timeout, HelperError::new("timeout", format!("`{name}` did not end within {limit:?}"))))
        }
        Ended::Abandoned if run.is_stopped() => {
            let message = format!("`{name}` was told to stop and did not: it may still be running");
            // The first word holds: a refusal stays one.
            run.stop(Status::Cancelled, Failure::new("cancelled", message.clone()));
            Err((Status::Unknown, HelperError::new("abandoned", message)))
        }
        Ended::Abandoned => {
            let message = match spec.timeout {
                Some(limit) => format!("`{name}` did not end within {limit:?}, and may still be running"),
                None => format!("`{name}` was dropped before it ended"),
            };
            Err((Status::Unknown, HelperError::new("timeout", message)))
        }
    }
}

/// Where to look when a helper says no.
fn what_there_is(spec: &Spec) -> String {
    match spec.params.iter().any(|param| param.has_values) {
        true => format!("Tab behind `{}(` shows what there is", spec.name),
        false => format!("help(\"{}\") says what it takes", spec.name),
    }
}

/// Runs a preview; its answer is what is shown.
pub(super) fn show_preview(run: &Run, spec: &Spec, prepared: Prepared, invoke: Invoke<'_>) -> Result<String, Stop> {
    match outcome(run, spec, execute(run, run.next_preview(), prepared, None, spec.timeout, invoke)) {
        Ok(Output::Json(Value::String(text))) => Ok(text),
        Ok(Output::Json(value)) => Ok(value.to_string()),
        Ok(Output::Handle { .. }) => Ok(String::new()),
        Err(_) if run.notices_stop() => Err(Stop::Over),
        Err((_, mut error)) => {
            // What a helper says itself is said as it says it: a run that is over is nothing to cancel.
            if matches!(error.kind, "helper" | "panic" | "timeout") {
                error.message = format!("the preview failed, so nothing was run: {}", error.message);
            }
            Err(Stop::Failed(error))
        }
    }
}

pub(super) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}
