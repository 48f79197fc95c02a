//! Helpers that change something: `format_code`, `export`, `open`; and `show_format`, which only shows.

use std::{io::Write, path::PathBuf, process::Stdio};

use admin_shell::{Cx, HelperError, Helpers, Result};
use anyhow::Context;
use serde::Serialize;
use similar::TextDiff;

use super::{Inspector, adapters, results::numbered, run_of, settled};
use crate::{
    adapter::{Adapter, Mend},
    export,
    process::{self, Finished, How, Launch},
    source,
};

const GROUP: &str = "Changing";
/// The longest diff that is shown; a longer one is told by its files.
const MOST_DIFF: usize = 64 * 1024;

pub(super) fn register(helpers: &mut Helpers<Inspector>) {
    helpers
        .read("show_format", "What format_code() would change, as a diff.")
        .group(GROUP)
        .example("show_format()")
        .run(diff);
    helpers
        .write("format_code", "Lays the source out as its formatters want it. The diff is shown first.")
        .group(GROUP)
        .example("format_code()")
        .preview(diff)
        .run(format_code);
    helpers
        .write("export", "Writes the findings of a run to a file, for other programs.")
        .group(GROUP)
        .param("format", "sarif, junit or json.")
        .param("file", "Where to; a file that is there is replaced.")
        .param("run", "Of this run instead of the last one.")
        .field("run")
        .example(r#"export("sarif", "/tmp/findings.sarif")"#)
        .run(export_findings);
    helpers
        .write("open", "Opens your editor ($VISUAL or $EDITOR) where a finding is.")
        .group(GROUP)
        .param("n", "The number of the finding, or the finding itself.")
        .field("n")
        .example("open(1)")
        .run(open);
}

/// A formatter, and how it is asked.
async fn formatters(cx: &Cx<Inspector>) -> Result<Vec<(Adapter, Mend)>> {
    let tree = cx.tree.clone();
    let all = tokio::task::spawn_blocking(move || adapters(&tree)).await??;
    let able = all.into_iter().filter(|adapter| adapter.program().is_some());
    let able: Vec<_> = able
        .filter_map(|adapter| Some((adapter.mend.clone()?, adapter)))
        .map(|(mend, adapter)| (adapter, mend))
        .collect();
    if able.is_empty() {
        let error = HelperError::new("nothing_applies", "no formatter applies here, or none is installed");
        return Err(error.hint("show_adapters() says which would, and how to install it").into());
    }
    Ok(able)
}

async fn diff(cx: Cx<Inspector>) -> Result<String> {
    let mut text = String::new();
    for (adapter, mend) in formatters(&cx).await? {
        let finished = ask(&cx, &adapter, &mend.diff).await;
        let said = if adapter.name == "prettier" {
            prettier(&cx, &adapter, &finished.outputs[0].part(false, 1 << 20)).await?
        } else {
            finished.outputs[0].part(false, 4 << 20)
        };
        match finished.how {
            How::Exited(0 | 1) => {}
            _ if said.is_empty() => failed(&adapter, &finished)?,
            _ => {}
        }
        if finished.how == How::Exited(1) && said.is_empty() {
            failed(&adapter, &finished)?;
        }
        if !said.is_empty() && said != "\n" {
            text.push_str(&said);
            text.push('\n');
        }
    }
    if text.is_empty() {
        return Ok("Everything is laid out as it should be: there is nothing to change.".to_owned());
    }
    let text = cx.redacted(&text);
    let Some((end, _)) = text.char_indices().nth(MOST_DIFF) else { return Ok(text) };
    let rest = text[end..].lines().count();
    Ok(format!("{}\n… and {rest} more lines", &text[..end]))
}

/// prettier names files only: each is laid out in memory, and compared.
async fn prettier(cx: &Cx<Inspector>, adapter: &Adapter, files: &str) -> Result<String> {
    let mut text = String::new();
    for file in files.lines().filter(|file| !file.trim().is_empty()) {
        let Some(path) = source::inside(&adapter.directory, file) else { continue };
        let before = source::read_bounded(&path).unwrap_or_default();
        let mut finished = ask(cx, adapter, &[path.display().to_string()]).await;
        let mut after = String::new();
        if finished.how == How::Exited(0) {
            std::io::Read::read_to_string(&mut finished.outputs[0].duplicate(), &mut after)?;
        } else {
            failed(adapter, &finished)?;
        }
        let shown = format!("{}/{file}", adapter.at);
        text.push_str(&TextDiff::from_lines(&before, &after).unified_diff().header(&shown, &shown).to_string());
    }
    Ok(text)
}

/// What came of a formatter.
#[derive(Debug, Serialize)]
struct Formatted {
    adapter: String,
    at: String,
    /// Files that changed.
    changed: Vec<String>,
}

async fn format_code(cx: Cx<Inspector>) -> Result<Vec<Formatted>> {
    let mut rows = Vec::new();
    for (adapter, mend) in formatters(&cx).await? {
        let mut before = ask(&cx, &adapter, &adapter.args).await;
        let mut changed = std::collections::BTreeSet::new();
        let mut from = before.outputs[0].duplicate();
        let _ = crate::parse::parse(&adapter.format, &mut from, &mut |finding| {
            changed.extend(finding.file.map(|file| source::relative(&cx.tree, &adapter.directory, &file)));
            true
        });
        if !changed.is_empty() {
            let finished = ask(&cx, &adapter, &mend.apply).await;
            if finished.how != How::Exited(0) {
                failed(&adapter, &finished)?;
            }
        }
        rows.push(Formatted { adapter: adapter.name, at: adapter.at, changed: changed.into_iter().collect() });
    }
    Ok(rows)
}

async fn ask(cx: &Cx<Inspector>, adapter: &Adapter, args: &[String]) -> Finished {
    let program = adapter.program().unwrap_or(std::path::Path::new(""));
    let launch = Launch { program, args, directory: &adapter.directory, pass: &[], timeout: adapter.timeout };
    process::run(launch, cx.cancelled()).await
}

fn failed(adapter: &Adapter, finished: &Finished) -> Result<()> {
    let said = finished.outputs[1].part(true, 2_048);
    let how = match &finished.how {
        How::NotStarted(why) => why.clone(),
        How::TimedOut => "took too long".to_owned(),
        How::Exited(code) => format!("ended with exit code {code}"),
        How::Signalled(signal) => format!("was ended by signal {signal}"),
        How::Stopped => "was stopped".to_owned(),
    };
    Err(HelperError::new("tool", format!("{} {how}: {said}", adapter.label())).into())
}

/// What was written.
#[derive(Debug, Serialize)]
struct Exported {
    file: String,
    findings: u64,
    run: i64,
}

async fn export_findings(cx: Cx<Inspector>, format: export::Kind, file: PathBuf, run: Option<i64>) -> Result<Exported> {
    let run = run_of(&cx, run).await?;
    let file = cx.tree.join(file);
    let place = file.parent().unwrap_or(&cx.tree);
    let writing = || format!("writing {}", file.display());
    // Whole or not at all: a pipeline must not read half a report.
    let whole = tempfile::NamedTempFile::new_in(place).with_context(writing)?;
    let mut to = std::io::BufWriter::new(whole);
    let findings = export::write(format, settled(&cx).await?, &run, &mut to).await.with_context(writing)?;
    to.flush().with_context(writing)?;
    let whole = to.into_inner().map_err(|error| error.into_error()).with_context(writing)?;
    std::fs::set_permissions(whole.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .with_context(writing)?;
    whole.persist(&file).with_context(writing)?;
    Ok(Exported { file: file.display().to_string(), findings, run: run.run })
}

async fn open(cx: Cx<Inspector>, n: u32) -> Result<()> {
    let finding = numbered(&cx, n, None).await?;
    let not_there = || HelperError::new("not_found", format!("finding {n} names no file inside of the tree"));
    let path = finding.file.as_deref().and_then(|file| source::inside(&cx.tree, file)).ok_or_else(not_there)?;
    let editor =
        ["VISUAL", "EDITOR"].iter().filter_map(|name| std::env::var(name).ok()).find(|text| !text.trim().is_empty());
    let Some(editor) = editor else {
        return Err(HelperError::new("no_editor", "neither $VISUAL nor $EDITOR is set")
            .hint("export EDITOR=vi, for example")
            .into());
    };
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi");
    let line = finding.line.unwrap_or(1);
    let mut command = tokio::process::Command::new(program);
    command.args(words);
    match std::path::Path::new(program).file_name().and_then(|name| name.to_str()) {
        Some("code" | "codium" | "cursor" | "zed" | "subl" | "hx" | "helix") => {
            if matches!(program, "code" | "codium" | "cursor") {
                command.arg("--goto");
            }
            command.arg(format!("{}:{line}:{}", path.display(), finding.column.unwrap_or(1)));
        }
        _ => {
            command.arg(format!("+{line}")).arg(&path);
        }
    }
    for (name, _) in std::env::vars_os().filter(|(name, _)| supervisor::is_private(name)) {
        command.env_remove(name);
    }
    // The person's terminal, for as long as the editor is open.
    let status = command
        .current_dir(&cx.tree)
        .stdin(Stdio::inherit())
        .stdout(Stdio::inherit())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .status();
    let status = status.await.with_context(|| format!("starting {program}"))?;
    anyhow::ensure!(status.success(), "{program} ended with {status}");
    Ok(())
}
