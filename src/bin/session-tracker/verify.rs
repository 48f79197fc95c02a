//! `verify`: checks that what is stored is what was recorded, and says what such a check can not know.

use admin_shell::journal::{Anchor, Fault, Pruning, Report};
use clap::Args;

use crate::{
    answer::{self, Records, columns, value},
    cli::Source,
    clock,
    exit::Stop,
    find,
    output::{Format, Output},
    place::no_journal,
    plural::counted,
};

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Only this session: its id, or the beginning of it.
    id: Option<String>,
    #[command(flatten)]
    output: Output,
}

pub(crate) async fn run(verify: Verify, source: &Source) -> Result<(), Stop> {
    source.refuse_tracker("verify")?;
    // As it is: a check that first writes to what it checks would be a strange one.
    let missing = source.database()?;
    let place = source.open_as_it_is().await?.ok_or_else(|| no_journal(&missing))?;
    let session = match &verify.id {
        Some(id) => Some(find::session(&*place.journal, id).await?.session_id),
        None => None,
    };
    let report = place.journal.verify(session.as_ref()).await?;
    if verify.output.format() == Format::Csv {
        // What a table of a report can be: its faults.
        let mut sheet = verify.output.open()?;
        let mut records = Records::begin(&mut sheet, Format::Csv, columns::<Fault>())?;
        for fault in &report.faults {
            records.push(&value(fault)?)?;
        }
        records.end()?;
        sheet.finish()?;
    } else {
        answer::one(&verify.output, &report, |_| in_words(&report))?;
    }
    if report.faults.is_empty() { Ok(()) } else { Err(Stop::Said) }
}

fn in_words(report: &Report) -> String {
    let mut lines = Vec::new();
    let looked = format!("{} in {}", counted(report.events, "event"), counted(report.streams, "stream"));
    let pruned =
        if report.pruned > 0 { format!(", {} of them without their bodies", report.pruned) } else { String::new() };
    match report.faults.len() as u64 {
        0 => lines.push(format!("Consistent: {looked}{pruned}.")),
        faults => {
            lines.push(format!("NOT CONSISTENT: {} in {looked}{pruned}.", counted(faults, "fault")));
            lines.extend(report.faults.iter().map(fault));
        }
    }
    let link = report.link.as_deref().unwrap_or("none");
    lines.push(format!("Head: position {}, link {link}.", report.position));
    if report.anchors.is_empty() {
        lines.push("Anchored: nowhere outside this file.".to_owned());
    }
    lines.extend(report.anchors.iter().map(anchor));
    lines.extend(prunings(&report.prunings));
    lines.extend(report.warnings.iter().map(|warning| format!("Warning: {warning}")));
    if !report.skipped.is_empty() {
        lines.push("What was not looked at:".to_owned());
        lines.extend(report.skipped.iter().map(|sentence| format!("  {sentence}")));
    }
    if !report.unknowable.is_empty() {
        lines.push("What this can not know:".to_owned());
        lines.extend(report.unknowable.iter().map(|sentence| format!("  {sentence}")));
    }
    admin_shell::render::visible(&lines.join("\n"))
}

/// `  edited: sess_… event 4, position 17: its text does not have its hash`.
fn fault(fault: &Fault) -> String {
    let mut place = Vec::new();
    place.extend(fault.stream.clone());
    place.extend(fault.seq.map(|seq| format!("event {seq}")));
    place.extend(fault.position.map(|position| format!("position {position}")));
    let place = if place.is_empty() { "the journal".to_owned() } else { place.join(", ") };
    format!("  {}: {place}: {}", fault.what, fault.message)
}

/// How often sessions were pruned, and the last three times.
fn prunings(prunings: &[Pruning]) -> Vec<String> {
    const SHOWN: usize = 3;
    if prunings.is_empty() {
        return Vec::new();
    }
    let sessions = prunings.iter().map(|pruning| pruning.sessions).sum();
    let times = counted(prunings.len() as u64, "time");
    let mut lines = vec![format!("Pruned: {times}, {}.", counted(sessions, "session"))];
    let last = prunings.iter().rev().take(SHOWN);
    lines.extend(last.map(|pruning| {
        let sessions = counted(pruning.sessions, "session");
        format!("  {}: {sessions}, by {}: {}", clock::full(pruning.at), pruning.by, pruning.why)
    }));
    if prunings.len() > SHOWN {
        lines.push("  … (--format json has all)".to_owned());
    }
    lines
}

fn anchor(anchor: &Anchor) -> String {
    format!("Anchored: to position {} by tracker {} at {}.", anchor.position, anchor.tracker, clock::full(anchor.at))
}
