//! JUnit XML: a failure or an error of a test case is a finding.
//!
//! Entities that a document declares are never expanded: one that is used is an error of the document. Texts are cut
//! while they are read.

use std::io::{BufRead, BufReader, Read};

use quick_xml::{
    Reader,
    escape::resolve_predefined_entity,
    events::{BytesStart, Event},
};

use super::{Complaint, Sink, lines::LONGEST};
use crate::finding::{Finding, Severity};

/// How much of a test's output is kept.
const MOST_TEXT: usize = 16 * 1024;
/// Deeper documents are no reports.
const DEEPEST: usize = 64;

#[derive(Default)]
struct Case {
    name: String,
    class: String,
    file: Option<String>,
    line: Option<u32>,
    trouble: Option<Trouble>,
}

struct Trouble {
    message: String,
    text: String,
}

/// Reads a report.
///
/// # Errors
/// When it is no XML, or no JUnit; with the place.
pub fn parse(from: &mut dyn Read, sink: Sink<'_>) -> Result<(), Complaint> {
    let mut reader = Reader::from_reader(Bounded { inner: BufReader::with_capacity(64 * 1024, from), token: 0 });
    let mut buffer = Vec::new();
    let (mut case, mut depth, mut seen) = (None::<Case>, 0_usize, false);
    let mut in_trouble = false;
    loop {
        buffer.clear();
        reader.get_mut().token = 0;
        let event = reader.read_event_into(&mut buffer);
        let at = reader.buffer_position();
        let complain = |what: String| Complaint(format!("byte {at}: {what}"));
        match event.map_err(|error| complain(error.to_string()))? {
            Event::Start(tag) => {
                depth += 1;
                if depth > DEEPEST {
                    return Err(complain("the document is nested too deeply".to_owned()));
                }
                open(&tag, &mut case, &mut in_trouble, &mut seen).map_err(complain)?;
            }
            Event::Empty(tag) => {
                open(&tag, &mut case, &mut in_trouble, &mut seen).map_err(complain)?;
                close(tag.name().as_ref(), &mut case, &mut in_trouble, sink);
            }
            Event::End(tag) => {
                depth = depth.saturating_sub(1);
                close(tag.name().as_ref(), &mut case, &mut in_trouble, sink);
            }
            Event::Text(text) => add(&mut case, in_trouble, &String::from_utf8_lossy(&text)),
            Event::CData(text) => add(&mut case, in_trouble, &String::from_utf8_lossy(&text)),
            Event::GeneralRef(reference) => {
                let resolved = match reference.resolve_char_ref() {
                    Ok(Some(character)) => Some(character.to_string()),
                    Ok(None) => {
                        let name = String::from_utf8_lossy(&reference).into_owned();
                        resolve_predefined_entity(&name).map(str::to_owned)
                    }
                    Err(_) => None,
                };
                let Some(text) = resolved else {
                    let name = String::from_utf8_lossy(&reference).chars().take(40).collect::<String>();
                    return Err(complain(format!("the entity `&{name};` is not expanded")));
                };
                add(&mut case, in_trouble, &text);
            }
            Event::Eof if depth > 0 => return Err(complain("the document ends in its middle".to_owned())),
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    if seen {
        Ok(())
    } else {
        Err(Complaint("this is no JUnit report: it has no `testsuites` or `testsuite`".to_owned()))
    }
}

fn open(tag: &BytesStart<'_>, case: &mut Option<Case>, in_trouble: &mut bool, seen: &mut bool) -> Result<(), String> {
    match tag.name().as_ref() {
        b"testsuites" | b"testsuite" => *seen = true,
        b"testcase" => {
            let line = attribute(tag, "line")?.and_then(|line| line.parse().ok());
            *case = Some(Case {
                name: attribute(tag, "name")?.unwrap_or_default(),
                class: attribute(tag, "classname")?.unwrap_or_default(),
                file: attribute(tag, "file")?,
                line,
                trouble: None,
            });
        }
        b"failure" | b"error" => {
            if let Some(case) = case {
                let message = attribute(tag, "message")?.unwrap_or_default();
                case.trouble.get_or_insert(Trouble { message, text: String::new() });
                *in_trouble = true;
            }
        }
        _ => {}
    }
    Ok(())
}

fn close(name: &[u8], case: &mut Option<Case>, in_trouble: &mut bool, sink: Sink<'_>) {
    match name {
        b"failure" | b"error" => *in_trouble = false,
        b"testcase" => {
            if let Some(finding) = case.take().and_then(finding) {
                sink(finding);
            }
        }
        _ => {}
    }
}

fn add(case: &mut Option<Case>, in_trouble: bool, text: &str) {
    let Some(trouble) = case.as_mut().and_then(|case| case.trouble.as_mut()) else { return };
    if in_trouble && trouble.text.len() < MOST_TEXT {
        trouble.text.extend(text.chars().take(MOST_TEXT - trouble.text.len()));
    }
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Result<Option<String>, String> {
    let attribute = tag.try_get_attribute(name).map_err(|error| error.to_string())?;
    let Some(attribute) = attribute else { return Ok(None) };
    let value = String::from_utf8_lossy(&attribute.value);
    let text = quick_xml::escape::unescape(&value).map_err(|error| error.to_string())?;
    Ok(Some(text.chars().take(MOST_TEXT).collect()))
}

fn finding(mut case: Case) -> Option<Finding> {
    let Trouble { message, text } = case.trouble?;
    // Vitest names the file in the place of a class.
    let is_file = case.file.is_none() && is_script(&case.class);
    if is_file {
        case.file = Some(std::mem::take(&mut case.class));
    }
    let name = if case.class.is_empty() { case.name.clone() } else { format!("{}.{}", case.class, case.name) };
    let what = [message.as_str(), text.trim()].into_iter().find(|text| !text.trim().is_empty()).unwrap_or("it failed");
    let first = what.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it failed");
    let mut finding = Finding::new(Severity::Error, format!("{name}: {first}"));
    finding.rule = Some(case.name);
    finding.help = (!text.trim().is_empty()).then(|| text.trim().to_owned());
    // Reports count lines of definitions from 0 (pytest); the text knows better where it went wrong.
    let place =
        case.file.as_deref().and_then(|file| if is_file { line_in(&text, file) } else { last_line_in(&text, file) });
    finding.line = place.or_else(|| case.line.map(|line| line.saturating_add(1)));
    finding.file = case.file;
    if finding.file.is_none()
        && let Some((file, line)) = place_of_trace(&text)
    {
        (finding.file, finding.line) = (Some(file), Some(line));
    }
    Some(finding)
}

fn is_script(class: &str) -> bool {
    let extension = std::path::Path::new(class).extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("js" | "mjs" | "cjs" | "jsx" | "ts" | "mts" | "cts" | "tsx" | "vue" | "svelte"))
}

/// The line after the first `file:` of a text, where a trace of JavaScript begins.
pub(super) fn line_in(text: &str, file: &str) -> Option<u32> {
    number(&text[text.find(&format!("{file}:"))? + file.len() + 1..])
}

/// The line after the last `file:` of a text, where a traceback of Python ends.
fn last_line_in(text: &str, file: &str) -> Option<u32> {
    number(&text[text.rfind(&format!("{file}:"))? + file.len() + 1..])
}

fn number(text: &str) -> Option<u32> {
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// The first place of a JavaScript trace: `(file:///tree/a.js:3:5)`.
fn place_of_trace(text: &str) -> Option<(String, u32)> {
    let from = &text[text.find("file:///")?..];
    let end = from.find([')', '\n', ' ', '\'', '"']).unwrap_or(from.len());
    let mut place = from[..end].rsplitn(3, ':');
    let (_, line, file) = (place.next()?, place.next()?, place.next()?);
    Some((file.to_owned(), line.parse().ok()?))
}

/// A reader of which one token, such as a tag or a text, can not take all the memory.
struct Bounded<R> {
    inner: R,
    token: usize,
}

impl<R: BufRead> Bounded<R> {
    /// A text may be long, and is cut; what is longer than this is an attack.
    const MOST: usize = 8 * LONGEST;
}

impl<R: BufRead> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.inner.read(into)
    }
}

impl<R: BufRead> BufRead for Bounded<R> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        if self.token > Self::MOST {
            return Err(std::io::Error::other("one part of the document is larger than 8 MiB"));
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.token += amount;
        self.inner.consume(amount);
    }
}
