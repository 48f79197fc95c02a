//! What events say about a session. Pure: the journal calls it inside the transaction that stores an event, and a
//! rebuild or `verify` calls it again on what is stored; the two must agree.
//!
//! Invariants:
//! - The owner's own end wins over whatever an observer said, in whichever order they arrive. Between observers, the
//!   first word (by position) wins.
//! - A session that is said to have crashed ended when its last event was made: an observer only knows that it is dead.
//! - [`Picture::totals`] is all that the rollups know of a session, so they can be kept by differences.

use serde_json::Value;

use crate::event::{EndReason, EventKind};

/// Where a session stands, before presence is considered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Open,
    Ended,
    Crashed,
}

impl State {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Ended => "ended",
            Self::Crashed => "crashed",
        }
    }

    pub(super) fn parse(word: &str) -> Self {
        match word {
            "ended" => Self::Ended,
            "crashed" => Self::Crashed,
            _ => Self::Open,
        }
    }
}

/// What every event of a session may change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counters {
    pub commands: i64,
    pub outcomes: i64,
    pub failed: i64,
    pub writes: i64,
    pub destroys: i64,
}

impl Counters {
    /// What was counted since it stood at these.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            commands: self.commands - before.commands,
            outcomes: self.outcomes - before.outcomes,
            failed: self.failed - before.failed,
            writes: self.writes - before.writes,
            destroys: self.destroys - before.destroys,
        }
    }
}

/// What only the start and the end of a session change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub order_us: i64,
    pub start_us: Option<i64>,
    pub end_us: Option<i64>,
    pub duration_us: Option<i64>,
    pub state: State,
    pub end_reason: Option<String>,
    pub own_end: bool,
    pub inferred: bool,
}

/// What a start says about its session, in the order of the table's columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub component_type: Option<String>,
    pub component_version: Option<String>,
    pub shell_type: Option<String>,
    pub mode: Option<String>,
    pub pid: Option<i64>,
    pub username: Option<String>,
    pub home: Option<String>,
    pub uid: Option<i64>,
    pub actor_kind: Option<String>,
    pub verified: Option<bool>,
    pub hostname: Option<String>,
    pub platform: Option<String>,
    pub runtime: Option<String>,
    pub python_version: Option<String>,
    pub working_directory: Option<String>,
    pub reason: Option<String>,
    pub metadata: Option<String>,
}

/// One session as its events draw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Picture {
    pub component: String,
    pub span: Span,
    pub counters: Counters,
    /// Time of its last event.
    pub last_us: i64,
    /// The command that runs, and the position of its start.
    pub running: Option<(i64, i64)>,
}

/// What an event changes beside the picture itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The start's own words.
    Facts(Box<Facts>),
    /// A command was started, at the event's own position.
    Started { command: i64, input: Option<String> },
    /// A command ended. `at` is the position of its start where that is known.
    Finished { command: i64, at: Option<i64>, status: String, duration_us: Option<i64>, error: Option<String> },
}

/// The sums that a session adds to its day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub sessions: i64,
    pub ended: i64,
    pub inferred: i64,
    pub duration_us: i64,
    pub commands: i64,
    pub outcomes: i64,
    pub failed: i64,
    pub writes: i64,
    pub destroys: i64,
}

impl Totals {
    /// The sums, each combined with the other's.
    pub(super) fn zip(self, other: Self, f: impl Fn(i64, i64) -> i64) -> Self {
        Self {
            sessions: f(self.sessions, other.sessions),
            ended: f(self.ended, other.ended),
            inferred: f(self.inferred, other.inferred),
            duration_us: f(self.duration_us, other.duration_us),
            commands: f(self.commands, other.commands),
            outcomes: f(self.outcomes, other.outcomes),
            failed: f(self.failed, other.failed),
            writes: f(self.writes, other.writes),
            destroys: f(self.destroys, other.destroys),
        }
    }

