//! What helpers are called with: by position, by name, as methods, in command style; and what a wrong call is told.

use serde_json::{Value, json};

use super::desk::{desk, words};

#[tokio::test]
async fn every_way_to_give_them() {
    let (shell, log) = desk().await;
    let same = [
        ("errors()", json!([1, 2, 3])),
        ("errors", json!([1, 2, 3])),
        ("errors(2)", json!([1, 2])),
        ("errors(#{limit: 2})", json!([1, 2])),
        (r#"errors(2, #{order: "newest"})"#, json!([2, 1])),
        (r#"errors(#{order: "newest", limit: 2})"#, json!([2, 1])),
        (r#"errors(2, "newest")"#, json!([2, 1])),
        ("errors --limit 2 --order newest", json!([2, 1])),
        ("errors --order=newest 2", json!([2, 1])),
        ("errors 2 newest", json!([2, 1])),
        ("errors 2 'newest'", json!([2, 1])),
        ("errors((), ())", json!([1, 2, 3])),
        (r#"show("r2").attempts"#, json!(2)),
        ("show(ps()[1]).attempts", json!(2)),
        ("ps()[1].show().attempts", json!(2)),
        (r#"show(#{id: "r2"}).attempts"#, json!(2)),
        ("ps.len", json!(3)),
        ("let r = ps()[0]; r.show(); r.id", json!("r1")),
        ("find(#{filter: #{most: 1}})", json!(1)),
        (r#"find(#{name: "nightly"})"#, json!(3)),
        ("wait(0.001)", json!(null)),
        (r#"wait("1ms")"#, json!(null)),
        ("echo(#{b: 1, a: [1.5, true, 'x', ()]})", json!({"a": [1.5, true, "x", null], "b": 1})),
        ("echo(#{value: 1}, #{})", json!({"value": 1})),
        ("echo(())", json!(null)),
        ("echo()", json!(null)),
        ("let n = note(\"x\"); n", json!(1)),
        ("each([1, 2], |n| n * 2)", json!([2, 4])),
        ("each([[1, 2]], |n| each(n, |m| m + 1))", json!([[2, 3]])),
        ("fn twice(n) { n * 2 } each([1, 2], twice)", json!([2, 4])),
        ("let by = 10; each([1, 2], |n| n * by)", json!([10, 20])),
        ("both(|| 1, || each([2], |n| n)[0])", json!([1, 2])),
        ("apply(|| note(\"inner\"))", json!(5)),
        ("look(lease())", json!(7)),
        ("let l = lease(); l.look()", json!(7)),
        ("stream(3).len", json!(3)),
    ];
    for (code, expected) in same {
        let value: Value = shell.run(code).await.value();
        assert_eq!(value, expected, "{code}");
    }
    assert_eq!(log.all(), ["note x", "note inner", "applied"]);
}

#[tokio::test]
async fn the_record_holds_what_was_resolved() {
    let (shell, log) = desk().await;
    shell.confirms("a test");
    shell.run("ps()[1].cancel()").await.value::<Value>();
    shell.run("rename r1 --name \"a b\"").await.value::<Value>();
    let events = shell.events().await;
    let starts: Vec<_> = events.iter().filter(|event| event.kind().as_str() == "call_start").collect();
    assert_eq!(starts[0].body()["args"], json!({"id": "r2"}));
    assert_eq!(starts[1].body()["args"], json!({"id": "r1", "name": "a b"}));
    assert_eq!(shell.asked()[0].call, r#"cancel("r2")"#);
    assert_eq!(shell.asked()[0].preview.as_deref(), Some("r2 would stop"));
    assert_eq!(log.all(), ["cancel r2: a test", "rename r1 a b"]);
}

/// Each wrong call, and all that a person sees of it.
#[tokio::test]
async fn wrong_calls_are_explained() {
    let (shell, log) = desk().await;
    let mut shown = String::new();
    for code in include_str!("arguments/wrong.txt").lines().filter_map(|line| line.strip_prefix("> ")) {
        let ran = shell.run(&code.replace('␤', "\n")).await;
        let failure = ran.failure().unwrap_or_else(|| panic!("{code} does not fail"));
        shown.push_str(&format!("> {code}\n{failure}\n\n"));
    }
    // The number of the input says nothing here.
    let numbers = regex::Regex::new(r"repl:\d+").expect("a pattern");
    let shown = numbers.replace_all(&shown, "repl");
    if std::env::var_os("BLESS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/arguments/wrong.txt");
        std::fs::write(path, shown.trim_end().to_owned() + "\n").expect("it can be written");
        return;
    }
    assert_eq!(shown.trim_end(), include_str!("arguments/wrong.txt").trim_end(), "BLESS=1 writes it anew");
    assert_eq!(log.all(), [""; 0], "nothing of it ran");
    let events = words(&shell.events().await);
    assert!(events.iter().all(|word| !word.starts_with("call_")), "{events:?}");
}

#[tokio::test]
async fn records_keep_their_order_and_numbers_their_value() {
    let (shell, _) = desk().await;
    let text = |ran: admin_shell::testing::Ran| ran.outcome.value.to_string();
    let odd = r#"{"zeta":"18446744073709551615","nan":null,"alpha":-9223372036854775808,"half":0.5,"list":[{"second":2,"first":1}],"null":null}"#;
    assert_eq!(text(shell.run("odd()").await), odd);
    assert_eq!(text(shell.run("let o = odd(); o").await), odd);
    assert_eq!(
        text(shell.run("ps().filter(|r| r.attempts > 1)").await),
        r#"[{"id":"r2","name":"nightly","attempts":2},{"id":"r3","name":"nightly","attempts":3}]"#
    );
    assert_eq!(
        text(shell.call("odd", json!({})).await),
        odd.replace("\"18446744073709551615\"", "18446744073709551615")
    );
    assert_eq!(text(shell.run("0.0 / 0.0").await), "null");
    assert_eq!(text(shell.run("1..3").await), "\"1..3\"");
    assert_eq!(text(shell.run("|| 1").await), "null");
}

#[tokio::test]
async fn what_is_no_data_is_not_dropped() {
    let (shell, _) = desk().await;
    for (code, what) in [("echo([1, || 1])", "function"), ("echo(#{a: [#{b: lease()}]})", "handle")] {
        let message = format!("an argument of `echo` is a list or a record that holds a {what}");
        assert!(shell.run(code).await.fails().contains(&message), "{code}");
    }
    assert_eq!(shell.run("[1, || 1]").await.outcome.value.to_string(), "[1,null]", "to look at, it is nothing");
}

#[tokio::test]
async fn rows_are_read_inside_the_door() {
    let (shell, _) = desk().await;
    assert!(shell.run("stream(7)").await.fails().starts_with("error: `stream` failed: the fifth is broken"));
    let ran = shell.run("count(4)").await;
    assert_eq!(
        ran.progress().iter().map(|(_, part)| part.expect("a total")).collect::<Vec<_>>(),
        [0.25, 0.5, 0.75, 1.0]
    );
}

#[tokio::test]
async fn called_from_outside_of_the_language() {
    let (shell, log) = desk().await;
    shell.confirms("a test");
    assert_eq!(shell.call("errors", json!({"limit": 1})).await.value::<Value>(), json!([1]));
    shell.call("cancel", json!({"id": {"id": "r1"}})).await.value::<Value>();
    assert!(shell.call("cansel", json!({})).await.fails().contains("did you mean `cancel`?"));
    assert!(
        shell.call("each", json!({"items": [1], "f": "x"})).await.fails().contains("`f` of `each` wants a function")
    );
    shell.call("login", json!({"user": "ada", "password": "hunter2"})).await.value::<Value>();
    let _ = shell.call("login", json!({"user": "ada", "pasword": "hunter2"})).await.fails();
    let _ = shell.call("lgoin", json!({"user": "ada", "password": "hunter2"})).await.fails();
    assert_eq!(log.all(), ["cancel r1: a test", "login ada"]);
    for event in shell.events().await {
        assert!(!event.text().contains("hunter2"), "{event:?}");
    }
}
