//! Ctrl-C, and SIGKILL: every process of every kind of tool is gone within a second. After Ctrl-C the session lives, what
//! was found is kept, and the record says what happened.

use std::{
    os::unix::process::ExitStatusExt,
    process::Stdio,
    time::{Duration, Instant},
};

use admin_shell::{Shell, Status, event::CommandEnd, testing::TestShell};
use inspector::{Inspector, Settings};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use procfs::process::{ProcState, all_processes};

use crate::place::Place;

/// Processes that run with their current directory inside of the place: whatever group or session they moved to.
fn running(place: &Place) -> Vec<(i32, i32)> {
    let tree = place.tree();
    let mut found = Vec::new();
    for process in all_processes().unwrap().flatten() {
        let (Ok(stat), Ok(cwd)) = (process.stat(), process.cwd()) else { continue };
        let runs = !matches!(stat.state(), Ok(ProcState::Zombie | ProcState::Dead));
        let is_tool = stat.comm != "inspector-shell" && stat.pid.cast_unsigned() != std::process::id();
        if runs && is_tool && cwd.starts_with(tree.parent().unwrap()) {
            found.push((stat.pid, stat.pgrp));
        }
    }
    found
}

#[track_caller]
fn until(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
    begun.elapsed()
}

/// Starts the program, interrupts it when the tool works, and looks that nothing is left.
#[track_caller]
fn interrupted(place: &Place, code: &str, works: impl FnMut() -> bool) {
    let mut child = place.inspector(&["-c", code]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("the tool works", Duration::from_secs(120), works);
    let groups: Vec<i32> = running(place).into_iter().map(|(_, group)| group).collect();
    assert!(!groups.is_empty(), "its processes can be seen");
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    until("all processes are gone", Duration::from_secs(1), || running(place).is_empty());
    let status = child.wait().unwrap();
    assert_eq!(status.code().or(status.signal()), Some(130), "it ends as programs do that were interrupted");
    let last = &place.answer("runs(1)")[0];
    assert_eq!(last["verdict"], "cancelled", "{last}");
}

#[test]
fn every_kind_of_tool() {
    for kind in ["format", "lint", "type", "test", "security"] {
        let settings = format!("format = \"json-lines\"\nkind = \"{kind}\"\n[tool.fields]\nmessage = \"text\"");
        let script = "trap '' TERM INT; echo '{\"text\": \"found before\"}'; (setsid sleep 600 & sleep 600) & touch works; sleep 600";
        let place = Place::with_tools(&[("slow", &settings, script)]);
        interrupted(&place, "crack()", || place.tree().join("works").exists() && running(&place).len() >= 4);
        let kept = place.answer("findings()");
        assert_eq!(kept[0]["message"], "found before", "{kind}: {kept}");
    }
}

#[test]
fn real_test_runners() {
    let rust = Place::planted("rust");
    rust.write("tests/slow.rs", "//! Slow.\n#[test]\nfn slow() { std::fs::write(\"works\", \"\").unwrap(); std::thread::sleep(std::time::Duration::from_secs(600)); }\n");
    interrupted(&rust, "test(\"slow\")", || rust.tree().join("works").exists());
    let python = Place::planted("python");
    python.write("tests/test_slow.py", "import pathlib, subprocess\n\ndef test_slow():\n    pathlib.Path('works').touch()\n    subprocess.run(['sleep', '600'])\n");
    interrupted(&python, "test(\"slow\")", || python.tree().join("works").exists() && running(&python).len() >= 2);
    let javascript = Place::planted("javascript");
    javascript.write("test/slow.test.js", "import test from 'node:test';\nimport fs from 'node:fs';\ntest('slow', async () => { fs.writeFileSync('works', ''); await new Promise(r => setTimeout(r, 600000)); });\n");
    interrupted(&javascript, "test()", || javascript.tree().join("works").exists());
}

#[test]
fn a_build_that_compiles() {
    let place = Place::planted("rust");
    place.write("build.rs", "//! Slow.\nfn main() { std::fs::write(\"works\", \"\").unwrap(); std::thread::sleep(std::time::Duration::from_secs(600)); }\n");
    for code in ["crack([\"clippy\"])", "typecheck()", "crack([\"doc\"])"] {
        let _ = std::fs::remove_file(place.tree().join("works"));
        interrupted(&place, code, || place.tree().join("works").exists());
    }
}

/// Kills the program when its tool works, and looks that nothing is left.
#[track_caller]
fn killed(place: &Place, code: &str, works: impl FnMut() -> bool) {
    let mut child = place.inspector(&["-c", code]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("the tool works", Duration::from_secs(120), works);
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL).unwrap();
    until("all processes are gone", Duration::from_secs(1), || running(place).is_empty());
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    assert_eq!(place.answer("runs(1)[0].verdict"), "cancelled");
}

#[test]
fn a_shell_that_is_killed_leaves_no_process() {
    let fields = "format = \"json-lines\"\n[tool.fields]\nmessage = \"text\"";
    // In its group, in a session of its own without its parent, and without anything that it inherited.
    let script = "trap '' TERM INT; (setsid sh -c 'sleep 600; true' &); env -i sh -c 'sleep 600; true' &
        touch works; sleep 600; true";
    let quick = "echo '{\"text\": \"found before\"}'; echo '{\"text\": \"and this\"}'";
    let place = Place::with_tools(&[("quick", fields, quick), ("slow", fields, script)]);
    let found = || place.answer("findings().map(|f| [f.n, f.message])");
    let works = || place.tree().join("works").exists() && running(&place).len() >= 6;
    let expected = serde_json::json!([[1, "found before"], [2, "and this"]]);
    killed(&place, "crack()", || works() && found() == expected);
    assert_eq!(found(), expected, "what was found by then stays found");
    let rust = Place::planted("rust");
    rust.write("tests/slow.rs", "//! Slow.\n#[test]\nfn slow() { std::fs::write(\"works\", \"\").unwrap(); std::thread::sleep(std::time::Duration::from_secs(600)); }\n");
    killed(&rust, "test(\"slow\")", || rust.tree().join("works").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_session_lives_on() {
    let settings = "format = \"json-lines\"\n[tool.fields]\nmessage = \"text\"";
    let place = Place::with_tools(&[("slow", settings, "echo '{\"text\": \"found before\"}'; touch works; sleep 600")]);
    let tree = Some(place.tree().display().to_string());
    let shell = TestShell::of(Shell::new(Inspector::new(Settings { tree, ..Settings::default() }).unwrap())).await;
    let session = shell.session().clone();
    let works = place.tree().join("works");
    let interrupt = tokio::task::spawn_blocking(move || {
        until("the tool works", Duration::from_secs(60), || works.exists());
        session.interrupt();
    });
    let failure = shell.run("crack()").await.fails();
    interrupt.await.unwrap();
    assert!(failure.contains("interrupted"), "{failure}");
    let kept: Vec<serde_json::Value> = shell.run("findings()").await.value();
    assert_eq!(kept[0]["message"], "found before");
    assert_eq!(running(&place), []);
    let events = shell.events().await;
    let ends: Vec<CommandEnd> =
        events.iter().filter(|e| e.kind().to_string() == "command_end").filter_map(|e| e.decode()).collect();
    assert_eq!((ends[0].status, ends[1].status), (Status::Cancelled, Status::Ok));
}
