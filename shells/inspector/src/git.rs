//! What git says of a tree, and a revision of it as files.

use std::path::{Path, PathBuf};

use admin_shell::Result;
use anyhow::{Context, bail, ensure};
use tokio_util::sync::CancellationToken;

use crate::process::{self, Finished, How, Launch};

/// How long git may take.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(120);

/// The branch and the commit that are checked out.
pub async fn head(tree: &Path) -> (Option<String>, Option<String>) {
    let branch = git(tree, &["rev-parse", "--abbrev-ref", "HEAD"]).await.ok().filter(|name| name != "HEAD");
    (branch, git(tree, &["rev-parse", "--short=12", "HEAD"]).await.ok())
}

/// The commit that a revision names.
///
/// # Errors
/// When there is no such revision, or no repository.
pub async fn commit(tree: &Path, revision: &str) -> Result<String> {
    ensure!(!revision.starts_with('-'), "`{revision}` is no revision");
    let name = format!("{revision}^{{commit}}");
    git(tree, &["rev-parse", "--short=12", "--verify", "--quiet", &name])
        .await
        .with_context(|| format!("there is no revision `{revision}` here"))
}

/// Writes the files of a commit below a directory, and answers where the tree lies there. What tools built there before
/// stays, so that they need not build it again.
///
/// # Errors
/// When git fails.
pub async fn files_of(tree: &Path, commit: &str, into: &Path) -> Result<PathBuf> {
    std::fs::create_dir_all(into)?;
    for entry in std::fs::read_dir(into)?.flatten().filter(|entry| entry.file_name() != "target") {
        let path = entry.path();
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_directory { std::fs::remove_dir_all(path)? } else { std::fs::remove_file(path)? }
    }
    let top = git(tree, &["rev-parse", "--show-toplevel"]).await?;
    let below = git(tree, &["rev-parse", "--show-prefix"]).await?;
    let index = into.with_extension("index");
    let prefix = format!("--prefix={}/", into.display());
    // An index of its own: the person's is not touched.
    let env = format!("GIT_INDEX_FILE={}", index.display());
    for arguments in [&["read-tree", commit][..], &["checkout-index", "--all", "--force", &prefix]] {
        let arguments: Vec<String> =
            [env.as_str(), "git", "-C", &top].iter().chain(arguments).map(|part| (*part).to_owned()).collect();
        let finished = call(&which::which("env")?, &arguments, tree).await;
        ensure!(finished.how == How::Exited(0), "git failed: {}", finished.outputs[1].part(true, 1_024));
    }
    let _ = std::fs::remove_file(index);
    // Environments that are installed and not committed serve both.
    let there = into.join(&below);
    for name in ["node_modules", ".venv", "venv"] {
        let (from, to) = (tree.join(name), there.join(name));
        if from.is_dir() && !to.exists() {
            std::os::unix::fs::symlink(from, to)?;
        }
    }
    Ok(there)
}

/// What git prints, without the newline at its end.
///
/// # Errors
/// When git is not there or fails.
pub async fn git(tree: &Path, arguments: &[&str]) -> Result<String> {
    let program = which::which("git").context("git is not installed")?;
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let finished = call(&program, &arguments, tree).await;
    match finished.how {
        How::Exited(0) => Ok(finished.outputs[0].part(false, 64 * 1024)),
        _ => bail!("git {} failed: {}", arguments.join(" "), finished.outputs[1].part(true, 1_024)),
    }
}

async fn call(program: &Path, arguments: &[String], tree: &Path) -> Finished {
    let launch = Launch { program, args: arguments, directory: tree, pass: &[], timeout: PATIENCE };
    process::run(launch, &CancellationToken::new()).await
}
