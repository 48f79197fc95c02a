//! The tools of Rust. Those that build share one lock of cargo's, so they are one chain.

use std::path::{Path, PathBuf};

use super::{Adapter, Filter, Mend, Tool, first_file, lookup};
use crate::{
    detect::Root,
    finding::Kind,
    parse::{Format, TextKind},
};

pub(super) fn adapters(root: &Root, adapters: &mut Vec<Adapter>) {
    let cargo = lookup::in_path("cargo", "install Rust from https://rustup.rs");
    let part = |name: &str, install: &str| match (&cargo, lookup::in_path(name, install)) {
        (Tool::Found(cargo), Tool::Found(_)) => Tool::Found(cargo.clone()),
        (Tool::Missing(install), _) => Tool::Missing(install.clone()),
        (_, missing) => missing,
    };
    let clippy = part("cargo-clippy", "rustup component add clippy");
    let nextest = part("cargo-nextest", "cargo install --locked cargo-nextest");
    let chain = Some(format!("cargo {}", root.at));
    let new = |name: &str, kind, tool: Tool, format| Adapter::new(root, name, "rust", kind, tool, format);
    let built = |name: &str, kind, tool: Tool, format, args: &[&str]| {
        let mut adapter = new(name, kind, tool, format).args(args);
        adapter.chain.clone_from(&chain);
        adapter
    };

    let mut fmt =
        new("fmt", Kind::Format, part("cargo-fmt", "rustup component add rustfmt"), Format::Text(TextKind::Rustfmt))
            .args(&["fmt", "--all", "--check"]);
    fmt.config = first_file(&root.directory, &["rustfmt.toml", ".rustfmt.toml"]);
    fmt.version = words(&["fmt", "--version"]);
    fmt.mend = Some(Mend { diff: words(&["fmt", "--all", "--check"]), apply: words(&["fmt", "--all"]) });
    adapters.push(fmt);

    const MESSAGES: &str = "--message-format=json";
    let is_there = matches!(clippy, Tool::Found(_));
    let mut lint =
        built("clippy", Kind::Lint, clippy, Format::CargoJson, &["clippy", "--workspace", "--all-targets", MESSAGES]);
    lint.config = first_file(&root.directory, &["clippy.toml", ".clippy.toml"]);
    lint.version = words(&["clippy", "--version"]);
    adapters.push(lint);

    let mut check = built(
        "check",
        Kind::Type,
        cargo.clone(),
        Format::CargoJson,
        &["check", "--workspace", "--all-targets", MESSAGES],
    );
    if is_there && let Tool::Found(_) = check.tool {
        check.why = format!("{}; crack() leaves it to clippy, which checks the same", check.why);
    }
    adapters.push(check);

    if matches!(nextest, Tool::Found(_)) {
        let mut test = built(
            "test",
            Kind::Test,
            nextest,
            Format::Nextest,
            &["nextest", "run", "--workspace", "--no-fail-fast", "--no-tests=pass", "--message-format", "libtest-json"],
        );
        test.filter = Filter::Alone;
        test.version = words(&["nextest", "--version"]);
        test.config = first_file(&root.directory, &[".config/nextest.toml"]);
        adapters.push(test);
        if has_library(&root.directory) {
            // nextest does not run the examples of the documentation.
            let mut doctest = built(
                "doctest",
                Kind::Test,
                cargo.clone(),
                Format::Libtest,
                &["test", "--workspace", "--doc", "--no-fail-fast", MESSAGES],
            );
            doctest.filter = Filter::Alone;
            adapters.push(doctest);
        }
    } else {
        let mut test = built(
            "test",
            Kind::Test,
            cargo.clone(),
            Format::Libtest,
            &["test", "--workspace", "--no-fail-fast", MESSAGES],
        );
        test.filter = Filter::Alone;
        adapters.push(test);
    }

    adapters.push(built(
        "doc",
        Kind::Lint,
        cargo.clone(),
        Format::CargoJson,
        &["doc", "--workspace", "--no-deps", MESSAGES],
    ));

    let config = first_file(&root.directory, &["deny.toml", ".deny.toml"]);
    let audit = part("cargo-audit", "cargo install --locked cargo-audit");
    if root.directory.join("Cargo.lock").is_file() && (matches!(audit, Tool::Found(_)) || config.is_none()) {
        let mut adapter = new("audit", Kind::Security, audit, Format::Audit).args(&["audit", "--json"]);
        adapter.version = words(&["audit", "--version"]);
        adapter.config = first_file(&root.directory, &[".cargo/audit.toml", "audit.toml"]);
        adapters.push(adapter);
    }
    if config.is_some() {
        let tool = part("cargo-deny", "cargo install --locked cargo-deny");
        let mut adapter = new("deny", Kind::Security, tool, Format::Deny).args(&["deny", "--format", "json", "check"]);
        adapter.answer = super::Answer::Err;
        adapter.version = words(&["deny", "--version"]);
        adapter.config = config;
        adapters.push(adapter);
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Whether a package here has a library: `cargo test --doc` of none is an error.
fn has_library(directory: &Path) -> bool {
    let members = members(directory);
    members
        .iter()
        .any(|member| member.join("src/lib.rs").is_file() || super::mentions(&member.join("Cargo.toml"), "[lib]"))
}

/// The directories of a workspace's packages, globs of one `*` at the end resolved.
fn members(directory: &Path) -> Vec<PathBuf> {
    let mut found = vec![directory.to_owned()];
    let manifest =
        crate::source::read_bounded(&directory.join("Cargo.toml")).and_then(|text| text.parse::<toml::Table>().ok());
    let list = manifest.as_ref().and_then(|manifest| manifest.get("workspace")?.get("members")?.as_array());
    for member in list.into_iter().flatten().filter_map(toml::Value::as_str) {
        match member.strip_suffix("/*") {
            Some(parent) => {
                let inside = std::fs::read_dir(directory.join(parent)).into_iter().flatten().flatten();
                found.extend(inside.map(|entry| entry.path()).filter(|path| path.join("Cargo.toml").is_file()));
            }
            None => found.push(directory.join(member)),
        }
    }
    found
}
