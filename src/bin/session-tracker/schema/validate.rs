//! `schema validate`: sealed events, one a line, checked against the schema of their type and against their own hash.
//!
//! A line has to be an event's exact bytes. One leniency: what `events --format ndjson` shows is accepted, in which the
//! characters that a terminal would obey are written as escapes. A file that begins with `[` is one JSON array, as
//! `events --format json` writes it; the layout of such a file says nothing, so its events are brought into their
//! canonical form first.
//!
//! Types that have no schema are kept by everybody and checked by their hash alone.

mod check;

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, stdin},
    path::{Path, PathBuf},
};

use admin_shell::render::visible;
use anyhow::Context;
use clap::Args;

use self::check::{Checker, Fault};
use crate::{
    answer::{Records, columns, value},
    exit::Stop,
    output::{Format, Output},
    plural::counted,
};

/// Longer lines are no events, and are not kept in memory.
const MOST_BYTES: u64 = 1024 * 1024;

#[derive(Debug, Args)]
pub(super) struct Validate {
    /// A file of JSON lines, or of one JSON array; `-` is standard input.
    file: PathBuf,
    #[command(flatten)]
    output: Output,
}

pub(super) fn run(validate: Validate) -> Result<(), Stop> {
    let mut input = open(&validate.file)?;
    let mut checker = Checker::default();
    let read = if is_array(&mut input)? { array(input, &mut checker) } else { lines(input, &mut checker) };
    read.with_context(|| format!("reading {}", validate.file.display()))?;
    let (events, faults) = checker.finish();
    let format = validate.output.format();
    let mut sheet = validate.output.open()?;
    if format == Format::Table {
        for fault in &faults {
            sheet.lines(&visible(&format!("line {}: {}: {}", fault.line, fault.field, fault.rule)))?;
        }
        sheet.lines(&summary(events, faults.len()))?;
    } else {
        let mut records = Records::begin(&mut sheet, format, columns::<Fault>())?;
        for fault in &faults {
            records.push(&value(fault)?)?;
        }
        records.end()?;
    }
    sheet.finish()?;
    if faults.is_empty() { Ok(()) } else { Err(Stop::Said) }
}

fn summary(events: u64, faults: usize) -> String {
    let events = counted(events, "event");
    if faults == 0 {
        format!("Valid: {events}.")
    } else {
        format!("NOT VALID: {} in {events}.", counted(faults as u64, "fault"))
    }
}

fn open(file: &Path) -> Result<Box<dyn BufRead>, Stop> {
    if file.as_os_str() == "-" {
        return Ok(Box::new(BufReader::new(stdin())));
    }
    match File::open(file) {
        Ok(opened) => Ok(Box::new(BufReader::new(opened))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Stop::NotFound(format!("there is no file {}", file.display())))
        }
        Err(error) => Err(Stop::Failed(anyhow::Error::from(error).context(format!("opening {}", file.display())))),
    }
}

fn is_array(input: &mut dyn BufRead) -> Result<bool, Stop> {
    let beginning = input.fill_buf().context("reading the file")?;
    Ok(beginning.trim_ascii_start().starts_with(b"["))
}

/// Every line by itself.
fn lines(mut input: Box<dyn BufRead>, checker: &mut Checker) -> anyhow::Result<()> {
    for number in 1.. {
        let mut line = Vec::new();
        if input.by_ref().take(MOST_BYTES).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.len() as u64 == MOST_BYTES && !line.ends_with(b"\n") {
            checker.fault(number, "event", "must be at most 256 KiB");
            input.skip_until(b'\n')?;
            continue;
        }
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        match std::str::from_utf8(line) {
            Ok(text) if text.trim().is_empty() => {}
            Ok(text) => checker.line(number, text),
            Err(_) => checker.fault(number, "event", "is not UTF-8"),
        }
    }
    Ok(())
}

/// One array; its events are counted like lines.
fn array(input: Box<dyn BufRead>, checker: &mut Checker) -> anyhow::Result<()> {
    let events: Vec<serde_json::Value> = serde_json::from_reader(input)?;
    for (number, event) in (1..).zip(events) {
        checker.line(number, &serde_json_canonicalizer::to_string(&event)?);
    }
    Ok(())
}
