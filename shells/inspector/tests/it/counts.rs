//! What the inspector finds is what the tools find, finding by finding. Each tool is asked a second time, by hand and in
//! another format than the adapter reads.

use serde_json::Value;

use crate::place::{Place, installed, javascript, places, python, verdict};

/// `file:line rule` of lines such as `file:12:3: rule …`.
fn lines(output: &str, read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut places: Vec<String> = output.lines().filter_map(read).collect();
    places.sort();
    places
}

/// The first three parts of `file:line:rest`.
fn split(line: &str) -> Option<(&str, &str, &str)> {
    let (file, rest) = line.split_once(':')?;
    let (number, rest) = rest.split_once(':')?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then_some((file, number, rest))
}

/// What stands in the last pair of brackets.
fn bracketed(line: &str) -> Option<&str> {
    line.rsplit_once('[')?.1.strip_suffix(']')
}

#[test]
fn python_finds_what_its_tools_find() {
    let place = Place::planted("python");
    let report = place.answer("crack()");

    let ruff = place.tool(python("ruff"), &["check", "--no-cache", "--output-format", "concise", "."]);
    let ruff = lines(&ruff, |line| {
        let (file, number, rest) = split(line)?;
        Some(format!("{file}:{number} {}", rest.split_once(": ")?.1.split_whitespace().next()?.trim_end_matches(':')))
    });
    assert_eq!(ruff.len(), 5, "{ruff:?}");
    assert_eq!(places(&report, "ruff"), ruff);

    let mypy = place.tool(python("mypy"), &["--no-incremental", "."]);
    let mypy = lines(&mypy, |line| {
        let (file, number, _) = split(line)?;
        Some(format!("{file}:{number} {}", bracketed(line)?))
    });
    assert_eq!(mypy.len(), 5, "{mypy:?}");
    assert_eq!(places(&report, "mypy"), mypy);

    let bandit = place.tool(
        python("bandit"),
        &["-q", "-r", "-f", "custom", "--msg-template", "{relpath}:{line}:{test_id}", "-x", "./.venv", "."],
    );
    let bandit = lines(&bandit, |line| {
        let (file, number, rule) = split(line)?;
        Some(format!("{}:{number} {rule}", file.trim_start_matches("./")))
    });
    assert_eq!(bandit.len(), 6, "{bandit:?}");
    assert_eq!(places(&report, "bandit"), bandit);

    let pytest = place.tool(python("pytest"), &["-q", "-rfE", "--tb=no", "-p", "no:cacheprovider"]);
    let pytest = lines(&pytest, |line| {
        let name = line.strip_prefix("FAILED ").or_else(|| line.strip_prefix("ERROR "))?;
        Some(name.split_once("::")?.1.split(' ').next()?.to_owned())
    });
    assert_eq!(pytest, ["test_error", "test_wrong"]);
    let found = places(&report, "pytest");
    assert_eq!(found, ["tests/test_money.py:12 test_wrong", "tests/test_money.py:17 test_error"]);

    let format = place.tool(python("ruff"), &["format", "--diff", "--no-cache", "."]);
    let format = lines(&format, |line| Some(line.strip_prefix("--- ")?.to_owned()));
    assert_eq!(format, ["app/layout.py"]);
    assert_eq!(places(&report, "ruff-format"), ["app/layout.py:2 format"]);
    assert_eq!(report["verdict"], "fail");
}

#[test]
fn rust_finds_what_cargo_finds() {
    let place = Place::planted("rust");
    let report = place.answer("crack()");

    // In a directory of its own: what was built before would be told as it was told then.
    let apart = place.data().join("apart").display().to_string();
    let clippy = place.tool("cargo", &["clippy", "--all-targets", "--message-format", "short", "--target-dir", &apart]);
    let mut said = lines(&clippy, |line| {
        let (file, number, rest) = split(line)?;
        rest.contains(": warning: ").then(|| format!("{file}:{number}"))
    });
    // Cargo says it of the library and of its tests.
    said.dedup();
    assert_eq!(said, ["src/lib.rs:10", "src/lib.rs:5", "src/lib.rs:9"], "{clippy}");
    assert_eq!(
        places(&report, "clippy"),
        ["src/lib.rs:10 unused_variables", "src/lib.rs:5 clippy::needless_return", "src/lib.rs:9 clippy::ptr_arg"]
    );

    let tests = place.tool("cargo", &["test", "--no-fail-fast"]);
    let tests = lines(&tests, |line| Some(line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?.to_owned()));
    assert_eq!(tests, ["divides", "src/lib.rs - documented (line 16)", "tests::wrong"]);
    let of = |tool: &str| {
        let rule = |finding: &Value| finding["rule"].as_str().unwrap().to_owned();
        report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|finding| finding["tool"] == tool)
            .map(rule)
            .collect::<Vec<_>>()
    };
    let mut found = [of("test"), of("doctest")].concat();
    found.sort();
    assert_eq!(found, tests);
    assert!(places(&report, "test").contains(&"src/lib.rs:32 tests::wrong".to_owned()));

    let format = place.tool("cargo", &["fmt", "--", "--check", "-l"]);
    let format =
        lines(&format, |line| Some(line.strip_prefix(place.tree().to_str()?)?.trim_start_matches('/').to_owned()));
    assert_eq!(format, ["src/lib.rs"]);
    assert_eq!(places(&report, "fmt"), ["src/lib.rs:1 format"]);

    let doc = place.tool("cargo", &["doc", "--no-deps", "--target-dir", &apart]);
    assert_eq!(doc.matches("warning: unresolved link").count(), 1, "{doc}");
    assert_eq!(places(&report, "doc"), ["src/lib.rs:1 rustdoc::broken_intra_doc_links"]);

    // crack() leaves to clippy what `check` would repeat; asked for, it runs.
    assert!(report["adapters"].as_array().unwrap().iter().all(|row| row["adapter"] != "check"));
    let report = place.answer("typecheck()");
    assert_eq!(places(&report, "check"), ["src/lib.rs:10 unused_variables"]);
}

