//! The one door from a script to the component.
//!
//! For every call, in this order: nothing runs after a refusal; arguments are resolved and decoded; the policies judge
//! the resolved call; what changes something has its intent committed, with the decision, before it runs; the helper
//! runs on the runtime while this thread serves its messages; the outcome is committed. A refusal ends the command,
//! whatever the script does with the error.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Instant, SystemTime},
};

use futures_util::FutureExt;
use serde_json::Value;

use super::run::Run;
use crate::{
    console::{Failure, Question},
    event::{CallEnd, CallStart, Decision, EventKind, Hash, Status, check_reason},
    helper::{Callable, Ended, FromHelper, HelperError, Input, Output, Prepared, Slots, resolve},
    policy::{Approved, Judgement, Request, Verdict, approve},
    recorder::Unrecorded,
    spec::{Effect, Spec},
};

/// Why a call has no answer.
pub(super) enum Stop {
    /// It failed; the script may catch it.
    Failed(HelperError),
    /// The command is over; nothing catches it.
    Over,
}

/// Calls a function of the script for a helper.
pub(super) type Invoke<'i> = &'i mut dyn FnMut(usize, Vec<Value>) -> Result<Value, HelperError>;

/// What one call is made with, besides its arguments.
struct Call<'c> {
    run: &'c Run,
    spec: &'c Spec,
    number: u64,
}

/// Text of the arguments that an event may hold; more is recorded by digest and refused.
const MAX_ARGUMENT_BYTES: usize = 200 * 1024;

/// Calls a helper.
pub(super) fn call(
    run: &Run,
    helper: &Arc<dyn Callable>,
    given: Vec<Input>,
    invoke: Invoke<'_>,
) -> Result<Output, Stop> {
    if run.is_stopped() {
        return Err(Stop::Over);
    }
    let spec = &**helper.spec();
    let slots = resolve(spec, given).map_err(Stop::Failed)?;
    let redactor = run.setting.recorder.redactor();
    slots.secrets(spec).iter().for_each(|secret| redactor.remember(secret));
    if spec.effect == Effect::Read {
        return read(run, helper, slots, invoke);
    }
    let values = slots.values(spec);
    let args = slots.texts(spec);
    // A preview takes the same arguments, and they are data: decode them twice rather than ask helpers for `Clone`.
    let copy = helper.spec().has_preview.then(|| slots.copy()).flatten();
    let prepared = helper.prepare(slots).map_err(Stop::Failed)?;

    let call = Call { run, spec, number: run.next_call() };
    let judgement = run.setting.policies.judge(&Request {
        spec,
        args: &values,
        actor: &run.setting.info.actor,
        mode: run.setting.info.mode,
        origin: run.origin,
        reason: run.setting.info.reason.as_deref(),
        now: SystemTime::now(),
    });
    if args.iter().map(|(name, text)| name.len() + text.len()).sum::<usize>() > MAX_ARGUMENT_BYTES {
        let because = format!("`{}`: the arguments are larger than an event may be", spec.name);
        let digest =
            |text: String| format!("{} ({} bytes)", Hash::of(redactor.text(&text).as_str().as_bytes()), text.len());
        let args = args.into_iter().map(|(name, text)| (name, digest(text))).collect();
        return Err(call.refuse(args, "limits", because));
    }
    let preview = match copy.and_then(|slots| helper.prepare_preview(slots)) {
        Some(preview)
            if matches!(judgement.verdict, Verdict::Ask { .. } | Verdict::Second { .. })
                || spec.effect == Effect::Write =>
        {
            Some(show_preview(run, preview.map_err(Stop::Failed)?, invoke)?)
        }
        _ => None,
    };
    if spec.effect == Effect::Write
        && judgement.verdict == Verdict::Run
        && let Some(preview) = &preview
    {
        run.print(&with_newline(preview));
    }
    let (decision, approved) = match decide(&call, &judgement, &args, preview) {
        Ok(decided) => decided,
        Err(Refusal { policy, because }) => return Err(call.refuse(args, &policy, because)),
    };
    call.record_start(args, decision)?;
    let started = Instant::now();
    let ended = execute(run, call.number, prepared, approved, spec, invoke);
    let result = outcome(spec, ended);
    call.record_end(started, &result);
    result.map_err(|(_, error)| if run.is_stopped() { Stop::Over } else { Stop::Failed(error) })
}

