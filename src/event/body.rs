//! The bodies of events, one struct a type. Unknown fields are tolerated when read: a newer writer may add some.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{SessionId, words::*};

// What JSON Schema can say of the rules in `rule`.
const LABEL: &str = r"^[^\x00-\x1f\x7f-\x9f]*$";
const NO_NUL: &str = r"^[^\x00]*$";
pub(super) const DIGEST: &str = "^sha256:[0-9a-f]{64}$";
const TIME: &str = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$";
pub(super) const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// The account a shell runs under, as the kernel names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct User {
    /// Login name, at most 100 characters.
    #[schemars(length(max = 100), regex(pattern = NO_NUL))]
    pub username: String,
    /// Home directory, at most 500 characters.
    #[schemars(length(max = 500), regex(pattern = NO_NUL))]
    pub home: String,
    /// Numeric user id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 4_294_967_295_u32))]
    pub uid: Option<u32>,
}

/// What else is known about who acts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ActorFacts {
    /// Person, agent or service.
    pub kind: ActorKind,
    /// True when the name comes from the kernel or a verified token; false for a name that was merely stated.
    pub verified: bool,
    /// The account that called `sudo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sudo_user: Option<String>,
    /// The other end of an SSH connection, as `SSH_CLIENT` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh_client: Option<String>,
    /// The terminal's device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tty: Option<String>,
    /// The parent process's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
}

/// Who opens a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The account.
    pub user: User,
    /// How it is known, and what kind of actor it is.
    pub facts: ActorFacts,
}

/// Where a shell runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// Name and version of the language runtime or program, for example `admin-shell 0.1.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = LABEL))]
    pub runtime: Option<String>,
    /// Operating system and architecture, for example `linux-x86_64`.
    #[schemars(length(min = 1, max = 255), regex(pattern = LABEL))]
    pub platform: String,
    /// Working directory, at most 500 characters.
    #[schemars(length(max = 500), regex(pattern = NO_NUL))]
    pub cwd: String,
    /// Set by older clients only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub python_version: Option<String>,
}

/// `session_start`: a shell was opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionStart {
    /// Name of the shell's type.
    #[schemars(length(min = 1, max = 255), regex(pattern = LABEL))]
    pub shell_type: String,
    /// What kind of component it administers.
    pub component_type: String,
    /// The component's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component_version: Option<String>,
    /// How commands reach it.
    pub mode: Mode,
    /// Process id, 1..=4194304.
    #[schemars(range(min = 1, max = 4_194_304))]
    pub pid: u32,
    /// When the process started, RFC 3339; tells two processes with one pid apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_start: Option<String>,
    /// The account.
    pub user: User,
    /// Who acts, and how that is known.
    pub actor: ActorFacts,
    /// The machine's name.
    #[schemars(length(min = 1, max = 255), regex(pattern = LABEL))]
    pub hostname: String,
    /// The machine's id, `/etc/machine-id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_id: Option<String>,
    /// The boot's id; changes with every start of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    /// Where it runs.
    pub environment: Environment,
    /// Why it was opened (`--reason`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 500), regex(pattern = r"\S"))]
    pub reason: Option<String>,
    /// More about the component; `adapters` is a list of names.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
}

/// `command_start`: an input was accepted and is about to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CommandStart {
    /// Number of the command in its session, from 1.
    #[schemars(range(min = 1, max = MAX_SAFE_INTEGER))]
    pub command: u64,
    /// The input, redacted. Absent when it was too large to record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// Where it came from: `prompt`, `-c`, `stdin`, or a file's name.
    pub source: String,
    /// Size in bytes of an input that was too large to record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = MAX_SAFE_INTEGER))]
    pub input_bytes: Option<u64>,
    /// `sha256:` digest of the redacted form of an input that was too large to record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = DIGEST))]
    pub input_digest: Option<String>,
}

/// What the door decided about a call, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// `run`, `confirmed` or `refused`.
    pub verdict: String,
    /// Name of the policy that decided.
    pub policy: String,
    /// The reason given, or why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who approved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approver: Option<String>,
}

