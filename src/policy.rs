//! The door's judgement. Pure: who wants to call what, in which mode, and the verdict. No clock, no I/O.
//!
//! Architecture invariant: [`Approved`] has no constructor outside this file. A destroy helper takes one as an argument,
//! so a helper that destroys without having been asked for does not compile.
//!
//! Policies can only tighten each other: the strictest verdict wins, and a component's policy can not loosen ours.

use std::{fmt, time::SystemTime};

use serde_json::Value;

use crate::{
    console::Question,
    event::{Actor, Mode},
    spec::{Effect, Spec},
};

/// Where a call comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// Code: a line at the prompt, `-c`, a script.
    Script,
    /// A call of one helper through `Session::call`.
    Call,
}

/// What a policy is asked about. Arguments are resolved: defaults are in, records are replaced by the field they stand
/// for, secrets are masked.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The helper.
    pub spec: &'a Spec,
    /// Its arguments in the order of its parameters; `None` where one was left out.
    pub args: &'a [Option<Value>],
    /// Who asks.
    pub actor: &'a Actor,
    /// How commands reach the session.
    pub mode: Mode,
    /// Where the call comes from.
    pub origin: Origin,
    /// The reason given when the session was opened.
    pub reason: Option<&'a str>,
    /// The time.
    pub now: SystemTime,
}

/// What a policy says. Later variants are stricter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Go ahead.
    Run,
    /// Ask the actor for a confirmation and a reason.
    Ask {
        /// Why it is asked.
        because: String,
    },
    /// Ask somebody else.
    Second {
        /// Why a second person is needed.
        because: String,
    },
    /// Do not.
    Refuse {
        /// Why not.
        because: String,
    },
}

impl Verdict {
    fn strictness(&self) -> u8 {
        match self {
            Self::Run => 0,
            Self::Ask { .. } => 1,
            Self::Second { .. } => 2,
            Self::Refuse { .. } => 3,
        }
    }
}

/// Decides about calls. Pure: the same request gets the same verdict.
pub trait Policy: Send + Sync + 'static {
    /// Its name in the record.
    fn name(&self) -> &str;
    /// Its verdict.
    fn decide(&self, request: &Request<'_>) -> Verdict;
}

/// Reads run; writes run; what destroys is asked about. Always the first policy.
#[derive(Clone, Copy, Debug)]
pub struct ByEffect;

impl ByEffect {
    pub(crate) const NAME: &'static str = "by_effect";
}

impl Policy for ByEffect {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn decide(&self, request: &Request<'_>) -> Verdict {
        match request.spec.effect {
            Effect::Read | Effect::Write => Verdict::Run,
            Effect::Destroy => Verdict::Ask { because: format!("`{}` destroys something", request.spec.name) },
        }
    }
}

/// Nothing that changes anything runs.
#[derive(Clone, Copy, Debug)]
pub struct ReadOnly;

impl ReadOnly {
    pub(crate) const NAME: &'static str = "read_only";
}

impl Policy for ReadOnly {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn decide(&self, request: &Request<'_>) -> Verdict {
        match request.spec.effect {
            Effect::Read => Verdict::Run,
            Effect::Write | Effect::Destroy => Verdict::Refuse {
                because: format!("`{}` changes something, and this session is read-only", request.spec.name),
            },
        }
    }
}

/// The strictest verdict of all policies, and who said it.
#[derive(Clone, Debug)]
pub(crate) struct Judgement {
    pub(crate) verdict: Verdict,
    pub(crate) policy: String,
}

/// The policies of one session.
pub(crate) struct Policies(Vec<Box<dyn Policy>>);

impl Policies {
    /// `ByEffect` and these.
    pub(crate) fn new(more: Vec<Box<dyn Policy>>) -> Self {
        let mut policies: Vec<Box<dyn Policy>> = vec![Box::new(ByEffect)];
        policies.extend(more);
        Self(policies)
    }

    pub(crate) fn judge(&self, request: &Request<'_>) -> Judgement {
        let mut judgement = Judgement { verdict: Verdict::Run, policy: ByEffect.name().to_owned() };
        for policy in &self.0 {
            let verdict = policy.decide(request);
            if verdict.strictness() > judgement.verdict.strictness() {
                judgement = Judgement { verdict, policy: policy.name().to_owned() };
            }
        }
        judgement
    }
}

/// Proof that somebody confirmed a call that destroys, and why. Only the door makes one, for one call.
pub struct Approved {
    reason: String,
    by: Actor,
}

impl Approved {
    /// The reason that was given.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Who confirmed it.
    #[must_use]
    pub fn by(&self) -> &Actor {
        &self.by
    }
}

impl fmt::Debug for Approved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Approved").field("reason", &self.reason).field("by", &self.by.user.username).finish()
    }
}

/// The only mint of [`Approved`]: a judgement that wanted an answer, and the answer.
pub(crate) fn approve(judgement: &Judgement, reason: &str, by: &Actor) -> Option<Approved> {
    match judgement.verdict {
        Verdict::Ask { .. } | Verdict::Second { .. } => Some(Approved { reason: reason.to_owned(), by: by.clone() }),
        Verdict::Run | Verdict::Refuse { .. } => None,
    }
}

/// The answer of somebody else to a call that needs a second person.
#[derive(Clone, Debug)]
pub struct Approval {
    /// Who approved.
    pub by: Actor,
    /// Why.
    pub reason: String,
}

/// Asks somebody else, for calls that a policy wants a second person for.
#[async_trait::async_trait]
pub trait Approver: Send + Sync + 'static {
    /// Waits for the answer; an error is a no, with its reason. Who asks can not approve: the answer has to be somebody
    /// else's.
    async fn approve(&self, question: &Question) -> anyhow::Result<Approval>;
}
