//! Helpers that run checks: `crack`, `lint`, `test`, `scan`, `typecheck`.

use std::sync::{Arc, atomic::Ordering};

use admin_shell::{Cx, HelperError, Helpers, Mode, Result};
use sha2::{Digest, Sha256};

use super::{Inspector, adapters, data_dir, store};
use crate::{
    adapter::{Adapter, Tool},
    check::Room,
    config::TreeConfig,
    finding::{Kind, Severity},
    git,
    report::{Checked, Report},
    run::{self, Live},
    store::{Begun, Query, Store},
};

const GROUP: &str = "Checking";
/// Findings that a report holds, the gravest first; `findings()` goes on. As values of the language they take some 9 KB each,
/// and the whole shell is to stay below 60 MB.
pub(super) const MOST_FINDINGS: u64 = 2_000;

pub(super) fn register(helpers: &mut Helpers<Inspector>) {
    helpers
        .read(
            "crack",
            "Runs every check that applies, side by side, and answers what is wrong, the first thing to mend first.",
        )
        .group(GROUP)
        .param("only", "Only these adapters, by name.")
        .param("at", "Looks at this revision (a branch, a commit) instead of the files as they lie.")
        .example("crack()")
        .example(r#"crack().findings.filter(|f| f.severity == "error")"#)
        .example(r#"crack(["ruff", "clippy"])"#)
        .run(crack);
    helpers
        .read("lint", "Runs the lints, and looks how the source is laid out.")
        .group(GROUP)
        .example("lint()")
        .run(async |cx: Cx<Inspector>| of_kinds(cx, "lint", &[Kind::Lint, Kind::Format], None).await);
    helpers
        .read("test", "Runs the tests.")
        .group(GROUP)
        .param("filter", "Only tests whose name holds this, as far as the tool can choose.")
        .example("test()")
        .example(r#"test("parse")"#)
        .run(async |cx: Cx<Inspector>, filter: Option<String>| of_kinds(cx, "test", &[Kind::Test], filter).await);
    helpers
        .read("scan", "Runs the security checks.")
        .group(GROUP)
        .example("scan()")
        .run(async |cx: Cx<Inspector>| of_kinds(cx, "scan", &[Kind::Security], None).await);
    helpers
        .read("typecheck", "Checks types, and whether it compiles.")
        .group(GROUP)
        .example("typecheck()")
        .run(async |cx: Cx<Inspector>| of_kinds(cx, "typecheck", &[Kind::Type], None).await);
}

/// What is asked for.
pub(super) struct Wanted {
    /// What to call the run.
    pub(super) what: String,
    pub(super) adapters: Vec<Adapter>,
    pub(super) filter: Option<String>,
    /// The revision, its commit, and where its files lie.
    pub(super) revision: Option<(String, String, std::path::PathBuf)>,
}

async fn crack(cx: Cx<Inspector>, only: Option<Vec<String>>, at: Option<String>) -> Result<Report> {
    let mut what = "crack".to_owned();
    if let Some(names) = &only {
        what = format!("crack {}", names.join(" "));
    }
    let (tree, revision) = match at {
        None => (cx.tree.clone(), None),
        Some(revision) => {
            let commit = git::commit(&cx.tree, &revision).await?;
            if let Some(run) = store(&cx).await?.of_revision(&cx.tree_name(), &commit, &what).await? {
                cx.print(format!("{revision} is {commit}, which run {run} has looked at."));
                return report(&cx, store(&cx).await?, run).await;
            }
            let digest = Sha256::digest(cx.tree_name());
            let name: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
            let into = data_dir(&cx).join("inspector-revisions").join(name);
            let tree = git::files_of(&cx.tree, &commit, &into).await?.canonicalize()?;
            (tree.clone(), Some((revision, commit, tree)))
        }
    };
    let mut all = tokio::task::spawn_blocking(move || adapters(&tree)).await??;
    match &only {
        Some(names) => {
            for name in names {
                if !all.iter().any(|adapter| adapter.name == *name) {
                    let known: Vec<&str> = all.iter().map(|adapter| adapter.name.as_str()).collect();
                    let message = format!("no adapter `{name}` applies here");
                    let hint = if known.is_empty() {
                        "none does".to_owned()
                    } else {
                        format!("there are {}", known.join(", "))
                    };
                    return Err(HelperError::new("not_found", message).hint(hint).into());
                }
            }
            all.retain(|adapter| names.contains(&adapter.name));
        }
        None => {
            // clippy compiles what `check` compiles, and says what it says.
            let linted: Vec<String> = all
                .iter()
                .filter(|adapter| adapter.name == "clippy" && matches!(adapter.tool, Tool::Found(_)))
                .map(|adapter| adapter.at.clone())
                .collect();
            all.retain(|adapter| adapter.name != "check" || !linted.contains(&adapter.at));
        }
    }
    perform(&cx, Wanted { what, adapters: all, filter: None, revision }).await
}

async fn of_kinds(cx: Cx<Inspector>, what: &str, kinds: &[Kind], filter: Option<String>) -> Result<Report> {
    let tree = cx.tree.clone();
    let mut adapters = tokio::task::spawn_blocking(move || adapters(&tree)).await??;
    adapters.retain(|adapter| kinds.contains(&adapter.kind));
    let what = filter.as_ref().map_or_else(|| what.to_owned(), |filter| format!("{what} {filter}"));
    perform(&cx, Wanted { what, adapters, filter, revision: None }).await
}

/// Runs what is wanted, in a task of its own.
pub(super) async fn perform(cx: &Cx<Inspector>, wanted: Wanted) -> Result<Report> {
    if wanted.adapters.is_empty() {
        let message = format!("there is nothing to check in {}", cx.tree.display());
        let hint = "show_adapters() says what applies; a manifest (Cargo.toml, pyproject.toml, package.json) or inspector.toml makes it so";
        return Err(HelperError::new("nothing_applies", message).hint(hint).into());
    }
    let working = Arc::clone(&cx.busy).lock_owned().await;
    let (cx, ours) = (cx.clone(), cx.clone());
    let work = tokio::spawn(async move {
        let run = work(&cx, wanted).await;
        drop(working);
        run
    });
    let run = work.await??;
    let report = report(&ours, store(&ours).await?, run).await?;
    if let Some(limit) = ours.fail_on {
        let sums =
            [(Severity::Error, report.errors), (Severity::Warning, report.warnings), (Severity::Note, report.notes)];
        let is_grave = sums.iter().any(|(severity, count)| *severity <= limit && *count > 0);
        // What could not be judged did not pass.
        if is_grave || !matches!(report.verdict, crate::report::Verdict::Pass | crate::report::Verdict::Warn) {
            ours.exit_code.store(1, Ordering::Relaxed);
        }
    }
    Ok(report)
}

async fn work(cx: &Cx<Inspector>, wanted: Wanted) -> Result<i64> {
    let store = store(cx).await?.clone();
    let (branch, commit) = git::head(&cx.tree).await;
    let (revision, commit, tree) = match wanted.revision {
        Some((revision, commit, tree)) => (Some(revision), Some(commit), tree),
        None => (None, commit, cx.tree.clone()),
    };
    let name = cx.tree_name();
    let begun = Begun {
        tree: &name,
        what: &wanted.what,
        revision: revision.as_deref(),
        branch: branch.as_deref(),
        commit: commit.as_deref(),
    };
    let run = store.begin(begun).await?;
    let config = TreeConfig::read(&tree)?;
    let masked = cx.clone();
    let room = Room {
        tree,
        store,
        run,
        redact: Arc::new(move |text| masked.redacted(text)),
        pass: config.pass,
        filter: wanted.filter,
        stop: cx.cancelled().clone(),
    };
    let progress = cx.progress(wanted.adapters.len() as u64, "starting");
    let shown = cx.clone();
    let live = Live {
        progress,
        ended: Box::new(move |checked| {
            // In scripts the output is read by programs.
            if shown.session().mode == Mode::Interactive {
                shown.print(line(checked));
            }
        }),
    };
    run::run(&room, wanted.adapters, &live).await?;
    Ok(run)
}

/// One adapter as it ends.
fn line(checked: &Checked) -> String {
    let at = if checked.at == "." { String::new() } else { format!(" ({})", checked.at) };
    let found = checked.errors + checked.warnings + checked.notes;
    let found = match found {
        0 => String::new(),
        1 => ", 1 finding".to_owned(),
        many => format!(", {many} findings"),
    };
    format!("{:<10} {}{at}  {:.1}s{found}", checked.verdict.as_str(), checked.adapter, checked.duration_seconds)
}

/// What a run answers, from the store.
async fn report(cx: &Cx<Inspector>, store: &Store, run: i64) -> Result<Report> {
    let row = super::run_of(cx, Some(run)).await?;
    let findings = store.findings(run, &Query { limit: MOST_FINDINGS, ..Query::default() }).await?;
    let count = store.count(run).await?;
    Ok(Report {
        verdict: row.verdict,
        run,
        errors: row.errors,
        warnings: row.warnings,
        notes: row.notes,
        added: row.added,
        fixed: row.fixed,
        since: store.since(run).await?,
        duration_seconds: row.duration_seconds,
        adapters: store.checks(run).await?,
        more: count.saturating_sub(findings.len() as u64),
        findings,
    })
}
