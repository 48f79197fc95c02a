//! Secret arguments are in no event, no error, no question and no history, however they are given; and what is no
//! secret can be read.

use admin_shell::{Policy, Request, Verdict, event::CommandEnd, testing::TestShell};

use super::desk::{Desk, Log, desk, shell};

#[tokio::test]
async fn secrets_asked_for_are_masked() {
    let (shell, _) = desk().await;
    assert!(shell.run("ask_secret()").await.fails().contains("nobody typed one"));
    shell.types_secret("hunter2");
    assert!(shell.run("ask_secret()").await.fails().contains("[redacted] is not the one"));
    assert!(shell.events().await.iter().all(|event| !event.text().contains("hunter2")));
}

/// A secret that is too short to be looked for everywhere is masked where it is known to stand.
#[tokio::test]
async fn short_secrets_are_masked_too() {
    struct Looks(Log);

    impl Policy for Looks {
        fn name(&self) -> &str {
            "looks"
        }

        fn decide(&self, request: &Request<'_>) -> Verdict {
            self.0.did(format!("{:?}", request.args));
            Verdict::Run
        }
    }

    let (log, seen) = (Log::default(), Log::default());
    let shell = TestShell::of(shell(&log).policy(Looks(seen.clone()))).await;
    let failure = shell.run("login(\"ada\", \"9\")").await.fails();
    assert!(failure.contains("`login` failed: [redacted] is too short"), "{failure}");
    assert_eq!(seen.all(), ["[Some(String(\"ada\")), Some(String(\"[redacted]\"))]"], "no policy sees it");
    let events = shell.events().await;
    assert_eq!(events[1].body()["input"], "login(\"ada\", [redacted])");
    assert_eq!(events[2].body()["args"], serde_json::json!({"user": "ada", "password": "[redacted]"}));
    assert_eq!(events[3].body()["error"]["message"], "`login` failed: [redacted] is too short");
}

/// The names of helpers are no secrets, whatever they are called: their messages can be read, also in the record.
#[tokio::test]
async fn names_that_mean_secrets_hide_nothing() {
    let log = Log::default();
    let shell = shell(&log).helpers(|helpers| {
        helpers
            .read("rotate_token", "Fails.")
            .param("password_id", "Which.")
            .run(async |_: admin_shell::Cx<Desk>, _: u8| Err::<(), _>(anyhow::anyhow!("everything is locked")));
    });
    let shell = TestShell::of(shell).await;
    for (code, message) in [
        ("rotate_token(1)", "`rotate_token` failed: everything is locked"),
        ("rotate_token(300)", "`password_id` of `rotate_token` wants an integer from 0 to 255, got 300"),
        ("rotate_token()", "`rotate_token` wants `password_id`"),
        ("rotate_token(1, 2)", "`rotate_token` takes 1 argument, got 2"),
        ("rotate_token(1, #{password_id: 2})", "`password_id` of `rotate_token` is given twice"),
    ] {
        assert!(shell.run(code).await.fails().contains(message), "{code}");
        let end: CommandEnd = shell.events().await.last().and_then(admin_shell::Event::decode).expect("an end");
        assert_eq!(end.error.expect("an error").message, message);
    }
}

/// Whatever stands around it, and whatever of it is missing or too much: the secret is not recorded.
#[tokio::test]
async fn a_planted_secret_is_never_recorded() {
    use proptest::{
        prelude::*,
        test_runner::{Config, TestRunner},
    };

    let (shell, _) = desk().await;
    let piece = prop::sample::select(vec![
        "\"", "'", "`", "${", "}", "{", "(", ")", "[", "]", "#{", ",", ";", ":", "\n", "//", "/*", "*/", "\\", "#\"",
        "\"#", " ", "x", "let x = ", "login", "login(", "fn f(", "1", "é", ".", "?.", "!", "|", "\u{0}", "login ",
        "\t", "--",
    ]);
    let noise = prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat());
    let forms = prop::sample::select(vec![
        "login(\"ada\", \"@\")",
        "login(\"ada\", #{password: \"@\"})",
        "login(#{user: \"ada\", password: `@`})",
        "\"ada\".login(\"@\")",
        "login ada @",
        "login ada \"@\"",
        "login --password @ ada",
        "login(\"ada\", @)",
        "login(\"ada\", '@')",
        "login(\"ada\", \"x\", \"@\")",
        "Fn(\"login\").call(\"ada\", \"@\")",
        "login(\"ada\", \"a\" + \"@\")",
        "login(\"ada\", `${\"@\"}`)",
        "login!(\"ada\", \"@\")",
        "login(\n  \"ada\",\n  \"@\"\n)",
        "login(\"ada\", #\"@\"#)",
        "login(#{pasword: \"@\"})",
        "// login(\"ada\", \"@\")",
        "login(\"ada\", (\"@\"))",
    ]);
    let secret = "Zq9hunter2secret";
    let mut runner = TestRunner::new(Config { cases: 1000, failure_persistence: None, ..Config::default() });
    let result = runner.run(&(noise.clone(), forms, noise), |(before, form, after)| {
        let text = format!("{before} {} {after}", form.replace('@', secret));
        let kept = shell.session().redacted(&text);
        prop_assert!(!kept.contains(secret), "{text:?} is kept as {kept:?}");
        if let admin_shell::Check::Wrong(failure) = shell.session().check(&text) {
            prop_assert!(!format!("{failure:?}").contains(secret), "{text:?} is told as {failure:?}");
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}
