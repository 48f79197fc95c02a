//! A tree to look at, in a directory of its own, with the tools that tests need; and the program that looks at it.

use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;

pub(crate) struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    /// An empty tree.
    pub(crate) fn empty() -> Self {
        let place = Self { directory: tempfile::tempdir().unwrap() };
        std::fs::create_dir(place.directory.path().join("tree")).unwrap();
        std::fs::create_dir(place.directory.path().join("data")).unwrap();
        place
    }

    /// A copy of a tree with planted faults, and its tools beside it.
    pub(crate) fn planted(name: &str) -> Self {
        let place = Self::empty();
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name), &place.tree());
        match name {
            "python" => symlink(installed("venv"), place.tree().join(".venv")).unwrap(),
            "javascript" => symlink(installed("node/node_modules"), place.tree().join("node_modules")).unwrap(),
            _ => {}
        }
        place
    }

    /// An empty tree with tools of its own: each a shell script, by name, format and kind.
    pub(crate) fn with_tools(tools: &[(&str, &str, &str)]) -> Self {
        let place = Self::empty();
        let mut config = String::new();
        for (name, settings, script) in tools {
            place.write(&format!("{name}.sh"), script);
            config.push_str(&format!("[[tool]]\nname = \"{name}\"\ncommand = [\"sh\", \"{name}.sh\"]\n{settings}\n"));
        }
        place.write("inspector.toml", &config);
        place
    }

    pub(crate) fn tree(&self) -> PathBuf {
        self.directory.path().canonicalize().unwrap().join("tree")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        let path = self.tree().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.tree().join(file)).unwrap()
    }

    /// The program, about to look at the tree.
    pub(crate) fn inspector(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_inspector-shell"));
        command.args(args).current_dir(self.tree()).stdin(Stdio::null());
        command.env("ADMIN_SHELL_DATABASE", self.data().join("journal.db"));
        for variable in ["XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"] {
            command.env(variable, self.data());
        }
        for variable in ["RUSTFLAGS", "RUSTDOCFLAGS", "CARGO_ENCODED_RUSTFLAGS", "VIRTUAL_ENV"] {
            command.env_remove(variable);
        }
        command.env("CARGO_TARGET_DIR", self.target());
        command
    }

    pub(crate) fn target(&self) -> PathBuf {
        self.directory.path().join("target")
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.inspector(args).output().unwrap()
    }

    /// What a piece of code answers.
    #[track_caller]
    pub(crate) fn answer(&self, code: &str) -> Value {
        let output = self.run(&["--json", "-c", code]);
        assert!(output.status.success(), "{code}: {}{}", text(&output.stdout), text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What a person sees.
    #[track_caller]
    pub(crate) fn shown(&self, code: &str) -> String {
        let output = self.run(&["-c", code]);
        assert!(output.status.success(), "{code}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// What went wrong.
    #[track_caller]
    pub(crate) fn failure(&self, code: &str) -> String {
        let output = self.run(&["-c", code]);
        assert!(!output.status.success(), "{code}: {}", text(&output.stdout));
        text(&output.stderr)
    }

    /// What a tool says itself, asked in the tree.
    pub(crate) fn tool(&self, program: impl AsRef<Path>, args: &[&str]) -> String {
        let mut command = Command::new(program.as_ref());
        command.args(args).current_dir(self.tree()).stdin(Stdio::null()).env("CARGO_TARGET_DIR", self.target());
        command.env("NO_COLOR", "1").env("CARGO_TERM_COLOR", "never").env("PYTHONDONTWRITEBYTECODE", "1");
        let output = command.output().unwrap_or_else(|error| panic!("{}: {error}", program.as_ref().display()));
        format!("{}{}", text(&output.stdout), text(&output.stderr))
    }

    pub(crate) fn git(&self, args: &[&str]) {
        let who = ["-c", "user.name=A Tester", "-c", "user.email=tester@example.org"];
        let output = Command::new("git").args(who).args(args).current_dir(self.tree()).output().unwrap();
        assert!(output.status.success(), "git {args:?}: {}", text(&output.stderr));
    }
}

/// A program of a tree's own environment.
pub(crate) fn python(name: &str) -> PathBuf {
    installed("venv").join("bin").join(name)
}

pub(crate) fn javascript(name: &str) -> PathBuf {
    installed("node/node_modules").join(".bin").join(name)
}

/// What `scripts/test` has installed: `target/tools/…`, seen from `target/debug/inspector-shell`.
pub(crate) fn installed(what: &str) -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_inspector-shell"));
    let tools = program.ancestors().skip(1).map(|place| place.join("tools").join(what)).find(|path| path.is_dir());
    tools.unwrap_or_else(|| {
        panic!("tools/{what} is not below the target directory: run scripts/test, which installs it")
    })
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `file:line rule` of each finding of a tool, sorted.
pub(crate) fn places(report: &Value, tool: &str) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap().iter().filter(|finding| finding["tool"] == tool);
    let place = |finding: &Value| {
        let line = finding["line"].as_u64().map(|line| format!(":{line}")).unwrap_or_default();
        format!("{}{line} {}", finding["file"].as_str().unwrap_or("-"), finding["rule"].as_str().unwrap_or("-"))
    };
    let mut places: Vec<String> = findings.map(place).collect();
    places.sort();
    places
}

/// The verdict of one adapter.
pub(crate) fn verdict<'r>(report: &'r Value, adapter: &str) -> &'r Value {
    let adapters = report["adapters"].as_array().unwrap();
    adapters.iter().find(|row| row["adapter"] == adapter).unwrap_or_else(|| panic!("no {adapter} in {report}"))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}
