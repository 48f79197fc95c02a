//! An event in one sentence.

use admin_shell::{
    event::{
        CallEnd, CallStart, CommandEnd, CommandStart, Event, EventKind, Failure, Gap, Observation, SessionEnd,
        SessionStart,
    },
    render::json,
};

use crate::{clock, plural::counted};

/// What an event says, for people. Nothing of a known type is left out that somebody would look for.
pub(super) fn of(event: &Event) -> String {
    let said = match event.kind() {
        EventKind::SessionStart => event.decode().map(|body| session_start(&body)),
        EventKind::CommandStart => event.decode().map(|body| command_start(&body)),
        EventKind::CallStart => event.decode().map(|body| call_start(&body)),
        EventKind::CallEnd => event.decode().map(|body| call_end(&body)),
        EventKind::CommandEnd => event.decode().map(|body| command_end(&body)),
        EventKind::SessionEnd => event.decode().map(|body| session_end(&body)),
        EventKind::Gap => event.decode().map(|body| gap(&body)),
        EventKind::Observation => event.decode().map(|body| observation(&body)),
        _ => None,
    };
    // A newer writer's event, or one of another shape: all that it says.
    said.unwrap_or_else(|| json(event.body()))
}

fn session_start(start: &SessionStart) -> String {
    let verified = if start.actor.verified { "" } else { " (unverified)" };
    let by = match &start.actor.sudo_user {
        Some(user) => format!(", sudo by {user}"),
        None => String::new(),
    };
    let reason = start.reason.as_ref().map(|reason| format!(", because: {reason}")).unwrap_or_default();
    format!(
        "{}{verified}{by} on {}, {}, pid {} in {}{reason}",
        start.user.username, start.hostname, start.mode, start.pid, start.environment.cwd
    )
}

fn command_start(start: &CommandStart) -> String {
    let source = if start.source == "prompt" { String::new() } else { format!(" (from {})", start.source) };
    match (&start.input, start.input_bytes) {
        (Some(input), _) => format!("#{}{source} {input}", start.command),
        (None, Some(bytes)) => format!("#{}{source} (too large to record: {bytes} bytes)", start.command),
        (None, None) => format!("#{}{source} (not kept)", start.command),
    }
}

fn call_start(start: &CallStart) -> String {
    let args: Vec<String> = start.args.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let decision = &start.decision;
    let reason = decision.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let approver = decision.approver.as_ref().map(|approver| format!(", approved by {approver}")).unwrap_or_default();
    format!(
        "#{}.{} {}: {} {}({}), by {}{approver}{reason}",
        start.command,
        start.call,
        decision.verdict,
        start.effect,
        start.helper,
        args.join(", "),
        decision.policy
    )
}

fn call_end(end: &CallEnd) -> String {
    let took = clock::length_us(end.duration_us);
    format!("#{}.{} {}: {} in {took}{}", end.command, end.call, end.status, end.helper, failure(end.error.as_ref()))
}

fn command_end(end: &CommandEnd) -> String {
    let mut text = format!("#{} {} in {}", end.command, end.status, clock::length_us(end.duration_us));
    for (helper, total) in &end.reads {
        text.push_str(&format!(", {helper}() {}×", total.calls));
        if total.errors > 0 {
            text.push_str(&format!(" ({} failed)", total.errors));
        }
    }
    if end.output_bytes > 0 {
        text.push_str(&format!(", {} shown", counted(end.output_bytes, "byte")));
    }
    for note in &end.notes {
        text.push_str(&format!(", note: {note}"));
    }
    text.push_str(&failure(end.error.as_ref()));
    text
}

fn session_end(end: &SessionEnd) -> String {
    let open = std::time::Duration::from_micros(end.duration_us).as_secs_f64();
    format!(
        "{}, exit code {}, open for {}, {}, {} failed",
        end.reason,
        end.exit_code,
        clock::length(open),
        counted(end.commands, "command"),
        end.failed_commands
    )
}

fn gap(gap: &Gap) -> String {
    let time = |text: &str| text.parse().map_or_else(|_| text.to_owned(), clock::exact);
    let (from, to) = (time(&gap.from), time(&gap.to));
    format!("{} missing, from {from} to {to}: {}", counted(gap.count, "event"), gap.reason)
}

fn observation(said: &Observation) -> String {
    let about = said.about.as_ref().map(|id| format!(" {id}")).unwrap_or_default();
    format!("{}{about}, by {}: {}", said.what, said.by, said.why)
}

fn failure(failure: Option<&Failure>) -> String {
    failure.map(|failure| format!(", {}: {}", failure.kind, failure.message)).unwrap_or_default()
}
