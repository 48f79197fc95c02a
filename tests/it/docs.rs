//! What the pages for people say is so: links lead somewhere, flags exist, blocks of code are cut from files that are
//! compiled, and the architecture's arrows are those that `house` enforces.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use admin_shell::{Shell, testing::TestShell};

use crate::house;

#[allow(dead_code, reason = "its `main` and settings are for the program")]
#[path = "../../examples/mail_queue.rs"]
mod mail_queue;

use mail_queue::{FourEyes, MailQueue, OnDuty};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every page, by its path from the root.
fn pages() -> BTreeMap<String, String> {
    let mut pages = BTreeMap::new();
    for directory in ["", "docs", "tests/vectors"] {
        for entry in fs::read_dir(root().join(directory)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                pages.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    assert!(pages.len() > 7, "the pages are gone");
    pages
}

/// The blocks between fences of a language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut block: Option<Vec<&str>> = None;
    let mut is_other = false;
    for line in page.lines() {
        let fence = line.trim_start().strip_prefix("```");
        match (&mut block, fence) {
            (Some(lines), Some(_)) => {
                blocks.push(lines.join("\n"));
                block = None;
            }
            (Some(lines), None) => lines.push(line),
            (None, Some(_)) if is_other => is_other = false,
            (None, Some(name)) if name.trim() == language => block = Some(Vec::new()),
            (None, Some(_)) => is_other = true,
            (None, None) => {}
        }
    }
    blocks
}

/// The page without its blocks of code.
fn prose(page: &str) -> String {
    let mut inside = false;
    let outside = |line: &&str| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    };
    page.lines().filter(outside).collect::<Vec<_>>().join("\n")
}

/// What a heading is called in links: small letters, blanks as hyphens, no punctuation.
fn anchor(heading: &str) -> String {
    let kept = |c: char| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || matches!(c, '-' | '_') => Some(c),
        _ => None,
    };
    heading.trim().to_lowercase().chars().filter_map(kept).collect()
}

fn anchors(page: &str) -> BTreeSet<String> {
    prose(page).lines().filter(|line| line.starts_with('#')).map(|line| anchor(line.trim_start_matches('#'))).collect()
}

#[test]
fn links_lead_somewhere() {
    let targets = between("](");
    let mut wrong = Vec::new();
    for (name, page) in pages() {
        let directory = Path::new(&name).parent().unwrap().to_owned();
        for target in targets(&prose(&page)) {
            if target.contains("://") {
                continue;
            }
            let (file, fragment) = target.split_once('#').unwrap_or((&target, ""));
            let path: PathBuf = if file.is_empty() { PathBuf::from(&name) } else { directory.join(file) };
            match fs::read_to_string(root().join(&path)) {
                Err(error) => wrong.push(format!("{name}: {target}: {error}")),
                Ok(text) if !fragment.is_empty() && !anchors(&text).contains(fragment) => {
                    wrong.push(format!("{name}: {target}: no such heading"));
                }
                Ok(_) => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What stands between a mark and the next closing parenthesis.
fn between(mark: &'static str) -> impl Fn(&str) -> Vec<String> {
    move |text| {
        let after = text.match_indices(mark).map(|(at, _)| &text[at + mark.len()..]);
        after.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.to_owned()).collect()
    }
}

#[test]
fn the_path_of_a_newcomer_is_two_commands() {
    let commands: Vec<String> =
        blocks(&read("README.md"), "sh").iter().flat_map(|block| block.lines()).map(str::to_owned).collect();
    assert_eq!(commands, ["cargo run --bin orchestrator-shell", "scripts/test"]);
    assert!(root().join("scripts/test").is_file());
    assert!(read("shells/orchestrator/Cargo.toml").contains("name = \"orchestrator-shell\""));
}

#[test]
fn the_shortest_shell_is_the_example() {
    let shown = blocks(&read("README.md"), "rust");
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0].trim(), read("examples/greeter.rs").trim());
}

#[test]
fn blocks_of_rust_are_cut_from_files_that_are_compiled() {
    let mut files = String::new();
    for directory in ["examples", "tests/it"] {
        for entry in fs::read_dir(root().join(directory)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                files.push_str(&fs::read_to_string(&path).unwrap());
            }
        }
    }
    let missing: Vec<String> = blocks(&read("docs/writing-a-shell.md"), "rust")
        .into_iter()
        .filter(|block| !files.contains(block.as_str()))
        .collect();
    assert!(missing.is_empty(), "in docs/writing-a-shell.md and in no file:\n{}", missing.join("\n\n"));
}

