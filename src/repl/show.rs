//! How a session looks: its banner, its results, its failures, in text or as one JSON document.

use std::time::Duration;

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
    session::{Console, Outcome, Session},
    shell::Renderer,
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
                let own = self.renderer.as_ref().and_then(|renderer| renderer(&outcome.value, width));
                self.out.show_lines(&own.map_or_else(|| render::render(&outcome.value, width), |text| visible(&text)));
            }
        }
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
            Some(failure) => {
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
        };
        self.out.show_lines(&render::json(&document));
    }
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
        lines.push(tracking(&self.tracking));
        lines.push(format!("Session ID: {}", self.session_id));
        if self.first.is_empty() {
            lines.push("Help: help()   Leave: exit() or Ctrl-D".to_owned());
        } else {
            lines.push(format!("Try: {}   Help: help()   Leave: exit() or Ctrl-D", self.first.join("  ")));
        }
        lines.iter().map(|line| visible(line)).collect::<Vec<_>>().join("\n") + "\n"
    }

    /// Whether it was shown before the journal had answered.
    pub(super) fn is_provisional(&self) -> bool {
        self.tracking == Recording::Opening
    }

    /// Says above the prompt what the banner could not know.
    pub(super) async fn correct(self, session: &Session, notices: &Notices) {
        const LOOK_EVERY: Duration = Duration::from_millis(20);
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            match session.recorder().state() {
                Recording::Opening => {}
                Recording::On => return,
                failing @ Recording::Failing(_) => {
                    notices.show(&tracking(&failing));
                    return;
                }
            }
        }
    }
}

fn tracking(recording: &Recording) -> String {
    match recording {
        Recording::On => "Session Tracking: ✓ Enabled (local journal)".to_owned(),
        Recording::Opening => "Session Tracking: ✓ Enabled (local journal; opening)".to_owned(),
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
