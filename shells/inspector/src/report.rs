//! What a run answers: values that scripts filter and people read. Fields stand in the order in which people look. None
//! has a name that the scripting language keeps for itself: what is new is `added`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::finding::{Kind, Severity};

/// What came of a run, or of one adapter in it. The order is from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing is wrong.
    Pass,
    /// The tool is not installed.
    Missing,
    /// It was not run, because of what came before.
    Skipped,
    /// Nothing but warnings and notes.
    Warn,
    /// Something is wrong.
    Fail,
    /// The answer could not be read, or not all of it.
    Unreadable,
    /// The tool itself failed.
    Crashed,
    /// It took too long.
    Timeout,
    /// It was stopped.
    Cancelled,
}

impl Verdict {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Missing => "missing",
            Self::Skipped => "skipped",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Unreadable => "unreadable",
            Self::Crashed => "crashed",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
        }
    }

    /// The verdict of a word, as the store keeps it.
    #[must_use]
    pub fn of_word(word: &str) -> Self {
        serde_json::from_value(word.into()).unwrap_or(Self::Unreadable)
    }
}

/// A finding as it is kept and shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its number in the run: 1 is the first thing to mend.
    pub n: u32,
    /// How grave it is.
    pub severity: Severity,
    /// Which tool says so.
    pub tool: String,
    /// The file, from the tree.
    pub file: Option<String>,
    /// The line, from 1.
    pub line: Option<u32>,
    /// The tool's name for the rule.
    pub rule: Option<String>,
    /// What is wrong.
    pub message: String,
    /// It was not there in the run before.
    pub added: bool,
    /// What kind of check says so.
    pub kind: Kind,
    /// The column, from 1.
    pub column: Option<u32>,
    /// The last line.
    pub end_line: Option<u32>,
    /// The column behind its end.
    pub end_column: Option<u32>,
    /// What the tool suggests, or what a test printed.
    pub help: Option<String>,
    /// Where the rule is explained.
    pub url: Option<String>,
    /// The same for the same fault, also when its line has moved.
    pub fingerprint: String,
}

/// One adapter in a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Checked {
    /// The adapter.
    pub adapter: String,
    /// Where it ran, from the tree.
    pub at: String,
    /// What kind of check it is.
    pub kind: Kind,
    /// What came of it.
    pub verdict: Verdict,
    /// How many errors it found.
    pub errors: u64,
    /// How many warnings.
    pub warnings: u64,
    /// How many notes.
    pub notes: u64,
    /// How long it took.
    pub duration_seconds: f64,
    /// What there is to say about it.
    pub note: Option<String>,
    /// What its parser complained about.
    pub complaint: Option<String>,
    /// Its own words, where they are all there is.
    pub output: Option<String>,
}

/// What a run answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// What came of it as a whole.
    pub verdict: Verdict,
    /// The run: `findings(#{run: …})`, `compare(…)`.
    pub run: i64,
    /// How many errors.
    pub errors: u64,
    /// How many warnings.
    pub warnings: u64,
    /// How many notes.
    pub notes: u64,
    /// How many findings were not there before.
    pub added: u64,
    /// How many that were there before are gone.
    pub fixed: u64,
    /// The run before, where there is one.
    pub since: Option<i64>,
    /// How long it took.
    pub duration_seconds: f64,
    /// The adapters.
    pub adapters: Vec<Checked>,
    /// The findings, the first thing to mend first; of very many the first ones.
    pub findings: Vec<Kept>,
    /// How many more findings there are.
    pub more: u64,
}

/// A run in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRow {
    /// Its number.
    pub run: i64,
    /// When it began.
    pub began: Timestamp,
    /// What was asked for: `crack`, `lint` …
    pub what: String,
    /// What came of it.
    pub verdict: Verdict,
    /// How many errors.
    pub errors: u64,
    /// How many warnings.
    pub warnings: u64,
    /// How many notes.
    pub notes: u64,
    /// How many findings were not there before.
    pub added: u64,
    /// How many that were there before were gone.
    pub fixed: u64,
    /// How long it took.
    pub duration_seconds: f64,
    /// The branch that was checked out.
    pub branch: Option<String>,
    /// The commit.
    pub commit: Option<String>,
}

/// How two runs differ.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The earlier run.
    pub before: i64,
    /// The later run.
    pub after: i64,
    /// How many new, and how many fixed, findings were passed over.
    pub offset: u64,
    /// What only the later run found; of very many a page.
    pub added: Vec<Kept>,
    /// What only the earlier run found; of very many a page.
    pub fixed: Vec<Kept>,
    /// How many findings only the later run has.
    pub added_count: u64,
    /// How many findings only the earlier run has.
    pub fixed_count: u64,
    /// How many findings are the same.
    pub same: u64,
    /// Adapters that did not run to their end in both: of these nothing is said.
    pub not_compared: Vec<String>,
}