#[test]
fn rust_without_nextest() {
    let place = Place::planted("rust");
    place.write("inspector.toml", "disable = [\"doctest\"]");
    // A PATH with cargo and nothing of cargo-nextest.
    let bin = place.data().join("bin");
    std::fs::create_dir(&bin).unwrap();
    for name in ["cargo", "rustc", "cc", "git", "rustdoc"] {
        let found = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .map(|path| path.join(name))
            .find(|path| path.is_file());
        if let Some(found) = found {
            std::os::unix::fs::symlink(found, bin.join(name)).unwrap();
        }
    }
    let path = std::env::join_paths([bin.as_path(), "/usr/bin".as_ref(), "/bin".as_ref()]).unwrap();
    let output = place.inspector(&["--json", "-c", "test()"]).env("PATH", path).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = ["- divides", "src/lib.rs:16 src/lib.rs - documented (line 16)", "src/lib.rs:32 tests::wrong"];
    assert_eq!(places(&report, "test"), expected, "{report}");
}

#[test]
fn what_does_not_compile_is_said_once() {
    let place = Place::planted("rust");
    place.write("src/lib.rs", "//! Broken.\nfn broken() -> i32 {\n    \"text\"\n}\n");
    let report = place.answer("crack()");
    let first = &report["findings"][0];
    assert_eq!(
        (&first["rule"], &first["line"], &first["kind"]),
        (&"E0308".into(), &3.into(), &"type".into()),
        "{first}"
    );
    assert_eq!(verdict(&report, "test")["verdict"], "skipped");
    assert_eq!(verdict(&report, "doc")["note"], "it does not compile, clippy says why");
    assert_eq!(report["findings"].as_array().unwrap().iter().filter(|f| f["rule"] == "E0308").count(), 1);
}

#[test]
fn javascript_and_typescript() {
    let place = Place::planted("javascript");
    let report = place.answer("crack()");

    let eslint = place.tool(javascript("eslint"), &["--format", "stylish", "."]);
    let mut file = String::new();
    let mut expected = Vec::new();
    for line in eslint.lines() {
        if let Some(path) = line.strip_prefix(place.tree().to_str().unwrap()) {
            file = path.trim_start_matches('/').to_owned();
        } else if let Some((position, _)) = line.trim().split_once(' ')
            && let Some((number, _)) = position.split_once(':')
        {
            expected.push(format!("{file}:{number} {}", line.split_whitespace().last().unwrap()));
        }
    }
    expected.sort();
    assert_eq!(expected.len(), 3, "{eslint}");
    assert_eq!(places(&report, "eslint"), expected);

    let tsc = place.tool(javascript("tsc"), &["--noEmit", "--pretty", "true"]);
    assert!(tsc.contains("Found 3 errors"), "{tsc}");
    assert_eq!(places(&report, "tsc"), ["src/money.ts:2 TS2322", "src/money.ts:3 TS2322", "src/money.ts:7 TS2339"]);

    let prettier = place.tool(javascript("prettier"), &["--check", "."]);
    let prettier = lines(&prettier, |line| {
        let file = line.strip_prefix("[warn] ")?;
        (!file.contains(' ')).then(|| format!("{file} format"))
    });
    assert_eq!(prettier.len(), 3, "{prettier:?}");
    assert_eq!(places(&report, "prettier"), prettier);

    let tests = place.tool("npm", &["test"]);
    assert!(tests.contains("# fail 1") || tests.contains("fail 1"), "{tests}");
    assert_eq!(places(&report, "npm-test"), ["src/list.js:3 finds nothing"]);
}

/// What a test runner finds in a package with one test that holds, one that does not, and a file that is none.
fn runner(script: &str, imports: &str) -> Vec<String> {
    let place = Place::empty();
    std::os::unix::fs::symlink(installed("node/node_modules"), place.tree().join("node_modules")).unwrap();
    place.write(
        "package.json",
        &format!(r#"{{"name": "planted", "version": "1.0.0", "scripts": {{"test": "{script}"}}}}"#),
    );
    let test = "describe('adding', () => {\n  test('works', () => { expect(1 + 2).toBe(3); });\n  test('fails', () => {\n    expect(1 + 2).toBe(4);\n  });\n});\n";
    place.write("src/sum.test.js", &format!("{imports}\n{test}"));
    place.write("src/broken.test.js", "const x = ;\n");
    let report = place.answer("crack()");
    assert_eq!(verdict(&report, "npm-test")["verdict"], "fail", "{report}");
    let said = place.tool("npm", &["test"]);
    assert!(said.contains("1 failed") && said.contains("1 passed"), "{said}");
    places(&report, "npm-test")
}

#[test]
fn single_tests_of_jest_and_vitest() {
    assert_eq!(runner("jest", ""), ["src/broken.test.js:1 -", "src/sum.test.js:5 adding fails"]);
    let imports = "import { describe, expect, test } from 'vitest';";
    let expected = ["src/broken.test.js:1 src/broken.test.js", "src/sum.test.js:5 adding > fails"];
    assert_eq!(runner("vitest", imports), expected);
    assert_eq!(runner("vitest run", imports), expected);
}