    /// In the order of the table's columns.
    pub(super) fn columns(&self) -> [i64; 9] {
        [
            self.sessions,
            self.ended,
            self.inferred,
            self.duration_us,
            self.commands,
            self.outcomes,
            self.failed,
            self.writes,
            self.destroys,
        ]
    }

    pub(super) fn from_columns(columns: [i64; 9]) -> Self {
        let [sessions, ended, inferred, duration_us, commands, outcomes, failed, writes, destroys] = columns;
        Self { sessions, ended, inferred, duration_us, commands, outcomes, failed, writes, destroys }
    }
}

impl Picture {
    /// A session of which nothing is known but its first event's time.
    pub(super) fn new(component: &str, first_us: i64) -> Self {
        Self {
            component: component.to_owned(),
            span: Span {
                order_us: first_us,
                start_us: None,
                end_us: None,
                duration_us: None,
                state: State::Open,
                end_reason: None,
                own_end: false,
                inferred: false,
            },
            counters: Counters::default(),
            last_us: first_us,
            running: None,
        }
    }

    /// Draws one of the session's own events.
    pub(super) fn apply(&mut self, kind: &EventKind, position: i64, time_us: i64, body: &Value) -> Option<Change> {
        self.last_us = time_us;
        let change = match kind {
            EventKind::SessionStart if self.span.start_us.is_none() => {
                self.span.start_us = Some(time_us);
                self.span.order_us = time_us;
                Some(Change::Facts(Box::new(facts(body))))
            }
            EventKind::CommandStart => {
                let command = number(body, "command").unwrap_or(0);
                self.counters.commands += 1;
                self.running = Some((command, position));
                Some(Change::Started { command, input: text(body, "input") })
            }
            EventKind::CommandEnd => Some(self.finish_command(body)),
            EventKind::CallStart => {
                self.count_call(body);
                None
            }
            EventKind::SessionEnd => {
                self.end(time_us, number(body, "duration_us"), text(body, "reason"));
                None
            }
            _ => None,
        };
        if self.span.state == State::Crashed {
            self.close(time_us, None);
        }
        change
    }

    /// Draws what somebody else said about it.
    pub(super) fn observe(&mut self, what: &str, time_us: i64) {
        if self.span.state != State::Open {
            return;
        }
        let (state, reason, at) = match what {
            "crashed" => (State::Crashed, EndReason::Crashed, self.last_us),
            "ended_by_operator" => (State::Ended, EndReason::Operator, time_us),
            "ended_legacy" => (State::Ended, EndReason::Legacy, time_us),
            _ => return,
        };
        self.span.state = state;
        self.span.end_reason = Some(reason.as_str().to_owned());
        self.span.inferred = true;
        self.close(at, None);
    }

    /// What it adds to the sums of its day. What an open session has done is in its counters and is added when it ends,
    /// so that recording a command does not touch the sums.
    pub(super) fn totals(&self) -> Totals {
        if self.span.state == State::Open {
            return Totals { sessions: 1, inferred: self.span.inferred.into(), ..Totals::default() };
        }
        Totals {
            sessions: 1,
            ended: 1,
            inferred: self.span.inferred.into(),
            duration_us: self.span.duration_us.unwrap_or(0),
            commands: self.counters.commands,
            outcomes: self.counters.outcomes,
            failed: self.counters.failed,
            writes: self.counters.writes,
            destroys: self.counters.destroys,
        }
    }

    /// Days since 1970, UTC, of its place in lists.
    pub(super) fn day(&self) -> i64 {
        self.span.order_us.div_euclid(86_400_000_000)
    }

    fn finish_command(&mut self, body: &Value) -> Change {
        let command = number(body, "command").unwrap_or(0);
        let status = text(body, "status").unwrap_or_else(|| "unknown".to_owned());
        self.counters.outcomes += 1;
        self.counters.failed += i64::from(status != "ok");
        let at = self.running.take_if(|(running, _)| *running == command).map(|(_, position)| position);
        let error = body.get("error").and_then(|error| text(error, "message"));
        Change::Finished { command, at, status, duration_us: number(body, "duration_us"), error }
    }