/// `call_start`: a helper that changes something is about to run, or was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CallStart {
    /// The command it belongs to.
    #[schemars(range(min = 1, max = MAX_SAFE_INTEGER))]
    pub command: u64,
    /// Number of the call in its command, from 1.
    #[schemars(range(min = 1, max = MAX_SAFE_INTEGER))]
    pub call: u64,
    /// The helper's name.
    pub helper: String,
    /// `read`, `write` or `destroy`.
    pub effect: String,
    /// The arguments by name, as text, redacted.
    pub args: BTreeMap<String, String>,
    /// What the door decided.
    pub decision: Decision,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// A word for programs, for example `syntax`, `helper`, `limit`.
    pub kind: String,
    /// A sentence for people, redacted.
    pub message: String,
}

/// `call_end`: how a call that changes something ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CallEnd {
    /// The command it belongs to.
    #[schemars(range(min = 1, max = MAX_SAFE_INTEGER))]
    pub command: u64,
    /// The call it ends.
    #[schemars(range(min = 1, max = MAX_SAFE_INTEGER))]
    pub call: u64,
    /// The helper's name.
    pub helper: String,
    /// How it ended.
    pub status: Status,
    /// How long it ran, in microseconds.
    #[schemars(range(max = MAX_SAFE_INTEGER))]
    pub duration_us: u64,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
}

/// The sum of a command's calls of one read helper.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReadTotal {
    /// How often it was called.
    #[schemars(range(max = MAX_SAFE_INTEGER))]
    pub calls: u64,
    /// How many of these failed.
    #[schemars(range(max = MAX_SAFE_INTEGER))]
    pub errors: u64,
    /// Time spent, in microseconds.
    #[schemars(range(max = MAX_SAFE_INTEGER))]
    pub total_us: u64,
}

/// `command_end`: how a command ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CommandEnd {
    /// The command it ends.
    #[schemars(range(min = 1, max = MAX_SAFE_INTEGER))]
    pub command: u64,
    /// How it ended.
    pub status: Status,
    /// How long it ran, in microseconds.
    #[schemars(range(max = MAX_SAFE_INTEGER))]
    pub duration_us: u64,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// Calls of read helpers, by helper.
    #[serde(default)]
    pub reads: BTreeMap<String, ReadTotal>,
    /// Size in bytes of the redacted output.
    #[schemars(range(max = MAX_SAFE_INTEGER))]
    pub output_bytes: u64,
    /// `sha256:` digest of the redacted output.
    #[schemars(regex(pattern = DIGEST))]
    pub output_digest: String,
    /// Remarks of the component's `before_command` hook.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// `session_end`: the shell was left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionEnd {
    /// Why.
    pub reason: EndReason,
    /// The program's exit code.
    #[schemars(range(min = -2_147_483_648_i64, max = 2_147_483_647))]
    pub exit_code: i32,
    /// How long the session was open, in microseconds of a monotonic clock.
    #[schemars(range(max = MAX_SAFE_INTEGER))]
    pub duration_us: u64,
    /// Commands started.
    #[schemars(range(max = MAX_SAFE_INTEGER))]
    pub commands: u64,
    /// Commands that did not end `ok`.
    #[schemars(range(max = MAX_SAFE_INTEGER))]
    pub failed_commands: u64,
}

/// `gap`: events that could not be recorded, or were dropped undelivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// How many.
    #[schemars(range(max = MAX_SAFE_INTEGER))]
    pub count: u64,
    /// Time of the first, RFC 3339.
    #[schemars(regex(pattern = TIME))]
    pub from: String,
    /// Time of the last, RFC 3339.
    #[schemars(regex(pattern = TIME))]
    pub to: String,
    /// Why.
    pub reason: String,
}

/// `observation`: what someone else than its owner says about a session, in the journal's own stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Observation {
    /// The session spoken of; absent when it is about the journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<SessionId>,
    /// `crashed`, `ended_by_operator`, `end_requested`, `ended_legacy`, `pruned`, `scrubbed`, …
    pub what: String,
    /// Who says so.
    pub by: String,
    /// Why.
    pub why: String,
    /// More about it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub detail: Map<String, Value>,
}
