//! Where an answer goes: standard output, or a file that appears whole or not at all.
//!
//! - A file is written beside its place, 0600, synced, and moved there: a reader never sees half of it, and what a journal
//!   holds is nobody else's business. What is there already and is no regular file (`/dev/stdout`, a pipe) is written to.
//! - A reader that has enough (`| head`) ends the command quietly.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, ErrorKind, IsTerminal, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use admin_shell::{Width, terminal_width};
use anyhow::Context;
use clap::{Args, ValueEnum};

use crate::exit::Stop;

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// One JSON document.
    Json,
    /// One JSON document a line.
    Ndjson,
    /// Comma-separated values, with a header; a text that a spreadsheet would run as a formula gets an apostrophe.
    Csv,
}

/// The options of every command that answers.
#[derive(Clone, Debug, Args)]
pub(crate) struct Output {
    /// How to write the answer [default: table, or what the extension of --output says].
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// Write to this file instead of standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Output {
    /// A file, without a word about its format.
    pub(crate) fn to(path: PathBuf) -> Self {
        Self { format: None, output: Some(path) }
    }

    /// This file, or standard output.
    pub(crate) fn at(path: Option<PathBuf>) -> Self {
        Self { format: None, output: path }
    }

    /// The format asked for, or the one that the file's extension means.
    pub(crate) fn format(&self) -> Format {
        let extension = self.output.as_deref().and_then(Path::extension).and_then(|extension| extension.to_str());
        self.format.unwrap_or(match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("json") => Format::Json,
            Some("ndjson" | "jsonl") => Format::Ndjson,
            Some("csv") => Format::Csv,
            _ => Format::Table,
        })
    }

    /// Opens the place.
    pub(crate) fn open(&self) -> Result<Sheet, Stop> {
        match &self.output {
            None => Ok(Sheet::stdout()),
            Some(path) => file(path).with_context(|| format!("writing {}", path.display())).map_err(Stop::Failed),
        }
    }
}

/// An answer that is being written.
pub(crate) struct Sheet(Kind);

enum Kind {
    Stdout(BufWriter<io::Stdout>),
    /// Something that can not be replaced, only written to.
    Special(BufWriter<File>),
    File(Box<Pending>),
}

struct Pending {
    file: Option<BufWriter<File>>,
    beside: PathBuf,
    path: PathBuf,
}

impl Sheet {
    /// Standard output.
    pub(crate) fn stdout() -> Self {
        Self(Kind::Stdout(BufWriter::new(io::stdout())))
    }

    /// How wide lines may be.
    pub(crate) fn width(&self) -> Width {
        match self.0 {
            Kind::Stdout(_) => terminal_width(),
            Kind::Special(_) | Kind::File(_) => Width::Unlimited,
        }
    }

    /// Whether a person sees it at once.
    pub(crate) fn is_terminal(&self) -> bool {
        matches!(self.0, Kind::Stdout(_)) && io::stdout().is_terminal()
    }

    /// Writes text and ends its line; writes nothing for no text.
    pub(crate) fn lines(&mut self, text: &str) -> Result<(), Stop> {
        if text.is_empty() {
            return Ok(());
        }
        self.text(text)?;
        if text.ends_with('\n') { Ok(()) } else { self.text("\n") }
    }

    /// Writes text as it is.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Stop> {
        let written = match &mut self.0 {
            Kind::Stdout(out) => out.write_all(text.as_bytes()),
            Kind::Special(out) => out.write_all(text.as_bytes()),
            Kind::File(pending) => pending.file.as_mut().map_or(Ok(()), |file| file.write_all(text.as_bytes())),
        };
        written.map_err(stopped)
    }

    /// Shows what was written until now.
    pub(crate) fn flush(&mut self) -> Result<(), Stop> {
        match &mut self.0 {
            Kind::Stdout(out) => out.flush().map_err(stopped),
            Kind::Special(out) => out.flush().map_err(stopped),
            Kind::File(_) => Ok(()),
        }
    }

    /// Ends it: what was written is where it belongs.
    pub(crate) fn finish(mut self) -> Result<(), Stop> {
        self.flush()?;
        match self.0 {
            Kind::Stdout(_) | Kind::Special(_) => Ok(()),
            Kind::File(pending) => pending.keep(),
        }
    }
}

fn stopped(error: io::Error) -> Stop {
    if error.kind() == ErrorKind::BrokenPipe {
        return Stop::Closed;
    }
    Stop::Failed(anyhow::Error::from(error).context("writing the answer"))
}

fn file(path: &Path) -> io::Result<Sheet> {
    // A link stays, and what it points to is replaced.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    match std::fs::metadata(&path) {
        Ok(there) if there.is_dir() => return Err(io::Error::new(ErrorKind::IsADirectory, "it is a directory")),
        Ok(there) if !there.is_file() => {
            let file = OpenOptions::new().write(true).open(&path)?;
            return Ok(Sheet(Kind::Special(BufWriter::new(file))));
        }
        _ => {}
    }
    let name = path.file_name().ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "it has no file name"))?;
    let beside = path.with_file_name(format!(".{}.{}.part", name.to_string_lossy(), std::process::id()));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    Ok(Sheet(Kind::File(Box::new(Pending { file: Some(BufWriter::new(file)), beside, path }))))
}

impl Pending {
    fn keep(mut self) -> Result<(), Stop> {
        let Some(file) = self.file.take() else { return Ok(()) };
        let moved = file.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| file.sync_all());
        let moved = moved.and_then(|()| std::fs::rename(&self.beside, &self.path));
        if moved.is_err() {
            let _ = std::fs::remove_file(&self.beside);
        }
        Ok(moved.with_context(|| format!("writing {}", self.path.display()))?)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            let _ = std::fs::remove_file(&self.beside);
        }
    }
}
