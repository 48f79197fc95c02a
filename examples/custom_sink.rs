//! A sink of one's own, under a scheme of one's own.
//!
//! ```sh
//! cargo run --example custom_sink -- --sink summary:/tmp/summary.txt -c 'greet("Ada")'
//! ```

use std::{fs::OpenOptions, io::Write, path::PathBuf};

use admin_shell::{
    AdminShell, Cx, Event, Helpers, Result, Shell,
    delivery::{EventSink, Receipt, SinkError},
};

struct Greeter;

impl AdminShell for Greeter {
    const COMPONENT: &'static str = "greeter";

    fn helpers(helpers: &mut Helpers<Self>) {
        helpers.read("greet", "Greets someone by name.").param("name", "Whom to greet.").run(greet);
    }
}

async fn greet(_: Cx<Greeter>, name: String) -> Result<String> {
    Ok(format!("Hello, {name}!"))
}

/// Writes a line for each event: when, in which session, what.
struct Summary {
    name: String,
    path: PathBuf,
}

impl Summary {
    fn open(url: &str) -> Result<Self> {
        let path = url.trim_start_matches("summary:");
        anyhow::ensure!(!path.is_empty(), "summary: wants a path, as in summary:/tmp/summary.txt");
        Ok(Self { name: url.to_owned(), path: path.into() })
    }
}

#[async_trait::async_trait]
impl EventSink for Summary {
    // The key of its cursor: how far it got is remembered under this name.
    fn name(&self) -> &str {
        &self.name
    }

    async fn deliver(&mut self, batch: &[Event]) -> Result<Receipt, SinkError> {
        let mut lines = String::new();
        for event in batch {
            lines.push_str(&format!("{} {} {}\n", event.timestamp(), event.stream(), event.kind()));
        }
        let file = OpenOptions::new().create(true).append(true).open(&self.path);
        // An error is not the end: the same events come again, later.
        file.and_then(|mut file| file.write_all(lines.as_bytes())).map_err(SinkError::unavailable)?;
        Ok(Receipt::accepted(batch.iter().map(Event::event_id)))
    }
}

fn main() -> std::process::ExitCode {
    admin_shell::main(async || Ok(Shell::new(Greeter).sink_scheme("summary", Summary::open)))
}
