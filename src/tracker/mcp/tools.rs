//! The tools: their names, what they do in words, what they take and what they answer.

use std::sync::{Arc, LazyLock};

use rmcp::model::{Tool, ToolAnnotations};

use super::schema;

pub(super) const START: &str = "track_session_start";
pub(super) const END: &str = "track_session_end";
pub(super) const HEALTH: &str = "health_check";
pub(super) const TRACK: &str = "track_events";
pub(super) const BEAT: &str = "heartbeat";
pub(super) const STATS: &str = "session_stats";
pub(super) const METRICS: &str = "get_prometheus_metrics";
pub(super) const LIST: &str = "list_sessions";
pub(super) const SHOW: &str = "show_session";
pub(super) const END_SESSION: &str = "end_session";

static TOOLS: LazyLock<Vec<Tool>> = LazyLock::new(|| {
    let reads = || ToolAnnotations::new().read_only(true).open_world(false);
    let records = || ToolAnnotations::new().read_only(false).destructive(false).idempotent(true).open_world(false);
    let tool = |name: &'static str, words: &'static str, input, output, hints: ToolAnnotations| {
        Tool::new(name, words, Arc::new(input)).with_raw_output_schema(Arc::new(output)).with_annotations(hints)
    };
    vec![
        tool(
            START,
            "Record that an admin shell was opened. Answers the session's id, which `track_session_end` wants. The same \
             event_id with the same arguments answers the same session.",
            schema::start(),
            schema::start_answer(),
            records(),
        ),
        tool(
            END,
            "Record that an admin shell was left. Ending an ended session again changes nothing.",
            schema::end(),
            schema::end_answer(),
            records(),
        ),
        tool(HEALTH, "Whether the tracker runs, and its version.", schema::nothing(), schema::health(), reads()),
        tool(
            TRACK,
            "Take a batch of sealed events, each as its sealed text. Answers a verdict for each.",
            schema::batch(),
            schema::verdicts(),
            records(),
        ),
        tool(
            BEAT,
            "Say which sessions live. Answers which of them were asked to end.",
            schema::beats(),
            schema::beaten(),
            records(),
        ),
        tool(
            LIST,
            "Sessions of admin shells, newest first. Every argument narrows the list; `next` of an answer is the \
             `cursor` of its continuation.",
            schema::filter(),
            schema::sessions(),
            reads(),
        ),
        tool(
            SHOW,
            "One session, by its id or an unambiguous beginning of it, with as many of its events as asked for.",
            schema::show(),
            schema::session(),
            reads(),
        ),
        tool(
            END_SESSION,
            "End a session by its exact id: ask the shell of a live one to end, record an operator's end of a dead one.",
            schema::end_session(),
            schema::ended(),
            ToolAnnotations::new().read_only(false).destructive(true).idempotent(true).open_world(false),
        ),
        tool(
            STATS,
            "Statistics of sessions: how many, how long, how often commands fail, who is active; in total and by \
             component.",
            schema::statistics(),
            schema::answer(),
            reads(),
        ),
        tool(
            METRICS,
            "Everything that is measured, in the text format of Prometheus.",
            schema::nothing(),
            schema::metrics(),
            reads(),
        ),
    ]
});

/// Every tool.
pub(super) fn all() -> &'static [Tool] {
    &TOOLS
}

/// The tool of a name.
pub(super) fn named(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|tool| tool.name == name)
}

/// What is said to whoever calls a tool that is not there.
pub(super) fn unknown() -> String {
    let names: Vec<&str> = TOOLS.iter().map(|tool| &*tool.name).collect();
    format!("there is no such tool: there are {}", names.join(", "))
}
