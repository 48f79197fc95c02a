//! Helpers that look at the tree: `show_adapters`, `show_hooks`.

use admin_shell::{Cx, Helpers, Result};
use futures_util::future::join_all;
use serde::Serialize;

use super::{Inspector, adapters, settled};
use crate::{
    adapter::{Adapter, Tool},
    finding::Kind,
    hooks, process,
    report::Verdict,
};

const GROUP: &str = "The tree";

pub(super) fn register(helpers: &mut Helpers<Inspector>) {
    helpers
        .read("show_adapters", "Which tools apply here and why, whether they are installed, and how they last went.")
        .group(GROUP)
        .example("show_adapters()")
        .run(show_adapters);
    helpers
        .read("show_hooks", "What git runs when: its own hooks, those of pre-commit, husky and lefthook, and whether they are installed.")
        .group(GROUP)
        .example("show_hooks()")
        .run(async |cx: Cx<Inspector>| hooks::hooks(&cx.tree).await);
}

/// A tool that applies.
#[derive(Debug, Serialize)]
struct Applies {
    adapter: String,
    at: String,
    language: String,
    kind: Kind,
    /// found or missing.
    state: &'static str,
    version: Option<String>,
    last_verdict: Option<Verdict>,
    last_seconds: Option<f64>,
    config: Option<String>,
    why: String,
    install: Option<String>,
    program: Option<String>,
}

async fn show_adapters(cx: Cx<Inspector>) -> Result<Vec<Applies>> {
    let tree = cx.tree.clone();
    let all = tokio::task::spawn_blocking(move || adapters(&tree)).await??;
    let versions = join_all(all.iter().map(version)).await;
    let store = settled(&cx).await?;
    let mut rows = Vec::new();
    for (adapter, version) in all.into_iter().zip(versions) {
        let last = store.last_of(&cx.tree_name(), &adapter.name, &adapter.at).await?;
        let (state, install) = match &adapter.tool {
            Tool::Found(_) => ("found", None),
            Tool::Missing(install) => ("missing", Some(install.clone())),
        };
        rows.push(Applies {
            program: adapter.program().map(|program| program.display().to_string()),
            adapter: adapter.name,
            at: adapter.at,
            language: adapter.language,
            kind: adapter.kind,
            state,
            version,
            last_verdict: last.as_ref().map(|last| last.verdict),
            last_seconds: last.as_ref().map(|last| last.duration_seconds),
            config: adapter.config,
            why: adapter.why,
            install,
        });
    }
    Ok(rows)
}

async fn version(adapter: &Adapter) -> Option<String> {
    process::first_line(adapter.program()?, &adapter.version, &adapter.directory).await
}
