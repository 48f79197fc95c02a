//! The names of what is measured, and what each means. Dashboards and alerts rely on them: they do not change.

/// A metric's name and its meaning. Counters get `_total` behind their name.
pub(super) type Name = (&'static str, &'static str);

pub(super) const SESSION_START: Name = ("session_start", "Sessions that began");
pub(super) const SESSION_END: Name = ("session_end", "Sessions that ended, by how");
pub(super) const SESSION_DURATION: Name =
    ("session_duration_seconds", "How long sessions were open that said their end themselves");
pub(super) const EMIT_SUCCESS: Name = ("mcp_event_emit_success", "Events that were delivered, counted by who delivers");
pub(super) const EMIT_FAILURE: Name =
    ("mcp_event_emit_failure", "Events that were not delivered, counted by who delivers");
pub(super) const EMIT_DURATION: Name =
    ("mcp_event_emit_duration_seconds", "How long delivering an event took, measured by who delivers");
pub(super) const ACTIVE_SESSIONS: Name = ("active_sessions", "Sessions that are open");
pub(super) const SESSION_QUALITY: Name =
    ("session_quality_score", "Mean quality (0 to 100) of sessions that ended in the last 24 hours");
pub(super) const TRACKER_EVENTS: Name =
    ("session_tracker_events", "Events that this tracker judged since it started, by verdict");

/// Upper bounds of the ranges of session durations, in seconds.
pub(super) const DURATION_BOUNDS: [u64; 8] = [60, 300, 900, 1_800, 3_600, 7_200, 14_400, 28_800];

/// The label of whatever has none of its own.
pub(super) const OTHER: &str = "other";
