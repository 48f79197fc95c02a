//! What the body of each event type must hold, as one table: field, whether it must be there, what it must be.
//!
//! The same table is asked before sealing and on arrival, so that a journal never stores what it would refuse to read.
//! A table rather than serde's errors, because a refusal has to name the field and its rule.

use serde_json::{Map, Value};

use super::{Invalid, check_label, check_metadata, check_pid, check_reason, check_text, check_timestamp, shorten};
use crate::event::{ActorKind, EndReason, EventKind, Hash, Mode, SessionId, SessionStart, Status};

/// Fields that shells cut and trackers refuse: where, and how many characters.
const LONG_FIELDS: &[(&str, &str, usize)] =
    &[("user", "username", 100), ("user", "home", 500), ("environment", "cwd", 500)];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    /// The field must be there.
    Must,
    /// It may be absent or null.
    May,
    /// It may be absent.
    Absent,
}

#[derive(Clone, Copy)]
enum Is {
    Bool,
    Text,
    Label,
    AtMost(usize),
    Reason,
    Time,
    Digest,
    Session,
    Word(fn(&str) -> bool, &'static str),
    Pid,
    /// A number from 0.
    Count,
    /// A number from 1.
    Number,
    Uid,
    ExitCode,
    Object,
    Metadata,
    Texts,
    Arguments,
    Reads,
}

use Is::{
    Arguments, AtMost, Bool, Count, Digest, ExitCode, Label, Metadata, Number, Object, Pid, Reads, Reason, Session,
    Text, Texts, Time, Uid, Word,
};
use Need::{Absent, May, Must};

type Rules = &'static [(&'static str, Need, Is)];

const MODE: Is = Word(|word| word.parse::<Mode>().is_ok(), "interactive, command, file, stdin, embedded");
const STATUS: Is = Word(|word| word.parse::<Status>().is_ok(), "ok, error, refused, cancelled, timeout, unknown");
const ACTOR: Is = Word(|word| word.parse::<ActorKind>().is_ok(), "human, agent, service");
const END: Is = Word(
    |word| word.parse::<EndReason>().is_ok(),
    "exit, eof, done, signal, hangup, panic, error, idle_timeout, terminated, crashed, operator, legacy",
);

const SESSION_START: Rules = &[
    ("shell_type", Must, Label),
    ("component_type", Must, Text),
    ("component_version", May, Text),
    ("mode", Must, MODE),
    ("pid", Must, Pid),
    ("process_start", May, Text),
    ("user", Must, Object),
    ("user.username", Must, AtMost(100)),
    ("user.home", Must, AtMost(500)),
    ("user.uid", May, Uid),
    ("actor", Must, Object),
    ("actor.kind", Must, ACTOR),
    ("actor.verified", Must, Bool),
    ("actor.sudo_user", May, Text),
    ("actor.ssh_client", May, Text),
    ("actor.tty", May, Text),
    ("actor.parent", May, Text),
    ("hostname", Must, Label),
    ("machine_id", May, Text),
    ("boot_id", May, Text),
    ("environment", Must, Object),
    ("environment.runtime", May, Label),
    ("environment.platform", Must, Label),
    ("environment.cwd", Must, AtMost(500)),
    ("environment.python_version", May, Text),
    ("reason", May, Reason),
    ("metadata", Absent, Metadata),
];

const COMMAND_START: Rules = &[
    ("command", Must, Number),
    ("input", May, Text),
    ("source", Must, Text),
    ("input_bytes", May, Count),
    ("input_digest", May, Digest),
];

const CALL_START: Rules = &[
    ("command", Must, Number),
    ("call", Must, Number),
    ("helper", Must, Text),
    ("effect", Must, Text),
    ("args", Must, Arguments),
    ("decision", Must, Object),
    ("decision.verdict", Must, Text),
    ("decision.policy", Must, Text),
    ("decision.reason", May, Text),
    ("decision.approver", May, Text),
];

const CALL_END: Rules = &[
    ("command", Must, Number),
    ("call", Must, Number),
    ("helper", Must, Text),
    ("status", Must, STATUS),
    ("duration_us", Must, Count),
    ("error", May, Object),
    ("error.kind", Must, Text),
    ("error.message", Must, Text),
];

const COMMAND_END: Rules = &[
    ("command", Must, Number),
    ("status", Must, STATUS),
    ("duration_us", Must, Count),
    ("error", May, Object),
    ("error.kind", Must, Text),
    ("error.message", Must, Text),
    ("reads", Absent, Reads),
    ("output_bytes", Must, Count),
    ("output_digest", Must, Digest),
    ("notes", Absent, Texts),
];

const SESSION_END: Rules = &[
    ("reason", Must, END),
    ("exit_code", Must, ExitCode),
    ("duration_us", Must, Count),
    ("commands", Must, Count),
    ("failed_commands", Must, Count),
];

const GAP: Rules = &[("count", Must, Count), ("from", Must, Time), ("to", Must, Time), ("reason", Must, Text)];