#[test]
fn the_arrows_are_those_of_the_house() {
    let page = read("docs/architecture.md");
    let list = blocks(&page, "text").into_iter().find(|block| block.starts_with("event")).unwrap();
    let shown: Vec<(&str, Vec<&str>)> = list
        .lines()
        .map(|line| line.split_once('→').unwrap())
        .map(|(module, allowed)| (module.trim(), allowed.split_whitespace().collect()))
        .collect();
    let enforced: Vec<(&str, Vec<&str>)> =
        house::ARROWS.iter().map(|(module, allowed)| (*module, allowed.to_vec())).collect();
    assert_eq!(shown, enforced);
}

#[test]
fn the_code_map_knows_every_module() {
    let page = read("docs/architecture.md");
    for entry in fs::read_dir(root().join("src")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let module = format!("`src/{}", name.trim_end_matches(".rs"));
        let known = name == "bin" || page.contains(&format!("{module}`")) || page.contains(&format!("{module}.rs`"));
        assert!(known, "the code map does not name {module}");
    }
}

/// Every flag (`--…`) that a line of a program shows.
fn flags(text: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_lowercase() || c == '-';
    let after = text.match_indices("--").map(|(at, _)| (&text[..at], &text[at + 2..]));
    after
        .filter(|(before, _)| !before.ends_with(|c: char| c.is_alphanumeric() || c == '-'))
        .map(|(_, rest)| rest.chars().take_while(|c| is_name(*c)).collect::<String>())
        .filter(|name| !name.is_empty())
        .map(|name| name.trim_end_matches('-').to_owned())
        .collect()
}