    fn count_call(&mut self, body: &Value) {
        let verdict = body.pointer("/decision/verdict").and_then(Value::as_str);
        if verdict == Some("refused") {
            return;
        }
        match body.get("effect").and_then(Value::as_str) {
            Some("write") => self.counters.writes += 1,
            Some("destroy") => self.counters.destroys += 1,
            _ => {}
        }
    }

    fn end(&mut self, time_us: i64, duration_us: Option<i64>, reason: Option<String>) {
        if self.span.own_end {
            return;
        }
        self.span.own_end = true;
        self.span.inferred = false;
        self.span.state = State::Ended;
        self.span.end_reason = reason;
        self.close(time_us, duration_us);
    }

    /// Sets when it ended. A clock that ran backwards makes a duration of nothing, never a negative one.
    fn close(&mut self, at_us: i64, duration_us: Option<i64>) {
        self.span.end_us = Some(at_us);
        let elapsed = || self.span.start_us.map(|start| at_us.saturating_sub(start));
        self.span.duration_us = duration_us.or_else(elapsed).map(|duration| duration.max(0));
    }
}

/// Which range of durations one is in: four ranges to a doubling, rising.
pub(super) fn duration_class(duration_us: i64) -> i64 {
    let duration = duration_us.max(1).unsigned_abs();
    let doublings = duration.ilog2();
    let quarter = if doublings >= 2 { (duration >> (doublings - 2)) & 3 } else { 0 };
    i64::from(doublings) * 4 + i64::try_from(quarter).unwrap_or(0)
}

/// What a scrubbed event leaves behind: numbers and words of the vocabulary, nothing that was typed.
pub(super) fn residue(kind: &EventKind, body: &Value) -> Value {
    let keep: &[&str] = match kind {
        EventKind::SessionStart => &["mode", "pid"],
        EventKind::CommandStart => &["command"],
        EventKind::CommandEnd => &["command", "status", "duration_us"],
        EventKind::CallStart | EventKind::CallEnd => &["command", "call", "effect"],
        EventKind::SessionEnd => &["reason", "exit_code", "duration_us", "commands", "failed_commands"],
        EventKind::Observation => &["about", "what"],
        EventKind::Gap | EventKind::Other(_) => &[],
    };
    let mut residue = serde_json::Map::new();
    for key in keep {
        if let Some(value) = body.get(*key) {
            residue.insert((*key).to_owned(), value.clone());
        }
    }
    if let Some(verdict) = body.pointer("/decision/verdict") {
        residue.insert("decision".to_owned(), serde_json::json!({ "verdict": verdict }));
    }
    Value::Object(residue)
}

fn facts(body: &Value) -> Facts {
    let at = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(without_nul);
    Facts {
        component_type: at("/component_type"),
        component_version: at("/component_version"),
        shell_type: at("/shell_type"),
        mode: at("/mode"),
        pid: number(body, "pid"),
        username: at("/user/username"),
        home: at("/user/home"),
        uid: body.pointer("/user/uid").and_then(Value::as_i64),
        actor_kind: at("/actor/kind"),
        verified: body.pointer("/actor/verified").and_then(Value::as_bool),
        hostname: at("/hostname"),
        platform: at("/environment/platform"),
        runtime: at("/environment/runtime"),
        python_version: at("/environment/python_version"),
        working_directory: at("/environment/cwd"),
        reason: at("/reason"),
        // In canonical form: the order of the keys must not depend on whether the event was just sealed or read again.
        metadata: body
            .get("metadata")
            .filter(|value| value.is_object())
            .and_then(|value| serde_json_canonicalizer::to_string(value).ok()),
    }
}

fn text(body: &Value, key: &str) -> Option<String> {
    body.get(key).and_then(Value::as_str).map(without_nul)
}

/// A text as the projection holds it: not every database can store NUL, so its symbol stands in its place.
fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{2400}")
}

fn number(body: &Value, key: &str) -> Option<i64> {
    body.get(key).and_then(Value::as_i64)
}