const OBSERVATION: Rules = &[
    ("about", May, Session),
    ("what", Must, Text),
    ("by", Must, Text),
    ("why", Must, Text),
    ("detail", Absent, Object),
];

/// Checks a body against the rules of its type; a type without rules keeps what it has.
pub(crate) fn check_body(kind: &EventKind, body: &Map<String, Value>) -> Result<(), Invalid> {
    let rules = match kind {
        EventKind::SessionStart => SESSION_START,
        EventKind::CommandStart => COMMAND_START,
        EventKind::CallStart => CALL_START,
        EventKind::CallEnd => CALL_END,
        EventKind::CommandEnd => COMMAND_END,
        EventKind::SessionEnd => SESSION_END,
        EventKind::Gap => GAP,
        EventKind::Observation => OBSERVATION,
        EventKind::Other(_) => return Ok(()),
    };
    rules.iter().try_for_each(|(field, need, is)| {
        let (within, name) = match field.split_once('.') {
            // The rule of the object itself says whether it may be missing.
            Some((outer, name)) => match body.get(outer).and_then(Value::as_object) {
                Some(within) => (within, name),
                None => return Ok(()),
            },
            None => (body, *field),
        };
        match (within.get(name), need) {
            (None, Must) => Err(Invalid::new(*field, "is missing")),
            (None, _) | (Some(Value::Null), May) => Ok(()),
            (Some(value), _) => check(field, value, *is),
        }
    })
}

fn check(field: &'static str, value: &Value, is: Is) -> Result<(), Invalid> {
    let no = |rule: &'static str| Err(Invalid::new(field, rule));
    let ensure = |holds: bool, rule: &'static str| if holds { Ok(()) } else { no(rule) };
    let text = || value.as_str().ok_or_else(|| Invalid::new(field, "must be a string"));
    match is {
        Bool => ensure(value.is_boolean(), "must be true or false"),
        Text => text().map(|_| ()),
        Label => check_label(field, text()?),
        AtMost(most) => check_text(field, text()?, most),
        Reason => check_reason(text()?),
        Time => check_timestamp(field, text()?).map(|_| ()),
        Digest => {
            let rule = "must be `sha256:` and 64 lower-case hexadecimal digits";
            text()?.parse::<Hash>().map(|_| ()).map_err(|_| Invalid::new(field, rule))
        }
        Session => {
            text()?.parse::<SessionId>().map(|_| ()).map_err(|wrong| Invalid::new(field, wrong.rule().to_owned()))
        }
        Word(knows, words) if !knows(text()?) => Err(Invalid::new(field, format!("must be one of: {words}"))),
        Word(..) => Ok(()),
        Pid => check_pid(value.as_u64().unwrap_or(0)),
        Count => ensure(value.is_u64(), "must be an integer from 0"),
        Number => ensure(value.as_u64().is_some_and(|n| n > 0), "must be an integer from 1"),
        Uid => ensure(value.as_u64().is_some_and(|n| u32::try_from(n).is_ok()), "must be an integer of 32 bits from 0"),
        ExitCode => ensure(value.as_i64().is_some_and(|n| i32::try_from(n).is_ok()), "must be an integer of 32 bits"),
        Object => ensure(value.is_object(), "must be an object"),
        Metadata => value.as_object().map_or_else(|| no("must be an object"), check_metadata),
        Texts => {
            let all = value.as_array().is_some_and(|items| items.iter().all(Value::is_string));
            ensure(all, "must be an array of strings")
        }
        Arguments => {
            let all = value.as_object().is_some_and(|fields| fields.values().all(Value::is_string));
            ensure(all, "must be an object whose values are strings")
        }
        Reads => {
            let total = |value: &Value| ["calls", "errors", "total_us"].iter().all(|name| value[*name].is_u64());
            let all = value.as_object().is_some_and(|fields| fields.values().all(total));
            ensure(all, "must be an object whose values hold calls, errors and total_us")
        }
    }
}

/// Cuts the fields that shells cut, after redaction: a mask can be longer than what it hides.
pub(crate) fn shorten_long_fields(body: &mut Map<String, Value>) {
    for (object, name, most) in LONG_FIELDS {
        if let Some(Value::String(text)) = body.get_mut(*object).and_then(|within| within.get_mut(*name)) {
            *text = shorten(text, *most);
        }
    }
}

impl SessionStart {
    /// The body as a shell may seal it: username, home and cwd cut to their lengths, everything else checked.
    ///
    /// # Errors
    /// Names the field and the rule that it breaks.
    pub fn checked(mut self) -> Result<Self, Invalid> {
        self.user.username = shorten(&self.user.username, 100);
        self.user.home = shorten(&self.user.home, 500);
        self.environment.cwd = shorten(&self.environment.cwd, 500);
        let Ok(Value::Object(body)) = serde_json::to_value(&self) else {
            return Err(Invalid::new("metadata", "has no form in JSON"));
        };
        check_body(&EventKind::SessionStart, &body)?;
        Ok(self)
    }
}
