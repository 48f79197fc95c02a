//! `watch`: re-runs what changed files touch.

use std::{
    collections::{BTreeSet, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use admin_shell::{Cx, Helpers, Result, Timespan, terminal_width};
use anyhow::Context;
use notify::{RecursiveMode, Watcher};
use serde::Serialize;

use super::{
    Inspector, adapters,
    checks::{Wanted, perform},
};
use crate::{adapter::Adapter, report::Verdict, source, view};

/// Editors write a file in several steps; checks of half a file help nobody.
const SETTLE: Duration = Duration::from_millis(300);

pub(super) fn register(helpers: &mut Helpers<Inspector>) {
    helpers
        .read("watch", "Re-runs the checks that changed files touch, until Ctrl-C or for a time.")
        .group("Checking")
        .param("time", "How long: seconds, or text such as \"30m\"; until Ctrl-C without it.")
        .example("watch(1)")
        .run(watch);
}

/// A run that a change led to.
#[derive(Debug, Serialize)]
struct Watched {
    run: i64,
    verdict: Verdict,
    added: u64,
    fixed: u64,
    files: Vec<String>,
}

async fn watch(cx: Cx<Inspector>, time: Option<Timespan>) -> Result<Vec<Watched>> {
    let (changes, mut changed) = tokio::sync::mpsc::unbounded_channel::<PathBuf>();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if let Ok(event) = event
            && !event.kind.is_access()
        {
            for path in event.paths {
                let _ = changes.send(path);
            }
        }
    })
    .context("watching files")?;
    // Each directory that is not ignored: `target` alone would be more than everything else.
    let places = ignore::WalkBuilder::new(&cx.tree).build().flatten();
    for place in places.filter(|place| place.file_type().is_some_and(|kind| kind.is_dir())) {
        watcher
            .watch(place.path(), RecursiveMode::NonRecursive)
            .with_context(|| format!("watching {}", place.path().display()))?;
    }
    cx.print(format!("Watching {}; Ctrl-C ends it.", cx.tree.display()));
    let end = time.map(|Timespan(length)| Instant::now() + length);
    let (mut rows, mut contents) = (Vec::new(), Contents::default());
    loop {
        let first = match end {
            None => changed.recv().await,
            Some(end) => {
                match tokio::time::timeout(end.saturating_duration_since(Instant::now()), changed.recv()).await {
                    Ok(path) => path,
                    Err(_) => return Ok(rows),
                }
            }
        };
        let Some(first) = first else { return Ok(rows) };
        let mut files = BTreeSet::from([first]);
        while let Ok(Some(more)) = tokio::time::timeout(SETTLE, changed.recv()).await {
            files.insert(more);
        }
        for made in files.iter().filter(|file| file.is_dir()) {
            // Gone again, or hidden: nothing in it is looked at then.
            let _ = watcher.watch(made, RecursiveMode::NonRecursive);
        }
        files.retain(|file| contents.changed(file));
        let tree = cx.tree.clone();
        let all = tokio::task::spawn_blocking(move || adapters(&tree)).await??;
        let touched: Vec<Adapter> =
            all.into_iter().filter(|adapter| files.iter().any(|file| touches(adapter, file))).collect();
        // clippy says what `check` says.
        let touched: Vec<Adapter> = touched.into_iter().filter(|adapter| adapter.name != "check").collect();
        if touched.is_empty() {
            continue;
        }
        let shown =
            files.iter().map(|file| file.strip_prefix(&cx.tree).unwrap_or(file).display().to_string()).collect();
        let wanted = Wanted { what: "watch".to_owned(), adapters: touched, filter: None, revision: None };
        let report = perform(&cx, wanted).await?;
        let value = serde_json::to_value(&report)?;
        if let Some(text) = view::show(&value, terminal_width()) {
            cx.print(text);
        }
        rows.push(Watched {
            run: report.run,
            verdict: report.verdict,
            added: report.added,
            fixed: report.fixed,
            files: shown,
        });
    }
}

/// What files held when they were looked at. A tool that writes a file as it was, and an editor that touches it, have
/// changed nothing; what is saved while the checks run is a change.
#[derive(Default)]
struct Contents(HashMap<PathBuf, Option<u64>>);

impl Contents {
    fn changed(&mut self, file: &Path) -> bool {
        let held = source::read_bounded(file).map(|text| {
            let mut hash = DefaultHasher::new();
            text.hash(&mut hash);
            hash.finish()
        });
        self.0.insert(file.to_owned(), held) != Some(held)
    }
}

/// Whether a file is what an adapter looks at.
fn touches(adapter: &Adapter, file: &Path) -> bool {
    if !file.starts_with(&adapter.directory) {
        return false;
    }
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match adapter.language.as_str() {
        "rust" => extension == "rs" || name == "Cargo.toml" || name == "Cargo.lock",
        "python" => {
            matches!(extension, "py" | "pyi")
                || matches!(name, "pyproject.toml" | "setup.cfg" | "ruff.toml" | "mypy.ini")
        }
        "javascript" => {
            matches!(
                extension,
                "js" | "mjs" | "cjs" | "jsx" | "ts" | "mts" | "cts" | "tsx" | "json" | "vue" | "svelte" | "css"
            )
        }
        _ => !name.starts_with('.'),
    }
}