fn help(program: &Path, words: &[&str]) -> Option<String> {
    let output = Command::new(program).args(words).arg("--help").output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

/// Where cargo puts programs: beside the directory of this test.
fn built(name: &str) -> PathBuf {
    let here = std::env::current_exe().unwrap();
    here.parent().and_then(Path::parent).unwrap().join(name)
}

/// Spans of code and lines of transcripts that begin with a program's name.
fn uses(page: &str, program: &str) -> Vec<String> {
    let spans = page.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let spans = spans.filter(|span| span.starts_with(program)).map(str::to_owned);
    let lines =
        page.lines().filter_map(|line| line.trim_start().strip_prefix("$ ").filter(|line| line.starts_with(program)));
    spans.chain(lines.map(str::to_owned)).collect()
}

#[cfg(feature = "tracker")]
#[test]
fn what_is_said_of_session_tracker_exists() {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_session-tracker"));
    let mut helps: BTreeMap<Vec<String>, String> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (name, page) in pages() {
        for used in uses(&page, "session-tracker ") {
            // The subcommand: one word, or two where the first has subcommands of its own.
            let words: Vec<&str> = used
                .split_whitespace()
                .skip(1)
                .skip_while(|word| word.starts_with('-') || word.contains('.'))
                .collect();
            let depth = if matches!(words.first(), Some(&("journal" | "schema" | "token"))) { 2 } else { 1 };
            let path: Vec<&str> =
                words.iter().copied().take(depth).filter(|word| word.chars().all(|c| c.is_ascii_lowercase())).collect();
            let key: Vec<String> = path.iter().map(|word| (*word).to_owned()).collect();
            if !helps.contains_key(&key) {
                helps.insert(key.clone(), help(&program, &path).unwrap_or_default());
            }
            let text = &helps[&key];
            if text.is_empty() {
                wrong.push(format!("{name}: {used}: no such command"));
            }
            wrong.extend(
                flags(&used)
                    .iter()
                    .filter(|flag| !text.contains(&format!("--{flag}")))
                    .map(|flag| format!("{name}: {used}: no --{flag}")),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(helps.len() > 6, "the pages hardly name session-tracker: {:?}", helps.keys());
}

#[test]
fn what_is_said_of_the_shells_flags_exists() {
    let program = built("examples/greeter");
    assert!(
        program.exists(),
        "{} is not built: run scripts/test, or `cargo build --examples` first",
        program.display()
    );
    let known = help(&program, &[]).unwrap();
    let mut wrong = Vec::new();
    for (name, page) in pages() {
        for used in uses(&page, "orchestrator-shell") {
            // What stands in quotes is for the shell's language.
            let outside: String = used.split(['\'', '"']).step_by(2).collect::<Vec<_>>().join(" ");
            let own = outside.split('|').next().unwrap();
            wrong.extend(
                flags(own)
                    .iter()
                    .filter(|flag| !known.contains(&format!("--{flag}")))
                    .map(|flag| format!("{name}: {used}: no --{flag}")),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The quick start names every flag that matters, in one way or another.
    let page = read("docs/quick-start.md");
    for flag in ["--json", "--read-only", "--yes", "--reason", "--database", "--log"] {
        assert!(page.contains(flag) && known.contains(flag), "{flag}");
    }
}

#[tokio::test]
async fn letters_can_be_held_and_purged() {
    let shell = TestShell::new(MailQueue::new("localhost", 7)).await;
    assert_eq!(shell.run("queue().len()").await.value::<u64>(), 7);
    assert!(shell.run("letter(99)").await.fails().contains("there is no letter 99"));
    assert!(shell.run("purge(3)").await.fails().contains("was not confirmed"));
    assert_eq!(shell.confirms("spring cleaning").run("purge(3)").await.value::<u64>(), 2);
    assert!(shell.asked()[0].preview.as_ref().is_some_and(|text| text.starts_with("2 letters")));
    shell.examples().await;
}

#[tokio::test]
async fn all_ways_to_call_are_the_same_call() {
    let shell = TestShell::new(MailQueue::new("localhost", 7)).await;
    for call in [
        r#"hold(1, "2h")"#,
        r#"hold(1, #{time: "2h"})"#,
        "hold 1 2h",
        "hold 1 --time 2h",
        r#"hold(queue()[0], "2h")"#,
        r#"queue()[0].hold("2h")"#,
    ] {
        assert_eq!(shell.run(call).await.value::<serde_json::Value>()["held_seconds"], 7200, "{call}");
    }
    assert_eq!(shell.types_secret("correct horse").run(r#"login("ada")"#).await.value::<String>(), "ada at localhost");
}

#[tokio::test]
async fn a_second_person_is_asked_where_the_policy_wants_one() {
    let shell = TestShell::of(Shell::new(MailQueue::new("localhost", 7)).policy(FourEyes).approver(OnDuty)).await;
    assert_eq!(shell.run("purge(0)").await.value::<u64>(), 7);
    let alone = TestShell::of(Shell::new(MailQueue::new("localhost", 7)).policy(FourEyes)).await;
    assert!(alone.run("purge(0)").await.fails().contains("nobody to ask"));
}

#[test]
fn the_example_of_many_sessions_runs() {
    let program = built("examples/many_sessions");
    assert!(
        program.exists(),
        "{} is not built: run scripts/test, or `cargo build --examples` first",
        program.display()
    );
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(program).env("ADMIN_SHELL_DATABASE", home.path().join("journal.db")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8(output.stdout).unwrap().matches("step was 5").count(), 2);
}