fn read(run: &Run, helper: &Arc<dyn Callable>, slots: Slots, invoke: Invoke<'_>) -> Result<Output, Stop> {
    let spec = &**helper.spec();
    let judgement = run.setting.policies.judge(&Request {
        spec,
        args: &slots.values(spec),
        actor: &run.setting.info.actor,
        mode: run.setting.info.mode,
        origin: run.origin,
        reason: run.setting.info.reason.as_deref(),
        now: SystemTime::now(),
    });
    let args = (judgement.verdict != Verdict::Run).then(|| slots.texts(spec));
    let prepared = helper.prepare(slots).map_err(Stop::Failed)?;
    let number = run.next_call();
    // A policy of the component's own may ask about a read too.
    let mut asked = false;
    if let Some(args) = args {
        let call = Call { run, spec, number };
        match decide(&call, &judgement, &args, None) {
            Ok((decision, _)) => call.record_start(args, decision)?,
            Err(Refusal { policy, because }) => return Err(call.refuse(args, &policy, because)),
        }
        asked = true;
    }
    let started = Instant::now();
    let ended = execute(run, number, prepared, None, spec, invoke);
    let result = outcome(spec, ended);
    run.count_read(&spec.name, started.elapsed(), result.is_err());
    if asked {
        Call { run, spec, number }.record_end(started, &result);
    }
    result.map_err(|(_, error)| if run.is_stopped() { Stop::Over } else { Stop::Failed(error) })
}

struct Refusal {
    policy: String,
    because: String,
}

fn decide(
    call: &Call<'_>,
    judgement: &Judgement,
    args: &std::collections::BTreeMap<String, String>,
    preview: Option<String>,
) -> Result<(Decision, Option<Approved>), Refusal> {
    let setting = &call.run.setting;
    let policy = judgement.policy.clone();
    let refuse = |because: String| Refusal { policy: judgement.policy.clone(), because };
    let actor = &setting.info.actor;
    match &judgement.verdict {
        Verdict::Run => Ok((Decision { verdict: "run".to_owned(), policy, reason: None, approver: None }, None)),
        Verdict::Refuse { because } => Err(refuse(because.clone())),
        Verdict::Ask { because } => {
            let question = Question { call: written(call.spec, args), because: because.clone(), preview };
            let reason = match &setting.standing_answer {
                Some(reason) => reason.clone(),
                None => call
                    .run
                    .console(|console| console.ask(&question))
                    .ok_or_else(|| refuse(format!("`{}` was not confirmed", call.spec.name)))?,
            };
            check_reason(&reason)
                .map_err(|invalid| refuse(format!("`{}` was not confirmed: the {invalid}", call.spec.name)))?;
            let approved = approve(judgement, &reason, actor);
            let approver = Some(actor.user.username.clone());
            Ok((Decision { verdict: "confirmed".to_owned(), policy, reason: Some(reason), approver }, approved))
        }
        Verdict::Second { because } => {
            let Some(approver) = &setting.approver else {
                return Err(refuse(format!("{because}, and this shell has nobody to ask")));
            };
            let question = written(call.spec, args);
            let approval = setting
                .runtime
                .block_on(approver.approve(&question, because))
                .map_err(|error| refuse(format!("{because}: {error}")))?;
            let approved = approve(judgement, &approval.reason, &approval.by);
            let by = Some(approval.by.user.username);
            Ok((
                Decision { verdict: "confirmed".to_owned(), policy, reason: Some(approval.reason), approver: by },
                approved,
            ))
        }
    }
}

impl Call<'_> {
    /// Commits that the call is about to run. Without that it does not.
    fn record_start(&self, args: std::collections::BTreeMap<String, String>, decision: Decision) -> Result<(), Stop> {
        let recorder = &self.run.setting.recorder;
        let body = self.start(args, decision);
        let admitted = self.run.setting.runtime.block_on(async {
            if !self.run.recorded {
                let why = recorder.trouble().await.unwrap_or_else(|| "the command itself was not recorded".to_owned());
                return Err(Unrecorded(why));
            }
            recorder.admits_changes().await?;
            recorder.intent(EventKind::CallStart, &body).await
        });
        admitted.map_err(|Unrecorded(why)| {
            let message = format!("`{}` changes something, and can not be recorded: {why}", self.spec.name);
            let failure =
                Failure::new("unrecorded", message).hint("reads still run; make the journal writable and try again");
            self.run.stop(Status::Refused, failure);
            Stop::Over
        })
    }

    fn record_end(&self, started: Instant, result: &Result<Output, (Status, HelperError)>) {
        let (status, error) = match result {
            Ok(_) => (Status::Ok, None),
            Err((status, error)) => {
                (*status, Some(crate::event::Failure { kind: error.kind.to_owned(), message: error.message.clone() }))
            }
        };
        let body = CallEnd {
            command: self.run.command,
            call: self.number,
            helper: self.spec.name.to_string(),
            status,
            duration_us: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
            error,
        };
        let setting = &self.run.setting;
        if let Err(Unrecorded(why)) = setting.runtime.block_on(setting.recorder.outcome(EventKind::CallEnd, &body)) {
            self.run.warn(format!("the outcome of `{}` is not recorded yet: {why}", self.spec.name));
        }
    }

    /// Records that the call was refused, and ends the command.
    fn refuse(&self, args: std::collections::BTreeMap<String, String>, policy: &str, because: String) -> Stop {
        let setting = &self.run.setting;
        let decision = Decision {
            verdict: "refused".to_owned(),
            policy: policy.to_owned(),
            reason: Some(because.clone()),
            approver: None,
        };
        let body = self.start(args, decision);
        let recorded = setting.runtime.block_on(async {
            if self.run.recorded { setting.recorder.intent(EventKind::CallStart, &body).await } else { Ok(()) }
        });
        if let Err(Unrecorded(why)) = recorded {
            self.run.warn(format!("the refusal of `{}` is not recorded: {why}", self.spec.name));
        }
        self.run.stop(Status::Refused, Failure::new("refused", because));
        Stop::Over
    }

    fn start(&self, args: std::collections::BTreeMap<String, String>, decision: Decision) -> CallStart {
        CallStart {
            command: self.run.command,
            call: self.number,
            helper: self.spec.name.to_string(),
            effect: self.spec.effect.as_str().to_owned(),
            args,
            decision,
        }
    }
}

