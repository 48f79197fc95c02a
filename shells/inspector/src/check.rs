//! One adapter from its start to its outcome: the tool runs, its answer is read while it is bounded, its findings go to
//! the store page by page.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    sync::Arc,
};

use admin_shell::Result;
use tokio_util::sync::CancellationToken;

use crate::{
    adapter::{Adapter, Answer, Filter, REPORT, Tool},
    finding::{Finding, Kind, Severity},
    fingerprint::Fingerprints,
    parse::{self, Complaint, Format},
    process::{self, Finished, How, Launch},
    report::{Checked, Verdict},
    source,
    store::{Row, Store},
};

/// More findings than this of one tool help nobody; they are counted as one more complaint.
const MOST_FINDINGS: u64 = 250_000;
/// Findings that go to the store together.
const PAGE: usize = 500;
/// How much of a tool's own words is kept.
const WORDS: u64 = 4_096;

/// Masks what is secret in a text.
pub type Redact = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// What all adapters of a run share.
#[derive(Clone)]
pub struct Room {
    /// The tree, as an absolute path without links.
    pub tree: PathBuf,
    /// Where findings go.
    pub store: Store,
    /// The run.
    pub run: i64,
    /// Masks secrets.
    pub redact: Redact,
    /// Variables that tools get although their name says that they hold a secret.
    pub pass: Vec<String>,
    /// Only these tests.
    pub filter: Option<String>,
    /// Ends everything.
    pub stop: CancellationToken,
}

/// How one adapter ended, and whether its tree does not even compile.
#[derive(Debug)]
pub struct Outcome {
    /// What came of it.
    pub checked: Checked,
    /// Nothing later in its chain can work.
    pub is_broken: bool,
}

/// What was counted while an answer was read.
#[derive(Debug, Default)]
struct Counted {
    by_severity: [u64; 3],
    broken: bool,
    too_many: bool,
}

/// Runs an adapter.
///
/// # Errors
/// When the store can not be written.
pub async fn check(room: &Room, adapter: &Adapter) -> Result<Outcome> {
    let id = room.store.begin_check(room.run, &adapter.name, &adapter.at, adapter.kind).await?;
    let mut checked = blank(adapter);
    let program = match &adapter.tool {
        Tool::Found(program) => program,
        Tool::Missing(install) => {
            (checked.verdict, checked.note) = (Verdict::Missing, Some(format!("not installed: {install}")));
            room.store.end_check(id, &checked, false).await?;
            return Ok(Outcome { checked, is_broken: false });
        }
    };
    let directory = tempfile::tempdir()?;
    let report = directory.path().join("report");
    let args = arguments(adapter, room.filter.as_deref(), &report);
    let launch =
        Launch { program, args: &args, directory: &adapter.directory, pass: &room.pass, timeout: adapter.timeout };
    let mut finished = process::run(launch, &room.stop).await;
    let (counted, complaint) = read(room, adapter, id, &mut finished, &report).await?;
    judge(&mut checked, adapter, &finished, &counted, complaint, &room.redact);
    let ended = matches!(checked.verdict, Verdict::Pass | Verdict::Warn | Verdict::Fail);
    room.store.end_check(id, &checked, ended && room.filter.is_none()).await?;
    Ok(Outcome { checked, is_broken: counted.broken })
}

/// An adapter that is not run, because of what came before.
///
/// # Errors
/// When the store can not be written.
pub async fn skip(room: &Room, adapter: &Adapter, verdict: Verdict, why: &str) -> Result<Checked> {
    let id = room.store.begin_check(room.run, &adapter.name, &adapter.at, adapter.kind).await?;
    let checked = Checked { verdict, note: Some(why.to_owned()), ..blank(adapter) };
    room.store.end_check(id, &checked, false).await?;
    Ok(checked)
}

fn blank(adapter: &Adapter) -> Checked {
    Checked {
        adapter: adapter.name.clone(),
        at: adapter.at.clone(),
        kind: adapter.kind,
        verdict: Verdict::Pass,
        errors: 0,
        warnings: 0,
        notes: 0,
        duration_seconds: 0.0,
        note: None,
        complaint: None,
        output: None,
    }
}

fn arguments(adapter: &Adapter, filter: Option<&str>, report: &Path) -> Vec<String> {
    let report = report.to_string_lossy();
    let mut args: Vec<String> = adapter.args.iter().map(|arg| arg.replace(REPORT, &report)).collect();
    match (filter, &adapter.filter) {
        (Some(filter), Filter::After(option)) => args.push(format!("{option}{filter}")),
        // Behind `--`, for the same reason.
        (Some(filter), Filter::Alone) => args.extend(["--".to_owned(), filter.to_owned()]),
        _ => {}
    }
    args
}

