//! A hundred thousand findings: the shell stays small, and shows the first of them.

use std::{process::Stdio, time::Duration};

use crate::place::{Place, text};

#[test]
fn a_hundred_thousand_findings() {
    let script = r#"awk 'BEGIN { printf "{\"version\": \"2.1.0\", \"runs\": [{\"results\": [";
        for (i = 1; i <= 100000; i++) printf "%s{\"ruleId\": \"r%d\", \"level\": \"warning\", \"message\": {\"text\": \"finding number %d of many, with some words about it\"}, \"locations\": [{\"physicalLocation\": {\"artifactLocation\": {\"uri\": \"src/file%d.rs\"}, \"region\": {\"startLine\": %d, \"startColumn\": 3}}}]}", (i > 1 ? "," : ""), i % 50, i, i % 1000, i;
        print "]}]}" }'"#;
    let place = Place::with_tools(&[("many", "format = \"sarif\"", script)]);
    let mut child = place.inspector(&["-c", "crack()"]).stdout(Stdio::piped()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut output = child.stdout.take().unwrap();
    let reading = std::thread::spawn(move || {
        let mut shown = Vec::new();
        std::io::Read::read_to_end(&mut output, &mut shown).map(|_| shown)
    });
    let mut peak_kib = 0_u64;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak_kib = peak_kib.max(line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(5));
    }
    let shown = text(&reading.join().unwrap().unwrap());
    assert!(shown.contains("warn: 0 errors, 100000 warnings, 0 notes"), "{shown}");
    assert!(shown.contains("… and 99800 more: findings(#{offset: 200}) goes on"), "{shown}");
    // Without optimisation the program itself is larger than what people run.
    let limit = if cfg!(debug_assertions) { 75 } else { 60 };
    assert!((1..limit * 1024).contains(&peak_kib), "{peak_kib} KiB of memory");
    assert_eq!(place.answer("findings(#{offset: 99999})[0].n"), 100_000);
}
