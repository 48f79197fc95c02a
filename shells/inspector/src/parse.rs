//! What tools answer, read as findings.
//!
//! | module | format |
//! |---|---|
//! | [`sarif`] | SARIF 2.1.0 |
//! | [`junit`] | JUnit XML |
//! | [`cargo`] | cargo's JSON messages, and what libtest and nextest say of tests |
//! | [`dependencies`] | what cargo-audit and cargo-deny say of a lock file |
//! | [`fields`] | records of JSON, one a line or in one document, by a map of fields |
//! | [`eslint`], [`jest`] | these tools' own JSON |
//! | [`text`] | the lines of tools that know no format |
//! | [`walk`] | how a JSON document is read without holding it |
//!
//! Invariants:
//! - Output is somebody else's: whatever it holds, reading it takes bounded memory and does not panic.
//! - Findings go out one by one; nothing here holds all of them.
//! - What can not be read is a [`Complaint`], never silence. What was read before it counts.

pub mod cargo;
pub mod dependencies;
pub mod eslint;
pub mod fields;
pub mod jest;
pub mod junit;
pub mod lines;
pub mod sarif;
pub mod text;
pub mod walk;

use std::io::{Read, Seek};

use crate::finding::Finding;

pub use fields::Fields;

/// What the answer of a tool looks like.
#[derive(Clone, Debug, PartialEq)]
pub enum Format {
    /// SARIF 2.1.0.
    Sarif,
    /// JUnit XML.
    Junit,
    /// Cargo's JSON messages.
    CargoJson,
    /// Cargo's JSON messages, and between them what libtest prints.
    Libtest,
    /// nextest's JSON, which is libtest's.
    Nextest,
    /// cargo-audit's JSON.
    Audit,
    /// cargo-deny's JSON, a record a line.
    Deny,
    /// eslint's JSON.
    Eslint,
    /// Jest's JSON.
    Jest,
    /// A JSON record a line.
    JsonLines {
        /// Where the parts of a finding are.
        fields: Fields,
    },
    /// One JSON document.
    Json {
        /// Where the findings are.
        items: Vec<String>,
        /// Where in each the parts are.
        fields: Fields,
    },
    /// Lines of text.
    Text(TextKind),
    /// The exit code says it all.
    ExitCode,
}

/// Whose lines of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextKind {
    /// `cargo fmt --check`.
    Rustfmt,
    /// `ruff format --check`.
    RuffFormat,
    /// `prettier --list-different`.
    Prettier,
    /// `tsc --pretty false`.
    Tsc,
}

/// Why output, or some of it, could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Complaint(pub String);

/// An answer: a file that can be read more than once.
pub trait Input: Read + Seek {}

impl<T: Read + Seek> Input for T {}

/// Where findings go. `false` means that no more are wanted.
pub type Sink<'s> = &'s mut dyn FnMut(Finding) -> bool;

/// Reads an answer.
///
/// # Errors
/// What could not be read. Findings that came before were given to the sink.
pub fn parse(format: &Format, from: &mut dyn Input, sink: Sink<'_>) -> Result<(), Complaint> {
    let mut bounded = |finding: Finding| sink(finding.bounded());
    match format {
        Format::Sarif => sarif::parse(from, &mut bounded),
        Format::Junit => junit::parse(from, &mut bounded),
        Format::CargoJson => cargo::messages(from, &mut bounded),
        Format::Libtest => cargo::libtest(from, &mut bounded),
        Format::Nextest => cargo::nextest(from, &mut bounded),
        Format::Audit => dependencies::audit(from, &mut bounded),
        Format::Deny => dependencies::deny(from, &mut bounded),
        Format::Eslint => eslint::parse(from, &mut bounded),
        Format::Jest => jest::parse(from, &mut bounded),
        Format::JsonLines { fields } => fields::lines(fields, from, &mut bounded),
        Format::Json { items, fields } => fields::document(fields, items, from, &mut bounded),
        Format::Text(kind) => text::parse(*kind, from, &mut bounded),
        Format::ExitCode => Ok(()),
    }
}
