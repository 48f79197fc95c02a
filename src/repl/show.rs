//! How a session looks: its banner, its results, its failures, in text or as one JSON document.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{
    console::{PlainConsole, TerminalConsole, render_failure},
    editor::Notices,
    screen::{Screen, Stream},
    terminal,
};
use crate::{
    event::Status,
    recorder::Recording,
    render::{self, Color, visible},
    session::{Console, Failure, Outcome, Session},
    shell::{Outlet, Renderer},
};

/// How results are shown.
#[derive(Clone)]
pub(crate) struct Look {
    color: Color,
    json: bool,
    renderer: Option<Renderer>,
    out: Screen,
    err: Screen,
}

impl Look {
    pub(crate) fn new(color: Color, json: bool, renderer: Option<Renderer>) -> Self {
        Self { color, json, renderer, out: Screen::new(Stream::Out), err: Screen::new(Stream::Err) }
    }

    /// Standard output is for events: results go where warnings go.
    pub(crate) fn beside_events(self) -> Self {
        Self { out: self.err.clone(), ..self }
    }

    /// A console for one command. Under `--json` standard output is for the document alone.
    pub(crate) fn console(&self) -> Box<dyn Console> {
        let screen = if self.json { &self.err } else { &self.out };
        if terminal::is_interactive() {
            Box::new(TerminalConsole::new(screen.clone()))
        } else {
            Box::new(PlainConsole::new(screen.clone()))
        }
    }

    /// Shows how a command ended.
    pub(crate) fn outcome(&self, outcome: &Outcome) {
        self.out.end_line();
        if outcome.status == Status::Cancelled && terminal::is_interactive() {
            // The terminal has shown ^C where the cursor was.
            self.out.show("\n");
        }
        for warning in &outcome.warnings {
            self.err.show_lines(&format!("warning: {}", visible(warning)));
        }
        if self.json {
            return self.document(outcome);
        }
        match &outcome.failure {
            Some(failure) => self.err.show_lines(&render_failure(failure, terminal::width(), self.color)),
            None => {
                let width = terminal::width();
                let own = self.own_way(&outcome.value, width);
                self.out.show_lines(&own.map_or_else(|| render::render(&outcome.value, width), |text| visible(&text)));
            }
        }
    }

    /// How the component shows a value. One that panics has no way of its own.
    fn own_way(&self, value: &serde_json::Value, width: render::Width) -> Option<String> {
        let renderer = self.renderer.as_ref()?;
        let shown = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| renderer(value, width)));
        shown.unwrap_or_else(|_| {
            self.complain("warning: the component's renderer panicked; the log says where");
            None
        })
    }

    /// Says how a session ended that could not do its work; at a prompt there is no document for it.
    pub(crate) fn last_word(&self, failure: &Failure, is_prompt: bool) {
        if self.json && !is_prompt {
            self.out.show_lines(&render::json(&error_document(failure)));
        } else {
            self.err.show_lines(&render_failure(failure, terminal::width(), self.color));
        }
    }

    /// Why results did not arrive where they were to go.
    pub(crate) fn write_error(&self) -> Option<String> {
        self.out.write_error()
    }

    /// Says something that is no result.
    pub(crate) fn complain(&self, text: &str) {
        self.err.show_lines(&visible(text));
    }

    pub(super) fn banner(&self, banner: &Banner) {
        if !self.json {
            self.out.show_lines(&banner.text());
        }
    }

    fn document(&self, outcome: &Outcome) {
        let document = match &outcome.failure {
            None => outcome.value.clone(),
            Some(failure) => error_document(failure),
        };
        self.out.show_lines(&render::json(&document));
    }
}

/// A failure as the one document of `--json`.
pub(crate) fn error_document(failure: &Failure) -> serde_json::Value {
    let at = failure.at.as_ref();
    json!({"error": {
        "kind": failure.kind,
        "message": failure.message,
        "hint": failure.hint,
        "source": at.map(|at| &at.source),
        "line": at.map(|at| at.line),
        "column": at.map(|at| at.column),
    }})
}

/// What a shell says of itself when it opens, as it is at that moment.
pub(crate) struct Banner {
    pub(crate) component: String,
    pub(crate) component_type: String,
    pub(crate) version: Option<String>,
    /// Name and state; `None` when the component did not say in time.
    pub(crate) adapters: Option<Vec<(String, String)>>,
    pub(crate) lines: Vec<String>,
    pub(crate) tracking: Recording,
    pub(crate) outlet: Arc<Outlet>,
    pub(crate) read_only: bool,
    pub(crate) session_id: String,
    /// The first helpers to try.
    pub(crate) first: Vec<String>,
}

