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

#[test]
fn differences_come_in_pages() {
    let settings = "format = \"json-lines\"\n[tool.fields]\nmessage = \"text\"\nrule = \"rule\"";
    let script = "for i in $(seq 2500); do echo \"{\\\"text\\\": \\\"x\\\", \\\"rule\\\": \\\"r$i\\\"}\"; done";
    let place = Place::with_tools(&[("many", settings, script)]);
    place.answer("crack()");
    place.write("many.sh", "true");
    place.answer("crack()");
    let sizes = "[c.added_count, c.added.len(), c.fixed_count, c.fixed.len(), c.same]";
    let of = |code: &str| place.answer(&format!("let c = {code}; {sizes}"));
    assert_eq!(of("compare()"), serde_json::json!([0, 0, 2500, 2000, 0]));
    assert_eq!(of("compare(1, 2, 2000)"), serde_json::json!([0, 0, 2500, 500, 0]));
    assert_eq!(of("compare(2, 1, 2400)"), serde_json::json!([2500, 100, 0, 0, 0]));
    assert_eq!(of("compare(1, 1)"), serde_json::json!([0, 0, 0, 0, 2500]));
    let shown = place.shown("compare(1, 2)");
    assert!(shown.contains("… and 2300 more: compare(1, 2, 200) goes on"), "{shown}");
    assert!(shown.ends_with("0 new, 2500 fixed, 0 the same (run 1 and run 2)\n"), "{shown}");
    let shown = place.shown("findings(#{run: 1, offset: 1000})");
    assert!(shown.contains("… and 1300 more: findings(#{offset: 1200}) goes on"), "{shown}");
}
