//! Lines of bounded length: a line of 100 MB costs no more memory than any other.

use std::io::{BufRead, BufReader, Read};

use super::Complaint;

/// Longer lines are left out.
pub const LONGEST: usize = 1 << 20;
/// How much of a line a complaint quotes.
const QUOTED: usize = 120;

/// Calls `f` with each line, without its end, and its number from 1. Invalid UTF-8 is replaced.
///
/// # Errors
/// The first of what `f` complained about, or that lines were too long; every other line was read.
pub fn each(from: &mut dyn Read, mut f: impl FnMut(&str, usize) -> Result<bool, Complaint>) -> Result<(), Complaint> {
    let mut from = BufReader::with_capacity(64 * 1024, from);
    let (mut line, mut number) = (Vec::new(), 0);
    let mut complaints = Complaints::default();
    loop {
        line.clear();
        number += 1;
        let read = from.by_ref().take(LONGEST as u64 + 1).read_until(b'\n', &mut line);
        match read {
            Err(error) => complaints.add(Complaint(format!("line {number}: {error}"))),
            Ok(0) => break,
            Ok(_) if line.len() > LONGEST && line.last() != Some(&b'\n') => {
                let length = line.len() as u64 + rest_of_line(&mut from);
                complaints.add(Complaint(format!("line {number} has {length} bytes and was left out")));
                continue;
            }
            Ok(_) => {
                while line.last().is_some_and(|end| matches!(end, b'\n' | b'\r')) {
                    line.pop();
                }
                match f(&String::from_utf8_lossy(&line), number) {
                    Ok(true) => continue,
                    Ok(false) => break,
                    Err(complaint) => {
                        complaints.add(complaint);
                        continue;
                    }
                }
            }
        }
        break;
    }
    complaints.result()
}

/// A line as a complaint quotes it.
#[must_use]
pub fn quoted(line: &str) -> String {
    let mut short: String = line.chars().take(QUOTED).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    format!("`{short}`")
}

fn rest_of_line(from: &mut impl BufRead) -> u64 {
    let mut length = 0;
    loop {
        let Ok(buffer) = from.fill_buf() else { return length };
        if buffer.is_empty() {
            return length;
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(buffer.len(), |at| at + 1);
        length += used as u64;
        from.consume(used);
        if end.is_some() {
            return length;
        }
    }
}

/// The first complaint, and how many more there were.
#[derive(Default)]
struct Complaints {
    first: Option<Complaint>,
    more: u64,
}

impl Complaints {
    fn add(&mut self, complaint: Complaint) {
        if self.first.is_none() {
            self.first = Some(complaint);
        } else {
            self.more += 1;
        }
    }

    fn result(self) -> Result<(), Complaint> {
        match (self.first, self.more) {
            (None, _) => Ok(()),
            (Some(first), 0) => Err(first),
            (Some(Complaint(first)), more) => Err(Complaint(format!("{first} (and {more} more)"))),
        }
    }
}
