//! The one door from a script to the component.
//!
//! For every call, in this order: arguments are resolved and decoded; the policies judge the resolved call; what changes
//! something has its intent committed, with the decision, before it runs; the helper runs on the runtime while this
//! thread serves its messages; the outcome is committed. A refusal ends the command, whatever the script does with the
//! error: the engine asks before each operation, so before each call too, whether the command goes on
//! (`limits::exceeded`).

use std::{
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Instant, SystemTime},
};

use futures_util::FutureExt;
use serde_json::Value;

use super::{
    run::Run,
    work::{execute, outcome, panic_message, show_preview},
};
use crate::{
    console::{Failure, Question},
    event::{CallEnd, CallStart, Decision, EventKind, Hash, Mode, Status, check_reason},
    helper::{Callable, HelperError, Input, Output, Slots, resolve},
    policy::{Approved, ByEffect, Judgement, ReadOnly, Request, Verdict, approve},
    recorder::Unrecorded,
    redact::MASK,
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

/// Size of the arguments, as JSON, that an event may hold; more is recorded by digest and refused.
const MAX_ARGUMENT_BYTES: usize = 200 * 1024;
/// Longest text of others in an event, in characters: an event that is too large could never be recorded.
const MAX_WORDS: usize = 4_000;

type Args = BTreeMap<String, String>;

/// Calls a helper.
pub(super) fn call(
    run: &Run,
    helper: &Arc<dyn Callable>,
    given: Vec<Input>,
    invoke: Invoke<'_>,
) -> Result<Output, Stop> {
    let spec = &**helper.spec();
    let slots = resolve(spec, given).map_err(Stop::Failed)?;
    let redactor = run.setting.recorder.redactor();
    let secrets = slots.secrets(spec);
    secrets.iter().for_each(|secret| redactor.remember(secret));
    let values = slots.values(spec);
    let args = slots.texts(spec);
    // A preview takes the same arguments, and they are data: decode them twice rather than ask helpers for `Clone`.
    let copy = spec.has_preview.then(|| slots.copy()).flatten();
    let prepared = helper.prepare(slots).map_err(Stop::Failed)?;
    let judgement = run.setting.policies.judge(&Request {
        spec,
        args: &values,
        actor: &run.setting.info.actor,
        mode: run.setting.info.mode,
        origin: run.origin,
        reason: run.setting.info.reason.as_deref(),
        now: SystemTime::now(),
    });
    let call = Call { run, spec, number: run.next_call() };
    // A read is summed; one that a policy of the component's own asks about is recorded like a change.
    let approved = if spec.effect == Effect::Read && judgement.verdict == Verdict::Run {
        None
    } else {
        Some(admit(&call, helper, &judgement, args, copy, invoke)?)
    };
    let recorded = approved.is_some();
    let started = Instant::now();
    let ended = execute(run, call.number, prepared, approved.flatten(), spec.timeout, invoke);
    let result = outcome(run, spec, ended).map_err(|(status, mut error)| {
        error.message = without_words(&error.message, &secrets);
        (status, error)
    });
    if spec.effect == Effect::Read {
        run.count_read(&spec.name, started.elapsed(), result.is_err());
    }
    if recorded {
        call.record_end(started, &result);
    }
    result.map_err(|(_, error)| if run.notices_stop() { Stop::Over } else { Stop::Failed(error) })
}

/// Has a call decided about and its intent recorded. Without that it does not run.
fn admit(
    call: &Call<'_>,
    helper: &Arc<dyn Callable>,
    judgement: &Judgement,
    args: Args,
    copy: Option<Slots>,
    invoke: Invoke<'_>,
) -> Result<Option<Approved>, Stop> {
    let Call { run, spec, .. } = *call;
    let redactor = run.setting.recorder.redactor();
    let recorded: Args = args.iter().map(|(name, text)| (name.clone(), redactor.text(text).into_string())).collect();
    if serde_json::to_string(&recorded).map_or(usize::MAX, |json| json.len()) > MAX_ARGUMENT_BYTES {
        let because = format!("the arguments of `{}` are larger than an event may be", spec.name);
        let digest = |text: &String| format!("{} ({} bytes)", Hash::of(text.as_bytes()), text.len());
        let digests = recorded.iter().map(|(name, text)| (name.clone(), digest(text))).collect();
        return Err(call.refuse(digests, "limits", because));
    }
    let preview = match (&judgement.verdict, copy.and_then(|slots| helper.prepare_preview(slots))) {
        (Verdict::Refuse { .. }, _) | (_, None) => None,
        (_, Some(preview)) => {
            let text = show_preview(run, spec, preview.map_err(Stop::Failed)?, invoke)?;
            Some(redactor.text(&text).into_string())
        }
    };
    if let (Verdict::Run, Some(preview)) = (&judgement.verdict, &preview) {
        run.print(&with_newline(preview));
    }
    let decided = decide(call, judgement, &args, preview);
    // While somebody was asked, the command may have been interrupted, or its session ended.
    if run.notices_stop() {
        return Err(Stop::Over);
    }
    match decided {
        Ok((decision, approved)) => call.record_start(args, decision).map(|()| approved),
        Err(Refusal { policy, because }) => Err(call.refuse(args, &policy, because)),
    }
}

struct Refusal {
    policy: String,
    because: String,
}

fn decide(
    call: &Call<'_>,
    judgement: &Judgement,
    args: &Args,
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
            let question = Question { call: written(call.spec, args), because: because.clone(), preview };
            let asking = AssertUnwindSafe(approver.approve(&question)).catch_unwind();
            let answer = setting.runtime.block_on(async {
                tokio::select! {
                    biased;
                    () = call.run.cx.cancelled.cancelled() => Err(anyhow::anyhow!("interrupted")),
                    answer = asking => answer.unwrap_or_else(|panic| Err(anyhow::anyhow!("asking panicked: {}", panic_message(&*panic)))),
                }
            });
            let approval = answer.map_err(|error| refuse(format!("{because}: {error:#}")))?;
            check_reason(&approval.reason).map_err(|invalid| refuse(format!("{because}: the {invalid}")))?;
            if approval.by.user == actor.user {
                return Err(refuse(format!("{because}: {} can not be the second person too", actor.user.username)));
            }
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
    fn record_start(&self, args: Args, decision: Decision) -> Result<(), Stop> {
        let Self { run, spec, .. } = self;
        let recorder = &run.setting.recorder;
        let body = self.start(args, decision);
        let admitted = run.setting.runtime.block_on(async {
            let admitted = match run.recorded {
                true => recorder.admits_changes(),
                false => {
                    let why = recorder.trouble().await;
                    Err(Unrecorded::lost(why.unwrap_or_else(|| "the command itself was not recorded".to_owned())))
                }
            };
            match admitted {
                Ok(()) => recorder.intent(EventKind::CallStart, &body, &run.cx.cancelled).await,
                Err(because) => {
                    recorder.missed(&because).await;
                    Err(because)
                }
            }
        });
        admitted.map_err(|because| {
            let message = format!("`{}` changes something, and can not be recorded: {because}", spec.name);
            if because.may_be_stored {
                // Its start may stand in the journal, so its end has to: it was not run.
                let error = HelperError::new("unrecorded", message.clone());
                self.record_end(Instant::now(), &Err((Status::Refused, error)));
            }
            let failure =
                Failure::new("unrecorded", message).hint("reads still run; make the journal writable and try again");
            run.stop(Status::Refused, failure);
            Stop::Over
        })
    }

    fn record_end(&self, started: Instant, result: &Result<Output, (Status, HelperError)>) {
        let (status, error) = match result {
            Ok(_) => (Status::Ok, None),
            Err((status, error)) => {
                (*status, Some(crate::event::Failure { kind: error.kind.to_owned(), message: words(&error.message) }))
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
        if let Err(why) = setting.runtime.block_on(setting.recorder.outcome(EventKind::CallEnd, &body)) {
            self.run.warn(format!("the outcome of `{}` is not recorded yet: {why}", self.spec.name));
        }
    }

    /// Records that the call was refused, and ends the command.
    fn refuse(&self, args: Args, policy: &str, because: String) -> Stop {
        let setting = &self.run.setting;
        let reason = Some(words(&because));
        let decision = Decision { verdict: "refused".to_owned(), policy: policy.to_owned(), reason, approver: None };
        let body = self.start(args, decision);
        let recorded = setting.runtime.block_on(async {
            match self.run.recorded {
                true => setting.recorder.intent(EventKind::CallStart, &body, &self.run.cx.cancelled).await,
                false => {
                    let because = Unrecorded::lost("the command itself was not recorded");
                    setting.recorder.missed(&because).await;
                    Err(because)
                }
            }
        });
        if let Err(why) = recorded {
            self.run.warn(format!("the refusal of `{}` is not recorded: {why}", self.spec.name));
        }
        let mut failure = Failure::new("refused", because);
        if policy == ReadOnly::NAME {
            failure = failure.hint("a session without --read-only may change things");
        } else if policy == ByEffect::NAME && matches!(setting.info.mode, Mode::Command | Mode::File | Mode::Stdin) {
            failure = failure.hint("a script confirms what it destroys with --yes --reason TEXT");
        } else if policy == ByEffect::NAME {
            failure = failure.hint("answer the question with yes, and give a reason");
        }
        self.run.stop(Status::Refused, failure);
        Stop::Over
    }

    fn start(&self, args: Args, decision: Decision) -> CallStart {
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

/// The call as a person would write it, secrets masked.
fn written(spec: &Spec, args: &Args) -> String {
    let shown: Vec<String> = spec
        .params
        .iter()
        .filter_map(|param| {
            let text = args.get(param.name.as_ref())?;
            // What was text is told from what was data as the parameter's schema says; both can be typed like this.
            let is_data = param.schema.as_ref().is_some_and(|schema| {
                let types = &schema["type"];
                let is_text = types == "string"
                    || types.as_array().is_some_and(|types| types.iter().any(|name| name == "string"));
                !is_text && serde_json::from_str::<Value>(text).is_ok()
            });
            Some(if is_data && !param.secret { text.clone() } else { format!("{text:?}") })
        })
        .collect();
    format!("{}({})", spec.name, shown.join(", "))
}

/// A message without the secrets of its own call, where they stand as words: the short ones are remembered nowhere,
/// because they would mask ordinary words.
fn without_words(message: &str, secrets: &[String]) -> String {
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let mut message = message.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        let mut from = 0;
        while let Some(at) = message[from..].find(secret.as_str()).map(|at| from + at) {
            let end = at + secret.len();
            let stands_alone = !is_word(message[..at].chars().next_back()) && !is_word(message[end..].chars().next());
            let mask = if stands_alone { MASK } else { secret };
            message.replace_range(at..end, mask);
            from = at + mask.len();
        }
    }
    message
}

fn words(text: &str) -> String {
    match text.char_indices().nth(MAX_WORDS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn with_newline(text: &str) -> String {
    if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}
