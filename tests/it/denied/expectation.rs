//! The header of an attack file, and whether a report keeps it.
//!
//! ```text
//! //! Some words about the attack.
//! //! answers: yes                     every question is confirmed; without it, declined
//! //! as: file                         run as a script file, not typed
//! //! ends: refused                    status of the last input
//! //! kind: refused                    kind of its failure
//! //! says: was not confirmed          part of its failure's message
//! //! events: command_start, call_start cancel refused, command_end refused
//! //! effects: none                    what the component did, `;` between
//! //! prints: one line                 exactly what was printed, as in a string literal
//! //! asks: cancel("r1")               the questions, ` | ` between
//! //! never: hunter2                   is in no event, failure, question, history or output; may be repeated
//! //! within: 2                        seconds, at most
//! //! takes: 30                        seconds of processor time, at most
//! //! memory: 300                      MiB that the process ever has, at most
//! //! computes: 20                     seconds that a command may compute; 2 without it
//! //! operations: 5000                 operations that a command may do; as many as in any shell without it
//! ```
//! A line `//---` stands between two inputs of one session; `⟪text×1000⟫` stands for a thousand times the text, with the
//! number of each in the place of a `№`.

use std::{collections::HashMap, path::Path, time::Duration};

use serde::{Deserialize, Serialize};

/// Memory that an attack may make a process use, at most: the limit of scripts, and what it starts with and overshoots by.
const MEMORY_MIB: u64 = 512 + 400;

pub(super) struct Attack {
    pub(super) inputs: Vec<String>,
    pub(super) confirms: bool,
    pub(super) as_file: bool,
    pub(super) computes: Duration,
    pub(super) operations: Option<u64>,
    expects: HashMap<String, Vec<String>>,
}

/// What an attack came to.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Report {
    pub(super) ends: String,
    pub(super) kind: String,
    pub(super) message: String,
    pub(super) shown: String,
    pub(super) value: String,
    pub(super) events: Vec<String>,
    pub(super) texts: Vec<String>,
    pub(super) effects: Vec<String>,
    pub(super) printed: String,
    pub(super) asked: Vec<String>,
    pub(super) history: Vec<String>,
    pub(super) seconds: f64,
    pub(super) processor_seconds: f64,
    pub(super) memory_mib: u64,
    pub(super) alive: bool,
    pub(super) verified: Vec<String>,
}

fn repeated(input: &str) -> String {
    let mut text = String::new();
    let mut rest = input;
    while let Some((before, (what, after))) = rest.split_once('⟪').and_then(|(a, b)| Some((a, b.split_once('⟫')?)))
    {
        let (what, times) = what.rsplit_once('×').expect("how often");
        text.push_str(before);
        for number in 0..times.parse::<usize>().expect("a number") {
            text.push_str(&what.replace('№', &number.to_string()));
        }
        rest = after;
    }
    text + rest
}

impl Attack {
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        let header: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("//!")).collect();
        let code = text.lines().skip(header.len()).collect::<Vec<_>>().join("\n");
        let mut expects: HashMap<String, Vec<String>> = HashMap::new();
        const KEYS: &[&str] = &[
            "answers",
            "as",
            "ends",
            "kind",
            "says",
            "events",
            "effects",
            "prints",
            "asks",
            "never",
            "within",
            "takes",
            "memory",
            "computes",
            "operations",
            "value",
        ];
        for line in header {
            if let Some((key, value)) = line.trim().split_once(": ")
                && KEYS.contains(&key)
            {
                expects.entry(key.to_owned()).or_default().push(value.trim().to_owned());
            }
        }
        for key in ["ends", "events", "effects"] {
            if !expects.contains_key(key) {
                return Err(format!("its header does not say `{key}`"));
            }
        }
        let one = |key: &str| expects.get(key).and_then(|values| values.first()).map(String::as_str);
        Ok(Self {
            inputs: code.split("\n//---\n").map(|input| repeated(input.trim_start_matches('\n'))).collect(),
            confirms: one("answers") == Some("yes"),
            as_file: one("as") == Some("file"),
            computes: Duration::from_secs(one("computes").map_or(2, |seconds| seconds.parse().expect("seconds"))),
            operations: one("operations").map(|number| number.parse().expect("a number")),
            expects,
        })
    }

    pub(super) fn verify(&self, report: &Report) -> Result<(), String> {
        let mut wrong = Vec::new();
        let mut differs = |what: &str, expected: &str, got: &str| {
            if expected != got {
                wrong.push(format!("  {what}: expected {expected}\n  {what}: got      {got}"));
            }
        };
        let one = |key: &str| self.expects.get(key).and_then(|values| values.first()).map(String::as_str);
        let list =
            |items: &[String], between: &str| if items.is_empty() { "none".to_owned() } else { items.join(between) };
        differs("ends", one("ends").unwrap_or_default(), &report.ends);
        differs("events", one("events").unwrap_or_default(), &report.events.join(", "));
        differs("effects", one("effects").unwrap_or_default(), &list(&report.effects, "; "));
        if let Some(kind) = one("kind") {
            differs("kind", kind, &report.kind);
        }
        if let Some(value) = one("value") {
            differs("value", value, &report.value);
        }
        if let Some(prints) = one("prints") {
            differs("prints", prints, &format!("{:?}", report.printed));
        }
        if let Some(asks) = one("asks") {
            differs("asks", asks, &list(&report.asked, " | "));
        }
        for says in self.expects.get("says").into_iter().flatten() {
            if !report.message.contains(says) {
                wrong.push(format!("  says: {:?} has no {says:?}", report.message));
            }
        }
        for never in self.expects.get("never").into_iter().flatten() {
            let everywhere = [&report.message, &report.shown, &report.printed].into_iter();
            let everywhere = everywhere.chain(&report.texts).chain(&report.asked).chain(&report.history);
            for text in everywhere.filter(|text| text.contains(never.as_str())) {
                wrong.push(format!("  never: {never:?} is in {text}"));
            }
        }
        let within: f64 = one("within").map_or(240.0, |seconds| seconds.parse().expect("seconds"));
        if report.seconds > within {
            wrong.push(format!("  within: {within} s, it took {:.1} s", report.seconds));
        }
        let takes = one("takes").map_or(f64::INFINITY, |seconds| seconds.parse().expect("seconds"));
        if report.processor_seconds > takes {
            wrong.push(format!("  takes: {takes} s, it took {:.1} s of processor time", report.processor_seconds));
        }
        let memory = one("memory").map_or(MEMORY_MIB, |mib| mib.parse().expect("MiB"));
        if report.memory_mib > memory {
            wrong.push(format!("  memory: {} MiB, {memory} MiB are allowed", report.memory_mib));
        }
        if !report.alive {
            wrong.push("  the session did not outlive it".to_owned());
        }
        if !report.verified.is_empty() {
            wrong.push(format!("  the journal does not verify: {:?}", report.verified));
        }
        if wrong.is_empty() { Ok(()) } else { Err(format!("{}\n  failure: {}", wrong.join("\n"), report.shown)) }
    }
}
