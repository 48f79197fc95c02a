//! Hooks of git: what runs when, who put it there, and whether git would find it.

use std::{
    collections::BTreeSet,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use admin_shell::Result;
use serde::Serialize;

use crate::{git, source};

/// One thing that runs at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hook {
    /// The moment, for example `pre-commit`.
    pub hook: String,
    /// Who runs it: git itself, pre-commit, husky, lefthook.
    pub manager: &'static str,
    /// What runs.
    pub runs: String,
    /// Whether git would run it: the file is where git looks, and can be executed.
    pub installed: bool,
    /// The file that says so.
    pub file: String,
    /// What to do about it, when it is not.
    pub note: Option<String>,
}

/// The moments that git knows.
const MOMENTS: [&str; 14] = [
    "applypatch-msg",
    "pre-applypatch",
    "post-applypatch",
    "pre-commit",
    "pre-merge-commit",
    "prepare-commit-msg",
    "commit-msg",
    "post-commit",
    "pre-rebase",
    "post-checkout",
    "post-merge",
    "pre-push",
    "post-rewrite",
    "pre-auto-gc",
];

/// Every hook of a tree.
///
/// # Errors
/// When the tree is in no repository.
pub async fn hooks(tree: &Path) -> Result<Vec<Hook>> {
    let top = PathBuf::from(git::git(tree, &["rev-parse", "--show-toplevel"]).await?);
    // git's own answer knows core.hooksPath, worktrees and includes.
    let place = PathBuf::from(git::git(tree, &["rev-parse", "--git-path", "hooks"]).await?);
    let place = tree.join(place);
    let set = git::git(tree, &["config", "--get", "core.hooksPath"]).await.ok();
    let mut found = Vec::new();
    let mut there = BTreeSet::new();
    for moment in MOMENTS {
        let file = place.join(moment);
        let Some(text) = source::read_bounded(&file) else { continue };
        let executable = file.metadata().is_ok_and(|found| found.permissions().mode() & 0o111 != 0);
        let manager = manager_of(&text, set.as_deref());
        if executable {
            there.insert((moment, manager));
        }
        if manager == "git" || manager == "husky" {
            found.push(Hook {
                hook: moment.to_owned(),
                manager,
                runs: first_command(&text),
                installed: executable,
                file: shown(&top, &file),
                note: (!executable).then(|| format!("it can not be executed: chmod +x {}", shown(&top, &file))),
            });
        }
    }
    let installed = |moment: &str, manager: &str| there.iter().any(|(m, by)| *m == moment && *by == manager);
    pre_commit(&top, &installed, &mut found);
    lefthook(&top, &installed, &mut found);
    husky(&top, set.as_deref(), &mut found);
    found.sort_by_key(|hook| (MOMENTS.iter().position(|moment| *moment == hook.hook), hook.manager));
    Ok(found)
}

fn manager_of(text: &str, set: Option<&str>) -> &'static str {
    if text.contains("pre-commit.com") || text.contains("pre_commit") {
        "pre-commit"
    } else if text.contains("lefthook") {
        "lefthook"
    } else if set.is_some_and(|path| path.contains(".husky")) {
        "husky"
    } else {
        "git"
    }
}

/// The hooks of `.pre-commit-config.yaml`: their ids, and when they run.
fn pre_commit(top: &Path, installed: &dyn Fn(&str, &str) -> bool, found: &mut Vec<Hook>) {
    const NAME: &str = ".pre-commit-config.yaml";
    let Some(text) = source::read_bounded(&top.join(NAME)) else { return };
    for line in text.lines() {
        let Some(id) = line.trim().trim_start_matches("- ").strip_prefix("id:") else { continue };
        let installed = installed("pre-commit", "pre-commit");
        found.push(Hook {
            hook: "pre-commit".to_owned(),
            manager: "pre-commit",
            runs: id.trim().trim_matches(['"', '\'']).to_owned(),
            installed,
            file: NAME.to_owned(),
            note: (!installed).then(|| "pre-commit install".to_owned()),
        });
    }
}

/// The commands of `lefthook.yml`: `pre-commit:` at the margin, `run:` below it.
fn lefthook(top: &Path, installed: &dyn Fn(&str, &str) -> bool, found: &mut Vec<Hook>) {
    for name in ["lefthook.yml", "lefthook.yaml", ".lefthook.yml", ".lefthook.yaml"] {
        let Some(text) = source::read_bounded(&top.join(name)) else { continue };
        let mut moment = None;
        for line in text.lines() {
            if !line.starts_with([' ', '#']) {
                let key = line.trim_end().trim_end_matches(':');
                moment = MOMENTS.iter().find(|moment| **moment == key);
            }
            let run = line.trim().trim_start_matches("- ").strip_prefix("run:");
            if let (Some(moment), Some(run)) = (moment, run) {
                let installed = installed(moment, "lefthook");
                found.push(Hook {
                    hook: (*moment).to_owned(),
                    manager: "lefthook",
                    runs: run.trim().to_owned(),
                    installed,
                    file: name.to_owned(),
                    note: (!installed).then(|| "lefthook install".to_owned()),
                });
            }
        }
    }
}

/// Files in `.husky`, when git does not look there.
fn husky(top: &Path, set: Option<&str>, found: &mut Vec<Hook>) {
    if set.is_some_and(|path| path.contains(".husky")) {
        // Seen where git looks; husky 9 keeps its stubs in `_` and the person's files beside it.
        for hook in found.iter_mut().filter(|hook| hook.manager == "husky") {
            if let Some(text) = source::read_bounded(&top.join(".husky").join(&hook.hook)) {
                hook.runs = first_command(&text);
            }
        }
        return;
    }
    for moment in MOMENTS {
        let file = top.join(".husky").join(moment);
        if let Some(text) = source::read_bounded(&file) {
            found.push(Hook {
                hook: moment.to_owned(),
                manager: "husky",
                runs: first_command(&text),
                installed: false,
                file: shown(top, &file),
                note: Some("npx husky".to_owned()),
            });
        }
    }
}

fn first_command(text: &str) -> String {
    let is_noise =
        |line: &&str| line.is_empty() || line.starts_with('#') || line.starts_with("set -") || line.starts_with(". ");
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !is_noise(line)).collect();
    match lines.as_slice() {
        [] => "(nothing)".to_owned(),
        [one] => (*one).to_owned(),
        [first, rest @ ..] => format!("{first} … and {} more lines", rest.len()),
    }
}

fn shown(top: &Path, file: &Path) -> String {
    file.strip_prefix(top).unwrap_or(file).display().to_string()
}
