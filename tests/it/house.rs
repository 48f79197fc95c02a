//! The house rules that the compiler does not know: which module may import which, where a crate may be named, and what
//! every dependency has to be like. `docs/architecture.md` says why.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

/// Module → modules of ours that it may import. `shell` wires everything, so it is not listed.
pub(crate) const ARROWS: &[(&str, &[&str])] = &[
    ("event", &[]),
    ("render", &[]),
    ("console", &[]),
    ("spec", &[]),
    ("redact", &["event"]),
    ("policy", &["console", "spec", "event"]),
    ("helper", &["policy", "spec", "event", "redact", "config"]),
    ("journal", &["event"]),
    ("delivery", &["journal", "event"]),
    ("sinks", &["delivery", "journal", "redact", "render", "event", "token"]),
    ("recorder", &["redact", "journal", "event"]),
    ("script", &["helper", "recorder", "policy", "spec", "event", "redact", "console", "session"]),
    ("session", &["script", "recorder", "helper", "policy", "spec", "event", "redact", "console"]),
    ("repl", &["session", "spec", "event", "recorder", "render", "shell"]),
    ("analytics", &["journal", "event"]),
    ("config", &[]),
    ("token", &[]),
    ("tracker", &["token", "redact", "journal", "recorder", "delivery", "sinks", "analytics", "event"]),
];

/// Crate → the only place that may name it.
const HOMES: &[(&str, &str)] =
    &[("rhai", "src/script"), ("rustyline", "src/repl/editor"), ("sqlx", "src/journal"), ("regex", "src/redact")];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a directory: its path from the root, and its text.
fn sources(directory: &str) -> Vec<(String, String)> {
    fn walk(directory: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(directory), &mut found);
    assert!(!found.is_empty(), "{directory} holds no sources");
    found.sort();
    found
}

/// Modules of ours named in a file: after `crate::`, or in the braces of `use crate::{…}`.
fn imports(text: &str) -> BTreeSet<String> {
    let code: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| [line, "\n"]).collect();
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ')') {
            continue;
        }
        if let Some(list) = rest.strip_prefix('{') {
            let (mut depth, mut item) = (0, String::new());
            for c in list.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        names.insert(std::mem::take(&mut item));
                        continue;
                    }
                    _ => {}
                }
                item.push(c);
            }
            names.insert(item);
        } else {
            names.insert(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == ':').collect());
        }
    }
    let first = |name: String| name.trim().split("::").next().unwrap_or_default().trim().to_owned();
    names.into_iter().map(first).filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase())).collect()
}

#[test]
fn modules_import_only_what_the_architecture_allows() {
    let mut wrong = Vec::new();
    for (module, allowed) in ARROWS {
        let files = sources("src").into_iter();
        let own = files
            .filter(|(name, _)| name == &format!("src/{module}.rs") || name.starts_with(&format!("src/{module}/")));
        for (name, text) in own {
            for import in imports(&text) {
                if import != *module && !allowed.contains(&import.as_str()) {
                    wrong.push(format!("{name} imports {import}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that the architecture does not have:\n  {}", wrong.join("\n  "));
}

#[test]
fn crates_are_named_only_at_home() {
    let mut wrong = Vec::new();
    for (name, text) in sources("src") {
        for (krate, home) in HOMES {
            let named = text.lines().any(|line| {
                let code = line.split("//").next().unwrap_or_default();
                code.match_indices(&format!("{krate}::"))
                    .any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'))
            });
            if named && !name.starts_with(home) {
                wrong.push(format!("{name} names {krate}, whose home is {home}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn component_shells_use_the_public_api() {
    for (name, text) in sources("shells") {
        assert!(!text.contains("#[path"), "{name} reaches into another package");
    }
}

#[test]
fn every_file_begins_with_what_it_is_for() {
    let files = ["src", "tests", "shells", "examples", "benches"]
        .into_iter()
        .filter(|directory| root().join(directory).exists());
    for (name, text) in files.flat_map(sources) {
        assert!(text.starts_with("//!"), "{name} does not begin with a header");
    }
}

#[test]
fn only_redaction_makes_drafts_and_only_the_journal_seals_them() {
    for (name, text) in sources("src") {
        let text = text.split("#[cfg(test)]").next().unwrap();
        // The journal's own observations hold counts and ids only.
        let own = name.starts_with("src/journal");
        let drafts =
            text.contains("Draft::new(") && !own && !name.starts_with("src/redact") && !name.starts_with("src/event");
        assert!(!drafts, "{name} makes a draft past the redactor");
        let seals = text.contains("Event::seal(") && !name.starts_with("src/journal") && !name.starts_with("src/event");
        assert!(!seals, "{name} seals an event past the journal");
    }
}

#[test]
fn dependencies_come_from_the_registry_under_a_free_licence() {
    const FREE: &[&str] = &[
        "MIT",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "ISC",
        "Zlib",
        "Unicode-3.0",
        "Unlicense",
        "CC0-1.0",
        "0BSD",
        "BSL-1.0",
        "Apache-2.0 WITH LLVM-exception",
        "MIT-0",
        // Data, not code: the certificates that rustls trusts.
        "CDLA-Permissive-2.0",
        // Weak copyleft, file by file: smartstring, below rhai.
        "MPL-2.0+",
    ];
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--all-features", "--locked"])
        .current_dir(root())
        .output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for package in metadata["packages"].as_array().unwrap() {
        let (name, source) = (package["name"].as_str().unwrap(), package["source"].as_str());
        assert!(source.is_none_or(|source| source.starts_with("registry+")), "{name} comes from {source:?}");
        let licence = package["license"].as_str().unwrap_or_default().replace('/', " OR ");
        // One free alternative is enough; of what is joined by AND, every part has to be free.
        let is_free = licence
            .split(" OR ")
            .any(|option| option.split(" AND ").all(|part| FREE.contains(&part.trim_matches(['(', ')', ' ']))));
        assert!(is_free, "{name} is licensed as {licence:?}");
    }
}