/// Reads the answer on a thread of its own, and stores what it says.
async fn read(
    room: &Room,
    adapter: &Adapter,
    check: i64,
    finished: &mut Finished,
    report: &Path,
) -> Result<(Counted, Option<Complaint>)> {
    let mut from: Box<dyn parse::Input + Send> = match adapter.answer {
        Answer::Out => finished.outputs[0].duplicate(),
        Answer::Err => finished.outputs[1].duplicate(),
        Answer::Report => match std::fs::File::open(report) {
            Ok(file) => Box::new(std::io::Read::take(file, process::MOST_BYTES)),
            // A tool that fails writes none, and says why in its own words.
            Err(_) => return Ok((Counted::default(), None)),
        },
    };
    let (pages, mut arriving) = tokio::sync::mpsc::channel::<Vec<Row>>(4);
    let (tree, place, kind) = (room.tree.clone(), adapter.directory.clone(), adapter.kind);
    let (format, redact) = (adapter.format.clone(), Arc::clone(&room.redact));
    let mut fingerprints = Fingerprints::new(&room.tree, &adapter.name);
    let reading = tokio::task::spawn_blocking(move || {
        let (mut counted, mut page, mut seen) = (Counted::default(), Vec::with_capacity(PAGE), HashSet::new());
        let mut take = |mut finding: Finding| {
            finding.file = finding.file.map(|file| source::relative(&tree, &place, &file));
            // Cargo says the same of a library and of its tests.
            if !seen.insert(identity(&finding)) {
                return true;
            }
            if counted.by_severity.iter().sum::<u64>() >= MOST_FINDINGS {
                counted.too_many = true;
                return false;
            }
            counted.by_severity[finding.severity as usize] += 1;
            counted.broken |= finding.severity == Severity::Error && finding.kind.unwrap_or(kind) == Kind::Type;
            let fingerprint = fingerprints.of(&finding);
            finding.message = redact(&finding.message);
            finding.help = finding.help.map(|help| redact(&help));
            page.push(Row { finding, fingerprint });
            if page.len() < PAGE {
                return true;
            }
            pages.blocking_send(std::mem::replace(&mut page, Vec::with_capacity(PAGE))).is_ok()
        };
        let read = parse::parse(&format, &mut from, &mut take);
        let _ = pages.blocking_send(page);
        (counted, read.err())
    });
    let mut trouble = None;
    while let Some(page) = arriving.recv().await {
        if trouble.is_none() && !page.is_empty() {
            trouble = room.store.add(room.run, check, &adapter.name, adapter.kind, &page).await.err();
        }
    }
    let read = reading.await?;
    trouble.map_or(Ok(read), Err)
}

fn identity(finding: &Finding) -> u64 {
    let mut hash = DefaultHasher::new();
    (&finding.file, finding.line, finding.column, &finding.rule, &finding.message).hash(&mut hash);
    hash.finish()
}

fn judge(
    checked: &mut Checked,
    adapter: &Adapter,
    finished: &Finished,
    counted: &Counted,
    complaint: Option<Complaint>,
    redact: &Redact,
) {
    [checked.errors, checked.warnings, checked.notes] = counted.by_severity;
    checked.duration_seconds = (finished.duration.as_secs_f64() * 1000.0).round() / 1000.0;
    let found: u64 = counted.by_severity.iter().sum();
    let [out, err] = &finished.outputs;
    let answer = if adapter.answer == Answer::Err { err } else { out };
    let last_words = || {
        let text = [err, out].into_iter().map(|output| output.part(true, WORDS)).find(|text| !text.is_empty());
        text.map(|text| redact(&text))
    };
    let is_fine = |code: i32| code == 0 || adapter.fine.contains(&code);
    let by_findings = match counted.by_severity {
        [0, 0, 0] => Verdict::Pass,
        [0, ..] => Verdict::Warn,
        _ => Verdict::Fail,
    };
    checked.verdict = match &finished.how {
        How::Stopped => {
            checked.note = Some("stopped; what it had found by then is kept".to_owned());
            Verdict::Cancelled
        }
        How::TimedOut => {
            checked.note = Some(format!("stopped after its limit of {:?}", adapter.timeout));
            checked.output = last_words();
            Verdict::Timeout
        }
        How::NotStarted(why) => {
            checked.note = Some(why.clone());
            Verdict::Crashed
        }
        How::Signalled(signal) => {
            checked.note = Some(format!("ended by signal {signal}"));
            checked.output = last_words();
            Verdict::Crashed
        }
        // The first words, since that is where a reader gives up.
        How::Exited(_) if complaint.is_some() && found == 0 => {
            let text = answer.part(false, WORDS);
            checked.output = if text.is_empty() { last_words() } else { Some(redact(&text)) };
            Verdict::Unreadable
        }
        How::Exited(code) if !is_fine(*code) && found == 0 && adapter.format == Format::ExitCode => {
            checked.note = Some(format!("exit code {code}"));
            checked.output = last_words();
            Verdict::Fail
        }
        How::Exited(code) if !is_fine(*code) && found == 0 => {
            checked.note = Some(format!("it failed with exit code {code} and named no place"));
            checked.output = last_words();
            Verdict::Crashed
        }
        How::Exited(_) if complaint.is_some() => {
            checked.output = Some(redact(&answer.part(false, WORDS)));
            Verdict::Unreadable
        }
        How::Exited(_) => by_findings,
    };
    let is_over = matches!(finished.how, How::Exited(_));
    // What was stopped in its middle ends in its middle.
    checked.complaint = complaint.filter(|_| is_over).map(|Complaint(text)| redact(&text));
    if counted.too_many {
        checked.complaint = Some(format!("it has more than {MOST_FINDINGS} findings; the rest was left out"));
        checked.verdict = checked.verdict.max(Verdict::Unreadable);
    } else if answer.is_cut() && is_over {
        let size = process::MOST_BYTES >> 20;
        checked.complaint = Some(format!("it wrote more than {size} MiB; the rest was left out"));
        checked.verdict = checked.verdict.max(Verdict::Unreadable);
    }
}
