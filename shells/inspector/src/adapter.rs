//! An adapter: one tool on one directory of the tree, with everything that is needed to run it and to read its answer.
//!
//! | module | what it knows |
//! |---|---|
//! | [`rust`], [`python`], [`javascript`] | which tools a language has, when they apply, and how they are asked |
//! | [`custom`] | tools that `inspector.toml` adds |
//! | [`lookup`] | where a tool is, in the tree's own environment or in `PATH` |

pub mod custom;
pub mod javascript;
pub mod lookup;
pub mod python;
pub mod rust;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{config::TreeConfig, detect::Root, finding::Kind, parse::Format};

/// How long tools that only read may take.
pub const LOOKING: Duration = Duration::from_secs(10 * 60);
/// How long tests may take.
pub const TESTING: Duration = Duration::from_secs(30 * 60);
/// Stands in the arguments for the file that the tool writes its report to.
pub const REPORT: &str = "{report}";

/// Where a tool is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tool {
    /// This program.
    Found(PathBuf),
    /// It is not there; how to install it.
    Missing(String),
}

/// Where the answer of a tool is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
    /// The file that [`REPORT`] stands for.
    Report,
}

/// One tool on one directory.
#[derive(Clone, Debug)]
pub struct Adapter {
    /// The tool's name, for example `clippy`.
    pub name: String,
    /// The language, for example `rust`.
    pub language: String,
    /// What kind of check it is.
    pub kind: Kind,
    /// Where it runs.
    pub directory: PathBuf,
    /// That directory as seen from the tree, `.` for the tree itself.
    pub at: String,
    /// Why it applies.
    pub why: String,
    /// The configuration file that it would use.
    pub config: Option<String>,
    /// Where the tool is.
    pub tool: Tool,
    /// Its arguments.
    pub args: Vec<String>,
    /// How it is asked for its version.
    pub version: Vec<String>,
    /// Where its answer is.
    pub answer: Answer,
    /// What its answer looks like.
    pub format: Format,
    /// Adapters with the same chain run one after the other: they would wait for each other's lock.
    pub chain: Option<String>,
    /// How long it may take.
    pub timeout: Duration,
    /// How it is told to run some tests only: the argument in front of the filter, if any.
    pub filter: Filter,
    /// Exit codes, besides 0, that mean that nothing is wrong.
    pub fine: Vec<i32>,
    /// What changes files so that nothing is left to complain about, and what shows that as a diff.
    pub mend: Option<Mend>,
}

/// How a formatter is asked.
#[derive(Clone, Debug)]
pub struct Mend {
    /// Arguments that show what would change.
    pub diff: Vec<String>,
    /// Arguments that change it.
    pub apply: Vec<String>,
}

/// How a test tool takes a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// It does not.
    None,
    /// At the end of this argument, so that a filter is never an option.
    After(&'static str),
    /// As an argument of its own.
    Alone,
}

impl Adapter {
    /// An adapter that reads standard output.
    pub(crate) fn new(root: &Root, name: &str, language: &str, kind: Kind, tool: Tool, format: Format) -> Self {
        Self {
            name: name.to_owned(),
            language: language.to_owned(),
            kind,
            directory: root.directory.clone(),
            at: root.at.clone(),
            why: root.why.clone(),
            config: None,
            tool,
            args: Vec::new(),
            version: vec!["--version".to_owned()],
            answer: Answer::Out,
            format,
            chain: None,
            timeout: if kind == Kind::Test { TESTING } else { LOOKING },
            filter: Filter::None,
            fine: Vec::new(),
            mend: None,
        }
    }

    pub(crate) fn args(mut self, args: &[&str]) -> Self {
        self.args = args.iter().map(|arg| (*arg).to_owned()).collect();
        self
    }

    /// The program, when it can run.
    #[must_use]
    pub fn program(&self) -> Option<&Path> {
        match &self.tool {
            Tool::Found(program) => Some(program),
            Tool::Missing(_) => None,
        }
    }

    /// Its name with the directory, where that is not the tree itself.
    #[must_use]
    pub fn label(&self) -> String {
        if self.at == "." { self.name.clone() } else { format!("{} ({})", self.name, self.at) }
    }
}

/// Every adapter of a tree.
#[must_use]
pub fn all(tree: &Path, roots: &[Root], config: &TreeConfig) -> Vec<Adapter> {
    let mut adapters = Vec::new();
    for root in roots {
        match root.language {
            crate::detect::Language::Rust => rust::adapters(root, &mut adapters),
            crate::detect::Language::Python => python::adapters(tree, root, &mut adapters),
            crate::detect::Language::JavaScript => javascript::adapters(tree, root, &mut adapters),
        }
    }
    custom::adapters(tree, config, &mut adapters);
    adapters.retain(|adapter| !config.disable.contains(&adapter.name));
    for adapter in &mut adapters {
        adapter.args.extend(config.args.get(&adapter.name).into_iter().flatten().cloned());
        if let Some(limit) = config.timeouts.get(&adapter.name) {
            adapter.timeout = limit.0;
        }
    }
    adapters
}

/// The first of these files that is there.
pub(crate) fn first_file(directory: &Path, names: &[&str]) -> Option<String> {
    names.iter().find(|name| directory.join(name).is_file()).map(|name| (*name).to_owned())
}

/// Whether a file is there and holds this text.
pub(crate) fn mentions(file: &Path, text: &str) -> bool {
    crate::source::read_bounded(file).is_some_and(|content| content.contains(text))
}