impl Banner {
    fn text(&self) -> String {
        let version = self.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
        let mut lines = vec![format!("{}{version} admin shell (type: {})", self.component, self.component_type)];
        lines.extend(self.lines.iter().cloned());
        lines.push(match &self.adapters {
            None => "Adapters: (no answer yet)".to_owned(),
            Some(adapters) if adapters.is_empty() => "Adapters: none".to_owned(),
            Some(adapters) => {
                let each: Vec<String> = adapters.iter().map(|(name, state)| format!("{name} ({state})")).collect();
                format!("Adapters: {}", each.join(", "))
            }
        });
        if self.read_only {
            lines.push("Mode: read-only, changes are refused".to_owned());
        }
        lines.push(tracking(&self.tracking, &self.outlet));
        lines.push(format!("Session ID: {}", self.session_id));
        lines.push(first_steps(&self.first));
        lines.iter().map(|line| visible(line)).collect::<Vec<_>>().join("\n") + "\n"
    }

    /// Whether it was shown before the journal had answered.
    pub(super) fn is_provisional(&self) -> bool {
        self.tracking == Recording::Opening || self.outlet.is_connecting()
    }

    /// Says above the prompt what the banner could not know.
    pub(super) async fn correct(self, session: &Session, notices: &Notices) {
        const LOOK_EVERY: Duration = Duration::from_millis(20);
        /// A sink that has not answered by then may take long: what is known of the journal is said.
        const PATIENCE: Duration = Duration::from_millis(500);
        let begun = Instant::now();
        let mut said = tracking(&self.tracking, &self.outlet);
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let recording = session.recorder().state();
            let connecting = self.outlet.is_connecting();
            if recording == Recording::Opening || (connecting && begun.elapsed() < PATIENCE) {
                continue;
            }
            let now = tracking(&recording, &self.outlet);
            // Good news is for the first prompt only: a command that ran says it as well, and is not to be interrupted.
            let is_good = recording == Recording::On && !self.outlet.is_down();
            if now != said && !(is_good && session.has_worked()) {
                notices.show(&visible(&now));
                said = now;
            }
            if !connecting || session.is_leaving() {
                return;
            }
        }
    }
}

/// What to try first, and how to get help and to leave; on one line of a narrow terminal.
fn first_steps(helpers: &[String]) -> String {
    const LEAVE: &str = "Help: help()   Leave: exit() or Ctrl-D";
    const NARROW: usize = 80;
    let mut lines = (1..=helpers.len()).rev().map(|count| format!("Try: {}   {LEAVE}", helpers[..count].join("  ")));
    lines.find(|line| line.len() <= NARROW).unwrap_or_else(|| LEAVE.to_owned())
}

fn tracking(recording: &Recording, outlet: &Outlet) -> String {
    let sinks = outlet.words().map(|words| format!("; {words}")).unwrap_or_default();
    match recording {
        Recording::On => format!("Session Tracking: ✓ Enabled (local journal{sinks})"),
        Recording::Opening => format!("Session Tracking: ✓ Enabled (local journal; opening{sinks})"),
        Recording::Failing(why) => format!("Session Tracking: ✗ Disabled ({why})"),
    }
}

/// The helpers that the banner names: those that need no argument, as they were registered.
pub(crate) fn first_helpers(session: &Session) -> Vec<String> {
    const SHOWN: usize = 4;
    let registry = session.registry();
    let simple = registry.iter().filter(|spec| spec.required() == 0 && spec.effect == crate::spec::Effect::Read);
    simple.take(SHOWN).map(|spec| format!("{}()", spec.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::first_steps;

    #[test]
    fn first_steps_fit_a_narrow_terminal() {
        let names = |names: &[&str]| names.iter().map(|name| format!("{name}()")).collect::<Vec<_>>();
        let rest = "   Help: help()   Leave: exit() or Ctrl-D";
        let four = names(&["ps", "active", "quality", "insights"]);
        assert_eq!(first_steps(&four), format!("Try: ps()  active()  quality(){rest}"));
        assert_eq!(first_steps(&four[..2]), format!("Try: ps()  active(){rest}"));
        assert_eq!(first_steps(&names(&["a_name_that_is_much_too_long_for_this"])), rest.trim_start());
        assert_eq!(first_steps(&[]), rest.trim_start());
    }
}
