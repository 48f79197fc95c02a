//! What the benches record: the drafts of a session in an orchestrator's shell.

use admin_shell::{
    event::{
        ActorFacts, ActorKind, CommandEnd, CommandStart, Draft, EndReason, Environment, EventKind, Mode, SessionEnd,
        SessionStart, Status, User,
    },
    redact::Redactor,
};
use jiff::Timestamp;

/// A whole session: nine commands, twenty events.
pub(crate) fn whole() -> Vec<Draft> {
    let now = Timestamp::now();
    let mut drafts = vec![start(now)];
    for command in 1..=9 {
        drafts.extend([command_start(now, command), command_end(now, command)]);
    }
    drafts.push(end(now));
    drafts
}

/// The start of a session.
pub(crate) fn start(time: Timestamp) -> Draft {
    let body = SessionStart {
        shell_type: "OrchestratorShell".into(),
        component_type: "orchestrator".into(),
        component_version: Some("1.2.3".into()),
        mode: Mode::Interactive,
        pid: 4711,
        process_start: None,
        user: User { username: "ada".into(), home: "/home/ada".into(), uid: Some(1000) },
        actor: ActorFacts {
            kind: ActorKind::Human,
            verified: true,
            sudo_user: None,
            ssh_client: None,
            tty: None,
            parent: None,
        },
        hostname: "host-a".into(),
        machine_id: None,
        boot_id: None,
        environment: Environment {
            runtime: Some("admin-shell 0.1.0".into()),
            platform: "linux-x86_64".into(),
            cwd: "/srv".into(),
            python_version: None,
        },
        reason: None,
        metadata: serde_json::Map::new(),
    };
    draft(EventKind::SessionStart, time, &body)
}

/// A command is announced.
pub(crate) fn command_start(time: Timestamp, command: u64) -> Draft {
    let body = CommandStart {
        command,
        input: Some(format!("show(\"run_{command}\"); retry(find({command}))")),
        source: "prompt".into(),
        input_bytes: None,
        input_digest: None,
    };
    draft(EventKind::CommandStart, time, &body)
}

/// A command has run.
pub(crate) fn command_end(time: Timestamp, command: u64) -> Draft {
    let body = CommandEnd {
        command,
        status: Status::Ok,
        duration_us: 1_500,
        error: None,
        reads: Default::default(),
        output_bytes: 12,
        output_digest: format!("sha256:{}", "0".repeat(64)),
        notes: Vec::new(),
    };
    draft(EventKind::CommandEnd, time, &body)
}

fn end(time: Timestamp) -> Draft {
    let body = SessionEnd { reason: EndReason::Exit, exit_code: 0, duration_us: 1, commands: 9, failed_commands: 0 };
    draft(EventKind::SessionEnd, time, &body)
}

fn draft(kind: EventKind, time: Timestamp, body: &impl serde::Serialize) -> Draft {
    Redactor::default().draft(kind, time, body)
}
