//! `track_session_start`: what it may be given, and the event that comes of it.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{MARK, arguments::Given};
use crate::{
    event::{
        Draft, EventKind, Invalid, SessionId, check_component_name, check_label, check_metadata, check_pid, check_text,
        check_timestamp,
    },
    journal::Stream,
    redact::Redactor,
};

const ARGUMENTS: [&str; 13] = [
    "event_version",
    "event_id",
    "event_type",
    "component_name",
    "shell_type",
    "timestamp",
    "pid",
    "user",
    "hostname",
    "environment",
    "metadata",
    "session_id",
    "token",
];

/// A start that keeps every rule.
pub(super) struct Start<'a> {
    event_id: Option<Uuid>,
    component: &'a str,
    shell_type: &'a str,
    timestamp: Timestamp,
    pid: u64,
    user: &'a Map<String, Value>,
    hostname: &'a str,
    environment: &'a Map<String, Value>,
    metadata: Option<&'a Map<String, Value>>,
    session_id: Option<SessionId>,
}

impl<'a> Start<'a> {
    /// Reads arguments that hold no null.
    ///
    /// # Errors
    /// Names the first field that breaks a rule.
    pub(super) fn read(arguments: &'a Map<String, Value>) -> Result<Self, Invalid> {
        let given = Given::listed(arguments, &ARGUMENTS)?;
        if given.text_if("event_version")?.is_some_and(|version| version != "1.0") {
            return Err(Invalid::new("event_version", "must be \"1.0\", the only version there is"));
        }
        let event_id = given.uuid_if("event_id")?;
        given.word("event_type", "session_start")?;
        let component = given.text("component_name")?;
        check_component_name(component)?;
        let shell_type = given.text("shell_type")?;
        check_label("shell_type", shell_type)?;
        let timestamp = check_timestamp("timestamp", given.text("timestamp")?)?;
        let pid = given.integer("pid")?.unwrap_or(0);
        check_pid(pid)?;
        let user = given.object("user", "user.")?;
        check_text("user.username", user.text("username")?, 100)?;
        check_text("user.home", user.text("home")?, 500)?;
        let hostname = given.text("hostname")?;
        check_label("hostname", hostname)?;
        let environment = given.object("environment", "environment.")?;
        environment.text_if("python_version")?;
        if let Some(runtime) = environment.text_if("runtime")? {
            check_label("environment.runtime", runtime)?;
        }
        check_label("environment.platform", environment.text("platform")?)?;
        check_text("environment.cwd", environment.text("cwd")?, 500)?;
        let metadata = given.map("metadata")?;
        metadata.map_or(Ok(()), check_metadata)?;
        let session_id = given.text_if("session_id")?.map(str::parse).transpose()?;
        let (user, environment) = (user.fields(), environment.fields());
        Ok(Self { event_id, component, shell_type, timestamp, pid, user, hostname, environment, metadata, session_id })
    }

    pub(super) fn component(&self) -> &str {
        self.component
    }

    /// The stream to open, and its first event. The same arguments make the same event, whoever stores it.
    pub(super) fn drafted(self, writer: Option<&str>) -> (Stream, Draft) {
        let known = |name| self.metadata.and_then(|metadata| metadata.get(name)).and_then(Value::as_str);
        let body = json!({
            "shell_type": self.shell_type,
            // Whoever does not say is of the type that bears its component's name, as shells are.
            "component_type": known("component_type").unwrap_or(self.component),
            "component_version": known("component_version"),
            "mode": "interactive",
            "pid": self.pid,
            "user": self.user,
            // The name is what the client says.
            "actor": {"kind": "human", "verified": false},
            "hostname": self.hostname,
            "environment": self.environment,
            "metadata": self.metadata.cloned().unwrap_or_default(),
            MARK: {"session_id": self.session_id, "writer": writer},
        });
        let draft = Redactor::default().draft(EventKind::SessionStart, self.timestamp, &body);
        let draft = match self.event_id {
            Some(id) => draft.with_event_id(id),
            None => draft,
        };
        (stream(self.session_id.unwrap_or_default(), self.component), draft)
    }
}

/// The name of a writer as it stands in the record.
pub(super) fn recorded(writer: &str) -> String {
    Redactor::default().text(writer).into_string()
}

/// The stream of a session.
pub(super) fn stream(id: SessionId, component: &str) -> Stream {
    Stream { id: id.into(), component: component.to_owned() }
}