/// Runs a decoded call on the runtime and serves it until it is done.
fn execute(
    run: &Run,
    number: u64,
    prepared: Prepared,
    approved: Option<Approved>,
    spec: &Spec,
    invoke: Invoke<'_>,
) -> Ended {
    let cx = run.cx.clone();
    let limit = spec.timeout;
    run.setting.runtime.spawn(async move {
        let line = cx.line.clone();
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
            result = limited => match result {
                Ok(Ok(answer)) => Ended::Answer(answer),
                Ok(Err(panic)) => Ended::Panicked(panic_message(&*panic)),
                Err(()) => Ended::TimedOut,
            },
            () = cancelled.cancelled() => Ended::Cancelled,
        };
        let _ = line.send(FromHelper::Done { call: number, result });
    });
    run.serve(number, invoke)
}

fn outcome(spec: &Spec, ended: Ended) -> Result<Output, (Status, HelperError)> {
    let name = &spec.name;
    match ended {
        Ended::Answer(Ok(output)) => Ok(output),
        Ended::Answer(Err(error)) => {
            let error = match error.downcast::<HelperError>() {
                Ok(error) => error,
                Err(error) => HelperError::new("helper", format!("`{name}`: {error:#}")),
            };
            Err((Status::Error, error))
        }
        Ended::Panicked(message) => {
            Err((Status::Error, HelperError::new("panic", format!("`{name}` panicked: {message}"))))
        }
        Ended::Cancelled => {
            Err((Status::Cancelled, HelperError::new("cancelled", format!("`{name}` was interrupted"))))
        }
        Ended::TimedOut => {
            let limit = spec.timeout.unwrap_or_default();
            Err((Status::Timeout, HelperError::new("timeout", format!("`{name}` did not end within {limit:?}"))))
        }
        Ended::Abandoned => {
            let message = format!("`{name}` was told to stop and did not: it may still be running");
            Err((Status::Unknown, HelperError::new("abandoned", message)))
        }
    }
}

fn show_preview(run: &Run, prepared: Prepared, invoke: Invoke<'_>) -> Result<String, Stop> {
    let number = run.next_call();
    let cx = run.cx.clone();
    run.setting.runtime.spawn(async move {
        let line = cx.line.clone();
        let cancelled = cx.cancelled.clone();
        let work = AssertUnwindSafe(async move { prepared.start(cx, None).await }).catch_unwind();
        let result = tokio::select! {
            result = work => match result {
                Ok(answer) => Ended::Answer(answer),
                Err(panic) => Ended::Panicked(panic_message(&*panic)),
            },
            () = cancelled.cancelled() => Ended::Cancelled,
        };
        let _ = line.send(FromHelper::Done { call: number, result });
    });
    match run.serve(number, invoke) {
        Ended::Answer(Ok(Output::Json(Value::String(text)))) => Ok(text),
        Ended::Answer(Ok(Output::Json(value))) => Ok(value.to_string()),
        Ended::Answer(Err(error)) => {
            Err(Stop::Failed(HelperError::new("helper", format!("the preview failed: {error:#}"))))
        }
        Ended::Panicked(message) => {
            Err(Stop::Failed(HelperError::new("panic", format!("the preview panicked: {message}"))))
        }
        Ended::Answer(Ok(Output::Handle { .. })) => Ok(String::new()),
        Ended::Cancelled | Ended::TimedOut | Ended::Abandoned => Err(Stop::Over),
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}

/// The call as a person would write it, secrets masked.
fn written(spec: &Spec, args: &std::collections::BTreeMap<String, String>) -> String {
    let is_text = |schema: &Value| schema["type"] == "string";
    let shown: Vec<String> = spec
        .params
        .iter()
        .filter_map(|param| {
            let text = args.get(param.name.as_ref())?;
            let quoted = param.secret || param.schema.as_ref().is_some_and(is_text);
            Some(if quoted { format!("{text:?}") } else { text.clone() })
        })
        .collect();
    format!("{}({})", spec.name, shown.join(", "))
}

fn with_newline(text: &str) -> String {
    if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}
